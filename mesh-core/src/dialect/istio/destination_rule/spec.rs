//! The shape of a DestinationRule, by istio.io/api networking/v1alpha3/destination_rule.proto.

use indexmap::IndexMap;
use serde::Deserialize;

use crate::dialect::schema::Schema;
use crate::document::Spanned;

/// `spec`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DestinationRule {
    pub(super) host: Option<Spanned<String>>,
    pub(super) traffic_policy: Option<Spanned<TrafficPolicy>>,
    pub(super) subsets: Vec<Spanned<Subset>>,
    pub(super) export_to: Vec<Spanned<String>>,
    pub(super) workload_selector: Option<Selector>,
}

/// `workloadSelector`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Selector {
    pub(super) match_labels: IndexMap<String, String>,
}

/// `subsets[]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Subset {
    pub(super) name: Option<Spanned<String>>,
    pub(super) labels: IndexMap<String, String>,
    pub(super) traffic_policy: Option<Spanned<TrafficPolicy>>,
}

/// `trafficPolicy`, and with `port` an item of `portLevelSettings`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct TrafficPolicy {
    pub(super) port: Option<PortSelector>,
    pub(super) load_balancer: Option<Spanned<LoadBalancer>>,
    pub(super) connection_pool: Option<Spanned<ConnectionPool>>,
    pub(super) outlier_detection: Option<Spanned<OutlierDetection>>,
    pub(super) tls: Option<Spanned<Tls>>,
    pub(super) port_level_settings: Vec<Spanned<TrafficPolicy>>,
    pub(super) retry_budget: Option<Spanned<RetryBudget>>,
}

/// `port`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PortSelector {
    pub(super) number: Option<Spanned<i64>>,
}

/// `loadBalancer`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct LoadBalancer {
    pub(super) simple: Option<Spanned<String>>,
    pub(super) consistent_hash: Option<Spanned<ConsistentHash>>,
    pub(super) locality_lb_setting: Option<Spanned<Locality>>,
    pub(super) warmup: Option<Spanned<Warmup>>,
    pub(super) warmup_duration_secs: Option<Spanned<String>>,
}

/// `consistentHash`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ConsistentHash {
    pub(super) http_header_name: Option<Spanned<String>>,
    pub(super) http_cookie: Option<Spanned<Cookie>>,
    pub(super) use_source_ip: Option<Spanned<bool>>,
    pub(super) http_query_parameter_name: Option<Spanned<String>>,
    pub(super) minimum_ring_size: Option<Spanned<i64>>,
    pub(super) ring_hash: Option<RingHash>,
    pub(super) maglev: Option<Spanned<Maglev>>,
}

/// `httpCookie`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Cookie {
    pub(super) name: Option<Spanned<String>>,
    pub(super) path: Option<String>,
    pub(super) ttl: Option<Spanned<String>>,
}

/// `ringHash`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RingHash {
    pub(super) minimum_ring_size: Option<Spanned<i64>>,
}

/// `maglev`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Maglev {
    pub(super) table_size: Option<Spanned<i64>>,
}

/// `localityLbSetting`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Locality {
    pub(super) enabled: Option<bool>,
    pub(super) distribute: Vec<Spanned<Distribute>>,
    pub(super) failover: Vec<Spanned<Failover>>,
    pub(super) failover_priority: Vec<String>,
}

/// `distribute[]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Distribute {
    pub(super) from: String,
    pub(super) to: IndexMap<String, Spanned<i64>>,
}

/// `failover[]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Failover {
    pub(super) from: String,
    pub(super) to: String,
}

/// `warmup`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Warmup {
    pub(super) duration: Option<Spanned<String>>,
    pub(super) minimum_percent: Option<Spanned<f64>>,
    pub(super) aggression: Option<Spanned<f64>>,
}

/// `connectionPool`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ConnectionPool {
    pub(super) tcp: Option<Tcp>,
    pub(super) http: Option<Http>,
}

/// `connectionPool.tcp`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Tcp {
    pub(super) max_connections: Option<Spanned<i64>>,
    pub(super) connect_timeout: Option<Spanned<String>>,
    pub(super) max_connection_duration: Option<Spanned<String>>,
    pub(super) idle_timeout: Option<Spanned<String>>,
}

/// `connectionPool.http`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Http {
    #[serde(rename = "http1MaxPendingRequests")]
    pub(super) pending_max: Option<Spanned<i64>>,
    #[serde(rename = "http2MaxRequests")]
    pub(super) requests_max: Option<Spanned<i64>>,
    pub(super) max_requests_per_connection: Option<Spanned<i64>>,
    pub(super) max_retries: Option<Spanned<i64>>,
    pub(super) idle_timeout: Option<Spanned<String>>,
    #[serde(rename = "h2UpgradePolicy")]
    pub(super) upgrade: Option<Spanned<String>>,
    pub(super) max_concurrent_streams: Option<Spanned<i64>>,
}

