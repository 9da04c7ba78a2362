//! The neutral policy model: what any mesh can be told.
//!
//! A [dialect](crate::dialect) compiles native configuration into a
//! [`MeshPolicy`]; the [control plane](crate::control) joins it with the
//! registry of workloads and turns it into the resources that each sidecar
//! gets. Every value that a person may have written carries its
//! [`Origin`]: file and line, or the default it came from.

mod cluster;
mod limit;
mod note;
mod profile;
mod route;
mod security;
mod value;

pub use cluster::{
    ConnectionPool, DestinationPolicy, DestinationRule, HashAlgorithm, HashKey, LoadBalancer,
    LocalityFailover, LocalityPolicy, OutlierDetection, RetryBudget, SlowStart, SubsetRule,
    SuccessRate, UpstreamTls, Warmup,
};
pub use limit::InboundRateLimit;
pub use note::{Note, NoteKind};
pub use profile::{MeshKind, Profile};
pub use route::{
    AbortKind, Delegation, Destination, DirectResponse, FaultPolicy, Forward, HeaderMatch,
    HeaderMutations, HostPattern, LocalRateLimit, Mirror, PathMatch, PathRewrite, QueryMatch,
    Redirect, RedirectPort, RequestMatch, RetryBackoff, RetryOn, RetryPolicy, Route, RouteAction,
    RouteRule, ScopedRoute, SourceScope, StringMatch, WeightedDestination,
};
pub use security::{
    AuthorizationAction, AuthorizationCondition, AuthorizationPolicy, AuthorizationRule, MtlsMode,
    OperationMatch, PeerAuthentication, SourceMatch, WorkloadSelector,
};
pub use value::{Fraction, Origin, Pattern, Position, Sourced};

use serde::{Deserialize, Serialize};

/// Everything a mesh was told, in neutral words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeshPolicy {
    /// The mesh's defaults.
    pub profile: Profile,
    /// Routing rules, in the order of precedence: for one host, the first rule that names it wins.
    pub routes: Vec<RouteRule>,
    /// How to talk to destinations, in the order read.
    pub destinations: Vec<DestinationRule>,
    /// Which inbound traffic must be mutually authenticated.
    pub peer_authentication: Vec<PeerAuthentication>,
    /// Who may call what.
    pub authorization: Vec<AuthorizationPolicy>,
    /// Services that no workload manifest declares.
    pub external: Vec<ExternalService>,
    /// Token buckets in front of apps.
    #[serde(default)]
    pub inbound_rate_limits: Vec<InboundRateLimit>,
    /// What was read and not honoured, or looks like a mistake.
    pub notes: Vec<Note>,
}

impl MeshPolicy {
    /// No configuration at all: the mesh's defaults.
    pub fn defaults(profile: Profile) -> Self {
        Self {
            profile,
            routes: Vec::new(),
            destinations: Vec::new(),
            peer_authentication: Vec::new(),
            authorization: Vec::new(),
            external: Vec::new(),
            inbound_rate_limits: Vec::new(),
            notes: Vec::new(),
        }
    }
}

/// A service that configuration declares (Istio's ServiceEntry).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExternalService {
    /// Its names; a leading `*.` is a wildcard.
    pub hosts: Vec<String>,
    /// The namespace of the declaration.
    pub namespace: String,
    /// Ports.
    pub ports: Vec<ExternalPort>,
    /// Endpoints, when declared statically.
    pub endpoints: Vec<ExternalEndpoint>,
    /// Picks endpoints among the mesh's workloads by label, when present.
    pub workload_selector: Option<std::collections::BTreeMap<String, String>>,
    /// Whether it counts as inside the mesh (mutual TLS by default).
    pub in_mesh: bool,
    /// Where it was declared.
    pub origin: Origin,
}

/// A port of an [`ExternalService`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalPort {
    /// The number callers use.
    pub number: u16,
    /// The port's name; endpoints may override its number by this name.
    pub name: String,
    /// `HTTP`, `HTTPS`, `TCP`…, upper-cased.
    pub protocol: String,
    /// The port at the endpoint, when it differs.
    pub target: Option<u16>,
}

/// A static endpoint of an [`ExternalService`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalEndpoint {
    /// IP address or name, as written.
    pub address: String,
    /// Port numbers by port name.
    pub ports: std::collections::BTreeMap<String, u16>,
    /// Labels, for subsets.
    pub labels: std::collections::BTreeMap<String, String>,
    /// `region/zone/subzone`, as written.
    pub locality: Option<String>,
    /// Load-balancing weight; 1 when unset.
    pub weight: u32,
}
