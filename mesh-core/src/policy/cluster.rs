//! How to talk to a destination: load balancing, pools, breakers, outlier detection, TLS.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Fraction, Origin, Sourced};

/// Policy for one host and its subsets (one DestinationRule).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DestinationRule {
    /// `namespace/name` of the object it came from.
    pub name: String,
    /// The object's namespace.
    pub namespace: String,
    /// The host: exact, or a wildcard.
    pub host: super::HostPattern,
    /// Namespaces whose workloads it governs; empty means all.
    pub visible_to: Vec<String>,
    /// Labels of the calling workloads it governs; empty means all.
    pub workload_selector: BTreeMap<String, String>,
    /// Policy for the whole host.
    pub policy: DestinationPolicy,
    /// Policy by destination port; it replaces the host's, and inherits nothing from it.
    pub ports: BTreeMap<u16, DestinationPolicy>,
    /// Subsets by name.
    pub subsets: Vec<SubsetRule>,
    /// Where the object begins.
    pub origin: Origin,
}

/// A named subset of a host's endpoints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubsetRule {
    /// Its name.
    pub name: String,
    /// Labels its endpoints must have.
    pub labels: BTreeMap<String, String>,
    /// Overrides of the host's policy, field by field.
    pub policy: DestinationPolicy,
    /// Overrides by destination port.
    pub ports: BTreeMap<u16, DestinationPolicy>,
    /// Where it was written.
    pub origin: Origin,
}

/// What may be said about a destination. `None` means "as the level above, or the mesh's default".
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DestinationPolicy {
    /// Load-balancing algorithm.
    pub load_balancer: Option<Sourced<LoadBalancer>>,
    /// Locality weights and failover.
    pub locality: Option<Sourced<LocalityPolicy>>,
    /// Slow start of new endpoints.
    pub warmup: Option<Sourced<Warmup>>,
    /// Pool limits and timeouts.
    pub pool: Option<Sourced<ConnectionPool>>,
    /// Outlier detection.
    pub outlier: Option<Sourced<OutlierDetection>>,
    /// TLS to the endpoints.
    pub tls: Option<Sourced<UpstreamTls>>,
    /// Retry budget, in place of `retries_max`.
    pub retry_budget: Option<Sourced<RetryBudget>>,
}

impl DestinationPolicy {
    /// This policy where it says something, `below` elsewhere.
    #[must_use]
    pub fn over(&self, below: &Self) -> Self {
        fn pick<T: Clone>(mine: &Option<T>, below: &Option<T>) -> Option<T> {
            mine.as_ref().or(below.as_ref()).cloned()
        }
        Self {
            load_balancer: pick(&self.load_balancer, &below.load_balancer),
            locality: pick(&self.locality, &below.locality),
            warmup: pick(&self.warmup, &below.warmup),
            pool: pick(&self.pool, &below.pool),
            outlier: pick(&self.outlier, &below.outlier),
            tls: pick(&self.tls, &below.tls),
            retry_budget: pick(&self.retry_budget, &below.retry_budget),
        }
    }
}

/// A load-balancing algorithm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadBalancer {
    /// In turn, weighted.
    RoundRobin,
    /// Uniform, whatever the weights (Envoy's `random_lb.cc` ignores them).
    Random,
    /// The least loaded of `choices` random endpoints (Envoy's default is 2).
    LeastRequest {
        /// Endpoints drawn.
        choices: u32,
    },
    /// The lower of two peak-EWMA latency costs (Linkerd's algorithm).
    PeakEwma {
        /// Decay window of the average.
        decay: Duration,
        /// Cost of an endpoint never used.
        default_rtt: Duration,
    },
    /// Consistent hashing.
    Hash {
        /// What is hashed.
        key: HashKey,
        /// How endpoints are laid out.
        algorithm: HashAlgorithm,
    },
    /// To the address the caller dialled.
    PassThrough,
}

/// What consistent hashing hashes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HashKey {
    /// A request header, lower-case.
    Header(String),
    /// A cookie, set on the response when absent and `ttl` is given.
    Cookie {
        /// Its name.
        name: String,
        /// Its path attribute.
        path: Option<String>,
        /// Its lifetime; `None` means the proxy sets no cookie.
        ttl: Option<Duration>,
    },
    /// The downstream's IP address.
    SourceIp,
    /// A query parameter.
    QueryParameter(String),
}

/// How consistent hashing lays out endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HashAlgorithm {
    /// A ketama ring with at least this many points.
    Ring {
        /// Lower bound on points.
        size_min: u32,
    },
    /// A Maglev table (Eisenbud et al., NSDI 2016) of this prime size.
    Maglev {
        /// Number of slots.
        table_size: u32,
    },
}

