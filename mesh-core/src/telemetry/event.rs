//! The typed event stream: the one thing a run is recorded from.
//!
//! Events borrow, so that emitting one costs no allocation; an observer that
//! wants to keep something copies it. The order of variants and fields is part
//! of the canonical encoding that run digests are made of: append, never
//! reorder.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

use super::{AccessNotes, ResponseFlags};
use crate::seam::Instant;

/// Something that happened in a proxy or the control plane.
#[derive(Clone, Debug, Serialize)]
pub enum Event<'a> {
    /// A request ended.
    Request(RequestEvent<'a>),
    /// One attempt of a request ended.
    Attempt(AttemptEvent<'a>),
    /// A connection was made, failed or ended.
    Connection(ConnectionEvent<'a>),
    /// An endpoint was ejected or returned.
    Ejection(EjectionEvent<'a>),
    /// Configuration was pushed, applied or rejected.
    Config(ConfigEvent<'a>),
    /// A certificate was issued, rotated or refused.
    Identity(IdentityEvent<'a>),
    /// A mechanism acted.
    Mechanism(MechanismEvent<'a>),
}

/// Which side of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Direction {
    /// The app's own calls.
    Outbound,
    /// Calls to the app.
    Inbound,
}

/// How a connection was protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum TlsState {
    /// Not at all.
    Plain,
    /// TLS, server authenticated.
    Tls,
    /// Both ends authenticated.
    Mutual,
}

/// Where a request's time went. All parts are durations on the proxy's clock and add up to the total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RequestTiming {
    /// Injected delay.
    pub fault: Duration,
    /// Waiting between attempts.
    pub backoff: Duration,
    /// Waiting for a connection or a stream slot, handshakes included.
    pub pool: Duration,
    /// From sending the request to the end of the answer, over all attempts.
    pub upstream: Duration,
    /// Everything else (the proxy's own processing, the downstream's reading).
    pub other: Duration,
}

/// A request through one proxy, from its headers to the end of its answer.
#[derive(Clone, Debug, Serialize)]
pub struct RequestEvent<'a> {
    /// Which side.
    pub direction: Direction,
    /// The trace it belongs to: 128 bits of W3C trace id (0 when there is none).
    pub trace: u128,
    /// When its headers arrived.
    pub start: Instant,
    /// From then to the end of the answer.
    pub duration: Duration,
    /// Method.
    pub method: &'a str,
    /// `:authority` as received.
    pub authority: &'a str,
    /// Path and query as received.
    pub path: &'a str,
    /// The matched route's name; empty when none matched.
    pub route: &'a str,
    /// The cluster chosen; empty when none.
    pub cluster: &'a str,
    /// The workload of the last attempt; empty when there was none.
    pub upstream: &'a str,
    /// The status sent downstream; 0 when the downstream was gone before.
    pub status: u16,
    /// Envoy's response flags.
    pub flags: ResponseFlags,
    /// Envoy's response code details.
    pub details: &'a str,
    /// Attempts sent upstream.
    pub attempts: u32,
    /// Bytes of request body.
    pub request_bytes: u64,
    /// Bytes of response body.
    pub response_bytes: u64,
    /// Where the time went.
    pub timing: RequestTiming,
    /// The authenticated peer, inbound; empty when there is none.
    pub peer: &'a str,
    /// How the downstream connection was protected.
    pub downstream_tls: TlsState,
}

/// One attempt.
#[derive(Clone, Debug, Serialize)]
pub struct AttemptEvent<'a> {
    /// Which side.
    pub direction: Direction,
    /// The request's trace id.
    pub trace: u128,
    /// The cluster.
    pub cluster: &'a str,
    /// The endpoint's workload; empty when no endpoint could be picked.
    pub upstream: &'a str,
    /// From 1.
    pub number: u32,
    /// When it began.
    pub start: Instant,
    /// Time to response headers, or to failure.
    pub duration: Duration,
    /// The upstream's status; 0 when it sent none.
    pub status: u16,
    /// Flags this attempt alone would have given.
    pub flags: ResponseFlags,
    /// How the upstream connection was protected.
    pub tls: TlsState,
    /// Whether it was a mirror copy.
    pub mirror: bool,
}

/// A connection to an upstream.
#[derive(Clone, Debug, Serialize)]
pub struct ConnectionEvent<'a> {
    /// The cluster.
    pub cluster: &'a str,
    /// The endpoint's workload.
    pub upstream: &'a str,
    /// The endpoint's address.
    pub address: SocketAddr,
    /// What happened: `open`, `fail`, `close`.
    pub what: &'a str,
    /// Why, for `fail` and `close`; empty otherwise.
    pub why: &'a str,
    /// Time spent connecting and shaking hands.
    pub duration: Duration,
    /// How it was protected.
    pub tls: TlsState,
}

