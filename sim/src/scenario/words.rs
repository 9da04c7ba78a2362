//! What people who come from other tools call the fields of a scenario.

/// Words, and the field each probably means where there is one of that name.
pub(super) const WORDS: &[(&str, &str)] = &[
    // Kubernetes, Istio, Envoy.
    ("subset", "version"),
    ("hosts", "to"),
    ("host", "to"),
    ("targetPort", "target-port"),
    ("target", "target-port"),
    ("unknown-hosts", "outbound-traffic-policy"),
    ("response-flags", "flags"),
    ("response-code", "status"),
    ("pod", "upstream"),
    ("from", "upstream"),
    ("source", "from"),
    ("destination", "to"),
    ("attempts", "tries"),
    ("retries", "tries"),
    ("delay", "latency"),
    // Load generators.
    ("url", "to"),
    ("qps", "rate"),
    ("rps", "rate"),
    ("vus", "users"),
    ("connections", "users"),
    ("concurrency", "users"),
    ("concurrency", "workers"),
    ("threads", "workers"),
    ("ramp", "stages"),
    ("profile", "stages"),
    ("body", "request-size"),
    ("payload", "request-size"),
    ("size", "request-size"),
    // Isotope.
    ("numReplicas", "replicas"),
    ("errorRate", "errors"),
    // Chaos and monitoring tools.
    ("kill", "crash"),
    ("duration", "for"),
    ("start", "at"),
    ("success-rate", "success"),
    ("availability", "success"),
    ("median", "p50"),
    ("average", "mean"),
];
