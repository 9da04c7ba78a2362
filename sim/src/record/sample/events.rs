//! Events to begin from: everything goes well in them.

use std::time::Duration;

use mesh_core::seam::Instant;
use mesh_core::telemetry::{
    AttemptEvent, Direction, RequestEvent, RequestTiming, ResponseFlags, TlsState,
};

use crate::record::{
    AppEvent, AppOutcome, Check, RequestEnded, RequestSent, TrafficEvent, TrafficOutcome,
};

/// The cluster that everybody calls.
pub(crate) const REVIEWS: &str = "outbound|9080||reviews.default.svc.cluster.local";

/// `us` microseconds into the run.
pub(crate) const fn at(us: u64) -> Instant {
    Instant::from_nanos(us * 1_000)
}

/// A request to reviews through its client's sidecar.
pub(crate) fn through_sidecar(
    trace: u128,
    start_us: u64,
    timing_us: [u64; 5],
) -> RequestEvent<'static> {
    let [fault, backoff, pool, upstream, other] = timing_us.map(Duration::from_micros);
    RequestEvent {
        direction: Direction::Outbound,
        trace,
        start: at(start_us),
        duration: fault + backoff + pool + upstream + other,
        method: "GET",
        authority: "reviews:9080",
        path: "/reviews/0",
        route: "default",
        cluster: REVIEWS,
        upstream: "reviews-v1-1",
        status: 200,
        flags: ResponseFlags::NONE,
        details: "via_upstream",
        attempts: 1,
        request_bytes: 0,
        response_bytes: 5,
        timing: RequestTiming {
            fault,
            backoff,
            pool,
            upstream,
            other,
        },
        peer: "",
        downstream_tls: TlsState::Plain,
    }
}

/// An attempt that succeeded after `duration_us`.
pub(crate) fn attempt(
    trace: u128,
    number: u32,
    start_us: u64,
    duration_us: u64,
) -> AttemptEvent<'static> {
    AttemptEvent {
        direction: Direction::Outbound,
        trace,
        cluster: REVIEWS,
        upstream: "reviews-v1-1",
        number,
        start: at(start_us),
        duration: Duration::from_micros(duration_us),
        status: 200,
        flags: ResponseFlags::NONE,
        tls: TlsState::Mutual,
        mirror: false,
    }
}

/// A request in a reviews app: `queue_us` waiting, `service_us` on a worker.
pub(crate) fn in_app(
    pod: &'static str,
    trace: u128,
    arrived_us: u64,
    queue_us: u64,
    service_us: u64,
) -> AppEvent<'static> {
    AppEvent {
        pod,
        service: "reviews",
        trace,
        arrived: at(arrived_us),
        started: Some(at(arrived_us + queue_us)),
        ended: at(arrived_us + queue_us + service_us),
        outcome: AppOutcome::Answered,
        status: 200,
        queue: 1,
    }
}

pub(crate) fn sent(
    traffic: &'static str,
    sequence: u64,
    trace: u128,
    us: u64,
) -> TrafficEvent<'static> {
    TrafficEvent::Sent(RequestSent {
        traffic,
        sequence,
        trace,
        intended: at(us),
        sent: at(us),
    })
}

/// The end of a request, `latency_us` after its intended start.
pub(crate) fn ended(
    traffic: &'static str,
    sequence: u64,
    trace: u128,
    us: u64,
    latency_us: u64,
    outcome: TrafficOutcome,
) -> RequestEnded<'static> {
    RequestEnded {
        traffic,
        sequence,
        trace,
        intended: at(us),
        sent: at(us),
        ended: at(us + latency_us),
        outcome,
        flags: "",
        upstream: "reviews-v1-1",
        request_bytes: 0,
        response_bytes: 5,
        check: Check::None,
    }
}
