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

    /// Whether every draw is zero.
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }
}
