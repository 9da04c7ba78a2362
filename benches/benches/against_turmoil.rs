//! What turmoil costs for the same work: `cargo bench -p meshquake-benches --bench against_turmoil`.
//!
//! Fifty pods at 100 requests per second in total (and at 2000), once on Meshquake's fabric
//! and once on plain turmoil 0.7, with the very same apps, proxies, TLS and
//! HTTP behind the same seams: first pass-through proxies, then real sidecars
//! with their control plane. turmoil ticks in whole milliseconds, so both sides
//! have links of one millisecond, one way. turmoil holds loopback messages for
//! a tick too and the fabric does not: virtual latencies differ by that.
//!
//! Sides alternate; the least of the repeats is printed, and every repeat's ratio.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench reads the machine's clock and prints"
)]

use std::rc::Rc;
use std::time::{Duration, Instant};

use meshquake::fabric::Sweeping;
use meshquake::plan::Distribution;
use meshquake_benches::account::{Account, ratio};
use meshquake_benches::bare::{self, Bare};
use meshquake_benches::{Answers, Pod, Tally, on_fabric, on_turmoil, sidecars};

const REPEATS: usize = 3;

/// How many times as fast as plain turmoil the fabric is to be at the first load.
const TARGET: f64 = 20.0;

/// Requests per second of all pods, and for how long: enough to drown the boot, short enough
/// for turmoil. The first is the target's; the other is where turmoil does best, its ticks full.
const LOADS: [(f64, Duration); 2] = [
    (100.0, Duration::from_secs(20)),
    (2000.0, Duration::from_secs(5)),
];

/// A set of pods to run on both sides.
struct Path {
    name: &'static str,
    pods: fn(&Bare, &Rc<Tally>) -> Vec<Pod>,
    length: fn(&Bare) -> Duration,
}

const PATHS: [Path; 2] = [
    Path {
        name: "bare proxies",
        pods: bare::pods,
        length: Bare::length,
    },
    Path {
        name: "sidecars and control plane",
        pods: sidecars::pods,
        length: sidecars::length,
    },
];

fn on_fabric(pods: Vec<Pod>, length: Duration) {
    let world = on_fabric::World {
        latency: Distribution::Constant(on_turmoil::TICK),
        sweeping: Sweeping::Late,
    };
    on_fabric::run(pods, &world, length).expect("the run ends");
}

fn on_turmoil(pods: Vec<Pod>, length: Duration) {
    on_turmoil::run(pods, on_turmoil::TICK, length).expect("the run ends");
}

/// Wall time of a whole run, boot and all, and what came of it.
fn measure(path: &Path, load: &Bare, run: fn(Vec<Pod>, Duration)) -> (f64, Answers) {
    let tally = Tally::new();
    let pods = (path.pods)(load, &tally);
    let before = Instant::now();
    run(pods, (path.length)(load));
    let wall = before.elapsed().as_secs_f64();
    let answers = tally.answers();
    assert_eq!(
        (answers.answered, answers.failed),
        (load.requests(), 0),
        "{}",
        path.name
    );
    (wall, answers)
}

fn print(side: &str, wall: f64, answers: &Answers, virtual_seconds: f64) {
    let requests = answers.answered as f64;
    println!(
        "  {side:<9} {:>9.1} us/request {wall:>8.3} s wall {:>9.4} s wall per virtual second, mean latency {:>6.3} ms",
        wall * 1e6 / requests,
        wall / virtual_seconds,
        answers.latency_sum.as_secs_f64() * 1e3 / requests,
    );
}

fn compare(path: &Path, load: &Bare, account: &mut Account) {
    let length = (path.length)(load);
    let mut ratios = Vec::new();
    let mut least = [f64::INFINITY; 2];
    let mut last = None;
    for _ in 0..REPEATS {
        let (ours, on_fabric) = measure(path, load, on_fabric);
        let (theirs, on_turmoil) = measure(path, load, on_turmoil);
        ratios.push(theirs / ours);
        least = [least[0].min(ours), least[1].min(theirs)];
        last = Some([on_fabric, on_turmoil]);
    }
    let Some([on_fabric, on_turmoil]) = last else {
        return;
    };
    println!(
        "{} pods, {}, {} rps, {} virtual s, {} requests",
        load.pods,
        path.name,
        load.per_second,
        length.as_secs_f64(),
        load.requests(),
    );
    print("fabric", least[0], &on_fabric, length.as_secs_f64());
    print("turmoil", least[1], &on_turmoil, length.as_secs_f64());
    println!(
        "  ratio     {:.1} (repeats: {})",
        least[1] / least[0],
        ratios
            .iter()
            .map(|r| format!("{r:.1}"))
            .collect::<Vec<_>>()
            .join(", ")
    );
    let mut faster = ratio("plain turmoil’s time", least[1] / least[0], &ratios);
    faster.more_is_better = true;
    faster.target = (load.per_second < 1000.0).then_some(TARGET);
    let name = format!(
        "{}, {} pods at {} rps",
        path.name, load.pods, load.per_second
    );
    let us = least[0] * 1e6 / on_fabric.answered as f64;
    account.compare(&name, (us, "µs/request"), &[], faster);
}

fn main() {
    let mut account = Account::new(
        "against_turmoil",
        "How many times as long plain turmoil 0.7 takes for the same pods.",
    );
    for (per_second, duration) in LOADS {
        let load = Bare {
            pods: 50,
            per_second,
            duration,
            ..Bare::default()
        };
        PATHS
            .iter()
            .for_each(|path| compare(path, &load, &mut account));
    }
    account.write();
}
