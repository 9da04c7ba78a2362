//! What a second core is worth to a sweep: `cargo bench -p meshquake-benches --bench sweep`.
//!
//! [`scenarios/sweep.yaml`](../scenarios/sweep.yaml) a thousand times (100 rates
//! × 10 seeds), as `meshquake sweep` does it: loaded, run, journalled. Each sweep
//! is a process of its own, on one thread and on two, in turn; wall time is the
//! least of the repeats, processor time is told beside it, because on a machine
//! that others use wall time is theirs too. A sweep of a hundred rows has the
//! resident set of one of a thousand if nothing is kept but a row. Linux only for
//! memory: it is `VmHWM` of `/proc/self/status`.

#![expect(clippy::print_stdout, reason = "a bench prints")]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use meshquake::explore::Seeds;
use meshquake::explore::grid::Grid;
use meshquake::explore::sweep::{Journal, Sweep, SweepError, SweepOptions};
use meshquake_benches::account::{Account, ratio};

const REPEATS: usize = 5;

/// What a second core is to be worth.
const TARGET: f64 = 1.8;

/// Seeds of each rate.
const SEEDS: u64 = 10;

/// Tells the bench that it is the child, with the numbers of rows and threads after it.
const CHILD: &str = "--sweep-of";

/// What a sweep took.
#[derive(Clone, Copy, Debug)]
struct Spent {
    wall_s: f64,
    cpu_s: f64,
    peak_kib: u64,
}

/// The most memory this process has had resident, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok());
    number.unwrap_or_default()
}

/// Processor time of this process, all threads.
#[cfg(unix)]
fn cpu() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

#[cfg(not(unix))]
fn cpu() -> f64 {
    f64::NAN
}

/// Sweeps so many rows on so many threads, and prints what it took.
#[expect(
    clippy::disallowed_methods,
    reason = "a bench reads the machine's clock"
)]
fn sweep(rows: u64, jobs: usize) -> Result<(), SweepError> {
    let began = std::time::Instant::now();
    let file = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/sweep.yaml"));
    let rates = format!("50/s..150/s/{}", rows / SEEDS);
    let grid =
        Grid::parse(&[("traffic.users.rate".to_owned(), rates)]).map_err(SweepError::Other)?;
    let sweep = Sweep::prepare(file.to_owned(), grid, &Seeds::First(SEEDS), None)?;
    let path = std::env::temp_dir().join(format!("meshquake-bench-{}.journal", std::process::id()));
    let journal = Journal::open(&path, &sweep.header(), sweep.rows(), true)?;
    let options = SweepOptions {
        jobs,
        stop: Arc::new(AtomicBool::new(false)),
        progress: &|_, _| {},
    };
    let journal = sweep.run(journal, &options)?;
    assert!(
        journal.is_complete() && journal.len() == rows,
        "every row is there"
    );
    journal
        .remove()
        .map_err(|error| SweepError::Other(error.to_string()))?;
    println!("{} {} {}", began.elapsed().as_secs_f64(), cpu(), peak());
    Ok(())
}

fn child(rows: u64, jobs: usize) -> Spent {
    let bench = std::env::current_exe().expect("this process has a binary");
    let output = Command::new(bench)
        .args([CHILD, &rows.to_string(), &jobs.to_string()])
        .output()
        .expect("the child starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers = text
        .split_whitespace()
        .filter_map(|word| word.parse::<f64>().ok());
    let mut next = || numbers.next().unwrap_or_default();
    Spent {
        wall_s: next(),
        cpu_s: next(),
        peak_kib: next() as u64,
    }
}

/// The one that took the least time.
fn least(all: &[Spent]) -> Spent {
    let least = all.iter().min_by(|a, b| a.wall_s.total_cmp(&b.wall_s));
    *least.expect("there are repeats")
}

fn main() {
    let args: Vec<String> = std::env::args().skip_while(|arg| arg != CHILD).collect();
    if let [_, rows, jobs, ..] = args.as_slice() {
        let numbers = rows.parse().ok().zip(jobs.parse().ok());
        let (rows, jobs) = numbers.expect("the bench says how much to do");
        let swept = sweep(rows, jobs);
        assert!(swept.is_ok(), "{:?}", swept.err());
        return;
    }
    let (mut one, mut two) = (Vec::new(), Vec::new());
    for _ in 0..REPEATS {
        one.push(child(1000, 1));
        two.push(child(1000, 2));
    }
    let (first, second) = (least(&one), least(&two));
    for (jobs, spent) in [(1, first), (2, second)] {
        println!(
            "1000 runs, --jobs {jobs}: {:.2} s wall, {:.2} s of processors, {} KiB at most",
            spent.wall_s, spent.cpu_s, spent.peak_kib
        );
    }
    let pairs = one.iter().zip(&two);
    let side_by_side: Vec<f64> = pairs.map(|(one, two)| one.wall_s / two.wall_s).collect();
    let ratios: Vec<String> = side_by_side.iter().map(|r| format!("{r:.2}")).collect();
    println!(
        "ratio {:.2}; side by side {}",
        first.wall_s / second.wall_s,
        ratios.join(", ")
    );
    let few = child(100, 2);
    println!("100 runs, --jobs 2: {} KiB at most", few.peak_kib);
    let mut account = Account::new(
        "sweep",
        "What a second core is worth to a sweep of a thousand runs.",
    );
    account.add("1000 runs, one thread", first.wall_s, "s");
    let mut worth = ratio(
        "one thread’s time",
        first.wall_s / second.wall_s,
        &side_by_side,
    );
    (worth.more_is_better, worth.target) = (true, Some(TARGET));
    account.compare("1000 runs, two threads", (second.wall_s, "s"), &[], worth);
    account.add(
        "1000 runs, two threads, memory at most",
        second.peak_kib as f64 / 1024.0,
        "MiB",
    );
    account.write();
}
