//! Faults of apps that do less than they should.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::Placed;
use super::select::with_pods;
use crate::scenario::value::{Share, Size, Spread, Status, Time};

with_pods! {
    /// Apps that take longer for their work: `times` as long, or `add` on top, or both.
    SlowSpec {
        /// How many times as long the service time is.
        times: Option<Placed<f64>>,
        /// How much longer it is, drawn for each request.
        add: Option<Spread>,
        /// Only requests whose path begins so; all when left out.
        path: Option<Placed<String>>,
        /// Only requests with this method; all when left out.
        method: Option<Placed<String>>,
    }
}

with_pods! {
    /// Apps that fail some requests.
    ErrorsSpec {
        /// The share of requests that fails; all when left out.
        rate: Option<Placed<Share>>,
        /// What they are answered; 500 when left out.
        status: Option<Placed<Status>>,
        /// Whether they fail at once, without a worker; else they fail after their service time. At once when left out.
        fast: Option<bool>,
        /// Only requests whose path begins so; all when left out.
        path: Option<Placed<String>>,
        /// Only requests with this method; all when left out.
        method: Option<Placed<String>>,
    }
}

with_pods! {
    /// Apps that give out fewer workers.
    WorkersSpec {
        /// How many each pod has meanwhile.
        to: Placed<u32>,
    }
}

with_pods! {
    /// Apps that may run for a part of the time only.
    CpuSpec {
        /// The share of each period in which they run.
        quota: Placed<Share>,
        /// The period; 100ms when left out, as in Linux.
        period: Option<Placed<Time>>,
    }
}

with_pods! {
    /// Apps that lose workers: some requests never give theirs back while the process lives.
    LeakSpec {
        /// The share of requests that keeps its worker.
        rate: Placed<Share>,
    }
}

with_pods! {
    /// Apps whose requests leave memory behind.
    MemoryFaultSpec {
        /// How much each leaves.
        leak: Placed<Size>,
    }
}

/// The memory of an app's process. In use is `base`, and `per-request` for each request that waits or is worked on, and `leak` for each so far.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct MemorySpec {
    /// The pod is killed when it uses more.
    pub(crate) limit: Size,
    /// What it uses when it does nothing; none when left out.
    pub(crate) base: Option<Size>,
    /// What a request uses while it waits or is worked on; none when left out.
    pub(crate) per_request: Option<Size>,
    /// What each request leaves behind; none when left out.
    pub(crate) leak: Option<Size>,
}

/// How an app warms up: the service time is `times` as long when its process starts, and falls evenly to what it is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct WarmUpSpec {
    /// For how long.
    #[serde(rename = "for")]
    pub(crate) lasts: Time,
    /// How many times as long the service time is at first.
    pub(crate) times: f64,
}
