//! What was expected, and what came.

use serde::{Deserialize, Serialize};

/// A window of the run: `[from_s, to_s)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WindowReport {
    /// Beginning.
    pub from_s: f64,
    /// End.
    pub to_s: f64,
}

/// The unit of a measured number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A share, 0 to 1.
    Ratio,
    /// Milliseconds.
    Ms,
}

/// A demand on a number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DemandReport {
    /// `<`, `<=`, `>`, `>=` or `==`.
    pub comparison: String,
    /// The number.
    pub value: f64,
}

/// One expectation and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExpectationReport {
    /// The traffic source.
    pub traffic: String,
    /// Requests with an intended send time in this window count.
    pub window: WindowReport,
    /// `success`, `mean`, `max` or a percentile such as `p99.9`.
    pub measure: String,
    /// Unit of `demanded` and `measured`.
    pub unit: Unit,
    /// The demand.
    pub demanded: DemandReport,
    /// What was measured; `None` when there was nothing to measure.
    pub measured: Option<f64>,
    /// Whether the demand was met.
    pub held: bool,
    /// How many requests were measured.
    pub requests: u64,
    /// Why it was not met, in a sentence; empty when it was.
    pub message: String,
    /// `file:line` where it was written.
    pub place: String,
}