/// `outlierDetection`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct OutlierDetection {
    pub(super) split_external_local_origin_errors: Option<bool>,
    pub(super) consecutive_local_origin_failures: Option<Spanned<i64>>,
    pub(super) consecutive_gateway_errors: Option<Spanned<i64>>,
    #[serde(rename = "consecutive5xxErrors")]
    pub(super) consecutive_5xx_errors: Option<Spanned<i64>>,
    pub(super) interval: Option<Spanned<String>>,
    pub(super) base_ejection_time: Option<Spanned<String>>,
    pub(super) max_ejection_percent: Option<Spanned<i64>>,
    pub(super) min_health_percent: Option<Spanned<i64>>,
}

/// `tls`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Tls {
    pub(super) mode: Option<Spanned<String>>,
    pub(super) sni: Option<String>,
    pub(super) subject_alt_names: Vec<String>,
    pub(super) insecure_skip_verify: Option<bool>,
}

/// `retryBudget`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RetryBudget {
    pub(super) percent: Option<Spanned<f64>>,
    pub(super) min_retry_concurrency: Option<Spanned<i64>>,
}

/// Every field of a DestinationRule in Istio 1.31.
pub(super) const SCHEMA: Schema = Schema {
    owner: "Istio",
    fields: &[
        (
            "spec",
            "host trafficPolicy subsets exportTo workloadSelector",
        ),
        ("workloadSelector", "matchLabels"),
        ("subsets[]", "name labels trafficPolicy"),
        (
            "trafficPolicy",
            "loadBalancer connectionPool outlierDetection tls portLevelSettings tunnel proxyProtocol retryBudget",
        ),
        (
            "portLevelSettings[]",
            "port loadBalancer connectionPool outlierDetection tls",
        ),
        ("port", "number"),
        (
            "loadBalancer",
            "simple consistentHash localityLbSetting zoneAwareLbSetting warmup warmupDurationSecs",
        ),
        (
            "consistentHash",
            "httpHeaderName httpCookie useSourceIp httpQueryParameterName ringHash maglev minimumRingSize",
        ),
        ("httpCookie", "name path ttl attributes"),
        ("ringHash", "minimumRingSize"),
        ("maglev", "tableSize"),
        (
            "localityLbSetting",
            "distribute failover failoverPriority enabled",
        ),
        ("distribute[]", "from to"),
        ("failover[]", "from to"),
        ("warmup", "duration minimumPercent aggression"),
        ("connectionPool", "tcp http"),
        (
            "tcp",
            "maxConnections connectTimeout tcpKeepalive maxConnectionDuration idleTimeout",
        ),
        (
            "connectionPool.http",
            "http1MaxPendingRequests http2MaxRequests maxRequestsPerConnection maxRetries idleTimeout h2UpgradePolicy useClientProtocol maxConcurrentStreams http2KeepAlive",
        ),
        (
            "outlierDetection",
            "consecutiveErrors splitExternalLocalOriginErrors consecutiveLocalOriginFailures consecutiveGatewayErrors consecutive5xxErrors interval baseEjectionTime maxEjectionPercent minHealthPercent outlierDetectionHttpErrorCodes",
        ),
        (
            "tls",
            "mode clientCertificate privateKey caCertificates caCrl credentialName subjectAltNames sni insecureSkipVerify",
        ),
        ("retryBudget", "percent minRetryConcurrency budgetInterval"),
    ],
    reasons: &[
        ("trafficPolicy.tunnel", "tunnels are not simulated"),
        (
            "trafficPolicy.proxyProtocol",
            "the PROXY protocol is not simulated",
        ),
        (
            "loadBalancer.zoneAwareLbSetting",
            "Envoy's zone-aware routing is not simulated; localityLbSetting is",
        ),
        (
            "httpCookie.attributes",
            "cookies are set without further attributes",
        ),
        ("tcp.tcpKeepalive", "TCP keep-alive is not simulated"),
        (
            "http.useClientProtocol",
            "sidecars speak HTTP/2 to each other whatever the client speaks",
        ),
        ("http.http2KeepAlive", "HTTP/2 PINGs are not simulated"),
        (
            "outlierDetection.consecutiveErrors",
            "Istio has not acted on `consecutiveErrors` since 1.7: use `consecutive5xxErrors`",
        ),
        (
            "outlierDetection.outlierDetectionHttpErrorCodes",
            "ejection counts 5xx as errors and nothing else",
        ),
        (
            "retryBudget.budgetInterval",
            "the budget is a share of the requests in flight",
        ),
    ],
};
