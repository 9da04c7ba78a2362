//! What the sidecars and the apps saw.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{LatencyMs, Series};

/// Calls from one service (or traffic source) to another, as the callers' sidecars saw them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EdgeReport {
    /// The calling service or traffic source.
    pub from: String,
    /// The called service, or a host that is none.
    pub to: String,
    /// Requests ended.
    pub requests: u64,
    /// Those of them without an answer or with a status of 500 or more.
    pub failed: u64,
    /// Attempts ended, mirror copies apart.
    pub attempts: u64,
    /// Attempts after the first.
    pub retries: u64,
    /// Mirror copies sent.
    pub mirrored: u64,
    /// Requests ended per second of virtual time.
    pub rps: f64,
    /// Requests by status; `none` is no answer.
    pub status: BTreeMap<String, u64>,
    /// Requests by Envoy response flags; `-` is none.
    pub flags: BTreeMap<String, u64>,
    /// Share of attempts over mutual TLS, among those that reached an upstream; `None` when none did.
    pub mtls: Option<f64>,
    /// From the request's headers at the caller's sidecar to the end of the answer, of answered requests.
    pub latency_ms: Option<LatencyMs>,
    /// Connections of the callers' pools.
    pub connections: Connections,
    /// How often each mechanism acted on this edge.
    pub mechanisms: BTreeMap<String, u64>,
    /// Over time, by start; `None` when the mesh has too many edges to keep it for each.
    pub series: Option<Series>,
}

/// Connections made, refused and ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connections {
    /// Established.
    pub opened: u64,
    /// Failed to establish.
    pub failed: u64,
    /// Ended.
    pub closed: u64,
}

/// One service: what its pods' sidecars let in, and what its apps did with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceReport {
    /// Short name.
    pub name: String,
    /// Requests that reached an app and ended.
    pub requests: u64,
    /// Those of them that the app answered with 500 or more, or not at all.
    pub errors: u64,
    /// Turned away because the queue was full.
    pub rejected: u64,
    /// Given up because the caller had gone.
    pub cancelled: u64,
    /// Finished although the caller had gone.
    pub wasted: u64,
    /// Longest queue that an arriving request met.
    pub queue_max: u64,
    /// Time waiting for a worker.
    pub queue_ms: Option<LatencyMs>,
    /// Time on a worker, the app's own calls included.
    pub service_ms: Option<LatencyMs>,
    /// What the sidecars saw on the way in.
    pub inbound: InboundReport,
}

/// Requests through the inbound side of a service's sidecars.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InboundReport {
    /// Requests ended.
    pub requests: u64,
    /// Those of them without an answer or with a status of 500 or more.
    pub failed: u64,
    /// Share of requests over mutual TLS; `None` without requests.
    pub mtls: Option<f64>,
    /// Requests by Envoy response flags; `-` is none.
    pub flags: BTreeMap<String, u64>,
}
