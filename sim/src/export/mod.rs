//! A run in the formats of the tools that people already have.
//!
//! Nothing here takes part in a run: traces and metrics are made by
//! [`Listener`](crate::record::Listener)s, captures by the fabric's
//! [`Tap`](crate::fabric::Tap) and the key log that TLS connections are opened
//! with. Each writes while the run goes on, in bounded memory, to whatever it
//! is given, and keeps the first error for its `finish`.
//!
//! * [`Capture`]: every packet put on a link, as pcapng, and the secrets of
//!   its TLS connections, as an NSS key log.
//! * [`Metrics`]: Istio's standard metrics, as OpenMetrics.
//! * [`Traces`]: requests as OTLP JSON, and for Perfetto.

mod capture;
mod frame;
mod keys;
mod metrics;
mod pcapng;
mod traces;

pub use capture::Capture;
pub use metrics::Metrics;
pub use traces::{Choice, Traces};

#[cfg(test)]
mod testing;
