//! The simulator's own typed events: clients, apps, faults, pods, the network.
//!
//! They stand beside the mesh's events ([`mesh_core::telemetry::Event`]) and
//! obey the same rule: they borrow, so that emitting one costs no allocation,
//! and the order of variants and fields is part of the canonical encoding that
//! digests are made of. Append, never reorder.

use std::sync::Arc;

use mesh_core::seam::Instant;
use serde::Serialize;

/// Something a traffic source did. Every request is `Sent` once and `Ended` at most once; one that was only sent
/// is in flight.
#[derive(Clone, Debug, Serialize)]
pub enum TrafficEvent<'a> {
    /// A request left the client.
    Sent(RequestSent<'a>),
    /// A request ended, one way or another.
    Ended(RequestEnded<'a>),
}

/// A request left the client.
#[derive(Clone, Debug, Serialize)]
pub struct RequestSent<'a> {
    /// The traffic source.
    pub traffic: &'a str,
    /// Its number there, from 0; for a scripted load, its place in the script.
    pub sequence: u64,
    /// The trace id it carries (0 when it carries none).
    pub trace: u128,
    /// When the load said it should be sent.
    pub intended: Instant,
    /// When it was.
    pub sent: Instant,
}

/// A request ended.
#[derive(Clone, Debug, Serialize)]
pub struct RequestEnded<'a> {
    /// The traffic source.
    pub traffic: &'a str,
    /// Its number there.
    pub sequence: u64,
    /// The trace id it carried (0 when it carried none).
    pub trace: u128,
    /// When the load said it should be sent. Latency counts from here.
    pub intended: Instant,
    /// When it was sent.
    pub sent: Instant,
    /// When the answer was whole, or the client gave up.
    pub ended: Instant,
    /// What came back.
    pub outcome: TrafficOutcome,
    /// The answer's response flags header; empty when there was none.
    pub flags: &'a str,
    /// The workload that answered, as its answer says; empty when unknown.
    pub upstream: &'a str,
    /// Bytes of request body.
    pub request_bytes: u64,
    /// Bytes of response body.
    pub response_bytes: u64,
    /// Whether it is what a script demanded.
    pub check: Check<'a>,
}

/// What a client got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum TrafficOutcome {
    /// A whole answer with this status.
    Answered(u16),
    /// Nothing (whole) within the client's timeout.
    Timeout,
    /// No connection.
    ConnectFailed,
    /// A connection that broke before the answer was whole.
    Broken,
}

/// Whether a request came back as its script demanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Check<'a> {
    /// Nothing was demanded.
    None,
    /// As demanded.
    Met,
    /// Otherwise; in a sentence, such as `the status was 503, not 200`.
    Missed(&'a str),
}

/// A request has arrived at an app. Not in the digest, which has it when the app [is done](AppEvent) with it: those that
/// still stand in line when the run ends are known from this alone.
#[derive(Clone, Copy, Debug)]
pub struct AppArrival<'a> {
    /// The app's workload.
    pub pod: &'a str,
    /// Its service, as in [`PodPlan::service`](crate::plan::PodPlan).
    pub service: &'a str,
    /// Requests waiting for a worker at that time.
    pub queue: u32,
}

/// An app is done with a request.
#[derive(Clone, Debug, Serialize)]
pub struct AppEvent<'a> {
    /// The app's workload.
    pub pod: &'a str,
    /// Its service, as in [`PodPlan::service`](crate::plan::PodPlan).
    pub service: &'a str,
    /// The request's trace id (0 when it has none).
    pub trace: u128,
    /// When it arrived.
    pub arrived: Instant,
    /// When a worker took it; `None` if none did.
    pub started: Option<Instant>,
    /// When it ended.
    pub ended: Instant,
    /// What became of it.
    pub outcome: AppOutcome,
    /// The status answered; 0 when none was.
    pub status: u16,
    /// Requests waiting for a worker when it arrived.
    pub queue: u32,
}

/// What became of a request in an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum AppOutcome {
    /// Answered.
    Answered,
    /// Turned away: the queue was full.
    Rejected,
    /// Given up: the caller had gone.
    Cancelled,
    /// Finished although the caller had gone.
    Wasted,
    /// Left without an answer, as its script says (reset, hang, close).
    Abandoned,
}

/// A fault began or ended.
#[derive(Clone, Debug, Serialize)]
pub struct FaultEvent<'a> {
    /// Its place in [`Plan::faults`](crate::plan::Plan).
    pub index: u32,
    /// Its name.
    pub name: &'a str,
    /// Which of the two. A fault that outlasts the run ends with it.
    pub phase: FaultPhase,
    /// Pods touched so far.
    pub pods: u32,
    /// Packets touched so far.
    pub packets: u64,
    /// Requests, connections, names or messages touched so far.
    pub requests: u64,
    /// The pods that were drawn from among more; empty when there was no choice. Not in the digest: what draws them is.
    #[serde(skip)]
    pub drawn: &'a [Arc<str>],
}

/// The ends of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum FaultPhase {
    /// It began.
    Began,
    /// It ended.
    Ended,
}

/// A pod came or went.
#[derive(Clone, Debug, Serialize)]
pub struct PodEvent<'a> {
    /// The workload.
    pub pod: &'a str,
    /// What happened to it.
    pub change: PodChange,
}

/// What happens to pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum PodChange {
    /// Its processes started.
    Started,
    /// It takes traffic.
    Ready,
    /// It takes no traffic any more.
    NotReady,
    /// Its processes were killed; peers see resets.
    Crashed,
    /// It lost power; peers see silence.
    PoweredOff,
    /// It stopped running, and knows nothing of it.
    Frozen,
    /// It runs again.
    Thawed,
    /// The kernel killed it because it used more memory than it may; peers see resets.
    OomKilled,
}

impl PodChange {
    /// All of them.
    pub(crate) const ALL: [Self; 8] = [
        Self::Started,
        Self::Ready,
        Self::NotReady,
        Self::Crashed,
        Self::PoweredOff,
        Self::Frozen,
        Self::Thawed,
        Self::OomKilled,
    ];

    /// What happened, in the timeline's words.
    pub(crate) const fn told(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Ready => "ready",
            Self::NotReady => "not ready",
            Self::Crashed => "crashed",
            Self::PoweredOff => "lost power",
            Self::Frozen => "froze",
            Self::Thawed => "runs again",
            Self::OomKilled => "was killed: out of memory",
        }
    }

    /// Whether its processes died, and with them all that its sidecar held and knew.
    pub(crate) const fn kills(self) -> bool {
        matches!(self, Self::Crashed | Self::PoweredOff | Self::OomKilled)
    }
}

/// The network's totals at the end of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FabricEvent {
    /// Packets delivered.
    pub packets: u64,
    /// Bytes delivered.
    pub bytes: u64,
    /// Packets lost (and sent again).
    pub lost: u64,
    /// Packets held back by a partition.
    pub parked: u64,
    /// Connections reset by the network.
    pub reset: u64,
}
