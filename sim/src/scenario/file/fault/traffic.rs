//! Faults of callers.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::{JitterSpec, Placed};
use crate::scenario::value::{PerSecond, Share, Time};

/// Another load of a traffic source: `times` what it would be, or a `rate` in its place.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct LoadFaultSpec {
    /// The traffic source.
    pub(crate) traffic: Placed<String>,
    /// So many times the requests, or the users.
    pub(crate) times: Option<Placed<f64>>,
    /// So many requests instead.
    pub(crate) rate: Option<Placed<PerSecond>>,
}

/// Requests that come all together.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct HerdSpec {
    /// The traffic source that sends them.
    pub(crate) traffic: Placed<String>,
    /// How many.
    pub(crate) requests: Placed<u64>,
    /// Over this time; all at once when left out.
    pub(crate) over: Option<Placed<Time>>,
    /// How they are spread over it; evenly when left out.
    pub(crate) spread: Option<Placed<SpreadSpec>>,
}

/// How requests are spread over a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SpreadSpec {
    /// Evenly.
    Even,
    /// Each at a time of its own, drawn.
    Random,
}

/// Requests that carry the same key.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct HotKeySpec {
    /// The traffic source, which has `keys`.
    pub(crate) traffic: Placed<String>,
    /// The share of its requests.
    pub(crate) rate: Placed<Share>,
    /// The key; `hot` when left out.
    pub(crate) key: Option<Placed<String>>,
}

/// Tries that clients make by themselves.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct ClientRetriesSpec {
    /// The traffic source.
    pub(crate) traffic: Placed<String>,
    /// Tries in all.
    pub(crate) tries: Placed<u32>,
    /// The wait before the second try, doubled with each further one; as the source has it when left out.
    pub(crate) backoff: Option<Time>,
    /// No wait is longer; ten times the first when left out.
    pub(crate) backoff_max: Option<Time>,
    /// How waits vary; as the source has it when left out.
    pub(crate) jitter: Option<JitterSpec>,
}

/// Other weights of a mix.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct MixFaultSpec {
    /// The traffic source, which has a `mix`.
    pub(crate) traffic: Placed<String>,
    /// The weights of its parts, in order.
    pub(crate) weights: Placed<Vec<u32>>,
}

/// Connections on which requests come a byte at a time.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct SlowLorisSpec {
    /// The traffic source whose pod opens them, to where it calls.
    pub(crate) traffic: Placed<String>,
    /// How many.
    pub(crate) connections: Placed<u32>,
    /// From one byte to the next; 1s when left out.
    pub(crate) pause: Option<Placed<Time>>,
}
