//! Draws from a [`Distribution`].
//!
//! Every draw takes exactly one word from its stream, whatever the
//! distribution (a constant too), and turns it into a duration by the inverse
//! of the distribution function. So the k-th draw of a stream is "the k-th
//! request's luck": a comparison that changes a distribution or a policy keeps
//! everybody's luck (common random numbers, with the variance reduction that
//! Law, *Simulation Modeling and Analysis*, section 11.2, describes; inversion
//! is what keeps the draws synchronised there). Logarithms and the like come
//! from `libm`, so a draw is the same on every machine.

use std::time::Duration;

use mesh_core::seam::Rng;

use super::normal::normal_quantile;
use crate::plan::Distribution;

/// The 99th percentile of the standard normal distribution.
const Z_99: f64 = 2.326_347_874_040_840_8;

impl Distribution {
    /// One draw, to the nanosecond. Takes exactly one word from `rng`.
    pub fn sample(&self, rng: &mut Rng) -> Duration {
        self.quantile_of(rng.bits())
    }

    /// The draw that the uniform word `luck` stands for; grows with `luck`.
    fn quantile_of(&self, luck: u64) -> Duration {
        match self {
            Self::Constant(span) => *span,
            Self::Uniform { low, high } => between(nanos(*low), nanos(*high), luck),
            Self::Exponential { mean } => exponential(*mean, luck),
            Self::Normal { mean, deviation } => {
                let z = normal_quantile(open_unit(luck));
                rounded(float(*mean) + float(*deviation) * z)
            }
            Self::LogNormal { p50, p99 } => log_normal(*p50, *p99, luck),
            Self::Pareto { min, shape } => {
                rounded(float(*min) * libm::pow(upper_tail(luck), -1.0 / shape))
            }
            Self::Empirical(values) => {
                let index = scaled(luck, values.len() as u64);
                let value = usize::try_from(index).ok().and_then(|i| values.get(i));
                value.copied().unwrap_or(Duration::ZERO)
            }
        }
    }
}

/// An exponential variate of mean 1 from one word.
pub(crate) fn unit_exponential(luck: u64) -> f64 {
    -libm::log(upper_tail(luck))
}

fn exponential(mean: Duration, luck: u64) -> Duration {
    rounded(float(mean) * unit_exponential(luck))
}

fn log_normal(p50: Duration, p99: Duration, luck: u64) -> Duration {
    if p50.is_zero() {
        return Duration::ZERO;
    }
    // A 99th percentile below the median is no log-normal; it is read as "no spread".
    let sigma = libm::log((float(p99) / float(p50)).max(1.0)) / Z_99;
    rounded(float(p50) * libm::exp(sigma * normal_quantile(open_unit(luck))))
}

/// `luck` as a uniform number in the open interval (0, 1): the middles of 2^52 equal cells.
fn open_unit(luck: u64) -> f64 {
    ((luck >> 12) as f64 + 0.5) * (1.0 / (1u64 << 52) as f64)
}

/// One minus [`open_unit`], exactly.
fn upper_tail(luck: u64) -> f64 {
    open_unit(!luck)
}

/// `luck` as an integer in `0..n`. The bias is below `n` / 2^64, for which a
/// second word would be too high a price.
pub(crate) fn scaled(luck: u64, n: u64) -> u64 {
    ((u128::from(luck) * u128::from(n)) >> 64) as u64
}

