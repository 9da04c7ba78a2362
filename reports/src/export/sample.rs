//! Traces made by hand.

use crate::record::{PodReport, RequestOutcome, SpanKind, SpanReport, Told, TraceReport};

pub(super) const HOSTILE: &str = "</script><b>\"'\\\u{1b}[31m\n\u{202e}\u{0}";

pub(super) fn pod(name: &str, service: &str) -> PodReport {
    PodReport {
        name: name.into(),
        service: service.into(),
        version: "v1".into(),
        region: String::new(),
        zone: "a".into(),
        node: "node-1".into(),
        meshed: true,
        source: service == "shoppers",
    }
}

pub(super) fn pods() -> Vec<PodReport> {
    vec![pod("reviews-v1-0", "reviews"), pod("shoppers", "shoppers")]
}

pub(crate) fn span(kind: SpanKind, parent: Option<u32>, pod: &str, at: [u64; 2]) -> SpanReport {
    SpanReport {
        kind,
        parent,
        pod: pod.into(),
        service: pod.split('-').next().unwrap_or_default().into(),
        start_ns: at[0],
        end_ns: at[1],
        request: String::new(),
        cluster: String::new(),
        peer: String::new(),
        status: Some(200),
        flags: "-".into(),
        details: String::new(),
        attempt: 0,
        mirror: false,
        mtls: None,
        fault_ns: 0,
        backoff_ns: 0,
        pool_ns: 0,
        queue_ns: 0,
    }
}

/// A request whose first attempt failed, and whose second did not.
pub(super) fn trace() -> TraceReport {
    let request = "GET reviews:9080/reviews/1?full=yes";
    let cluster = "outbound|9080||reviews.default.svc.cluster.local";
    let client = span(SpanKind::Client, None, "shoppers", [1_000_000, 9_000_001]);
    let mut outbound = span(
        SpanKind::Outbound,
        Some(0),
        "shoppers",
        [1_000_000, 9_000_000],
    );
    outbound.request = request.into();
    outbound.cluster = cluster.into();
    outbound.peer = "reviews-v1-0".into();
    outbound.backoff_ns = 25;
    outbound.details = "via_upstream".into();
    let attempt = |number, at, status| SpanReport {
        attempt: number,
        cluster: cluster.into(),
        peer: "reviews-v1-0".into(),
        mtls: Some(true),
        status,
        ..span(SpanKind::Attempt, Some(1), "shoppers", at)
    };
    let mut failed = attempt(1, [1_100_000, 2_000_000], None);
    failed.flags = "UF".into();
    let second = attempt(2, [2_500_000, 8_900_000], Some(200));
    let mut inbound = span(
        SpanKind::Inbound,
        Some(3),
        "reviews-v1-0",
        [3_000_000, 8_000_000],
    );
    inbound.request = request.into();
    inbound.peer = "spiffe://cluster.local/ns/default/sa/shoppers".into();
    inbound.mtls = Some(true);
    let mut app = span(
        SpanKind::App,
        Some(4),
        "reviews-v1-0",
        [3_100_000, 7_900_000],
    );
    app.queue_ns = 400_000;
    app.details = "answered".into();
    TraceReport {
        told: Told::Every,
        traffic: "shoppers".into(),
        sequence: 41,
        trace: "0af7651916cd43dd8448eb211c80319c".into(),
        intended_ns: 1_000_000,
        request: request.into(),
        outcome: RequestOutcome::Answered,
        succeeded: Some(true),
        status: Some(200),
        flags: "-".into(),
        latency_ns: Some(8_000_001),
        split: None,
        spans: vec![client, outbound, failed, second, inbound, app],
        spans_omitted: 0,
    }
}

/// The same, with names that want out.
pub(super) fn hostile() -> TraceReport {
    let mut trace = trace();
    let long = HOSTILE.repeat(1_000);
    trace.traffic = long.clone();
    trace.trace = "0".repeat(32);
    for span in &mut trace.spans {
        span.pod = format!("{HOSTILE}{}", span.pod);
        span.service = long.clone();
        span.request = format!("GET {HOSTILE}:9080/{long}");
        span.peer = HOSTILE.into();
        span.flags = HOSTILE.into();
        span.details = HOSTILE.into();
    }
    trace
}
