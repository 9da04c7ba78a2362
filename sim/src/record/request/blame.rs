//! Where requests spent their time, in sums, and why they failed.
//!
//! The slow ones are those above the 99th percentile, which is known only at
//! the end. Sums are therefore kept by bucket of latency, and the buckets above
//! the one that the percentile falls into are added up.

use std::collections::BTreeMap;

use mesh_core::seam::Instant;
use meshquake_reports::record::millis;
use meshquake_reports::{BlameReport, Blamed, Split};

use super::super::series::{Cut, bounds, bucket};
use super::super::traffic::Sources;

/// The quantile above which a request is slow.
const SLOW: f64 = 0.99;

/// Kinds of failure told apart over time; the rest are `other`.
const KINDS_MAX: usize = 16;

/// Sums for each traffic source.
pub(super) struct Blame {
    cut: Cut,
    sources: BTreeMap<usize, Sums>,
}

#[derive(Default)]
struct Sums {
    all: Sum,
    failed: Sum,
    succeeded: BTreeMap<u16, Sum>,
    /// Failures of each window, by kind.
    why: BTreeMap<Box<str>, Vec<u64>>,
}

#[derive(Clone, Copy, Default)]
struct Sum {
    requests: u64,
    split: Split,
}

impl Sum {
    fn add(&mut self, requests: u64, split: &Split) {
        self.requests += requests;
        self.split.add(split);
    }

    const fn report(self, traffic: String, of: Blamed, slower_than_ms: Option<f64>) -> BlameReport {
        BlameReport {
            traffic,
            of,
            requests: self.requests,
            slower_than_ms,
            split: self.split,
        }
    }
}

impl Blame {
    pub(super) const fn new(cut: Cut) -> Self {
        Self {
            cut,
            sources: BTreeMap::new(),
        }
    }

    /// Takes a request that has ended; of one that failed, when it was to be sent and why it failed.
    pub(super) fn ended(
        &mut self,
        source: usize,
        latency: u64,
        split: &Split,
        failed: Option<(Instant, &str)>,
    ) {
        let sums = self.sources.entry(source).or_default();
        sums.all.add(1, split);
        match failed {
            Some((intended, why)) => {
                sums.failed.add(1, split);
                sums.count(why, self.cut.index(intended));
            }
            None => {
                let sum = sums.succeeded.entry(bucket(latency)).or_default();
                sum.add(1, split);
            }
        }
    }

    /// Failures of a source by kind, for so many windows.
    pub(super) fn why(&self, source: usize, windows: usize) -> BTreeMap<String, Vec<u64>> {
        let kinds = self.sources.get(&source).into_iter();
        kinds
            .flat_map(|sums| &sums.why)
            .map(|(why, counts)| {
                let mut counts = counts.clone();
                counts.resize(windows.max(counts.len()), 0);
                (why.to_string(), counts)
            })
            .collect()
    }

    pub(super) fn report(&self, sources: &Sources) -> Vec<BlameReport> {
        let mut report = Vec::new();
        for (source, sums) in &self.sources {
            let traffic = || sources.name(*source).to_owned();
            report.push(sums.all.report(traffic(), Blamed::All, None));
            if sums.failed.requests > 0 {
                report.push(sums.failed.report(traffic(), Blamed::Failed, None));
            }
            let (threshold, slow) = sums.slow();
            if slow.requests > 0 {
                report.push(slow.report(traffic(), Blamed::Slow, Some(millis(threshold))));
            }
        }
        report
    }
}

impl Sums {
    fn count(&mut self, why: &str, window: usize) {
        let known = self.why.contains_key(why) || self.why.len() < KINDS_MAX;
        let kind = if known { why } else { "other" };
        let counts = self.why.entry(kind.into()).or_default();
        if counts.len() <= window {
            counts.resize(window + 1, 0);
        }
        counts[window] += 1;
    }

    /// The end of the bucket that the quantile falls into, and the sum of those above.
    fn slow(&self) -> (u64, Sum) {
        let all: u64 = self.succeeded.values().map(|sum| sum.requests).sum();
        let rank = (SLOW * all as f64).ceil() as u64;
        let (mut seen, mut threshold) = (0, 0);
        let mut slow = Sum::default();
        for (bucket, sum) in &self.succeeded {
            if seen < rank {
                seen += sum.requests;
                threshold = bounds(*bucket).1;
            } else {
                slow.add(sum.requests, &sum.split);
            }
        }
        (threshold, slow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slow_are_those_above_the_99th_percentile() {
        let mut sums = Sums::default();
        for latency in 1..=1_000_u64 {
            let split = Split {
                network_ns: latency * 1_000_000,
                ..Split::default()
            };
            let sum = sums.succeeded.entry(bucket(latency * 1_000_000));
            sum.or_default().add(1, &split);
        }
        let (threshold, slow) = sums.slow();
        assert!(
            (0.99..1.0).contains(&(threshold as f64 / 1e9)),
            "{threshold}"
        );
        assert!((1..=10).contains(&slow.requests), "{}", slow.requests);
        assert!(slow.split.network_ns >= slow.requests * threshold);
    }
}
