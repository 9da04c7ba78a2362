//! Latencies of one window: each of them while memory allows, a histogram beyond.

use meshquake_reports::LatencyHistogram;

/// Latencies kept one by one: 8 MB.
const EXACT_MAX: usize = 1_000_000;

/// Parts of a whole, so that ranks are computed without rounding.
const BILLION: u128 = 1_000_000_000;

/// A set of latencies in nanoseconds.
#[derive(Clone, Debug)]
pub(super) enum Samples {
    /// Every one.
    Exact(Vec<u64>),
    /// Too many: three significant digits.
    Rounded(Box<LatencyHistogram>),
}

impl Samples {
    pub(super) const fn new() -> Self {
        Self::Exact(Vec::new())
    }

    pub(super) fn record(&mut self, nanos: u64) {
        match self {
            Self::Exact(all) if all.len() < EXACT_MAX => all.push(nanos),
            Self::Exact(all) => {
                let mut histogram = Box::new(LatencyHistogram::new());
                all.iter().for_each(|&latency| histogram.record(latency));
                histogram.record(nanos);
                *self = Self::Rounded(histogram);
            }
            Self::Rounded(histogram) => histogram.record(nanos),
        }
    }

    /// The least value that at least the share `q` of all does not exceed; `None` without values.
    pub(super) fn quantile(&self, q: f64) -> Option<u64> {
        match self {
            Self::Exact(all) => {
                let rank = rank(q, all.len() as u64)?;
                let mut all = all.clone();
                let (_, value, _) = all.select_nth_unstable(rank);
                Some(*value)
            }
            Self::Rounded(histogram) => histogram.quantile(q),
        }
    }
}

/// The nearest rank, from 0: `⌈q·n⌉ − 1`, with `q` to nine decimals, because 0.07 × 100 is a little more than 7 in binary.
fn rank(q: f64, n: u64) -> Option<usize> {
    let parts = (q.clamp(0.0, 1.0) * 1e9).round() as u128;
    let rank = (parts * u128::from(n)).div_ceil(BILLION).max(1) - 1;
    (n > 0).then_some(rank as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranks_are_nearest_ranks() {
        // By hand: the 99th percentile of 1..=100 is 99, of 101 values the 100th.
        assert_eq!(rank(0.99, 100), Some(98));
        assert_eq!(rank(0.99, 101), Some(99));
        assert_eq!(rank(0.07, 100), Some(6));
        assert_eq!(rank(0.0, 5), Some(0));
        assert_eq!(rank(1.0, 5), Some(4));
        assert_eq!(rank(0.5, 0), None);
    }

    #[test]
    fn a_million_and_one_are_rounded() {
        let mut samples = Samples::new();
        for nanos in 0..=EXACT_MAX as u64 {
            samples.record(nanos * 1_000);
        }
        assert!(matches!(samples, Samples::Rounded(_)));
        let median = samples.quantile(0.5).unwrap() as f64;
        assert!((median / 5e8 - 1.0).abs() < 1e-3, "{median}");
    }

    proptest! {
        #[test]
        fn quantiles_are_exact(mut values in prop::collection::vec(any::<u64>(), 1..300), permille in 1u64..=1000) {
            let mut samples = Samples::new();
            values.iter().for_each(|&v| samples.record(v));
            values.sort_unstable();
            let rank = (permille * values.len() as u64).div_ceil(1000) as usize - 1;
            prop_assert_eq!(samples.quantile(permille as f64 / 1000.0), Some(values[rank]));
        }
    }
}
