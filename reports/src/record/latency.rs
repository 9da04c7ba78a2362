//! Latencies: collected at three significant digits, told as a few quantiles.
//!
//! An HDR histogram (Tene) bounds the *relative* error of every quantile, at a
//! cost that depends on the range of values and not on their number. Mean,
//! least and largest are kept exactly beside it.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::millis;

/// Relative precision of quantiles: three significant digits.
const DIGITS: u8 = 3;

/// The distribution of a latency, in nanoseconds.
#[derive(Clone, Debug)]
pub struct LatencyHistogram {
    /// `None` until the first value: most pairs of services never talk.
    counts: Option<Histogram<u32>>,
    count: u64,
    sum: u128,
    min: u64,
    max: u64,
}

impl Default for LatencyHistogram {
    fn default() -> Self {
        Self::new()
    }
}

impl LatencyHistogram {
    /// An empty one.
    pub const fn new() -> Self {
        Self {
            counts: None,
            count: 0,
            sum: 0,
            min: u64::MAX,
            max: 0,
        }
    }

    /// Adds one value.
    pub fn record(&mut self, nanos: u64) {
        let counts = self.counts.get_or_insert_with(|| {
            let mut counts = Histogram::new(DIGITS).expect("1 to 5 digits are valid");
            counts.auto(true);
            counts
        });
        if counts.record(nanos).is_err() {
            // It cannot grow to this value: counted in the last bucket.
            counts.saturating_record(nanos);
        }
        self.count += 1;
        self.sum += u128::from(nanos);
        self.min = self.min.min(nanos);
        self.max = self.max.max(nanos);
    }

    /// How many values.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Exact mean in nanoseconds; `None` without values.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }

    /// Exact largest value; `None` without values.
    pub fn max(&self) -> Option<u64> {
        (self.count > 0).then_some(self.max)
    }

    /// The least value that at least `q` of all values do not exceed (nearest rank), to three digits;
    /// `None` without values.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let counts = self.counts.as_ref()?;
        let upper = counts.value_at_quantile(q);
        // The bucket's middle halves its error; the extremes are known exactly.
        Some(counts.median_equivalent(upper).clamp(self.min, self.max))
    }

    /// In milliseconds; `None` without values.
    pub fn summary(&self) -> Option<LatencyMs> {
        let at = |q| self.quantile(q).map(millis);
        Some(LatencyMs {
            mean: self.mean()? / 1e6,
            p50: at(0.5)?,
            p90: at(0.9)?,
            p99: at(0.99)?,
            p999: at(0.999)?,
            max: millis(self.max()?),
        })
    }
}

/// A latency's distribution, in milliseconds. Quantiles have three significant digits; mean and max are exact.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatencyMs {
    /// Mean.
    pub mean: f64,
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 99th percentile.
    pub p99: f64,
    /// 99.9th percentile.
    pub p999: f64,
    /// Largest.
    pub max: f64,
}

/// Counts and latencies over time, as columns: entry `i` is about `[i, i + 1) × window_s` of the run.
/// A request belongs to the window of its start, whenever it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Length of a window.
    pub window_s: f64,
    /// Requests begun.
    pub requests: Vec<u64>,
    /// Those of them that failed.
    pub failed: Vec<u64>,
    /// Attempts begun; empty where there is nobody to count them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<u64>,
    /// Median latency of those answered, within 1 %.
    pub p50_ms: Vec<Option<f64>>,
    /// 99th percentile of those answered, within 1 %.
    pub p99_ms: Vec<Option<f64>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equal_values_are_told_exactly() {
        let mut latency = LatencyHistogram::new();
        for _ in 0..10 {
            latency.record(12_345_678);
        }
        let told = latency.summary().unwrap();
        assert_eq!(
            (told.mean, told.p50, told.p999, told.max),
            (12.345678, 12.345678, 12.345678, 12.345678)
        );
    }

    #[test]
    fn without_values_there_is_nothing_to_tell() {
        assert_eq!(LatencyHistogram::new().summary(), None);
        assert_eq!(LatencyHistogram::new().quantile(0.5), None);
    }

    #[test]
    fn even_an_endless_latency_is_counted() {
        let mut latency = LatencyHistogram::new();
        latency.record(u64::MAX);
        latency.record(0);
        assert_eq!(latency.count(), 2);
        assert_eq!(latency.max(), Some(u64::MAX));
        assert_eq!(latency.quantile(0.5), Some(0));
    }

    proptest! {
        #[test]
        fn quantiles_are_within_a_thousandth(
            mut values in prop::collection::vec(1u64..100_000_000_000, 1..200),
            q in 0.0f64..1.0,
        ) {
            let mut latency = LatencyHistogram::new();
            values.iter().for_each(|&v| latency.record(v));
            values.sort_unstable();
            let rank = ((q * values.len() as f64).ceil() as usize).max(1);
            let exact = values[rank - 1];
            let told = latency.quantile(q).unwrap();
            prop_assert!(told.abs_diff(exact) as f64 <= exact as f64 * 1e-3 + 1.0, "{told} for {exact}");
        }
    }
}
