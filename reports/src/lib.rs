//! What a run says, and what is drawn from it.
//!
//! [`record`] holds the data: a [`RunReport`] is the whole account of one run
//! and, as JSON, a contract with its readers; a [`RequestLine`] is one request
//! of the request log. [`summary`] draws a report for a person at a terminal.
//! Nothing here knows how a run is made.

pub mod record;
pub mod summary;

pub use record::{
    Connections, ControlPlaneReport, Declared, DemandReport, EdgeReport, ExpectationReport,
    Failure, FailureKind, FaultReport, Happening, InboundReport, LatencyHistogram, LatencyMs,
    LayerReport, LoopReport, NetworkReport, NoteReport, Phases, Recovered, RecoveryReport,
    RequestAttempt, RequestLine, RequestOutcome, RunReport, SCHEMA, ScriptedReport, Series,
    ServiceReport, Split, TimelineEntry, TrafficReport, Unit, Verdict, WindowReport,
};
pub use summary::{Style, summary};