/// Why an endpoint was ejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum EjectionReason {
    /// Consecutive 5xx.
    Consecutive5xx,
    /// Consecutive gateway errors.
    ConsecutiveGateway,
    /// Consecutive local failures.
    ConsecutiveLocal,
    /// Success rate far below the others'.
    SuccessRate,
    /// Failure percentage above the threshold.
    FailurePercentage,
}

/// An endpoint was ejected or returned.
#[derive(Clone, Debug, Serialize)]
pub struct EjectionEvent<'a> {
    /// The cluster.
    pub cluster: &'a str,
    /// The endpoint's workload.
    pub upstream: &'a str,
    /// Why; `None` means that it is ejected no longer: it returned, or has left the cluster.
    pub reason: Option<EjectionReason>,
    /// For how long at least, when ejected.
    pub ejected_for: Duration,
    /// How many endpoints of the cluster are out now.
    pub ejected_now: u32,
    /// How many endpoints the cluster has.
    pub endpoints: u32,
}

/// Configuration moved.
#[derive(Clone, Debug, Serialize)]
pub struct ConfigEvent<'a> {
    /// `push`, `ack`, `nack`, `connect`, `disconnect`.
    pub what: &'a str,
    /// The snapshot's version.
    pub version: u64,
    /// The sidecar's workload.
    pub workload: &'a str,
    /// Why, for `nack` and `disconnect`; empty otherwise.
    pub why: &'a str,
}

/// A certificate moved.
#[derive(Clone, Debug, Serialize)]
pub struct IdentityEvent<'a> {
    /// `issue`, `rotate`, `refuse`, `fail`.
    pub what: &'a str,
    /// The SPIFFE id.
    pub identity: &'a str,
    /// End of validity, seconds since the Unix epoch; 0 when there is no certificate.
    pub not_after: u64,
    /// Why, for `refuse` and `fail`; empty otherwise.
    pub why: &'a str,
}

/// A resilience mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Mechanism {
    /// An attempt was retried.
    Retry,
    /// A retry was not made: the attempts were used up.
    RetryExhausted,
    /// A retry was not made: the budget or the retry breaker was full.
    RetryBudgetExhausted,
    /// A request was rejected by a breaker.
    Overflow,
    /// A request timed out.
    Timeout,
    /// An attempt timed out.
    PerTryTimeout,
    /// A load balancer ignored health: panic.
    Panic,
    /// An endpoint outside the first locality priority was picked.
    LocalityFailover,
    /// A rate limit rejected.
    RateLimit,
    /// Authorization denied.
    Denied,
    /// A fault was injected.
    Fault,
    /// A request was mirrored.
    Mirror,
    /// A connection was refused for lack of mutual TLS.
    PlaintextRefused,
    /// A handshake failed.
    HandshakeFailed,
}

/// A mechanism acted on a request or connection.
#[derive(Clone, Debug, Serialize)]
pub struct MechanismEvent<'a> {
    /// Which.
    pub mechanism: Mechanism,
    /// The cluster or listener.
    pub subject: &'a str,
    /// Details for a person; empty when there is nothing to add.
    pub detail: &'a str,
}

/// Where events go.
pub trait Observer {
    /// Takes one event, on the host's clock.
    fn observe(&self, at: Instant, event: &Event<'_>);

    /// Whether [`log_access`](Self::log_access) does anything. Proxies ask at every request, and take notes only then.
    fn keeps_access_log(&self) -> bool {
        false
    }

    /// Takes one pass of a request through a proxy, for its access log, right after the request's event.
    fn log_access(&self, _pass: &RequestEvent<'_>, _notes: &AccessNotes) {}
}

/// Forgets everything.
pub struct NullObserver;

impl Observer for NullObserver {
    fn observe(&self, _at: Instant, _event: &Event<'_>) {}
}
