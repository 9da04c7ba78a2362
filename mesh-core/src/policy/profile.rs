//! A mesh's defaults.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ConnectionPool, LoadBalancer, MtlsMode, RetryOn, RetryPolicy, Sourced, UpstreamTls};

/// Which mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MeshKind {
    /// Istio with sidecars.
    Istio,
}

/// The defaults of one mesh, each with its source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Which mesh.
    pub mesh: MeshKind,
    /// The trust domain of SPIFFE identities.
    pub trust_domain: String,
    /// The namespace whose policies govern the whole mesh.
    pub root_namespace: String,
    /// DNS suffix of services.
    pub cluster_domain: String,
    /// Retries of a route that says nothing.
    pub retry: Sourced<RetryPolicy>,
    /// Retries of the inbound side, towards the app.
    pub inbound_retry: Sourced<RetryPolicy>,
    /// Bound on a request of a route that says nothing.
    pub timeout: Sourced<Option<Duration>>,
    /// Load balancing of a destination that says nothing.
    pub load_balancer: Sourced<LoadBalancer>,
    /// Pool limits of a destination that says nothing.
    pub pool: Sourced<ConnectionPool>,
    /// TLS of a destination that says nothing.
    pub upstream_tls: Sourced<UpstreamTls>,
    /// Inbound authentication where no policy says otherwise.
    pub mtls: Sourced<MtlsMode>,
    /// Panic threshold in percent where outlier detection says nothing.
    pub panic_threshold_percent: u32,
    /// Whether unknown hosts are passed through.
    pub allow_any_outbound: bool,
    /// Lifetime of a workload certificate.
    pub svid_lifetime: Duration,
    /// Rotation happens at this share of the lifetime, in parts per million.
    pub svid_rotate_at_ppm: u32,
    /// Jitter of the rotation point, in parts per million of the lifetime, either way.
    pub svid_rotate_jitter_ppm: u32,
    /// The control plane waits this long after a change for more changes.
    pub push_debounce: Duration,
    /// And never longer than this.
    pub push_debounce_max: Duration,
    /// Whether proxies bring paths into one spelling before anything looks at them.
    #[serde(default)]
    pub normalizes_paths: bool,
    /// Virtual processing time of one pass through a proxy, median and 99th percentile; both zero by default.
    pub proxy_latency: Sourced<(Duration, Duration)>,
}

/// Istio's "unlimited": 2³² − 1 (pilot/pkg/networking/core/cluster_traffic_policy.go).
const UNLIMITED: u32 = u32::MAX;

impl Profile {
    /// Istio from 1.24 on.
    pub fn istio() -> Self {
        let retry = RetryPolicy {
            retries: 2,
            on: RetryOn {
                connect_failure: true,
                refused_stream: true,
                grpc: vec![14, 1],
                ..RetryOn::default()
            },
            avoid_previous_endpoints: true,
            endpoint_draws_max: 5,
            ..RetryPolicy::none()
        };
        let inbound_retry = RetryPolicy {
            retries: 2,
            on: RetryOn {
                reset_before_request: true,
                ..RetryOn::default()
            },
            ..RetryPolicy::none()
        };
        let pool = ConnectionPool {
            connections_max: UNLIMITED,
            pending_max: UNLIMITED,
            requests_max: UNLIMITED,
            retries_max: UNLIMITED,
            requests_per_connection_max: 0,
            streams_max: (1 << 31) - 1,
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Some(Duration::from_secs(3600)),
            connection_age_max: None,
            http2_upgrade: false,
        };
        Self {
            mesh: MeshKind::Istio,
            trust_domain: "cluster.local".into(),
            root_namespace: "istio-system".into(),
            cluster_domain: "cluster.local".into(),
            retry: Sourced::default_of(
                retry,
                "Istio 1.24+: 2 retries on connect-failure, refused-stream, unavailable, cancelled; pilot retry.go",
            ),
            inbound_retry: Sourced::default_of(
                inbound_retry,
                "Istio 1.24+: 2 retries on reset-before-request towards the app; release note 52055",
            ),
            timeout: Sourced::default_of(None, "Istio: no route timeout; pilot route.go"),
            load_balancer: Sourced::default_of(
                LoadBalancer::LeastRequest { choices: 2 },
                "Istio 1.14+: LEAST_REQUEST, two choices; cluster_traffic_policy.go",
            ),
            pool: Sourced::default_of(
                pool,
                "Istio: no limits, 10 s connect timeout, 1 h idle timeout; cluster_traffic_policy.go, mesh.go",
            ),
            upstream_tls: Sourced::default_of(
                UpstreamTls::Auto,
                "Istio: auto-mTLS (enableAutoMtls); mesh.go",
            ),
            mtls: Sourced::default_of(
                MtlsMode::Permissive,
                "Istio: PERMISSIVE; peer_authentication.proto",
            ),
            panic_threshold_percent: 0,
            allow_any_outbound: true,
            svid_lifetime: Duration::from_secs(24 * 3600),
            svid_rotate_at_ppm: 500_000,
            svid_rotate_jitter_ppm: 10_000,
            push_debounce: Duration::from_millis(100),
            push_debounce_max: Duration::from_secs(10),
            // pathNormalization BASE; istio.io, Authorization Policy Normalization.
            normalizes_paths: true,
            proxy_latency: Sourced::default_of(
                (Duration::ZERO, Duration::ZERO),
                "Meshquake: proxies cost no virtual time unless `mesh.proxy-latency` says so",
            ),
        }
    }
}
