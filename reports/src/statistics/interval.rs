//! The confidence interval of a share.
//!
//! Wilson's score interval (E. B. Wilson, "Probable Inference, the Law of
//! Succession, and Statistical Inference", JASA 22, 1927) is recommended for few
//! observations by Brown, Cai and DasGupta ("Interval Estimation for a Binomial
//! Proportion", Statistical Science 16, 2001): its coverage stays near what it
//! says, where the textbook interval `p ± z·√(p(1−p)/n)` claims after five of
//! five that the share is exactly one. Clopper and Pearson's never covers less
//! than it says, and pays with bounds too wide for the five runs of a CI job.

use serde::{Deserialize, Serialize};

/// How often the interval covers the true share.
pub const CONFIDENCE: f64 = 0.95;

/// The standard normal quantile of (1 + [`CONFIDENCE`]) / 2.
const Z: f64 = 1.959_963_984_540_054;

/// Between which bounds a share lies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower bound, 0 to 1.
    pub low: f64,
    /// Upper bound, 0 to 1.
    pub high: f64,
}

impl Interval {
    /// The interval of the share of which `hits` of `trials` were seen. Without trials it is all there is.
    pub fn wilson(hits: u64, trials: u64) -> Self {
        if trials == 0 {
            return Self {
                low: 0.0,
                high: 1.0,
            };
        }
        let (n, p) = (trials as f64, hits as f64 / trials as f64);
        let z2 = Z * Z;
        let middle = p + z2 / (2.0 * n);
        let reach = Z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
        let scale = 1.0 + z2 / n;
        // At the ends the bounds are 0 and 1 exactly, and only rounding says otherwise.
        let low = if hits == 0 {
            0.0
        } else {
            (middle - reach) / scale
        };
        let high = if hits == trials {
            1.0
        } else {
            (middle + reach) / scale
        };
        Self { low, high }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998),
    /// table I, method 3.
    #[test]
    fn the_published_intervals() {
        let published = [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ];
        for (hits, trials, low, high) in published {
            let told = Interval::wilson(hits, trials);
            assert!((told.low - low).abs() < 5.1e-5, "{hits}/{trials}: {told:?}");
            assert!(
                (told.high - high).abs() < 5.1e-5,
                "{hits}/{trials}: {told:?}"
            );
        }
    }

    #[test]
    fn few_runs_say_little() {
        // By hand: z²/(n + z²) = 3.8415/8.8415.
        let none = Interval::wilson(0, 5);
        assert_eq!(none.low, 0.0);
        assert!((none.high - 0.434_48).abs() < 1e-5, "{none:?}");
        // Centre 1/2; reach z·√(1/40 + z²/400)/(1 + z²/10).
        let half = Interval::wilson(5, 10);
        assert!((half.low - 0.236_59).abs() < 1e-5, "{half:?}");
        assert!((half.high - 0.763_41).abs() < 1e-5, "{half:?}");
        let nothing = Interval::wilson(0, 0);
        assert_eq!((nothing.low, nothing.high), (0.0, 1.0));
    }

    proptest! {
        #[test]
        fn it_holds_the_share_seen_and_mirrors(trials in 1u64..500, part in 0.0f64..=1.0) {
            let hits = (part * trials as f64) as u64;
            let told = Interval::wilson(hits, trials);
            let share = hits as f64 / trials as f64;
            prop_assert!(told.low <= share && share <= told.high);
            let other = Interval::wilson(trials - hits, trials);
            prop_assert!((told.low - (1.0 - other.high)).abs() < 1e-12);
        }
    }
}
