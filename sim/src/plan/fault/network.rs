//! Packets and names.

use std::time::Duration;

use super::EdgeSelector;
use crate::plan::Distribution;

/// What goes wrong with packets, and with names.
#[derive(Clone, Debug, PartialEq)]
pub enum NetworkFault {
    /// Adds latency to packets.
    Latency {
        /// Which packets.
        on: EdgeSelector,
        /// How much, drawn per packet.
        add: Distribution,
    },
    /// Loses packets; segments come late, by TCP's retransmission.
    Loss {
        /// Which packets.
        on: EdgeSelector,
        /// The probability, 0 to 1.
        share: f64,
    },
    /// Narrows links.
    Bandwidth {
        /// Which packets.
        on: EdgeSelector,
        /// Bits per second of each link direction.
        bps: u64,
        /// Bytes that may wait; `None` is unlimited. What does not fit is lost.
        queue_bytes_max: Option<u64>,
    },
    /// Parks packets until it heals.
    Partition {
        /// Which packets.
        on: EdgeSelector,
    },
    /// Swallows packets, as a firewall that drops does. To TCP it is a partition.
    Blackhole {
        /// Which packets.
        on: EdgeSelector,
    },
    /// Answers every packet with a reset of its connection.
    Reset {
        /// Which packets.
        on: EdgeSelector,
    },
    /// Answers every attempt to connect with a reset.
    Refuse {
        /// Which packets.
        on: EdgeSelector,
    },
    /// The network forgets the connections that stand: their packets go nowhere, and neither end is told.
    HalfOpen {
        /// Which connections.
        on: EdgeSelector,
    },
    /// Names are not answered as they should be.
    Dns {
        /// Pods that ask; `None` is every pod.
        from: Option<super::PodSelector>,
        /// Hosts that are asked for, as a pattern; `None` is every name.
        names: Option<String>,
        /// What they get.
        answer: DnsAnswer,
    },
}

/// What a name server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsAnswer {
    /// There is no such name.
    NoSuchName,
    /// The name has no address.
    Empty,
    /// The addresses from before the fault, whatever became of them.
    Stale,
    /// The truth, after this long.
    Slow(Duration),
}

impl NetworkFault {
    /// Which packets it is about; `None` for names.
    pub const fn edge(&self) -> Option<&EdgeSelector> {
        match self {
            Self::Latency { on, .. }
            | Self::Loss { on, .. }
            | Self::Bandwidth { on, .. }
            | Self::Partition { on }
            | Self::Blackhole { on }
            | Self::Reset { on }
            | Self::Refuse { on }
            | Self::HalfOpen { on } => Some(on),
            Self::Dns { .. } => None,
        }
    }

    /// Whether it has a strength that can grow.
    pub const fn has_strength(&self) -> bool {
        matches!(self, Self::Latency { .. } | Self::Loss { .. })
    }
}
