//! What benches measured: their results, and the history of them.
//!
//! Every bench writes a [`BenchReport`]; a line of it is an absolute number, and beside it, where there is a baseline
//! on the same machine, the ratio to it, which is what says anything about the code. [`History`] is the runs before,
//! in a file that is committed. [`criterion`] reads what the criterion library leaves behind.

mod criterion;

use serde::{Deserialize, Serialize};

pub use criterion::criterion;

/// The version of the JSON contract.
pub const BENCH_SCHEMA: &str = "meshquake.bench/v1";

/// One run of one bench.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BenchReport {
    /// [`BENCH_SCHEMA`].
    pub schema: String,
    /// The bench's name, as `cargo bench --bench` takes it.
    pub bench: String,
    /// What it measures, in a sentence.
    pub about: String,
    /// Where it ran.
    pub machine: Machine,
    /// When, in seconds since 1970; 0 when unknown.
    pub unix_s: u64,
    /// What else is to be known: that the machine was busy.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// What was measured.
    pub lines: Vec<BenchLine>,
}

/// Where a bench ran.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    /// How many of them there are for us.
    pub cores: u32,
    /// The operating system.
    pub system: String,
    /// Processes that wanted a core, over the last minute; `None` when nobody says.
    pub load: Option<f64>,
    /// The compiler.
    pub rustc: String,
    /// The commit that was measured, `-dirty` after it when files differed; empty when unknown.
    pub commit: String,
}

/// One number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BenchLine {
    /// What it is of.
    pub name: String,
    /// Its unit, as it is written after a number: `µs/request`.
    pub unit: String,
    /// The number. Less is better.
    pub value: f64,
    /// Between what bounds repeats lay; `None` without repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<(f64, f64)>,
    /// What it is of the baseline; `None` without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio: Option<Ratio>,
}

/// A number over that of its baseline, taken side by side.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// The baseline's name.
    pub of: String,
    /// The ratio.
    pub value: f64,
    /// Between what bounds it lay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<(f64, f64)>,
    /// What it is to be: at most this, or, where more is better, at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<f64>,
    /// Whether more is better: how many times the baseline takes, not how many times we do.
    #[serde(default)]
    pub more_is_better: bool,
}

impl Ratio {
    /// Whether it is what it is to be; `None` without a target.
    pub fn met(&self) -> Option<bool> {
        let target = self.target?;
        Some(match self.more_is_better {
            true => self.value >= target,
            false => self.value <= target,
        })
    }
}

/// Runs before, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// The runs.
    pub runs: Vec<BenchReport>,
}

impl History {
    /// Adds runs; one that is there already, of the same bench at the same moment, is not added again.
    pub fn append(&mut self, runs: &[BenchReport]) {
        for run in runs {
            let same = |other: &BenchReport| other.bench == run.bench && other.unix_s == run.unix_s;
            if !self.runs.iter().any(same) {
                self.runs.push(run.clone());
            }
        }
    }

    /// What a line of a bench came to in every run, ratios where there are, the oldest first.
    pub fn course(&self, bench: &str, line: &str) -> Vec<f64> {
        let runs = self.runs.iter().filter(|run| run.bench == bench);
        let lines = runs.filter_map(|run| run.lines.iter().find(|l| l.name == line));
        lines.map(BenchLine::compared).collect()
    }
}

impl BenchLine {
    /// The number that is compared from run to run: the ratio, where there is one.
    pub fn compared(&self) -> f64 {
        self.ratio.as_ref().map_or(self.value, |ratio| ratio.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(bench: &str, unix_s: u64, value: f64, ratio: Option<f64>) -> BenchReport {
        BenchReport {
            bench: bench.into(),
            unix_s,
            lines: vec![BenchLine {
                name: "10 pods".into(),
                value,
                ratio: ratio.map(|value| Ratio {
                    value,
                    ..Ratio::default()
                }),
                ..BenchLine::default()
            }],
            ..BenchReport::default()
        }
    }

    #[test]
    fn a_run_is_in_the_history_once() {
        let mut history = History::default();
        history.append(&[run("a", 1, 20.0, Some(1.4)), run("b", 1, 3.0, None)]);
        history.append(&[run("a", 1, 99.0, None), run("a", 2, 21.0, Some(1.5))]);
        assert_eq!(
            history.course("a", "10 pods"),
            [1.4, 1.5],
            "ratios are compared"
        );
        assert_eq!(history.course("b", "10 pods"), [3.0]);
        assert!(history.course("a", "other").is_empty());
    }

    #[test]
    fn targets_point_one_way() {
        let ratio = |value, more_is_better| Ratio {
            value,
            target: Some(1.5),
            more_is_better,
            ..Ratio::default()
        };
        assert_eq!(ratio(1.4, false).met(), Some(true));
        assert_eq!(ratio(1.4, true).met(), Some(false));
        assert_eq!(Ratio::default().met(), None);
    }
}
