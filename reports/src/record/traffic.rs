//! What the clients saw.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{LatencyMs, Series};

/// One traffic source. `requests = succeeded + failed + in_flight_at_end`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrafficReport {
    /// Requests begun.
    pub requests: u64,
    /// Answered in time with a status below 500; a scripted request: answered as demanded.
    pub succeeded: u64,
    /// Ended otherwise.
    pub failed: u64,
    /// Not ended when the run did.
    pub in_flight_at_end: u64,
    /// Requests begun per second of virtual time.
    pub rps: f64,
    /// Ended requests by status; `none` is no answer.
    pub status: BTreeMap<String, u64>,
    /// Ended requests by Envoy response flags (`-` is none): what the source's own sidecar logged, or, without a
    /// sidecar, what the answers' header said.
    pub flags: BTreeMap<String, u64>,
    /// Requests without an answer, by reason (`timeout`, `connect_failed`, `broken`).
    pub unanswered: BTreeMap<String, u64>,
    /// From the intended send time to the end of the answer, of answered requests.
    pub latency_ms: Option<LatencyMs>,
    /// Over time, by intended send time.
    pub series: Series,
    /// The outcomes of scripted requests, in script order; empty for other loads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scripted: Vec<ScriptedReport>,
}

impl TrafficReport {
    /// Requests of each window of [`series`](Self::series) that had ended when the run did. Those under way at the end
    /// are taken to be the last sent of what did not fail: a series has no column of its own for them.
    pub fn ended_over_time(&self) -> Vec<u64> {
        let good = self.succeeded_over_time();
        let failed = self.series.failed.iter().chain(std::iter::repeat(&0));
        good.iter().zip(failed).map(|(n, f)| n + f).collect()
    }

    /// Requests of each window of [`series`](Self::series) that succeeded: what is under way is nobody's success yet.
    pub fn succeeded_over_time(&self) -> Vec<u64> {
        let series = &self.series;
        let failed = |i: usize| series.failed.get(i).copied().unwrap_or(0);
        let mut under_way = self.in_flight_at_end;
        let mut good: Vec<u64> = series
            .requests
            .iter()
            .enumerate()
            .rev()
            .map(|(i, sent)| {
                let others = sent.saturating_sub(failed(i));
                let open = others.min(under_way);
                under_way -= open;
                others - open
            })
            .collect();
        good.reverse();
        good
    }
}

/// One scripted request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScriptedReport {
    /// When it was to be sent.
    pub at_s: f64,
    /// `METHOD authority/path`.
    pub request: String,
    /// `file:line` of the request.
    pub place: String,
    /// The status that came; `None` when no answer did.
    pub status: Option<u16>,
    /// Who answered; empty when unknown.
    pub upstream: String,
    /// Response flags; `-` when there were none.
    pub flags: String,
    /// From the intended send time to the end; `None` when it never ended.
    pub latency_ms: Option<f64>,
    /// Whether what came is what was demanded; `None` when nothing was.
    pub held: Option<bool>,
    /// What was wrong, in a sentence; empty when nothing was.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_under_way_is_nobodys_success() {
        let traffic = TrafficReport {
            requests: 40,
            succeeded: 12,
            failed: 11,
            in_flight_at_end: 17,
            rps: 10.0,
            status: BTreeMap::new(),
            flags: BTreeMap::new(),
            unanswered: BTreeMap::new(),
            latency_ms: None,
            series: Series {
                window_s: 1.0,
                requests: vec![10, 10, 10, 10],
                failed: vec![0, 8, 3, 0],
                attempts: Vec::new(),
                p50_ms: vec![None; 4],
                p99_ms: vec![None; 4],
            },
            scripted: Vec::new(),
        };
        // By hand: all ten of the last window and the seven of the one before that did not fail are under way.
        assert_eq!(traffic.succeeded_over_time(), [10, 2, 0, 0]);
        assert_eq!(traffic.ended_over_time(), [10, 10, 3, 0]);
    }
}
