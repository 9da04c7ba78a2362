//! What exists: workloads and services.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// Where a workload runs. Empty strings mean unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Locality {
    /// Region.
    pub region: Arc<str>,
    /// Zone.
    pub zone: Arc<str>,
    /// Sub-zone.
    pub subzone: Arc<str>,
}

impl fmt::Display for Locality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.region)?;
        if !self.zone.is_empty() || !self.subzone.is_empty() {
            write!(f, "/{}", self.zone)?;
        }
        if !self.subzone.is_empty() {
            write!(f, "/{}", self.subzone)?;
        }
        Ok(())
    }
}

/// Whether a workload takes traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkloadState {
    /// In the endpoints.
    Ready,
    /// Known, and in no endpoints.
    NotReady,
}

/// One instance of something that runs: a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// Unique name, `reviews-v1-0`.
    pub name: Arc<str>,
    /// Namespace.
    pub namespace: Arc<str>,
    /// Address.
    pub ip: IpAddr,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Service account.
    pub service_account: Arc<str>,
    /// Whether it has a sidecar, and so speaks mutual TLS.
    pub meshed: bool,
    /// Where it runs.
    pub locality: Locality,
    /// Whether it takes traffic.
    pub state: WorkloadState,
}

/// A service: a stable name for a set of workloads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Short name.
    pub name: Arc<str>,
    /// Namespace.
    pub namespace: Arc<str>,
    /// Fully qualified host, `reviews.default.svc.cluster.local`.
    pub host: Arc<str>,
    /// Ports.
    pub ports: Vec<ServicePort>,
    /// Labels of its workloads; empty selects nothing.
    pub selector: BTreeMap<String, String>,
}

/// A port of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServicePort {
    /// The number callers use.
    pub port: u16,
    /// The number workloads listen on.
    pub target: u16,
    /// Its name, such as `http` or `grpc-web`; may be empty.
    pub name: String,
    /// Whether the port carries HTTP/2 without TLS (gRPC included), as told by its name or `appProtocol`.
    pub http2: bool,
}

/// Everything that exists, in a fixed order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registry {
    /// Workloads by name.
    pub workloads: IndexMap<Arc<str>, Workload>,
    /// Services by fully qualified host.
    pub services: IndexMap<Arc<str>, Service>,
}

impl Registry {
    /// The workloads a service selects, ready or not, in registry order.
    pub fn selected<'a>(&'a self, service: &'a Service) -> impl Iterator<Item = &'a Workload> {
        self.workloads.values().filter(move |workload| {
            !service.selector.is_empty()
                && workload.namespace == service.namespace
                && service
                    .selector
                    .iter()
                    .all(|(k, v)| workload.labels.get(k) == Some(v))
        })
    }
}
