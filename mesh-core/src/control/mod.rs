//! The control plane: what the mesh knows, and how each sidecar learns it.
//!
//! [`Registry`] holds workloads and services; [`Compiler`] joins it with a
//! [`MeshPolicy`](crate::policy::MeshPolicy) into the [`Snapshot`] of one
//! sidecar, made of resources that map one to one onto xDS types (listeners,
//! routes, clusters, endpoints, secrets). [`ControlPlane`] pushes them and
//! signs certificates; a [`Subscription`] is the sidecar's end.

mod compile;
mod delivery;
mod explain;
#[cfg(test)]
mod fixture;
mod plane;
mod push;
mod registry;
mod resource;
mod revision;
mod signing;
mod subscription;
mod wire;

pub use compile::{Compiler, compile};
pub use delivery::{Delivery, PushGate};
pub use explain::{
    ClusterFinding, DestinationFinding, EndpointFinding, ExplainRequest, ExplainRequestError,
    ExplainedLine, Explanation, Forwarding, HostFinding, MirrorFinding, Outcome, Protection,
    RouteFinding, SentRequest, Target, explain,
};
pub use plane::{ControlPlane, control_plane_identity};
pub use registry::{Locality, Registry, Service, ServicePort, Workload, WorkloadState};
pub use resource::{
    Cluster, ClusterName, Endpoint, EndpointHealth, InboundListener, LoadAssignment,
    OutboundListener, RouteTable, Snapshot, VirtualHost,
};
pub use revision::Revision;
pub use signing::{Caller, Signer, SigningError};
pub use subscription::{ControlAddress, ResourceCache, Resources, Subscription};
