//! `expect:`

use schemars::JsonSchema;
use serde::Deserialize;

use super::Placed;
use crate::scenario::value::{During, ShareLimit, TimeLimit};

/// What must hold of one traffic source over one window. Latencies are those of answered requests, from their intended start.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct ExpectSpec {
    /// The traffic source.
    pub(crate) traffic: Placed<String>,
    /// Requests meant to start in this window count; the whole run when left out.
    pub(crate) during: Option<Placed<During>>,
    /// Share of requests that succeeded.
    pub(crate) success: Option<Placed<ShareLimit>>,
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
}
