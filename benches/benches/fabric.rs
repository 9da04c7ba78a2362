//! What the fabric costs: `cargo bench -p meshquake-benches --bench fabric`.
//!
//! Each line is the best of a few alternating repeats; ratios compare lines of
//! the same run. With an argument, only the lines whose name contains it.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench reads the machine's clock and prints"
)]

use std::time::{Duration, Instant};

use meshquake::fabric::Sweeping;
use meshquake::plan::Distribution;
use meshquake_benches::account::Account;
use meshquake_benches::bare::{Bare, Outcome, run};

const REPEATS: u32 = 3;

struct Line {
    name: String,
    load: Bare,
    best: Duration,
    outcome: Option<Outcome>,
}

impl Line {
    fn new(name: &str, load: Bare) -> Self {
        Self {
            name: name.to_owned(),
            load,
            best: Duration::MAX,
            outcome: None,
        }
    }

    fn measure(&mut self) {
        let before = Instant::now();
        let outcome = run(&self.load).expect("the run ends");
        self.best = self.best.min(before.elapsed());
        assert_eq!(outcome.failed, 0, "{}", self.name);
        self.outcome = Some(outcome);
    }

    fn print(&self) {
        let Some(outcome) = self.outcome else { return };
        let requests = outcome.answered as f64;
        println!(
            "{:<34} {:>8.1} us/request {:>7.2} s  {:>6.2} sweeps {:>6.2} packets {:>6.2} events per request",
            self.name,
            self.best.as_secs_f64() * 1e6 / requests,
            self.best.as_secs_f64(),
            outcome.stats.sweeps as f64 / requests,
            outcome.stats.packets as f64 / requests,
            outcome.stats.events as f64 / requests,
        );
    }
}

fn lines() -> Vec<Line> {
    let mut lines = Vec::new();
    let us = Duration::from_micros;
    let jitter = Distribution::Uniform {
        low: us(450),
        high: us(550),
    };
    for pods in [10, 50, 200] {
        let load = Bare {
            pods,
            ..Bare::default()
        };
        lines.push(Line::new(&format!("{pods} pods, 2000 rps"), load.clone()));
        for sweeping in [Sweeping::Late, Sweeping::Touched] {
            let name = format!("{pods} pods, 2000 rps, jitter, {sweeping:?}");
            let load = Bare {
                latency: jitter.clone(),
                sweeping,
                ..load.clone()
            };
            lines.push(Line::new(&name, load));
        }
    }
    let sparse = Bare {
        pods: 200,
        per_second: 0.1,
        duration: Duration::from_secs(86_400),
        ..Bare::default()
    };
    lines.push(Line::new("200 pods, 0.1 rps, 24 h", sparse));
    lines
}

fn main() {
    let wanted = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let mut lines = lines();
    lines.retain(|line| wanted.as_ref().is_none_or(|name| line.name.contains(name)));
    for _ in 0..REPEATS {
        lines.iter_mut().for_each(Line::measure);
    }
    lines.iter().for_each(Line::print);
    let mut account = Account::new(
        "fabric",
        "What the network alone costs: two pass-through proxies with mutual TLS, the best of a few alternating repeats.",
    );
    for line in &lines {
        let Some(outcome) = line.outcome else {
            continue;
        };
        let us = line.best.as_secs_f64() * 1e6 / outcome.answered as f64;
        account.add(&line.name, us, "µs/request");
    }
    account.write();
}
