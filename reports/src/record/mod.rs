//! The record of a run: its data types.
//!
//! The JSON of a [`RunReport`] is a contract (`"schema": "meshquake.run/v1"`):
//! fields are added, never renamed or removed, within one version. Its bytes
//! are a function of the scenario and the seed alone: keys stand in the order
//! of declaration, of the plan or of the alphabet, never of a hash map, and
//! `wall_seconds` is the one field that two runs may differ in.
//!
//! Units stand last in names: `_s` seconds and `_ms` milliseconds as decimal
//! numbers, `_ns` whole nanoseconds. Shares are numbers from 0 to 1. An
//! unanswered request has no status and is counted under `none`.

mod detail;
mod edge;
mod expectation;
mod happening;
mod json;
mod latency;
mod recovery;
mod request;
mod run;
mod traffic;

pub(crate) use json::pretty;

pub use detail::{
    BlameReport, Blamed, Course, Detail, Heat, PodReport, PolicyReport, ServiceCourse,
    SettingReport, SpanKind, SpanReport, Told, TraceReport, TrafficCourse,
};
pub use edge::{Connections, EdgeReport, InboundReport, ServiceReport};
pub use expectation::{DemandReport, ExpectationReport, Unit, WindowReport};
pub(crate) use happening::SET;
pub use happening::{
    ControlPlaneReport, FaultReport, Happening, NetworkReport, NoteReport, TimelineEntry,
};
pub use latency::{LatencyHistogram, LatencyMs, Series, roundest};
pub use recovery::{LayerReport, LoopReport, Phases, Recovered, RecoveryReport};
pub use request::{RequestAttempt, RequestLine, RequestOutcome, Split};
pub use run::{Declared, Failure, FailureKind, RunReport, SCHEMA, Verdict};
pub use traffic::{ScriptedReport, TrafficReport};

/// Nanoseconds as milliseconds.
pub fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

/// Nanoseconds as seconds.
pub fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

/// Whether a count is left out of the JSON.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands fields over by reference"
)]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}