fn between(low: u64, high: u64, luck: u64) -> Duration {
    let cells = high.saturating_sub(low).saturating_add(1);
    Duration::from_nanos(low.saturating_add(scaled(luck, cells)))
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

fn float(span: Duration) -> f64 {
    nanos(span) as f64
}

/// To the nearest nanosecond. Negative (and undefined) is zero; beyond the clock's range is its end.
fn rounded(nanos: f64) -> Duration {
    Duration::from_nanos(libm::round(nanos) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: u32 = 200_000;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn sorted(distribution: &Distribution) -> Vec<f64> {
        let mut rng = Rng::named(11, "draws");
        let mut all: Vec<f64> = (0..DRAWS)
            .map(|_| distribution.sample(&mut rng).as_nanos() as f64)
            .collect();
        all.sort_by(f64::total_cmp);
        all
    }

    fn mean(all: &[f64]) -> f64 {
        all.iter().sum::<f64>() / all.len() as f64
    }

    fn at(all: &[f64], q: f64) -> f64 {
        all[(q * all.len() as f64) as usize]
    }

    /// `found` within `percent` of `wanted`; each use is more than four standard errors wide.
    #[track_caller]
    fn near(found: f64, wanted: f64, percent: f64) {
        let off = (found / wanted - 1.0).abs() * 100.0;
        assert!(off < percent, "{found} is {off:.2} % off {wanted}");
    }

    #[test]
    fn exponential_has_its_mean_and_quantiles() {
        let all = sorted(&Distribution::Exponential { mean: ms(2) });
        near(mean(&all), 2e6, 1.0);
        near(at(&all, 0.5), 2e6 * std::f64::consts::LN_2, 1.5);
        near(at(&all, 0.99), 2e6 * 100f64.log(std::f64::consts::E), 2.0);
    }

    #[test]
    fn log_normal_has_the_median_and_p99_it_was_given() {
        let all = sorted(&Distribution::LogNormal {
            p50: ms(4),
            p99: ms(30),
        });
        near(at(&all, 0.5), 4e6, 1.5);
        near(at(&all, 0.99), 30e6, 3.0);
        // Mean of a log-normal: p50 * exp(sigma^2 / 2); sigma = ln(7.5) / z = 0.86612.
        near(mean(&all), 4e6 * 1.455_1, 1.5);
    }

    #[test]
    fn pareto_has_its_mean_and_tail() {
        let all = sorted(&Distribution::Pareto {
            min: ms(1),
            shape: 3.0,
        });
        near(mean(&all), 1.5e6, 1.0); // shape / (shape - 1)
        near(at(&all, 0.99), 1e6 * libm::cbrt(100.0), 2.5);
        assert!(all[0] >= 1e6);
    }

    #[test]
    fn normal_is_cut_off_at_zero() {
        let all = sorted(&Distribution::Normal {
            mean: ms(10),
            deviation: ms(2),
        });
        near(mean(&all), 10e6, 0.5);
        near(at(&all, 0.841_344_746), 12e6, 0.5); // one deviation above
        let wide = sorted(&Distribution::Normal {
            mean: ms(1),
            deviation: ms(1),
        });
        near(
            wide.iter().filter(|&&x| x == 0.0).count() as f64,
            f64::from(DRAWS) * 0.158_655,
            3.0,
        );
    }

    #[test]
    fn uniform_reaches_both_ends_and_empirical_only_its_values() {
        let two = Distribution::Uniform {
            low: Duration::from_nanos(5),
            high: Duration::from_nanos(6),
        };
        let all = sorted(&two);
        assert_eq!((all[0], all[all.len() - 1]), (5.0, 6.0));
        near(mean(&all), 5.5, 0.1);
        let values = Distribution::Empirical(vec![ms(1), ms(2), ms(4)]);
        near(mean(&sorted(&values)), 7e6 / 3.0, 0.5);
        assert_eq!(
            Distribution::Empirical(Vec::new()).quantile_of(3),
            Duration::ZERO
        );
    }

    #[test]
    fn every_draw_takes_one_word() {
        let all = [
            Distribution::ZERO,
            Distribution::Uniform {
                low: ms(1),
                high: ms(2),
            },
            Distribution::Exponential { mean: ms(1) },
            Distribution::Normal {
                mean: ms(1),
                deviation: ms(1),
            },
            Distribution::LogNormal {
                p50: ms(1),
                p99: ms(9),
            },
            Distribution::Pareto {
                min: ms(1),
                shape: 2.0,
            },
            Distribution::Empirical(vec![ms(1)]),
        ];
        for distribution in all {
            let mut drawn = Rng::named(3, "x");
            let mut counted = drawn.clone();
            distribution.sample(&mut drawn);
            counted.bits();
            assert_eq!(drawn.bits(), counted.bits(), "{distribution:?}");
        }
    }

    #[test]
    fn extremes_stay_in_range() {
        let wild = [
            Distribution::Exponential {
                mean: Duration::MAX,
            },
            Distribution::Pareto {
                min: ms(1),
                shape: 0.0,
            },
            Distribution::Pareto {
                min: ms(1),
                shape: f64::NAN,
            },
            Distribution::LogNormal {
                p50: ms(9),
                p99: ms(1),
            },
            Distribution::LogNormal {
                p50: Duration::ZERO,
                p99: ms(1),
            },
            Distribution::Uniform {
                low: ms(9),
                high: ms(1),
            },
            Distribution::Uniform {
                low: Duration::ZERO,
                high: Duration::MAX,
            },
        ];
        for distribution in wild {
            let (low, high) = (
                distribution.quantile_of(0),
                distribution.quantile_of(u64::MAX),
            );
            assert!(low <= high, "{distribution:?}: {low:?} {high:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_larger_word_never_draws_less(a: u64, b: u64, p50 in 1u64..1_000_000_000, factor in 1u64..1000) {
            let (low, high) = (a.min(b), a.max(b));
            for distribution in [
                Distribution::Exponential { mean: Duration::from_nanos(p50) },
                Distribution::LogNormal { p50: Duration::from_nanos(p50), p99: Duration::from_nanos(p50 * factor) },
                Distribution::Uniform { low: Duration::from_nanos(p50), high: Duration::from_nanos(p50 * factor) },
            ] {
                proptest::prop_assert!(distribution.quantile_of(low) <= distribution.quantile_of(high));
            }
        }
    }
}
