//! What a run says, and what is drawn from it.
//!
//! [`record`] holds the data: a [`RunReport`] is the whole account of one run
//! and, as JSON, a contract with its readers; a [`RequestLine`] is one request
//! of the request log. [`summary`] draws a report for a person at a terminal,
//! [`report_html`] as a page for a browser, [`run_markdown`] for a comment on a pull request.
//!
//! What many runs say together is in [`suite`] (the account of a test suite),
//! [`baseline`] (what it was before), [`coverage`] (which mechanisms acted),
//! [`sweep`] (rows over a grid of settings) and [`comparison`] (one against another),
//! all judged by [`statistics`]. Nothing here knows how a run is made.

pub mod baseline;
pub mod bench;
pub mod comparison;
pub mod coverage;
pub mod export;
mod html;
mod markdown;
#[cfg(feature = "parquet")]
pub mod parquet;
pub mod record;
pub mod statistics;
pub mod suite;
pub mod summary;
pub mod sweep;

#[cfg(feature = "png")]
pub use html::png::{NotDrawn, Picture, Pictures};
pub use html::{
    Links, bench_html, comparison_html, report_html, runs_html, suite_html, sweep_html,
};
pub use markdown::{comparison_markdown, run_markdown};
pub use record::{
    BlameReport, Blamed, Connections, ControlPlaneReport, Course, Declared, DemandReport, Detail,
    EdgeReport, ExpectationReport, Failure, FailureKind, FaultReport, Happening, Heat,
    InboundReport, LatencyHistogram, LatencyMs, LayerReport, LoopReport, NetworkReport, NoteReport,
    Phases, PodReport, PolicyReport, Recovered, RecoveryReport, RequestAttempt, RequestLine,
    RequestOutcome, RunReport, SCHEMA, ScriptedReport, Series, ServiceCourse, ServiceReport,
    SettingReport, SpanKind, SpanReport, Split, TimelineEntry, Told, TraceReport, TrafficCourse,
    TrafficReport, Unit, Verdict, WindowReport,
};
pub use summary::{Style, summary};
