//! The worst requests: of each kind of failure the longest and some of all times, and the slowest of those that succeeded.
//!
//! Failures of a kind are often equally long, as timeouts are, and the first of them say little of what still fails an
//! hour later. So the second, fourth, eighth, … of a kind are kept too, the latest of these: the last of them is in the
//! later half of all.

use std::collections::{BTreeMap, VecDeque};

use meshquake_reports::{Told, TraceReport};

/// Failures kept of each kind because of their length.
const FAILED_MAX: usize = 3;
/// Failures kept of each kind because of their number.
const SPREAD_MAX: usize = 3;
/// Kinds of failure kept.
const KINDS_MAX: usize = 8;
/// Successes kept.
const SLOW_MAX: usize = 15;

#[derive(Default)]
pub(super) struct Worst {
    failed: BTreeMap<Box<str>, Kind>,
    slow: Longest,
}

/// Failures of a kind.
#[derive(Default)]
struct Kind {
    count: u64,
    longest: Longest,
    spread: VecDeque<TraceReport>,
}

impl Kind {
    fn consider(&mut self, latency: u64, report: impl FnOnce() -> TraceReport) {
        self.count += 1;
        if self.longest.has_room(FAILED_MAX, latency) {
            self.longest.consider(FAILED_MAX, latency, report);
        } else if self.count.is_power_of_two() {
            if self.spread.len() == SPREAD_MAX {
                self.spread.pop_front();
            }
            self.spread.push_back(report());
        }
    }

    fn report(&self) -> impl Iterator<Item = &TraceReport> {
        self.longest.report().chain(&self.spread)
    }
}

/// The longest, the longest first; of equals the first.
#[derive(Default)]
struct Longest(Vec<(u64, TraceReport)>);

impl Longest {
    fn has_room(&self, max: usize, latency: u64) -> bool {
        self.0.len() < max
            || self
                .0
                .last()
                .is_some_and(|(shortest, _)| *shortest < latency)
    }

    fn report(&self) -> impl Iterator<Item = &TraceReport> {
        self.0.iter().map(|(_, report)| report)
    }

    fn consider(&mut self, max: usize, latency: u64, report: impl FnOnce() -> TraceReport) {
        let place = self.0.partition_point(|(longer, _)| *longer >= latency);
        if place < max {
            self.0.insert(place, (latency, report()));
            self.0.truncate(max);
        }
    }
}

impl Worst {
    /// Takes a request that has ended, if it is bad enough.
    pub(super) fn consider(
        &mut self,
        failure: Option<&str>,
        latency: u64,
        report: impl FnOnce(Told) -> TraceReport,
    ) {
        let Some(kind) = failure else {
            return self.slow.consider(SLOW_MAX, latency, || report(Told::Slow));
        };
        if !self.failed.contains_key(kind) {
            if self.failed.len() >= KINDS_MAX {
                return;
            }
            self.failed.insert(kind.into(), Kind::default());
        }
        if let Some(failures) = self.failed.get_mut(kind) {
            failures.consider(latency, || report(Told::Failed));
        }
    }

    /// Failures by kind, then the slow.
    pub(super) fn report(&self) -> Vec<TraceReport> {
        let failed = self.failed.values().flat_map(Kind::report);
        failed.chain(self.slow.report()).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshquake_reports::RequestOutcome;

    fn report(sequence: u64, told: Told) -> TraceReport {
        TraceReport {
            told,
            traffic: "users".into(),
            sequence,
            trace: String::new(),
            intended_ns: 0,
            request: String::new(),
            outcome: RequestOutcome::Timeout,
            succeeded: None,
            status: None,
            flags: String::new(),
            latency_ns: None,
            split: None,
            spans: Vec::new(),
            spans_omitted: 0,
        }
    }

    #[test]
    fn of_failures_of_one_length_some_are_late() {
        let mut worst = Worst::default();
        for number in 0..1000 {
            worst.consider(Some("UT"), 2_000, |told| report(number, told));
        }
        let kept: Vec<u64> = worst.report().iter().map(|trace| trace.sequence).collect();
        assert_eq!(kept, [0, 1, 2, 127, 255, 511]);
    }

    #[test]
    fn the_longest_come_first() {
        let mut worst = Worst::default();
        for (number, latency) in [5, 9, 1, 7, 3, 8].into_iter().enumerate() {
            worst.consider(Some("UF"), latency, |told| report(number as u64, told));
            worst.consider(None, latency, |told| report(number as u64, told));
        }
        let kept: Vec<u64> = worst.report().iter().map(|trace| trace.sequence).collect();
        assert_eq!(kept, [1, 5, 3, 1, 5, 3, 0, 4, 2]);
    }
}
