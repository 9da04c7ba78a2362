//! What the mesh costs: `cargo bench -p meshquake-benches --bench mesh_path`.
//!
//! Three ways to answer the same requests on the same fabric, in one run: two
//! pass-through proxies (*bare*); real sidecars with their control plane, for
//! the same apps (*mesh*); and a whole Meshquake run with scripted apps, traffic
//! sources, recorder and digest (*run*). Each is a process of its own, with a
//! world that boots and warms up. Then they take turns, a slice of virtual time
//! each, again and again: what else goes on at the machine meets all alike.
//!
//! With an argument, only that number of pods. With `bare`, `mesh` or `run` as
//! the second and seconds as the third, that load is run once, for a profiler:
//! what two lengths differ in is the price of the requests between.

#![expect(clippy::print_stdout, reason = "a bench prints")]

use std::io::{BufRead as _, BufReader, Write as _, stdin};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use mesh_core::seam::Instant;
use meshquake_benches::account::{Account, ratio};
use meshquake_benches::bare::{self, Bare};
use meshquake_benches::cost::{Costs, Stopwatch};
use meshquake_benches::{Pod, Tally, meshed, on_fabric, sidecars};

/// Long enough that what another world left in the caches does not matter much.
const SLICE: Duration = Duration::from_millis(500);
const SLICES: u32 = 100;
/// By then every world has booted and every connection is made.
const WARM: Duration = Duration::from_secs(5);

const WAYS: [&str; 3] = ["bare", "mesh", "run"];

/// Runs `load` in one of the [`WAYS`]; `mark` is told how many requests have ended, at every slice.
fn go(way: &str, load: &Bare, mark: impl Fn(u64) + 'static) {
    match way {
        "bare" => on_the_fabric(load, bare::pods, load.length(), mark),
        "mesh" => on_the_fabric(load, sidecars::pods, sidecars::length(load), mark),
        _ => meshed::slices(load, WARM, SLICE, mark).expect("the run ends"),
    }
}

fn on_the_fabric(
    load: &Bare,
    pods: fn(&Bare, &Rc<Tally>) -> Vec<Pod>,
    length: Duration,
    mark: impl Fn(u64),
) {
    let tally = Tally::new();
    let world = on_fabric::World {
        latency: load.latency.clone(),
        sweeping: load.sweeping,
    };
    let mut fabric = on_fabric::start(pods(load, &tally), &world).expect("the world begins");
    let mut pass = |until: Duration| {
        let passed = fabric.run_until(Instant::ZERO + until);
        passed.expect("the world goes on");
        tally.answers().answered
    };
    let mut now = WARM;
    while now < length {
        mark(pass(now));
        now += SLICE;
    }
    pass(length);
    assert_eq!(tally.answers().failed, 0, "a request failed");
}

/// One of the ways, as a process that waits for its turn.
struct Runner {
    child: Child,
    costs: BufReader<ChildStdout>,
}

impl Runner {
    fn start(way: &str, pods: u32) -> Self {
        let exe = std::env::current_exe().expect("a bench has a file");
        let mut child = Command::new(exe)
            .args([&pods.to_string(), way, "turns"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a bench runs itself");
        let costs = BufReader::new(child.stdout.take().expect("it is piped"));
        Self { child, costs }
    }

    /// Lets a slice pass; microseconds per request.
    fn turn(&mut self) -> f64 {
        let turn = self.child.stdin.as_mut().expect("it is piped");
        writeln!(turn).expect("it listens");
        let mut cost = String::new();
        self.costs.read_line(&mut cost).expect("it answers");
        cost.trim().parse().expect("it answers with a number")
    }

    fn end(mut self) {
        drop(self.child.stdin.take());
        let ended = self.child.wait().expect("it ends");
        assert!(ended.success(), "a world broke");
    }
}

/// The other side of a [`Runner`].
fn take_turns(way: &str, load: &Bare) {
    let watch = Stopwatch::start();
    let before = std::cell::Cell::new(None);
    go(way, load, move |ended| {
        if let Some((spent, count)) = before.get() {
            let spent: Duration = watch.spent() - spent;
            println!("{}", spent.as_secs_f64() * 1e6 / (ended - count) as f64);
        }
        // At the end nobody says anything any more, and the rest is run without him.
        let mut turn = String::new();
        stdin().read_line(&mut turn).expect("a line");
        before.set((!turn.is_empty()).then(|| (watch.spent(), ended)));
    });
}

fn load(pods: u32, seconds: Option<u64>) -> Bare {
    let duration = seconds.map_or(WARM + SLICE * (SLICES + 1), Duration::from_secs);
    Bare {
        pods,
        duration,
        ..Bare::default()
    }
}

/// What the mesh may cost, of the bare path.
const TARGET: f64 = 1.5;

fn compare(pods: u32, account: &mut Account) {
    let mut runners = WAYS.map(|way| Runner::start(way, pods));
    let rounds: Vec<[f64; 3]> = (0..SLICES)
        .map(|_| runners.each_mut().map(Runner::turn))
        .collect();
    runners.into_iter().for_each(Runner::end);
    println!("{pods} pods, {} rps:", load(pods, None).per_second);
    for (index, way) in WAYS.iter().enumerate() {
        let costs = Costs::new(rounds.iter().map(|round| round[index]).collect());
        let ratios = Costs::new(rounds.iter().map(|r| r[index] / r[0]).collect());
        println!(
            "  {way:<5} {:>6.1} us per request (median {:.1}); of bare, side by side: median {:.2}, four fifths {:.2} to {:.2}",
            costs.low(),
            costs.median(),
            ratios.median(),
            ratios.quantile(0.1),
            ratios.quantile(0.9),
        );
        let (name, all) = (format!("{way}, {pods} pods"), |i: usize| -> Vec<f64> {
            rounds
                .iter()
                .map(|round| round[index] / if i == 0 { 1.0 } else { round[0] })
                .collect()
        });
        let mut of_bare = ratio("bare", ratios.median(), &all(1));
        of_bare.target = (*way == "mesh").then_some(TARGET);
        match index {
            0 => account.add(&name, costs.low(), "µs/request"),
            _ => account.compare(&name, (costs.low(), "µs/request"), &all(0), of_bare),
        }
    }
}

fn main() {
    let mut wanted = std::env::args().skip(1).filter(|arg| !arg.starts_with('-'));
    let (size, way, seconds) = (wanted.next(), wanted.next(), wanted.next());
    let sizes = size.map_or(vec![10, 50, 200], |size| {
        vec![size.parse().expect("a number of pods")]
    });
    let mut account = Account::new(
        "mesh_path",
        "What the mesh costs: real sidecars, and a whole run, for the same requests as two pass-through proxies.",
    );
    let whole = way.is_none();
    for pods in sizes {
        match (&way, seconds.as_deref()) {
            (None, _) => compare(pods, &mut account),
            (Some(way), Some("turns")) => take_turns(way, &load(pods, None)),
            (Some(way), seconds) => {
                let seconds = seconds.map(|seconds| seconds.parse().expect("seconds"));
                go(way, &load(pods, seconds.or(Some(10))), |_| {});
            }
        }
    }
    if whole {
        account.write();
    }
}
