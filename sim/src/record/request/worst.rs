//! The worst requests: of each kind of failure the longest, and the slowest of those that succeeded.

use std::collections::BTreeMap;

use meshquake_reports::{Told, TraceReport};

/// Failures kept of each kind.
const FAILED_MAX: usize = 5;
/// Kinds of failure kept.
const KINDS_MAX: usize = 8;
/// Successes kept.
const SLOW_MAX: usize = 15;

#[derive(Default)]
pub(super) struct Worst {
    failed: BTreeMap<Box<str>, Longest>,
    slow: Longest,
}

/// The longest, the longest first; of equals the first.
#[derive(Default)]
struct Longest(Vec<(u64, TraceReport)>);

impl Longest {
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
            self.failed.insert(kind.into(), Longest::default());
        }
        if let Some(longest) = self.failed.get_mut(kind) {
            longest.consider(FAILED_MAX, latency, || report(Told::Failed));
        }
    }

    /// Failures by kind, then the slow.
    pub(super) fn report(&self) -> Vec<TraceReport> {
        let failed = self.failed.values().flat_map(|longest| &longest.0);
        let all = failed.chain(&self.slow.0);
        all.map(|(_, report)| report.clone()).collect()
    }
}
