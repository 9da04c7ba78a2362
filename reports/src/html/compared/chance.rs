//! What chance alone makes of a difference.
//!
//! Two runs are two draws. How many requests of a few fail, or are under way at the end, is the matter of which came
//! when, even between runs that draw the same arrivals: a change of configuration gives them another order. So a
//! difference of counts is told as better or worse only where it is beyond three standard deviations of independent
//! ones (Poisson for counts, binomial for shares; Law, *Simulation Modeling and Analysis*, §9). Between different seeds
//! the same holds for latencies: a quantile is known as well as its rank is (David and Nagaraja, *Order Statistics*,
//! §7.1), and the longest of a run is known not at all.

use crate::record::{LatencyMs, RunReport};

/// Standard deviations within which a difference is as well chance: one row in four hundred is beyond by chance alone.
const DEVIATIONS: f64 = 3.0;

/// What a judgement of two runs stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grounds {
    /// They are runs of one scenario, or at least have traffic in common.
    pub(crate) comparable: bool,
    /// They have the same arrivals and service times (common random numbers).
    pub(crate) same_draws: bool,
}

impl Grounds {
    /// Of `a` and `b`.
    pub(crate) fn of(a: &RunReport, b: &RunReport) -> Self {
        let same = a.scenario == b.scenario && a.fingerprint == b.fingerprint;
        let mute = a.traffic.is_empty() || b.traffic.is_empty();
        let shared = a.traffic.keys().any(|name| b.traffic.contains_key(name));
        Self {
            comparable: same || shared || mute,
            same_draws: a.seed == b.seed,
        }
    }

    /// The difference of a quantile that chance explains.
    pub(crate) fn of_quantile(self, q: f64, a: Sample<'_>, b: Sample<'_>) -> f64 {
        match self.same_draws {
            true => 0.0,
            false => libm::hypot(a.doubt(q), b.doubt(q)),
        }
    }

    /// That of a number of which nothing is known but itself, such as the longest latency.
    pub(crate) const fn of_unknown(self) -> f64 {
        match self.same_draws {
            true => 0.0,
            false => f64::INFINITY,
        }
    }
}

/// The difference of two counts that chance explains.
pub(crate) fn of_counts(a: u64, b: u64) -> f64 {
    DEVIATIONS * libm::sqrt(a as f64 + b as f64)
}

/// The difference of two shares, each `part` of `all`, that chance explains.
pub(crate) fn of_shares((part_a, all_a): (f64, f64), (part_b, all_b): (f64, f64)) -> f64 {
    let all = all_a + all_b;
    if all_a <= 0.0 || all_b <= 0.0 {
        return 0.0;
    }
    let share = ((part_a + part_b) / all).clamp(0.0, 1.0);
    DEVIATIONS * libm::sqrt(share * (1.0 - share) * (1.0 / all_a + 1.0 / all_b))
}

/// The latencies of a run, and how many there were.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample<'a> {
    /// What is told of them.
    pub(crate) ms: &'a LatencyMs,
    /// How many.
    pub(crate) count: u64,
}

impl Sample<'_> {
    /// How far the `q`-quantile may lie from what is told: to where the rank three standard deviations further up lies.
    fn doubt(self, q: f64) -> f64 {
        let count = self.count.max(1) as f64;
        let rank = q + DEVIATIONS * libm::sqrt(q * (1.0 - q) / count);
        match (self.at(q), self.at(rank)) {
            (Some(here), Some(there)) => there - here,
            _ => f64::INFINITY,
        }
    }

    /// The latency at a quantile, between those that are told: their logarithms go about straight over the logarithm
    /// of what is beyond them. `None` beyond the last but one, where a single request decides.
    fn at(self, q: f64) -> Option<f64> {
        let ms = self.ms;
        let last = 1.0 - 1.0 / self.count.max(2) as f64;
        let ladder = [
            (0.5, ms.p50),
            (0.9, ms.p90),
            (0.99, ms.p99),
            (0.999, ms.p999),
            (last, ms.max),
        ];
        let steps: Vec<(f64, f64)> = ladder
            .into_iter()
            .filter(|(q, _)| *q <= last)
            .map(|(q, ms)| (-libm::log10(1.0 - q), libm::log(ms.max(1e-9))))
            .collect();
        if q > last {
            return None;
        }
        let x = -libm::log10(1.0 - q);
        let between = steps
            .windows(2)
            .find(|pair| pair[0].0 <= x + 1e-12 && x <= pair[1].0 + 1e-12)?;
        let ((x0, y0), (x1, y1)) = (between[0], between[1]);
        let share = if x1 > x0 { (x - x0) / (x1 - x0) } else { 0.0 };
        Some(libm::exp(y0 + (y1 - y0) * share))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: LatencyMs = LatencyMs {
        mean: 20.0,
        p50: 10.0,
        p90: 40.0,
        p99: 100.0,
        p999: 200.0,
        max: 400.0,
    };

    #[test]
    fn a_few_of_many_are_chance() {
        assert!(1.0 < of_counts(1, 2), "one more under way");
        assert!(12.0 > of_counts(0, 12));
        assert!(100.0 < of_counts(5_000, 5_100));
        // 1% against 2% of a thousand: 3 × √(0.015 × 0.985 × 2 / 1000) = 1.6 points.
        let doubt = of_shares((10.0, 1_000.0), (20.0, 1_000.0));
        assert!((doubt - 0.016_3).abs() < 1e-4, "{doubt}");
        assert_eq!(of_shares((0.0, 0.0), (1.0, 10.0)), 0.0);
    }

    #[test]
    fn a_quantile_is_known_as_well_as_its_rank() {
        let sample = |count| Sample { ms: &MS, count };
        // 3 × √(0.99 × 0.01 / 100 000) = 0.000 94: the 99.094th percentile, 4.3% of the way to the 99.9th.
        let near = sample(100_000).doubt(0.99);
        assert!((near - 3.0).abs() < 0.2, "{near}");
        assert!(sample(1_000).doubt(0.5) < 2.5);
        assert_eq!(
            sample(100).doubt(0.99),
            f64::INFINITY,
            "one request decides"
        );
        assert_eq!(sample(1_000_000).doubt(1.0), f64::INFINITY);
    }

    #[test]
    fn with_the_same_arrivals_a_latency_is_no_chance() {
        let sample = Sample {
            ms: &MS,
            count: 1_000,
        };
        let of = |same_draws| Grounds {
            comparable: true,
            same_draws,
        };
        assert_eq!(of(true).of_quantile(0.5, sample, sample), 0.0);
        assert!(of(false).of_quantile(0.5, sample, sample) > 1.0);
    }
}
