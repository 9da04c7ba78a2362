//! What an explanation consists of.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::ExplainRequest;
use crate::control::ClusterName;
use crate::policy::{
    ConnectionPool, FaultPolicy, Fraction, LoadBalancer, LocalRateLimit, LocalityPolicy, Origin,
    OutlierDetection, RetryBudget, RetryPolicy, Sourced, UpstreamTls, Warmup,
};

/// What a sidecar would do with a request. Its [`Display`](std::fmt::Display) form is for people.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The request.
    pub request: ExplainRequest,
    /// The virtual host it belongs to.
    pub virtual_host: Option<HostFinding>,
    /// Where there is none: the `host:port` that may have been meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest_host: Option<String>,
    /// The routes looked at, in order; if one matched, it is the last.
    pub routes: Vec<RouteFinding>,
    /// How many routes come after the one that matched.
    pub routes_not_tried: usize,
    /// What happens.
    pub outcome: Outcome,
}

/// A virtual host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HostFinding {
    /// `host:port`.
    pub name: Arc<str>,
    /// The domain that took the request's authority.
    pub domain: String,
}

/// A route that was looked at.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RouteFinding {
    /// Its name; may be empty.
    pub name: String,
    /// Where it was written.
    pub origin: Origin,
    /// Whether it took the request.
    pub matched: bool,
    /// The conditions that held, or the first that did not, in words.
    pub why: String,
}

/// What happens to the request.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is sent to one of the destinations.
    Forward(Box<Forwarding>),
    /// It is answered by a redirect.
    Redirect {
        /// Status code.
        status: u16,
        /// Where to.
        location: String,
    },
    /// It is answered at once.
    Direct {
        /// Status code.
        status: u16,
        /// The body's length in bytes.
        body_bytes: usize,
    },
    /// No destination of the route has a weight: 503, flag `NC`.
    NoDestination,
    /// The virtual host has no route for it: 404, flag `NR`.
    NoRoute,
    /// No virtual host knows it, and it is passed to the address the caller dialled.
    PassThrough,
    /// No virtual host knows it, and unknown hosts are blocked: 502.
    Blocked,
}

/// How a request is sent on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Forwarding {
    /// Bound on the whole request.
    pub timeout: Sourced<Option<Duration>>,
    /// When it is tried again.
    pub retry: Sourced<RetryPolicy>,
    /// Injected faults.
    pub fault: Option<FaultPolicy>,
    /// Token bucket of the route.
    pub rate_limit: Option<LocalRateLimit>,
    /// Where copies go.
    pub mirrors: Vec<MirrorFinding>,
    /// Where it may go.
    pub destinations: Vec<DestinationFinding>,
}

/// A mirror.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MirrorFinding {
    /// The cluster.
    pub cluster: ClusterName,
    /// The share of requests copied.
    pub fraction: Fraction,
    /// Whether the cluster exists; without it nothing is sent.
    pub exists: bool,
    /// Where it was written.
    pub origin: Origin,
}

/// A weighted destination.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DestinationFinding {
    /// The cluster.
    pub cluster: ClusterName,
    /// Its weight.
    pub weight: u32,
    /// Its share of the requests, in percent.
    pub share_percent: f64,
    /// Where it was written.
    pub origin: Origin,
    /// The request as sent there.
    pub sent: SentRequest,
    /// What is there.
    pub target: Target,
}

/// What a destination leads to.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A cluster.
    Cluster(Box<ClusterFinding>),
    /// No such cluster (503, flag `NC`), and in words why.
    Missing(String),
}

/// A request after rewrites and mutations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SentRequest {
    /// `:authority`.
    pub authority: String,
    /// `:path`.
    pub path: String,
    /// Headers added or changed, each `name: value`.
    pub headers_set: Vec<String>,
    /// Names of headers removed.
    pub headers_removed: Vec<String>,
}

/// What applies to a cluster, each with where it came from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClusterFinding {
    /// Load balancing.
    pub load_balancer: Sourced<LoadBalancer>,
    /// Under consistent hashing: the request's hash; `None` means it is balanced at random.
    pub hash: Option<u64>,
    /// Locality settings.
    pub locality: Option<Sourced<LocalityPolicy>>,
    /// Slow start.
    pub warmup: Option<Sourced<Warmup>>,
    /// Pool limits.
    pub pool: Sourced<ConnectionPool>,
    /// Outlier detection.
    pub outlier: Option<Sourced<OutlierDetection>>,
    /// Retry budget.
    pub retry_budget: Option<Sourced<RetryBudget>>,
    /// TLS.
    pub tls: Sourced<UpstreamTls>,
    /// Below this percentage of healthy endpoints all are used; 0 is never.
    pub panic_threshold_percent: u32,
    /// The endpoints, those preferred first.
    pub endpoints: Vec<EndpointFinding>,
}

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EndpointFinding {
    /// The workload's name.
    pub workload: Arc<str>,
    /// Its address.
    pub address: SocketAddr,
    /// Where it runs; empty when unknown.
    pub locality: String,
    /// Priority; 0 is used first.
    pub priority: u32,
    /// Weight among its like.
    pub weight: u32,
    /// Weight of its locality, where shares are distributed.
    pub locality_weight: Option<u32>,
    /// Whether it takes traffic.
    pub healthy: bool,
    /// How the connection to it is protected.
    pub protection: Protection,
}

/// How a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Protection {
    /// Plain text.
    Plain,
    /// TLS, server authenticated.
    Tls,
    /// Mutual TLS.
    Mutual,
}
