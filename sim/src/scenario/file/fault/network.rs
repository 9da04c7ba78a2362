//! Faults of packets and names.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::{Placed, Short};
use super::select::{PodsSpec, with_edge};
use crate::scenario::value::{Bandwidth, Share, Size, Spread, Time};

with_edge! {
    /// Latency added to packets.
    LatencySpec {
        /// How much, drawn for each packet: `200ms`, `50ms ± 20ms`, `lognormal(p50=5ms, p99=80ms)`.
        add: Spread,
    }
}

with_edge! {
    /// Packets lost; segments come late, by TCP's retransmission.
    LossSpec {
        /// The share of packets that is lost.
        #[serde(rename = "rate")]
        rate: Placed<Share>,
    }
}

with_edge! {
    /// Links made narrow.
    BandwidthSpec {
        /// Bits per second of each direction of each link.
        limit: Placed<Bandwidth>,
        /// Bytes that may wait for the link, the rest is lost; unlimited when left out.
        queue: Option<Size>,
    }
}

/// Names that are not answered as they should be. Only new connections ask for names.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct DnsSpec {
    /// Pods that ask; all when left out.
    pub(crate) from: Option<Placed<Short<PodsSpec>>>,
    /// Hosts asked for, as they are written in calls, `*` for anything; all when left out.
    pub(crate) host: Option<Placed<String>>,
    /// What is answered.
    pub(crate) answer: Placed<DnsAnswerSpec>,
    /// How long a `slow` answer takes.
    pub(crate) delay: Option<Placed<Time>>,
}

/// What a name server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DnsAnswerSpec {
    /// There is no such name.
    Nxdomain,
    /// The name has no address.
    Empty,
    /// The addresses from before the fault, whatever became of them.
    Stale,
    /// The truth, after `delay`.
    Slow,
}
