//! The request log: one line of JSON per traffic request.
//!
//! The parts of [`Split`] add up to the request's latency to the nanosecond, so
//! a sum over any set of lines is a budget without a gap.

use serde::{Deserialize, Serialize};

/// How a request ended, as its client saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestOutcome {
    /// With a whole answer.
    Answered,
    /// The client gave up.
    Timeout,
    /// The client could not connect.
    ConnectFailed,
    /// The connection broke before the answer was whole.
    Broken,
    /// It had not ended when the run did.
    InFlight,
}

/// Where a request's latency went. The parts add up to it exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// From the intended to the actual send time.
    pub client_ns: u64,
    /// Injected delay.
    pub fault_ns: u64,
    /// Waiting between attempts.
    pub backoff_ns: u64,
    /// Waiting for a connection or a stream, handshakes included.
    pub pool_ns: u64,
    /// Waiting for a worker of the called app.
    pub queue_ns: u64,
    /// On a worker of the called app, its own calls included.
    pub service_ns: u64,
    /// The client's sidecar itself.
    pub proxy_ns: u64,
    /// On attempts that the called app never answered.
    pub unanswered_ns: u64,
    /// The rest: links, the called pods' sidecars, bodies in transit.
    pub network_ns: u64,
}

impl Split {
    /// Adds another split, part by part.
    pub const fn add(&mut self, other: &Self) {
        self.client_ns += other.client_ns;
        self.fault_ns += other.fault_ns;
        self.backoff_ns += other.backoff_ns;
        self.pool_ns += other.pool_ns;
        self.queue_ns += other.queue_ns;
        self.service_ns += other.service_ns;
        self.proxy_ns += other.proxy_ns;
        self.unanswered_ns += other.unanswered_ns;
        self.network_ns += other.network_ns;
    }

    /// The latency.
    pub const fn total_ns(&self) -> u64 {
        self.client_ns
            + self.fault_ns
            + self.backoff_ns
            + self.pool_ns
            + self.queue_ns
            + self.service_ns
            + self.proxy_ns
            + self.unanswered_ns
            + self.network_ns
    }
}

/// One attempt of a request, from the client's sidecar.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RequestAttempt<'a> {
    /// From 1.
    pub number: u32,
    /// The endpoint's workload; empty when none could be picked.
    pub upstream: &'a str,
    /// The upstream's status; `None` when it sent none.
    pub status: Option<u16>,
    /// Response flags; `-` when there are none.
    pub flags: &'a str,
    /// To response headers, or to failure.
    pub duration_ms: f64,
    /// Whether it was a mirror copy.
    pub mirror: bool,
}

/// One line of the request log. `attempts`, `route` and `cluster` are empty where the client has no sidecar.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RequestLine<'a> {
    /// The traffic source.
    pub traffic: &'a str,
    /// Its number there, from 0.
    pub sequence: u64,
    /// W3C trace id, 32 hexadecimal digits.
    pub trace: &'a str,
    /// Intended send time, since the beginning of the run.
    pub intended_ns: u64,
    /// Method; empty when no sidecar saw the request.
    pub method: &'a str,
    /// `:authority`; empty when no sidecar saw the request.
    pub authority: &'a str,
    /// Path and query; empty when no sidecar saw the request.
    pub path: &'a str,
    /// The matched route; empty when none.
    pub route: &'a str,
    /// The cluster; empty when none.
    pub cluster: &'a str,
    /// How it ended.
    pub outcome: RequestOutcome,
    /// Whether it counts as a success; `None` when it had not ended.
    pub succeeded: Option<bool>,
    /// Status; `None` when no answer came.
    pub status: Option<u16>,
    /// Response flags; `-` when there are none.
    pub flags: &'a str,
    /// Envoy's response code details; empty when no sidecar saw the request.
    pub details: &'a str,
    /// The latency in nanoseconds; `None` when it had not ended.
    pub latency_ns: Option<u64>,
    /// The same in milliseconds.
    pub latency_ms: Option<f64>,
    /// Where the latency went.
    pub split: Option<Split>,
    /// The attempts, in the order they ended.
    pub attempts: &'a [RequestAttempt<'a>],
}
