//! What the clients saw.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{LatencyMs, Series};

/// One traffic source. `requests = succeeded + failed + in_flight_at_end`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrafficReport {
    /// Requests begun.
    pub requests: u64,
    /// Answered in time with a status below 500; a scripted request: answered as demanded.
    pub succeeded: u64,
    /// Ended otherwise.
    pub failed: u64,
    /// Not ended when the run did.
    pub in_flight_at_end: u64,
    /// Requests begun per second of virtual time.
    pub rps: f64,
    /// Ended requests by status; `none` is no answer.
    pub status: BTreeMap<String, u64>,
    /// Ended requests by Envoy response flags (`-` is none): what the source's own sidecar logged, or, without a
    /// sidecar, what the answers' header said.
    pub flags: BTreeMap<String, u64>,
    /// Requests without an answer, by reason (`timeout`, `connect_failed`, `broken`).
    pub unanswered: BTreeMap<String, u64>,
    /// From the intended send time to the end of the answer, of answered requests.
    pub latency_ms: Option<LatencyMs>,
    /// Over time, by intended send time.
    pub series: Series,
    /// The outcomes of scripted requests, in script order; empty for other loads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scripted: Vec<ScriptedReport>,
}

/// One scripted request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScriptedReport {
    /// When it was to be sent.
    pub at_s: f64,
    /// `METHOD authority/path`.
    pub request: String,
    /// `file:line` of the request.
    pub place: String,
    /// The status that came; `None` when no answer did.
    pub status: Option<u16>,
    /// Who answered; empty when unknown.
    pub upstream: String,
    /// Response flags; `-` when there were none.
    pub flags: String,
    /// From the intended send time to the end; `None` when it never ended.
    pub latency_ms: Option<f64>,
    /// Whether what came is what was demanded; `None` when nothing was.
    pub held: Option<bool>,
    /// What was wrong, in a sentence; empty when nothing was.
    pub message: String,
}
