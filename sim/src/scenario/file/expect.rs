//! `expect:`

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Named, Placed};
use crate::scenario::value::{
    AmountLimit, Boundary, BytesLimit, CountLimit, During, EdgeName, FlagName, NumberLimit,
    RateLimit, Share, ShareLimit, StatusName, Time, TimeLimit,
};

/// What must hold: of one of `traffic`, `edge`, `service` and `mesh`, over one window, one demand or more; or that a fault is noticed (`detects`), or that goodput comes back (`recovers`).
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct ExpectSpec {
    /// The requests of this traffic source, as its clients see them.
    pub(crate) traffic: Option<Placed<String>>,
    /// Calls from one service to another, as the caller's sidecars see them.
    pub(crate) edge: Option<Placed<EdgeName>>,
    /// Requests to this service, as its sidecars see them on the way in, and what its apps do with them. Beside `detects`: only endpoints of this service count.
    pub(crate) service: Option<Placed<String>>,
    /// The whole mesh: all requests of all traffic sources, every sidecar and every app.
    pub(crate) mesh: Option<WholeMesh>,
    /// Goodput of this traffic source comes back after the last fault has healed: `within` this time, `to` this share of what it was before the first.
    pub(crate) recovers: Option<Placed<String>>,
    /// This fault is noticed: an endpoint that it is for is ejected `within` this time of its beginning.
    pub(crate) detects: Option<Placed<String>>,
    /// The time that `recovers` and `detects` allow.
    pub(crate) within: Option<Placed<Time>>,
    /// The share of its goodput before the first fault that traffic `recovers` to; 95% when left out.
    pub(crate) to: Option<Placed<Share>>,
    /// Requests meant to start in this window count; the whole run when left out. Latencies are those of answered requests.
    pub(crate) during: Option<Placed<During>>,
    /// Only the time before this.
    pub(crate) before: Option<Placed<Boundary>>,
    /// Only the time after this.
    pub(crate) after: Option<Placed<Boundary>>,
    /// Share of requests that succeeded.
    pub(crate) success: Option<Placed<ShareLimit>>,
    /// The objective that `burn-rate` is about: the share of requests that is to succeed.
    pub(crate) slo: Option<Placed<Share>>,
    /// How many times faster than the `slo` allows errors spend its budget: the share of failures divided by one minus the objective (Google, The Site Reliability Workbook, chapter 5).
    pub(crate) burn_rate: Option<Placed<NumberLimit>>,
    /// Median latency.
    pub(crate) p50: Option<Placed<TimeLimit>>,
    /// 90th percentile of latency.
    pub(crate) p90: Option<Placed<TimeLimit>>,
    /// 95th percentile of latency.
    pub(crate) p95: Option<Placed<TimeLimit>>,
    /// 99th percentile of latency.
    pub(crate) p99: Option<Placed<TimeLimit>>,
    /// 99.9th percentile of latency.
    pub(crate) p999: Option<Placed<TimeLimit>>,
    /// Mean latency.
    pub(crate) mean: Option<Placed<TimeLimit>>,
    /// Largest latency.
    pub(crate) max: Option<Placed<TimeLimit>>,
    /// Successes per second.
    pub(crate) goodput: Option<Placed<RateLimit>>,
    /// Requests per second.
    pub(crate) rate: Option<Placed<RateLimit>>,
    /// Attempts that sidecars make per request: on the edge, of the traffic's own sidecar, or of the whole mesh per request of all traffic.
    pub(crate) attempts: Option<Placed<NumberLimit>>,
    /// Requests that reach a service's apps per request of the traffic, by service: the amplification down the whole chain.
    pub(crate) calls: Named<String, Placed<NumberLimit>>,
    /// Requests by Envoy's response flags, each a number or a share of all.
    pub(crate) flags: Named<FlagName, Placed<AmountLimit>>,
    /// Requests by status (`503`, `5xx`, `none`), each a number or a share of all.
    pub(crate) status: Named<StatusName, Placed<AmountLimit>>,
    /// Share of the load that the busiest endpoint gets.
    pub(crate) busiest: Option<Placed<ShareLimit>>,
    /// Load of the busiest endpoint, divided by the mean of all.
    pub(crate) imbalance: Option<Placed<NumberLimit>>,
    /// Jain's index of the endpoints' loads: 1 is even, one over their number is all on one.
    pub(crate) fairness: Option<Placed<NumberLimit>>,
    /// Share of the workers' time spent for callers that had gone.
    pub(crate) wasted: Option<Placed<ShareLimit>>,
    /// Longest line that an arriving request met.
    pub(crate) queue: Option<Placed<CountLimit>>,
    /// 50th percentile of the time waiting for a worker.
    pub(crate) wait_p50: Option<Placed<TimeLimit>>,
    /// 99th percentile of the time waiting for a worker.
    pub(crate) wait_p99: Option<Placed<TimeLimit>>,
    /// Share of attempts that go to another zone.
    pub(crate) cross_zone: Option<Placed<ShareLimit>>,
    /// Bytes of bodies that go between zones, both ways: a size, or a share of all.
    pub(crate) cross_zone_bytes: Option<Placed<BytesLimit>>,
    /// Requests without TLS: that come in at sidecars, or on the edge reach an endpoint.
    pub(crate) plaintext: Option<Placed<CountLimit>>,
    /// Requests that an app served although the configuration written for the mesh denies them, or asks for mutual TLS that they did not have.
    pub(crate) unauthorised: Option<Placed<CountLimit>>,
}

/// The whole mesh.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WholeMesh {
    /// All of it.
    All,
}
