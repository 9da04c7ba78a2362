//! Who calls the mesh, how often, and what they send.

use std::time::Duration;

use mesh_core::control::Workload;

use super::{ClientPlan, Distribution};

/// A traffic source: a pod that only calls.
#[derive(Clone, Debug, PartialEq)]
pub struct TrafficPlan {
    /// Its name.
    pub name: String,
    /// Its pod. `meshed` tells whether it has a sidecar.
    pub workload: Workload,
    /// What it sends (scripted loads override it request by request).
    pub request: RequestPlan,
    /// How often.
    pub load: Load,
    /// The bursts that are in the load already, as they were written.
    pub bursts: Vec<BurstPlan>,
    /// When it starts.
    pub start: Duration,
    /// When it stops sending; requests in flight may still end. `None` is the end of the run.
    pub stop: Option<Duration>,
    /// The client gives up after this: each try of it, if it makes several.
    pub timeout: Option<Duration>,
    /// How its client goes about it.
    pub client: ClientPlan,
}

/// A short time of another rate: a disturbance that a traffic source brings along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BurstPlan {
    /// `burst of users`; with a number where the source has several.
    pub name: String,
    /// When it comes, from and to, in order of time; more than once when it comes again. A source that has stopped has
    /// no bursts, but one that comes after the end of the run is here.
    pub stretches: Vec<(Duration, Duration)>,
    /// `file:line:column` where it was written.
    pub place: String,
}

/// One request as sent.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestPlan {
    /// `host:port`.
    pub authority: String,
    /// The called service, for reports; empty when it is none of the topology's.
    pub service: String,
    /// Method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Bytes of body.
    pub body_bytes: u64,
}

/// How often requests are sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Load {
    /// By a schedule, whatever the answers (open loop).
    Open {
        /// Requests per second over time.
        rate: RateProfile,
        /// How they are spaced.
        arrivals: Arrivals,
    },
    /// By users who wait for their answer, think, and go on (closed loop).
    Closed {
        /// How many.
        users: u32,
        /// Time between an answer and the next request.
        think: Distribution,
    },
    /// These requests, one by one.
    Script(Vec<ScriptedRequest>),
}

/// How open-loop arrivals are spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// A Poisson process.
    Poisson,
    /// Evenly.
    Constant,
}

/// A rate over time: linear between points, constant after the last. Two points at one instant are a step.
#[derive(Clone, Debug, PartialEq)]
pub struct RateProfile(pub Vec<RatePoint>);

/// A point of a [`RateProfile`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RatePoint {
    /// Since the beginning of the run.
    pub at: Duration,
    /// Requests per second.
    pub per_second: f64,
}

/// One request of a script.
#[derive(Clone, Debug, PartialEq)]
pub struct ScriptedRequest {
    /// When it is sent, since the beginning of the run.
    pub at: Duration,
    /// What is sent.
    pub request: RequestPlan,
    /// What must come back; a miss fails the run.
    pub expect: ExpectedOutcome,
    /// `file:line` of the request, for messages.
    pub place: String,
}

/// What a scripted request must come back with. `None` demands nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExpectedOutcome {
    /// Status; 0 means that no answer came.
    pub status: Option<u16>,
    /// The workload (or a prefix of its name) that answered.
    pub upstream: Option<String>,
    /// The sidecar's response flags, as printed.
    pub flags: Option<String>,
    /// No sooner than this.
    pub at_least: Option<Duration>,
    /// No later than this.
    pub at_most: Option<Duration>,
    /// Response headers.
    pub headers: Vec<(String, String)>,
}
