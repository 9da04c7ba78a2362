//! Two configurations under the same seeds.
//!
//! With common random numbers the two runs of a seed have the same arrivals and
//! the same service times, so what a seed does to both cancels out in their
//! difference, and few pairs show what many independent runs would not (Law,
//! *Simulation Modeling and Analysis*, section 11.2). The differences of pairs
//! are independent of each other; their mean is judged by Student's t ("The
//! Probable Error of a Mean", Biometrika 6, 1908). A rank test would be free of
//! his normal distribution, but with five pairs the least level at which
//! Wilcoxon's can reject is 2/2⁵ = 6 %.

use serde::{Deserialize, Serialize};

use super::beta;

/// The differences of pairs, summed up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Paired {
    /// How many pairs.
    pub pairs: u64,
    /// Mean of the differences.
    pub mean: f64,
    /// Between what bounds the mean lies, with 95 % confidence; `None` with fewer than two pairs.
    pub interval: Option<(f64, f64)>,
    /// How likely a mean as far from zero is when nothing differs (two-sided); `None` with fewer than two pairs.
    pub p: Option<f64>,
}

impl Paired {
    /// Of the differences, one per seed; `None` without any.
    pub fn of(differences: &[f64]) -> Option<Self> {
        let n = differences.len();
        if n == 0 {
            return None;
        }
        let mean = differences.iter().sum::<f64>() / n as f64;
        let alone = Self {
            pairs: n as u64,
            mean,
            interval: None,
            p: None,
        };
        if n < 2 {
            return Some(alone);
        }
        let degrees = (n - 1) as f64;
        let squares: f64 = differences.iter().map(|d| (d - mean) * (d - mean)).sum();
        let error = (squares / degrees / n as f64).sqrt();
        let reach = error * quantile(degrees);
        let p = match error {
            // Every seed differs by the same amount: nothing in it is chance.
            0.0 if mean == 0.0 => 1.0,
            0.0 => 0.0,
            _ => two_sided(mean / error, degrees),
        };
        Some(Self {
            interval: Some((mean - reach, mean + reach)),
            p: Some(p),
            ..alone
        })
    }
}

/// P(|T| ≥ |t|) of Student's distribution (Abramowitz and Stegun 26.7.1).
fn two_sided(t: f64, degrees: f64) -> f64 {
    beta::regularized(degrees / (degrees + t * t), degrees / 2.0, 0.5)
}

/// The t beyond which 5 % lie, by bisection.
fn quantile(degrees: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1e3);
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if two_sided(middle, degrees) > 1.0 - super::CONFIDENCE {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_student() {
        for (degrees, at_five_percent) in [
            (1.0, 12.706),
            (2.0, 4.303),
            (4.0, 2.776),
            (9.0, 2.262),
            (19.0, 2.093),
            (120.0, 1.980),
        ] {
            let told = quantile(degrees);
            assert!((told - at_five_percent).abs() < 6e-4, "{degrees}: {told}");
        }
        assert!((two_sided(4.604, 4.0) - 0.01).abs() < 1e-5);
    }

    /// Student's own example (1908): the extra sleep of ten patients; t = 4.0621, p = 0.002833.
    #[test]
    fn students_sleep() {
        let extra = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4];
        let told = Paired::of(&extra).unwrap();
        assert!((told.mean - 1.58).abs() < 1e-12);
        assert!((told.p.unwrap() - 0.002_833).abs() < 1e-6, "{told:?}");
        let (low, high) = told.interval.unwrap();
        assert!((low - 0.700_114_2).abs() < 1e-6, "{low}");
        assert!((high - 2.459_885_8).abs() < 1e-6, "{high}");
    }

    #[test]
    fn few_pairs_and_equal_pairs() {
        assert_eq!(Paired::of(&[]), None);
        let one = Paired::of(&[2.0]).unwrap();
        assert_eq!((one.mean, one.p, one.interval), (2.0, None, None));
        let same = Paired::of(&[3.0, 3.0]).unwrap();
        assert_eq!((same.p, same.interval), (Some(0.0), Some((3.0, 3.0))));
        assert_eq!(Paired::of(&[0.0; 4]).unwrap().p, Some(1.0));
    }
}
