//! Rate limits on the inbound side.

use serde::{Deserialize, Serialize};

use super::{LocalRateLimit, Sourced, WorkloadSelector};

/// A token bucket in front of the apps of some workloads, each with its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InboundRateLimit {
    /// `namespace/name` of the object it came from.
    pub name: String,
    /// Which workloads.
    pub selector: WorkloadSelector,
    /// Which workload port; `None` means every port.
    pub port: Option<u16>,
    /// The bucket.
    pub limit: Sourced<LocalRateLimit>,
}
