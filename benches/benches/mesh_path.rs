//! What the mesh costs: `cargo bench -p meshquake-benches --bench mesh_path`.
//!
//! A request through real sidecars against one through two pass-through proxies
//! on the same fabric, in one run. Boot, handshakes and certificates are left
//! out on both sides by taking the difference of a long and a short load.
//!
//! With an argument, only that number of pods. With `mesh` or `bare` as the
//! second and seconds as the third, that load is run once, for a profiler:
//! what two lengths differ in is the price of the requests between.

#![expect(clippy::print_stdout, reason = "a bench prints")]

use std::time::Duration;

use meshquake_benches::bare::{self, Bare};
use meshquake_benches::cost::Stopwatch;
use meshquake_benches::meshed;

const REPEATS: usize = 5;

/// A way to answer requests.
type Path = fn(&Bare) -> u64;

fn bare(load: &Bare) -> u64 {
    let outcome = bare::run(load).expect("the run ends");
    assert_eq!(outcome.failed, 0, "a bare request failed");
    outcome.answered
}

fn mesh(load: &Bare) -> u64 {
    meshed::answered(load).expect("the run ends")
}

/// Microseconds per request.
fn cost(path: Path, load: &Bare) -> f64 {
    let seconds = |duration| Bare {
        duration: Duration::from_secs(duration),
        ..load.clone()
    };
    let spent = |load: Bare| {
        let watch = Stopwatch::start();
        let answered = path(&load);
        (watch.spent().as_secs_f64(), answered)
    };
    let (short, few) = spent(seconds(1));
    let (long, many) = spent(seconds(11));
    // The last requests of a mesh run may still be under way when it ends.
    let expected = (load.per_second * 10.0) as u64;
    assert!(many - few + 10 >= expected, "{many} - {few} of {expected}");
    (long - short) * 1e6 / (many - few) as f64
}

fn compare(load: &Bare) {
    let mut ratios = Vec::new();
    let (mut least_bare, mut least_mesh) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..REPEATS {
        let (bare, mesh) = (cost(bare, load), cost(mesh, load));
        least_bare = least_bare.min(bare);
        least_mesh = least_mesh.min(mesh);
        ratios.push(mesh / bare);
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "{:>4} pods, {} rps: bare {least_bare:.1} us, mesh {least_mesh:.1} us per request; ratio {:.2} (least {:.2}, median {:.2}, most {:.2})",
        load.pods,
        load.per_second,
        least_mesh / least_bare,
        ratios[0],
        ratios[ratios.len() / 2],
        ratios[ratios.len() - 1],
    );
}

fn main() {
    let mut wanted = std::env::args().skip(1).filter(|arg| !arg.starts_with('-'));
    let (size, side) = (wanted.next(), wanted.next());
    let length = wanted.next().and_then(|seconds| seconds.parse().ok());
    for pods in [10, 50, 200] {
        let load = Bare {
            pods,
            ..Bare::default()
        };
        if size.as_ref().is_some_and(|size| *size != pods.to_string()) {
            continue;
        }
        let path = match side.as_deref() {
            Some("bare") => bare,
            Some("mesh") => mesh,
            _ => {
                compare(&load);
                continue;
            }
        };
        let duration = Duration::from_secs(length.unwrap_or(10));
        println!("{} answered", path(&Bare { duration, ..load }));
    }
}
