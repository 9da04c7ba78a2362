//! Latencies: collected at three significant digits, told as a few quantiles.
//!
//! An HDR histogram (Tene) bounds the *relative* error of every quantile, at a
//! cost that depends on the range of values and not on their number. Mean,
//! least and largest are kept exactly beside it.
//!
//! All that a histogram knows of a quantile is the bucket it lies in, less than
//! a thousandth wide. Every value in there is as good an answer as any other, so
//! the one with the fewest digits is told: digits that mean nothing are not
//! shown, and a latency that is always half a millisecond is told as 0.5 ms.

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

    /// The same as [`quantile`](Self::quantile), to no more digits than are known.
    fn told(&self, q: f64) -> Option<u64> {
        let counts = self.counts.as_ref()?;
        let within = counts.value_at_quantile(q);
        let (low, high) = (
            counts.lowest_equivalent(within),
            counts.highest_equivalent(within),
        );
        Some(roundest(low.max(self.min), high.min(self.max)))
    }

    /// In milliseconds; `None` without values.
    pub fn summary(&self) -> Option<LatencyMs> {
        let at = |q| self.told(q).map(millis);
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

/// The whole number from `low` to `high` with the fewest digits before its zeros; the nearest to the middle of those.
pub fn roundest(low: u64, high: u64) -> u64 {
    let middle = low + high.saturating_sub(low) / 2;
    let mut unit = 10_u64.pow(middle.checked_ilog10().unwrap_or(0));
    loop {
        let below = middle - middle % unit;
        let above = below.saturating_add(unit);
        let (near, far) = match middle - below <= above - middle {
            true => (below, above),
            false => (above, below),
        };
        let within = |value: &u64| (low..=high).contains(value);
        match [near, far].into_iter().find(within) {
            Some(value) => return value,
            None if unit == 1 => return middle,
            None => unit /= 10,
        }
    }
}

/// A latency's distribution, in milliseconds. Mean and max are exact. Quantiles are within a thousandth, told with as
/// few digits as that takes; where all values are equal they are exact.
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
    /// Attempts made for them, whenever each was made; empty where there is nobody to count them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<u64>,
    /// Median latency of those answered, within 1 %, told with as few digits as that takes.
    pub p50_ms: Vec<Option<f64>>,
    /// 99th percentile of those answered, likewise.
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
    fn no_digit_is_told_that_is_not_known() {
        // By hand: the multiples of 10, 1 and so on that lie within.
        assert_eq!(roundest(499_968, 500_223), 500_000);
        assert_eq!(roundest(15_917_056, 15_925_247), 15_920_000);
        assert_eq!(roundest(12_345_678, 12_345_678), 12_345_678);
        assert_eq!(roundest(995, 1_005), 1_000);
        assert_eq!(roundest(0, 0), 0);
        assert_eq!(roundest(u64::MAX, u64::MAX), u64::MAX);
    }

    #[test]
    fn a_latency_that_is_nearly_always_the_same_is_told_as_it_is() {
        let mut latency = LatencyHistogram::new();
        for _ in 0..99 {
            latency.record(500_000);
        }
        latency.record(40_000_000);
        latency.record(100_000);
        let told = latency.summary().unwrap();
        assert_eq!((told.p50, told.p90, told.max), (0.5, 0.5, 40.0));
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
            let told = latency.told(q).unwrap();
            prop_assert!(told.abs_diff(exact) as f64 <= exact as f64 * 1e-3 + 1.0, "{told} for {exact}");
        }

        #[test]
        fn what_is_told_keeps_the_order(
            values in prop::collection::vec(0u64..20_000, 1..200),
            scale in 1u64..1_000_000,
        ) {
            let mut latency = LatencyHistogram::new();
            values.iter().for_each(|&v| latency.record(v * scale));
            let told = latency.summary().unwrap();
            let ladder = [told.p50, told.p90, told.p99, told.p999, told.max];
            prop_assert!(ladder.is_sorted(), "{ladder:?}");
        }

        #[test]
        fn the_roundest_lies_within(low: u64, width in 0u64..1_000_000) {
            let high = low.saturating_add(width);
            let told = roundest(low, high);
            prop_assert!((low..=high).contains(&told), "{told} of {low}..={high}");
        }
    }
}
