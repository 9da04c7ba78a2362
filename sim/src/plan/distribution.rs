//! Distributions of time.

use std::time::Duration;

/// A distribution of durations. Sampling is in [`crate::app`]'s `sample` module and exact to the nanosecond.
#[derive(Clone, Debug, PartialEq)]
pub enum Distribution {
    /// Always this.
    Constant(Duration),
    /// Uniform in `[low, high]`.
    Uniform {
        /// Shortest.
        low: Duration,
        /// Longest.
        high: Duration,
    },
    /// Exponential with this mean.
    Exponential {
        /// Mean.
        mean: Duration,
    },
    /// Normal, cut off at zero.
    Normal {
        /// Mean.
        mean: Duration,
        /// Standard deviation.
        deviation: Duration,
    },
    /// Log-normal, given by its median and 99th percentile.
    LogNormal {
        /// Median.
        p50: Duration,
        /// 99th percentile; at least the median.
        p99: Duration,
    },
    /// Pareto (type I).
    Pareto {
        /// Smallest value.
        min: Duration,
        /// Tail index; above 1 for a finite mean.
        shape: f64,
    },
    /// One of these values, each equally likely.
    Empirical(Vec<Duration>),
}

impl Distribution {
    /// Always zero.
    pub const ZERO: Self = Self::Constant(Duration::ZERO);

    /// The distribution of a value that is `factor` times as long.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        let scaled = |span: Duration| span.mul_f64(factor.max(0.0));
        match self {
            Self::Constant(value) => Self::Constant(scaled(*value)),
            Self::Uniform { low, high } => Self::Uniform {
                low: scaled(*low),
                high: scaled(*high),
            },
            Self::Exponential { mean } => Self::Exponential {
                mean: scaled(*mean),
            },
            Self::Normal { mean, deviation } => Self::Normal {
                mean: scaled(*mean),
                deviation: scaled(*deviation),
            },
            Self::LogNormal { p50, p99 } => Self::LogNormal {
                p50: scaled(*p50),
                p99: scaled(*p99),
            },
            Self::Pareto { min, shape } => Self::Pareto {
                min: scaled(*min),
                shape: *shape,
            },
            Self::Empirical(values) => {
                Self::Empirical(values.iter().map(|value| scaled(*value)).collect())
            }
        }
    }

    /// Whether every draw is zero.
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }
}
