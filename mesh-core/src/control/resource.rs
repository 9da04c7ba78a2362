//! What a sidecar is given, resource by resource, as xDS has it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Locality;
use crate::policy::{
    AuthorizationPolicy, ConnectionPool, LoadBalancer, LocalRateLimit, LocalityPolicy, MtlsMode,
    OutlierDetection, RetryBudget, RetryPolicy, Route, Sourced, UpstreamTls, Warmup,
};

/// A cluster's name in Istio's form: `outbound|port|subset|host`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClusterName(Arc<str>);

impl ClusterName {
    /// The cluster of `host`'s `port`, or of a subset of it.
    pub fn outbound(port: u16, subset: Option<&str>, host: &str) -> Self {
        Self(format!("outbound|{port}|{}|{host}", subset.unwrap_or("")).into())
    }

    /// The app behind an inbound port.
    pub fn inbound(port: u16) -> Self {
        Self(format!("inbound|{port}||").into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name, shared.
    pub fn shared(&self) -> Arc<str> {
        self.0.clone()
    }

    /// The host part: what follows the last `|`.
    pub fn host(&self) -> &str {
        self.0.rsplit('|').next().unwrap_or_default()
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Everything one sidecar needs (xDS: all resources of all types).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Grows with every change.
    pub version: u64,
    /// The outbound listener.
    pub outbound: OutboundListener,
    /// Inbound listeners, one per workload port.
    pub inbound: Vec<InboundListener>,
    /// Outbound routes, one table per destination port.
    pub routes: Vec<Arc<RouteTable>>,
    /// Outbound clusters.
    pub clusters: Vec<Arc<Cluster>>,
    /// Endpoints of the clusters.
    pub endpoints: Vec<Arc<LoadAssignment>>,
}

/// xDS `Listener` for the app's own calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboundListener {
    /// Whether hosts that no route knows are passed through to their address.
    pub allow_any: bool,
}

/// xDS `Listener` for calls to one port of this pod.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InboundListener {
    /// The port, on the pod's address; the app listens on the same port of loopback.
    pub port: u16,
    /// Which connections are taken.
    pub mtls: Sourced<MtlsMode>,
    /// Policies that select this workload, deny before allow.
    pub authorization: Vec<Arc<AuthorizationPolicy>>,
    /// Retries towards the app.
    pub retry: Sourced<RetryPolicy>,
    /// Token bucket in front of the app.
    pub rate_limit: Option<LocalRateLimit>,
}

/// xDS `RouteConfiguration`: the virtual hosts of one destination port.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteTable {
    /// The destination port.
    pub port: u16,
    /// Virtual hosts; a request belongs to the most specific matching domain (exact, longest suffix, `*`).
    pub hosts: Vec<VirtualHost>,
}

/// xDS `VirtualHost`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VirtualHost {
    /// `host:port`.
    pub name: Arc<str>,
    /// Domains, lower-case, without port: exact names, `*.suffix` or `*`.
    pub domains: Vec<String>,
    /// Routes; first match wins.
    pub routes: Vec<Arc<Route>>,
}

/// xDS `Cluster`: everything about a destination but its endpoints. Every value is resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    /// Its name.
    pub name: ClusterName,
    /// Load balancing.
    pub load_balancer: Sourced<LoadBalancer>,
    /// Locality weights and failover; inert unless outlier detection is set, as in Istio.
    pub locality: Option<Sourced<LocalityPolicy>>,
    /// Slow start.
    pub warmup: Option<Sourced<Warmup>>,
    /// Pool limits.
    pub pool: Sourced<ConnectionPool>,
    /// Outlier detection.
    pub outlier: Option<Sourced<OutlierDetection>>,
    /// TLS to endpoints.
    pub tls: Sourced<UpstreamTls>,
    /// Retry budget, in place of the pool's `retries_max`.
    pub retry_budget: Option<Sourced<RetryBudget>>,
    /// Below this percentage of healthy endpoints all are used; 0 is never.
    pub panic_threshold_percent: u32,
    /// Plain-text endpoints speak HTTP/2 by prior knowledge.
    pub http2: bool,
    /// The subject alternative names a server of this cluster may present.
    pub identities: Vec<Arc<str>>,
}

/// Whether an endpoint takes traffic, as the control plane sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointHealth {
    /// Takes traffic.
    Healthy,
    /// Takes none.
    Unhealthy,
}

/// One instance behind a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Where to connect.
    pub address: SocketAddr,
    /// The workload's name.
    pub workload: Arc<str>,
    /// Where it runs.
    pub locality: Locality,
    /// Priority by locality failover: 0 first.
    pub priority: u32,
    /// Load-balancing weight.
    pub weight: u32,
    /// Whether it takes traffic.
    pub health: EndpointHealth,
    /// Whether it has a sidecar.
    pub meshed: bool,
}

/// xDS `ClusterLoadAssignment`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadAssignment {
    /// The cluster.
    pub cluster: ClusterName,
    /// Its endpoints.
    pub endpoints: Vec<Endpoint>,
    /// Weights by locality, when `distribute` is set.
    pub locality_weights: BTreeMap<String, u32>,
}
