//! What charts, blame and waterfalls are drawn from: kept when a run is recorded for a reader, left out otherwise.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{RequestOutcome, Split};

/// The run in detail.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Detail {
    /// Who took part: apps in plan order, then traffic sources.
    pub pods: Vec<PodReport>,
    /// The run over time.
    pub course: Course,
    /// When each fault was at work, `[from_s, to_s]`, in the order of [`RunReport::faults`](super::RunReport::faults);
    /// a hundred stretches at most of each.
    pub fault_spans: Vec<Vec<[f64; 2]>>,
    /// Where requests spent their time: for each traffic source all, those that failed, and the slowest.
    pub blame: Vec<BlameReport>,
    /// The worst requests, with all that is known of them: failures of each kind, then the slowest.
    pub worst: Vec<TraceReport>,
    /// What the mesh was told to do with each edge's requests, and by whom; edges in the report's order.
    pub policy: Vec<PolicyReport>,
}

/// One pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodReport {
    /// Its name.
    pub name: String,
    /// Its service, or its traffic source.
    pub service: String,
    /// The value of its `version` label; empty when it has none.
    pub version: String,
    /// Its region; empty when the scenario has none.
    pub region: String,
    /// Its zone.
    pub zone: String,
    /// Its node.
    pub node: String,
    /// Whether it has a sidecar.
    pub meshed: bool,
    /// Whether it is a traffic source.
    pub source: bool,
}

/// The run over time, cut into windows of one length. Every column has an entry for each window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Course {
    /// Length of a window.
    pub window_s: f64,
    /// How many windows there are.
    pub windows: usize,
    /// Traffic sources by name.
    pub traffic: IndexMap<String, TrafficCourse>,
    /// Services by name.
    pub services: IndexMap<String, ServiceCourse>,
    /// Connections between sidecars (and from them) that were open when the window ended.
    pub connections: Vec<u64>,
    /// Sidecars that had not acknowledged the newest configuration when the window ended.
    pub stale_sidecars: Vec<u64>,
    /// How long the sidecar that is furthest behind had been so, in seconds.
    pub staleness_s: Vec<f64>,
    /// Until the first certificate in use expires, in seconds, negative when it has; `None` when there is none.
    pub certificate_s: Vec<Option<f64>>,
}

/// One traffic source over time. A request belongs to the window of its intended send time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrafficCourse {
    /// Requests that failed, by Envoy response flags, or by reason (`timeout`, `connect_failed`, `broken`) or status
    /// (`500`) where there was no flag.
    pub failed: BTreeMap<String, Vec<u64>>,
    /// 90th percentile of answered requests.
    pub p90_ms: Vec<Option<f64>>,
    /// 99.9th percentile of answered requests.
    pub p999_ms: Vec<Option<f64>>,
    /// How many answered requests took how long.
    pub heat: Heat,
}

/// A histogram of latencies for each window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Heat {
    /// The least latency of each bucket, ascending; a bucket ends where the next begins, the last one at twice its
    /// beginning at most.
    pub floors_ms: Vec<f64>,
    /// For each window the buckets in use, `[bucket, requests]`, ascending.
    pub counts: Vec<Vec<[u32; 2]>>,
}

/// One service over time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServiceCourse {
    /// Requests that arrived at its apps.
    pub arrivals: Vec<u64>,
    /// Those of them that were answered with 500 or more, or not at all.
    pub errors: Vec<u64>,
    /// The longest line that an arriving request met; `None` where the requests that arrived were not done when the
    /// run ended.
    pub queue_max: Vec<Option<u32>>,
    /// Endpoints that at least one sidecar had ejected when the window ended.
    pub ejected: Vec<u32>,
    /// Pods that were down, frozen or not ready when the window ended.
    pub down: Vec<u32>,
    /// How many pods it has.
    pub pods: u32,
}

/// Which requests a blame is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blamed {
    /// All that ended.
    All,
    /// Those that failed.
    Failed,
    /// Those that succeeded and took longer than [`BlameReport::slower_than_ms`].
    Slow,
}

/// Where requests spent their time. The parts of `split` add up to the sum of their latencies, to the nanosecond.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlameReport {
    /// The traffic source.
    pub traffic: String,
    /// Which requests.
    pub of: Blamed,
    /// How many.
    pub requests: u64,
    /// What makes a request slow: the 99th percentile of the source, to the width of a bucket; only for [`Blamed::Slow`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slower_than_ms: Option<f64>,
    /// Sums over all of them.
    pub split: Split,
}

