//! The network between pods.

use super::Distribution;

/// Link qualities by how far apart two pods are.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkPlan {
    /// Within a zone.
    pub same_zone: LinkQuality,
    /// Between zones of a region.
    pub cross_zone: LinkQuality,
    /// Between regions.
    pub cross_region: LinkQuality,
}

/// One direction of a link.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkQuality {
    /// Propagation latency, one way.
    pub latency: Distribution,
    /// Probability that a packet is lost (and comes late by a retransmission timeout), 0 to 1.
    pub loss: f64,
    /// Bits per second; `None` is unlimited.
    pub bandwidth_bps: Option<u64>,
    /// Bytes that may wait for the link; `None` is unlimited.
    pub queue_bytes_max: Option<u64>,
}