/// Slow start: a new endpoint's weight grows over a window (Envoy's `slow_start_config`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Warmup {
    /// Length of the window.
    pub duration: Duration,
    /// Weight at its start, as a share of the full weight (10 % by default).
    pub weight_min: Fraction,
    /// Exponent of the curve in thousandths (1000 is linear).
    pub aggression_milli: u32,
}

/// Alias used where resolved settings are meant.
pub type SlowStart = Warmup;

/// Pool limits. `u32::MAX` means unlimited, as Istio's defaults do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionPool {
    /// Connections to all endpoints together (`max_connections`).
    pub connections_max: u32,
    /// Requests waiting for a connection (`max_pending_requests`).
    pub pending_max: u32,
    /// Requests in flight (`max_requests`).
    pub requests_max: u32,
    /// Retries in flight (`max_retries`), unless a budget is set.
    pub retries_max: u32,
    /// Requests on one connection; 0 means unlimited.
    pub requests_per_connection_max: u32,
    /// Streams at once on one HTTP/2 connection.
    pub streams_max: u32,
    /// Bound on making a connection.
    pub connect_timeout: Duration,
    /// Idle connections are closed after this; `None` means never.
    pub idle_timeout: Option<Duration>,
    /// Connections are closed at this age; `None` means never.
    pub connection_age_max: Option<Duration>,
    /// Speak HTTP/2 to endpoints without a sidecar (`h2UpgradePolicy: UPGRADE`).
    pub http2_upgrade: bool,
}

/// Passive health checking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutlierDetection {
    /// Eject at this many 5xx (and local failures, unless split) in a row; `None` is off.
    pub consecutive_5xx: Option<u32>,
    /// Eject at this many 502, 503, 504 in a row; `None` is off.
    pub consecutive_gateway: Option<u32>,
    /// Count connection failures and resets apart from answers.
    pub split_local_origin: bool,
    /// Eject at this many local failures in a row, when split; `None` is off.
    pub consecutive_local: Option<u32>,
    /// Time between sweeps, which return endpoints and judge success rates.
    pub interval: Duration,
    /// First ejection lasts this long, the n-th n times as long.
    pub ejection_base: Duration,
    /// Longest ejection.
    pub ejection_max: Duration,
    /// Most endpoints that may be out at once, in percent, rounded down.
    pub ejected_percent_max: u32,
    /// Below this share of healthy endpoints ejection is ignored (panic); 0 is never.
    pub healthy_percent_min: u32,
    /// Success-rate ejection; `None` is off.
    pub success_rate: Option<SuccessRate>,
    /// Failure-percentage ejection: threshold in percent; `None` is off.
    pub failure_percentage: Option<u32>,
    /// Whether one endpoint may always be ejected whatever the percentage.
    pub always_eject_one: bool,
}

/// Ejection of endpoints whose success rate is far below the others'.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuccessRate {
    /// Fewest endpoints with enough requests.
    pub hosts_min: u32,
    /// Fewest requests of an endpoint in an interval.
    pub requests_min: u32,
    /// Standard deviations below the mean, in thousandths (1900 is Envoy's default).
    pub stdev_factor_milli: u32,
}

/// A retry budget: retries in flight may be this share of requests in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryBudget {
    /// The share.
    pub fraction: Fraction,
    /// This many retries are always allowed.
    pub retries_min: u32,
}

/// TLS towards endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpstreamTls {
    /// Mutual TLS where the endpoint has a sidecar, plain where not (auto-mTLS).
    Auto,
    /// Never.
    Disable,
    /// TLS without a client certificate.
    Simple {
        /// Server name to send and check.
        sni: Option<String>,
        /// Acceptable subject alternative names.
        subject_alt_names: Vec<String>,
        /// Whether the server's certificate goes unchecked.
        insecure: bool,
    },
    /// Mutual TLS with the mesh's own identities.
    MeshMutual {
        /// Acceptable subject alternative names; empty means those the registry knows.
        subject_alt_names: Vec<String>,
    },
}

/// Locality weights and failover.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalityPolicy {
    /// Whether localities matter at all.
    pub enabled: bool,
    /// Explicit shares: from a locality pattern to shares of localities (percent).
    pub distribute: Vec<(String, Vec<(String, u32)>)>,
    /// Where traffic of a region goes when it fails.
    pub failover: Vec<LocalityFailover>,
    /// Labels that order endpoints by likeness to the caller.
    pub failover_priority: Vec<String>,
}

impl Default for LocalityPolicy {
    fn default() -> Self {
        Self {
            enabled: true,
            distribute: Vec::new(),
            failover: Vec::new(),
            failover_priority: Vec::new(),
        }
    }
}

/// One failover rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalityFailover {
    /// The caller's region.
    pub from: String,
    /// The region that takes over.
    pub to: String,
}