/// Why a request is told in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// It failed.
    Failed,
    /// It was among the slowest.
    Slow,
    /// Every request is told.
    Every,
}

/// A request of a traffic source with everything that happened for it anywhere in the mesh.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TraceReport {
    /// Why it is told.
    pub told: Told,
    /// The traffic source.
    pub traffic: String,
    /// Its number there, from 0.
    pub sequence: u64,
    /// W3C trace id, 32 hexadecimal digits.
    pub trace: String,
    /// Intended send time, since the beginning of the run.
    pub intended_ns: u64,
    /// `METHOD authority/path`; empty when no sidecar saw it.
    pub request: String,
    /// How it ended.
    pub outcome: RequestOutcome,
    /// Whether it counts as a success; `None` when it had not ended.
    pub succeeded: Option<bool>,
    /// Status; `None` when no answer came.
    pub status: Option<u16>,
    /// Response flags; `-` when there are none.
    pub flags: String,
    /// From the intended send time; `None` when it had not ended.
    pub latency_ns: Option<u64>,
    /// Where the latency went.
    pub split: Option<Split>,
    /// What happened: the client's own first, each after what caused it, and of one cause by beginning.
    pub spans: Vec<SpanReport>,
    /// Spans left out because there were too many.
    pub spans_omitted: u32,
}

/// What a span is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpanKind {
    /// The traffic source's client, from the send time to the end.
    Client,
    /// A request through the caller's sidecar, retries included.
    Outbound,
    /// One attempt of it, to response headers or to failure.
    Attempt,
    /// A request through the callee's sidecar.
    Inbound,
    /// In the callee's line and on its worker.
    App,
}

/// One part of a trace. Times are since the beginning of the run, on the clock of the host it happened on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpanReport {
    /// What it is of.
    pub kind: SpanKind,
    /// The span that caused it, by its place in [`TraceReport::spans`]; `None` for the first, and where the cause is not known.
    pub parent: Option<u32>,
    /// The pod it happened on.
    pub pod: String,
    /// The pod's service, or traffic source.
    pub service: String,
    /// Beginning.
    pub start_ns: u64,
    /// End.
    pub end_ns: u64,
    /// `METHOD authority/path` of a request through a sidecar; empty for other kinds.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub request: String,
    /// The cluster, for outbound spans and attempts.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cluster: String,
    /// The endpoint's workload, for outbound spans and attempts; the authenticated peer, for inbound ones.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub peer: String,
    /// Status; `None` when there was none.
    pub status: Option<u16>,
    /// Response flags; `-` when there are none.
    pub flags: String,
    /// Envoy's response code details for requests, what became of it for apps (`answered`, `rejected`, `cancelled`, `wasted`, `abandoned`).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub details: String,
    /// Number of the attempt, from 1; 0 for other kinds.
    #[serde(default, skip_serializing_if = "is_none")]
    pub attempt: u32,
    /// Whether it was a mirror copy.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mirror: bool,
    /// Whether both ends of the connection were authenticated; `None` where there is no connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtls: Option<bool>,
    /// Of an outbound span: delay injected by the mesh's own configuration.
    #[serde(default, skip_serializing_if = "is_none")]
    pub fault_ns: u64,
    /// Of an outbound span: waiting between attempts.
    #[serde(default, skip_serializing_if = "is_none")]
    pub backoff_ns: u64,
    /// Of an outbound span: waiting for a connection or a stream, handshakes included.
    #[serde(default, skip_serializing_if = "is_none")]
    pub pool_ns: u64,
    /// Of an app's span: waiting for a worker, from its beginning.
    #[serde(default, skip_serializing_if = "is_none")]
    pub queue_ns: u64,
}

fn is_none<N: Default + PartialEq>(number: &N) -> bool {
    *number == N::default()
}

/// What the mesh was told to do with the requests of one edge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyReport {
    /// The calling service or traffic source.
    pub from: String,
    /// The called service.
    pub to: String,
    /// The request of the edge that was asked about, `METHOD http://authority/path`.
    pub request: String,
    /// What applies, in the order the sidecar finds it.
    pub settings: Vec<SettingReport>,
}

/// One setting and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingReport {
    /// Indentation: 0 for the request, 1 for one of its destinations.
    pub depth: u8,
    /// `route`, `timeout`, `retry`, `ejection`…; empty when it belongs to the line above.
    pub name: String,
    /// In words.
    pub value: String,
    /// `file:line:column`, or `default (…)` with its source; empty where there is none.
    pub origin: String,
}
