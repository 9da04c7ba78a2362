//! What a pod weighs: `cargo bench -p meshquake-benches --bench memory`.
//!
//! Worlds of 50, 200 and 500 meshed pods ([`scenarios/crowd.yaml`](../scenarios/crowd.yaml)),
//! each in a process of its own: the resident set after the boot, when every
//! sidecar has its certificate and its configuration, and after thirty virtual
//! seconds at 200 requests per second. Linux only: it is `VmRSS` of
//! `/proc/self/status`.

#![expect(clippy::print_stdout, reason = "a bench prints")]

use std::cell::Cell;
use std::process::Command;
use std::rc::Rc;

use meshquake::world::{RunOptions, run};
use meshquake_benches::account::Account;
use meshquake_benches::scenario;

const PODS: [u64; 3] = [50, 200, 500];

/// Services of the scenario, each with one caller.
const SERVICES: u64 = 10;

/// Tells the bench that it is the child, with the number of pods after it.
const CHILD: &str = "--world-of";

/// Resident sets in KiB.
#[derive(Clone, Copy, Default)]
struct Weight {
    begin: u64,
    boot: u64,
    load: u64,
}

/// KiB of memory this process has resident; `None` off Linux.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Runs a world of this many pods and prints what it weighed.
fn world(pods: u64) {
    let replicas = (pods - SERVICES) / SERVICES;
    let set = |service| {
        (
            format!("services.shop-{service}.replicas"),
            replicas.to_string(),
        )
    };
    let plan = scenario::plan("crowd", (0..SERVICES).map(set).collect());
    let begin = resident().unwrap_or_default();
    // The first slice ends before the load begins, the last one when it does.
    let seen = Rc::new(Cell::new((None, 0)));
    let seeing = seen.clone();
    let options = RunOptions {
        progress: Box::new(move |_, _| {
            let now = resident().unwrap_or_default();
            let boot = seeing.get().0.unwrap_or(now);
            seeing.set((Some(boot), now));
        }),
        ..RunOptions::default()
    };
    let report = run(&plan, options).expect("the run ends");
    let failed: u64 = report.traffic.values().map(|source| source.failed).sum();
    assert_eq!(failed, 0, "requests failed");
    let (boot, load) = seen.get();
    println!("{begin} {} {load}", boot.unwrap_or_default());
}

fn weigh(pods: u64) -> Weight {
    let bench = std::env::current_exe().expect("this process has a binary");
    let mut child = Command::new(bench);
    let output = child.args([CHILD, &pods.to_string()]).output();
    let output = output.expect("the child starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let numbers = String::from_utf8_lossy(&output.stdout);
    let mut numbers = numbers
        .split_whitespace()
        .filter_map(|word| word.parse().ok());
    let mut next = || numbers.next().unwrap_or_default();
    Weight {
        begin: next(),
        boot: next(),
        load: next(),
    }
}

/// KiB that each further pod adds.
fn slope(few: u64, many: u64, pods: u64) -> f64 {
    (many as f64 - few as f64) / pods as f64
}

fn main() {
    let mut args = std::env::args().skip_while(|arg| arg != CHILD);
    if let Some(pods) = args.nth(1).and_then(|pods| pods.parse().ok()) {
        return world(pods);
    }
    if resident().is_none() {
        return println!("only Linux says how much memory is resident");
    }
    let weights = PODS.map(weigh);
    let mut account = Account::new(
        "memory",
        "What a meshed pod weighs: the resident set of whole worlds, after the boot and after load.",
    );
    for (pods, weight) in PODS.iter().zip(&weights) {
        println!(
            "{pods:>4} pods: {:>7} KiB at first, {:>8} KiB after boot, {:>8} KiB after load",
            weight.begin, weight.boot, weight.load
        );
        account.add(
            &format!("{pods} pods, after boot"),
            weight.boot as f64 / 1024.0,
            "MiB",
        );
        account.add(
            &format!("{pods} pods, after load"),
            weight.load as f64 / 1024.0,
            "MiB",
        );
    }
    for ((pods, weight), (fewer, before)) in PODS
        .iter()
        .zip(&weights)
        .skip(1)
        .zip(PODS.iter().zip(&weights))
    {
        let more = pods - fewer;
        println!(
            "{fewer:>4} to {pods} pods: {:>6.0} KiB per pod after boot, {:>6.0} KiB per pod after load",
            slope(before.boot, weight.boot, more),
            slope(before.load, weight.load, more),
        );
        let name = |when| format!("each pod from {fewer} to {pods}, {when}");
        account.add(
            &name("after boot"),
            slope(before.boot, weight.boot, more),
            "KiB",
        );
        account.add(
            &name("after load"),
            slope(before.load, weight.load, more),
            "KiB",
        );
    }
    account.write();
}
