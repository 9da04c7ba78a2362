//! What an app does with a request, in isotope's vocabulary.

use std::time::Duration;

use mesh_core::policy::Fraction;

use super::{CachePlan, Distribution, ProcessPlan};

/// The behaviour of one app (all replicas alike).
#[derive(Clone, Debug, PartialEq)]
pub struct AppPlan {
    /// Requests worked on at once; `None` is unlimited.
    pub workers: Option<u32>,
    /// Requests that may wait for a worker; `None` is unlimited. A full queue answers 503 at once.
    pub queue_max: Option<u32>,
    /// Which waiting request goes next.
    pub queue_order: QueueOrder,
    /// What happens to the work of a caller that has gone.
    pub cancel: CancelPolicy,
    /// Scripts by request; the first that matches is used.
    pub endpoints: Vec<EndpointPlan>,
    /// The script of every other request.
    pub fallback: EndpointPlan,
    /// What its process needs and bears.
    pub process: ProcessPlan,
}

/// Which waiting request goes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueOrder {
    /// The oldest.
    Fifo,
    /// The newest.
    Lifo,
}

/// What happens to work whose caller has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelPolicy {
    /// It stops, or never starts.
    Stop,
    /// It is done all the same (zombie work).
    Finish,
}

/// The script of some requests.
#[derive(Clone, Debug, PartialEq)]
pub struct EndpointPlan {
    /// Path prefix it answers; empty is every path.
    pub path_prefix: String,
    /// Method it answers; `None` is every method.
    pub method: Option<String>,
    /// Time on a worker before the script's steps.
    pub service_time: Distribution,
    /// Steps, one after the other; the first failure ends the request with a 500. The worker is held throughout.
    pub steps: Vec<Step>,
    /// Injected errors.
    pub errors: ErrorInjection,
    /// Answers given in turn, the last one for ever; empty means the script decides.
    pub responses: Vec<ScriptedResponse>,
    /// Bytes of body of a successful answer.
    pub response_bytes: u64,
}

impl EndpointPlan {
    /// Answers 200 at once.
    pub fn echo() -> Self {
        Self {
            path_prefix: String::new(),
            method: None,
            service_time: Distribution::ZERO,
            steps: Vec::new(),
            errors: ErrorInjection::None,
            responses: Vec::new(),
            response_bytes: 0,
        }
    }
}

/// Errors an app makes by itself (status 500, before its script).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorInjection {
    /// None.
    None,
    /// Each request with this probability.
    Random(Fraction),
    /// Every k-th request of each replica, as isotope's `errorRate` does.
    EveryNth(u32),
}

/// One step of a script.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Waits.
    Sleep(Distribution),
    /// Calls another service and waits for its answer.
    Call(CallPlan),
    /// Starts all at once, waits for all, fails if any failed.
    Parallel(Vec<Step>),
    /// Looks something up in a cache, and does more if it is not there.
    Cache(CachePlan),
}

/// A call to another service.
#[derive(Clone, Debug, PartialEq)]
pub struct CallPlan {
    /// The callee as dialled, `reviews:9080` (becomes `:authority`).
    pub authority: String,
    /// The callee's service, for reports.
    pub service: String,
    /// Method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Extra headers. Trace headers and those in `forward_headers` are copied from the incoming request.
    pub headers: Vec<(String, String)>,
    /// Names of incoming headers to pass on (lower-case), besides trace headers.
    pub forward_headers: Vec<String>,
    /// Bytes of request body.
    pub body_bytes: u64,
    /// Made with this probability.
    pub probability: Fraction,
    /// The app's own timeout per try.
    pub timeout: Option<Duration>,
    /// Tries the app itself makes, 1 or more.
    pub tries: u32,
    /// A failure does not fail the script.
    pub optional: bool,
}

/// One scripted answer.
#[derive(Clone, Debug, PartialEq)]
pub enum ScriptedResponse {
    /// This status, after the script ran.
    Status(u16),
    /// Resets the connection instead of answering.
    Reset,
    /// Never answers.
    Hang,
    /// Closes the connection without an answer.
    Close,
    /// Answers 200 and takes this long to send `bytes` of body.
    SlowBody {
        /// Size of the body.
        bytes: u64,
        /// Time from first to last byte.
        over: Duration,
    },
    /// This status after a delay, with headers.
    Full {
        /// Status.
        status: u16,
        /// Waits this long first.
        delay: Duration,
        /// Response headers.
        headers: Vec<(String, String)>,
        /// Bytes of body.
        bytes: u64,
    },
    /// The app's port is closed from this answer on: connections are refused for the given time.
    Refuse {
        /// For how long.
        during: Duration,
    },
}
