//! One request of a traffic source, from its intended time to what is told of it.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Request};
use mesh_core::seam::{Instant, sleep, timeout_at};
use mesh_core::telemetry::{TraceContext, request_id};

use super::expect::{self, Observed};
use super::retries::Waits;
use super::source::Source;
use crate::app::{Answer, CallError, FillBody, UPSTREAM_HEADER, request};
use crate::plan::{ExpectedOutcome, RequestPlan};
use crate::record::{Check, RequestEnded, RequestSent, TrafficEvent, TrafficOutcome};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Where a mesh that tells its response flags to clients puts them (an Envoy
/// told to add `%RESPONSE_FLAGS%` to responses, by the name its users give it).
const FLAGS_HEADER: HeaderName = HeaderName::from_static("x-envoy-response-flags");

/// What is settled about a request before it is sent.
pub(super) struct Turn {
    /// Its number at its source.
    pub(super) sequence: u64,
    /// When the load wants it sent.
    pub(super) intended: Instant,
    /// Its trace, unless its plan brings one.
    pub(super) context: TraceContext,
    /// Its id, unless its plan brings one.
    pub(super) request_id: u128,
    /// Which part of its source's mix it is.
    pub(super) part: Option<usize>,
    /// The key it carries, unless its plan brings one.
    pub(super) key: Option<(HeaderName, HeaderValue)>,
    /// What the waits between its tries are made of.
    pub(super) backoff_luck: u64,
}

impl Turn {
    fn request(&mut self, plan: &RequestPlan) -> Result<Request<FillBody>, CallError> {
        let mut request = request(
            &plan.authority,
            &plan.method,
            &plan.path,
            &plan.headers,
            plan.body_bytes,
        )?;
        let headers = request.headers_mut();
        match TraceContext::extract(headers) {
            Some(own) => self.context = own,
            None => self.context.inject(headers),
        }
        headers
            .entry(REQUEST_ID)
            .or_insert_with(|| request_id(self.request_id));
        if let Some((header, key)) = &self.key {
            headers.entry(header).or_insert_with(|| key.clone());
        }
        Ok(request)
    }
}

impl Source {
    /// Sends one request and tells how it fared. Returns when it ended.
    pub(super) async fn send(
        &self,
        mut turn: Turn,
        plan: &RequestPlan,
        expected: &ExpectedOutcome,
    ) -> Instant {
        let mut request = turn.request(plan);
        let sent = self.seams.now();
        self.tell_sent(&turn, sent);
        let mut waits = Waits::new(turn.backoff_luck);
        let result = loop {
            let result = match request {
                Ok(request) => self.exchange(self.seams.now(), plan, request).await,
                Err(error) => break Err(error),
            };
            let Some(wait) = self.wait_before_next(&mut waits, &result) else {
                break result;
            };
            sleep(&*self.seams.clock, wait).await;
            request = turn.request(plan);
        };
        let ended = self.seams.now();
        let flags = self.flags(&turn, &result, expected.flags.is_some()).await;
        let flags = flags.as_deref().unwrap_or_default();
        let nothing = HeaderMap::new();
        let headers = result.as_ref().map_or(&nothing, |answer| &answer.headers);
        let upstream = text(headers, &UPSTREAM_HEADER);
        let missed = expect::miss(
            expected,
            &Observed {
                status: result.as_ref().map_or(0, |answer| answer.status.as_u16()),
                headers,
                upstream,
                flags,
                latency: ended.since(turn.intended),
            },
        );
        let event = RequestEnded {
            traffic: &self.name,
            sequence: turn.sequence,
            trace: turn.context.trace,
            intended: turn.intended,
            sent,
            ended,
            outcome: outcome(&result),
            flags,
            upstream,
            request_bytes: plan.body_bytes,
            response_bytes: result.as_ref().map_or(0, |answer| answer.bytes),
            check: match &missed {
                Some(why) => Check::Missed(why),
                None if expect::demands(expected) => Check::Met,
                None => Check::None,
            },
        };
        self.observer
            .traffic(self.seams.now(), &TrafficEvent::Ended(event));
        ended
    }

    /// How long its client waits before it tries again; `None` if it does not.
    fn wait_before_next(
        &self,
        waits: &mut Waits,
        result: &Result<Answer, CallError>,
    ) -> Option<Duration> {
        let is_well = result
            .as_ref()
            .is_ok_and(|answer| !answer.status.is_server_error());
        if is_well {
            return None;
        }
        let (plan, lever) = self.retries();
        if waits.tries >= plan.tries {
            return None;
        }
        if let Some(lever) = lever.filter(|_| waits.tries >= self.client_plan.retries.tries) {
            lever.touch();
        }
        Some(waits.next(&plan))
    }

    async fn exchange(
        &self,
        sent: Instant,
        plan: &RequestPlan,
        request: Request<FillBody>,
    ) -> Result<Answer, CallError> {
        let deadline = self.timeout.map_or(Instant::NEVER, |after| sent + after);
        let exchange = self.client.exchange(&plan.authority, request);
        let answer = timeout_at(&*self.seams.clock, deadline, exchange).await;
        answer.unwrap_or(Err(CallError::TimedOut))
    }

    fn tell_sent(&self, turn: &Turn, sent: Instant) {
        let event = RequestSent {
            traffic: &self.name,
            sequence: turn.sequence,
            trace: turn.context.trace,
            intended: turn.intended,
            sent,
        };
        self.observer.traffic(sent, &TrafficEvent::Sent(event));
    }

    /// The request's response flags as printed, where somebody tells them: of
    /// every request that failed, and of the others if they are `demanded`.
    async fn flags(
        &self,
        turn: &Turn,
        result: &Result<Answer, CallError>,
        demanded: bool,
    ) -> Option<String> {
        if let Ok(answer) = result {
            if let Some(told) = answer.headers.get(FLAGS_HEADER) {
                return told.to_str().ok().map(str::to_owned);
            }
            if !answer.status.is_server_error() && !demanded {
                return None;
            }
        }
        if !self.observer.hears_sidecar() {
            return None;
        }
        // The sidecar reports in the same instant, perhaps a moment after its client knows.
        sleep(&*self.seams.clock, Duration::from_nanos(1)).await;
        let flags = self.observer.flags(turn.context.trace);
        flags.map(|flags| flags.to_string())
    }
}

fn outcome(result: &Result<Answer, CallError>) -> TrafficOutcome {
    match result {
        Ok(answer) => TrafficOutcome::Answered(answer.status.as_u16()),
        Err(CallError::TimedOut) => TrafficOutcome::Timeout,
        Err(CallError::Broken(_) | CallError::Truncated(_)) => TrafficOutcome::Broken,
        Err(CallError::Invalid(_) | CallError::Unresolved | CallError::Connect(_)) => {
            TrafficOutcome::ConnectFailed
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}
