//! What the mesh costs: `cargo bench -p meshquake-benches --bench mesh_path`.
//!
//! Three ways to answer the same requests on the same fabric, in one run: two
//! pass-through proxies (*bare*); real sidecars with their control plane, for
//! the same apps (*mesh*); and a whole Meshquake run with scripted apps, traffic
//! sources, recorder and digest (*run*). Boot, handshakes and certificates are
//! left out by taking the difference of a long and a short load.
//!
//! With an argument, only that number of pods. With `bare`, `mesh` or `run` as
//! the second and seconds as the third, that load is run once, for a profiler:
//! what two lengths differ in is the price of the requests between.

#![expect(clippy::print_stdout, reason = "a bench prints")]

use std::rc::Rc;
use std::time::Duration;

use meshquake_benches::bare::{self, Bare};
use meshquake_benches::cost::Stopwatch;
use meshquake_benches::{Pod, Tally, meshed, on_fabric, sidecars};

const REPEATS: usize = 5;

/// A way to answer requests; says how many were.
struct Way {
    name: &'static str,
    answer: fn(&Bare) -> u64,
}

const WAYS: [Way; 3] = [
    Way {
        name: "bare",
        answer: |load| on_the_fabric(load, bare::pods, load.length()),
    },
    Way {
        name: "mesh",
        answer: |load| on_the_fabric(load, sidecars::pods, sidecars::length(load)),
    },
    Way {
        name: "run",
        answer: |load| meshed::answered(load).expect("the run ends"),
    },
];

fn on_the_fabric(load: &Bare, pods: fn(&Bare, &Rc<Tally>) -> Vec<Pod>, length: Duration) -> u64 {
    let tally = Tally::new();
    let world = on_fabric::World {
        latency: load.latency.clone(),
        sweeping: load.sweeping,
    };
    on_fabric::run(pods(load, &tally), &world, length).expect("the run ends");
    let answers = tally.answers();
    assert_eq!(answers.failed, 0, "a request failed");
    answers.answered
}

/// Microseconds per request.
fn cost(way: &Way, load: &Bare) -> f64 {
    let spent = |seconds| {
        let duration = Duration::from_secs(seconds);
        let watch = Stopwatch::start();
        let answered = (way.answer)(&Bare {
            duration,
            ..load.clone()
        });
        (watch.spent().as_secs_f64(), answered)
    };
    let (short, few) = spent(1);
    let (long, many) = spent(11);
    // The last requests of a run may still be under way when it ends.
    let expected = (load.per_second * 10.0) as u64;
    assert!(many - few + 10 >= expected, "{many} - {few} of {expected}");
    (long - short) * 1e6 / (many - few) as f64
}

fn compare(load: &Bare) {
    let rounds: Vec<[f64; 3]> = (0..REPEATS)
        .map(|_| WAYS.each_ref().map(|way| cost(way, load)))
        .collect();
    let least = |way: usize| rounds.iter().map(|r| r[way]).fold(f64::INFINITY, f64::min);
    println!("{} pods, {} rps:", load.pods, load.per_second);
    for (index, way) in WAYS.iter().enumerate() {
        let mut ratios: Vec<f64> = rounds.iter().map(|r| r[index] / r[0]).collect();
        ratios.sort_by(f64::total_cmp);
        println!(
            "  {:<5} {:>6.1} us per request, {:.2} of bare; ratios of {REPEATS} rounds {:.2} to {:.2}, median {:.2}",
            way.name,
            least(index),
            least(index) / least(0),
            ratios[0],
            ratios[REPEATS - 1],
            ratios[REPEATS / 2],
        );
    }
}

fn main() {
    let mut wanted = std::env::args().skip(1).filter(|arg| !arg.starts_with('-'));
    let (size, way) = (wanted.next(), wanted.next());
    let seconds = wanted.next().and_then(|seconds| seconds.parse().ok());
    let way = WAYS.iter().find(|one| Some(one.name) == way.as_deref());
    for pods in [10, 50, 200] {
        if size.as_ref().is_some_and(|size| *size != pods.to_string()) {
            continue;
        }
        let mut load = Bare {
            pods,
            ..Bare::default()
        };
        let Some(way) = way else {
            compare(&load);
            continue;
        };
        load.duration = Duration::from_secs(seconds.unwrap_or(10));
        println!("{} answered", (way.answer)(&load));
    }
}
