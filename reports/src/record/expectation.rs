//! What was expected, and what came.

use serde::{Deserialize, Serialize};

use crate::summary::unit;

/// A window of the run: `[from_s, to_s)`, as its faults had it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WindowReport {
    /// Beginning. A window that never came, because its fault did not, begins and ends at 0.
    pub from_s: f64,
    /// End.
    pub to_s: f64,
    /// As it was written, such as `during fault cut`; empty when it speaks of no fault.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// The stretches it consists of, where there are several; a hundred at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<[f64; 2]>,
}

/// The unit of a measured number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A share, 0 to 1.
    Ratio,
    /// Milliseconds.
    Ms,
    /// Seconds.
    S,
    /// Per second.
    PerSecond,
    /// How many.
    Count,
    /// A number of no unit, such as attempts per request.
    Number,
    /// Bytes.
    Bytes,
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
    /// The traffic source; empty when it speaks of something else.
    pub traffic: String,
    /// Of whom it speaks: a traffic source, `a → b`, `service a`, `the mesh`, or a fault.
    #[serde(default)]
    pub subject: String,
    /// Requests with an intended send time in this window count.
    pub window: WindowReport,
    /// What was measured, by its key in the scenario: `success`, `p99.9`, `attempts`, `flags.UO`…
    pub measure: String,
    /// Unit of `demanded` and `measured`.
    pub unit: Unit,
    /// The demand.
    pub demanded: DemandReport,
    /// What was measured; `None` when there was nothing to measure.
    pub measured: Option<f64>,
    /// Whether the demand was met.
    pub held: bool,
    /// How many requests (attempts, works) were measured.
    pub requests: u64,
    /// Why it was not met, in a sentence; empty when it was.
    pub message: String,
    /// `file:line` where it was written.
    pub place: String,
}

impl DemandReport {
    /// The comparison as it is printed: `≤`.
    pub fn sign(&self) -> &str {
        match self.comparison.as_str() {
            "<=" => "≤",
            ">=" => "≥",
            "==" => "=",
            other => other,
        }
    }
}

impl ExpectationReport {
    /// Of whom it speaks, also in reports that only know a traffic source.
    pub fn whom(&self) -> &str {
        match self.subject.as_str() {
            "" => &self.traffic,
            subject => subject,
        }
    }

    /// What was demanded, for a person: `≥ 99.9%`.
    pub fn bound(&self) -> String {
        let number = unit::demanded(self.demanded.value, self.unit);
        format!("{} {number}", self.demanded.sign())
    }
}
