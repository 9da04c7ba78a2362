//! The control plane: what the mesh knows, and how each sidecar learns it.
//!
//! [`Registry`] holds workloads and services; [`compile`] joins it with a
//! [`MeshPolicy`](crate::policy::MeshPolicy) into the [`Snapshot`] of one
//! sidecar, made of resources that map one to one onto xDS types (listeners,
//! routes, clusters, endpoints, secrets).

mod compile;
mod registry;
mod resource;

pub use compile::{Compiler, compile};
pub use registry::{Locality, Registry, Service, ServicePort, Workload, WorkloadState};
pub use resource::{
    Cluster, ClusterName, Endpoint, EndpointHealth, InboundListener, LoadAssignment,
    OutboundListener, RouteTable, Snapshot, VirtualHost,
};
