//! What a run says, in the formats of other tools.
//!
//! Writers only: they take what is told of a run piece by piece, while it goes
//! on, and hold no more of it than they must, so a day of requests is written
//! in the memory of a minute's. Every name in a run may be hostile; each
//! format's own escaping is done here and nowhere else.
//!
//! * [`Otlp`]: traces for OpenTelemetry's tools (Jaeger, Tempo).
//! * [`Perfetto`]: traces for Perfetto and Chrome.
//! * [`OpenMetrics`]: metrics for Prometheus.

mod array;
mod lanes;
mod openmetrics;
mod otlp;
mod perfetto;
mod target;

#[cfg(test)]
pub(crate) mod sample;

pub use openmetrics::{Family, Kind, Labels, OpenMetrics};
pub use otlp::Otlp;
pub use perfetto::Perfetto;
