//! What must hold.

use std::time::Duration;

/// One expectation on one traffic source over one window.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// The traffic source.
    pub traffic: String,
    /// Requests whose intended start lies in this window count.
    pub window: Window,
    /// What is measured.
    pub measure: Measure,
    /// The demand.
    pub bound: Bound,
    /// `file:line` where it was written.
    pub place: String,
}

/// A window of the run: `[from, to)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Beginning.
    pub from: Duration,
    /// End.
    pub to: Duration,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Measure {
    /// Share of requests that succeeded, 0 to 1.
    Success,
    /// A latency of all requests that were answered, in nanoseconds.
    Latency(LatencyMeasure),
}

/// Which latency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LatencyMeasure {
    /// Mean.
    Mean,
    /// Largest.
    Max,
    /// The q-quantile, 0 to 1.
    Quantile(f64),
}

/// A demand on a number: a ratio for success, nanoseconds for latencies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// How measured and demanded compare.
    pub comparison: Comparison,
    /// The number demanded.
    pub value: f64,
}

/// How measured and demanded compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
    /// `==`
    Equal,
}
