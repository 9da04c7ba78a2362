//! The router filter: one request, its attempts, one answer.
//!
//! Order as Envoy's: timeout around everything, then per attempt breaker
//! admission, load-balancer pick, pool, send, outlier feedback, and the
//! decision to retry with back-off in between. Observed behaviour that is easy
//! to get wrong: overflow is never retried; the route timeout starts when the
//! request has been received completely; an exhausted retry answers with the
//! last attempt's answer and the flag `URX`; retries stay in the cluster drawn
//! first.

#![expect(
    clippy::manual_async_fn,
    reason = "an `async fn` holds what it is given twice, and every request pays for the room"
)]

mod attempt;
mod deadline;
mod spare;

use std::borrow::Cow;
use std::rc::Rc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Response, Version, header, request};

pub(crate) use self::attempt::ActiveAttempt;
use self::attempt::{AttemptHead, AttemptWatch, Outcome};
use self::deadline::{Deadline, DeadlinePassed};
use self::spare::Spare;
use super::cluster::ClusterRuntime;
use super::exchange::Exchange;
use super::failure::AttemptFailure;
use super::headers;
use super::pool::{ConnectFailure, HostPool};
use super::reply::LocalReply;
use super::request_body::RequestBody;
use super::response_body::ResponseBody;
use crate::policy::RetryPolicy;
use crate::resilience;
use crate::resilience::{AttemptOutcome, Permit, RetryDecision, RetryState};
use crate::route::Choice;
use crate::seam::Instant;
use crate::telemetry::{Mechanism, ResponseFlag, TlsState};

/// What the route says about this request.
pub(crate) struct Terms<'a> {
    pub(crate) retry: &'a RetryPolicy,
    pub(crate) timeout: Option<Duration>,
    /// Consistent-hashing key.
    pub(crate) hash: Option<u64>,
    /// The route's choice, whose changes to response headers apply.
    pub(crate) choice: Option<&'a Choice>,
    /// A `set-cookie` to add: consistent hashing by a cookie that was absent.
    pub(crate) set_cookie: Option<Box<HeaderValue>>,
}

/// Sends the request upstream, as often as its terms allow.
pub(crate) fn forward(
    mut exchange: Box<Exchange>,
    cluster: &Rc<ClusterRuntime>,
    terms: &Terms<'_>,
    mut head: Box<request::Parts>,
    body: RequestBody,
) -> impl Future<Output = Response<ResponseBody>> {
    async move {
        exchange.cluster = Some(cluster.name());
        exchange.body = Some(body.clone());
        let Some(permit) = cluster.admit() else {
            exchange.attempts = 1;
            exchange.mechanism(Mechanism::Overflow, "requests");
            return reply(exchange, LocalReply::overflow(), terms);
        };
        let mut run = Run {
            cluster,
            head: &mut head,
            spare: None,
            body: &body,
            permit: Some(permit),
            trying: None,
            tried: Vec::new(),
            retries: RetryState::new(terms.retry),
            deadline: Deadline {
                timeout: terms.timeout,
                body: body.clone(),
                downstream: exchange.downstream.clone(),
                armed: None,
            },
        };
        loop {
            exchange.attempts += 1;
            let outcome = match run.attempt(&mut exchange, terms).await {
                Ok(outcome) => outcome,
                Err(DeadlinePassed) => {
                    exchange.mechanism(Mechanism::Timeout, "");
                    return reply(exchange, LocalReply::timeout(), terms);
                }
            };
            let decision = run.judge(&exchange, terms, &outcome);
            let RetryDecision::Retry(wait) = decision else {
                return run.answer(exchange, terms, outcome, decision);
            };
            run.discard(&mut exchange, outcome);
            exchange.mechanism(Mechanism::Retry, "");
            if run.back_off(&mut exchange, wait).await.is_err() {
                exchange.mechanism(Mechanism::Timeout, "");
                return reply(exchange, LocalReply::timeout(), terms);
            }
        }
    }
}

struct Run<'a> {
    cluster: &'a Rc<ClusterRuntime>,
    head: &'a mut request::Parts,
    /// The headers, when an attempt has taken them and another may follow.
    spare: Option<Spare>,
    body: &'a RequestBody,
    /// The place among the cluster's requests, until an answer takes it along.
    permit: Option<Permit>,
    trying: Option<Rc<HostPool>>,
    tried: Vec<Rc<HostPool>>,
    retries: RetryState,
    deadline: Deadline,
}

impl Run<'_> {
    /// Lets go of an attempt that another one follows.
    #[cold]
    fn discard(&mut self, exchange: &mut Exchange, outcome: Outcome) {
        if let Some(answering) = exchange.answering.take() {
            self.permit = answering.abandon();
        }
        drop(outcome);
        self.tried.extend(self.trying.take());
    }

    async fn back_off(
        &mut self,
        exchange: &mut Exchange,
        wait: Duration,
    ) -> Result<(), DeadlinePassed> {
        let since = exchange.seams().now();
        let slept = if wait.is_zero() {
            Ok(())
        } else {
            let sleep = exchange.seams().clock.sleep_until(since + wait);
            self.deadline.bound(sleep).await
        };
        let spent = exchange.seams().now().since(since);
        exchange.timing.backoff += spent;
        slept
    }

    fn attempt(
        &mut self,
        exchange: &mut Exchange,
        terms: &Terms<'_>,
    ) -> impl Future<Output = Result<Outcome, DeadlinePassed>> {
        async move {
            let downstream = exchange.downstream.clone();
            let start = downstream.seams.now();
            let Some(pick) = self.cluster.pick(terms.hash, terms.retry, &self.tried) else {
                exchange.upstream = None;
                exchange.note(|notes| notes.upstream_host = None);
                exchange.attempt(
                    exchange.attempts,
                    start,
                    0,
                    ResponseFlag::NoHealthyUpstream.into(),
                    TlsState::Plain,
                );
                return Ok(Outcome::NoHost);
            };
            if pick.panicked {
                exchange.mechanism(Mechanism::Panic, "");
            }
            if pick.priority > 0 {
                exchange.mechanism(Mechanism::LocalityFailover, "");
            }
            let host = pick.host;
            self.trying = Some(host.clone());
            exchange.upstream = Some(host.workload());
            exchange.note(|notes| notes.upstream_host = Some(host.address()));
            let mut watch = AttemptWatch::new(exchange, self.cluster, host, start);
            let try_deadline = terms
                .retry
                .per_try_timeout
                .map_or(Instant::NEVER, |t| start + t);
            let head = AttemptHead {
                is_last: self.retries.is_last(),
                resent: resilience::retries_sent(terms.retry),
                parts: &mut *self.head,
                spare: &mut self.spare,
            };
            let work = crate::seam::timeout_at(
                &*downstream.seams.clock,
                try_deadline,
                watch.run(head, self.body, &mut self.permit),
            );
            let ended = self.deadline.bound(work).await;
            let outcome = match ended {
                Ok(Some(outcome)) => outcome,
                Ok(None) => {
                    watch.exchange.mechanism(Mechanism::PerTryTimeout, "");
                    Outcome::Failed(AttemptFailure::PerTryTimeout)
                }
                Err(passed) => {
                    watch.timed_out();
                    return Err(passed);
                }
            };
            watch.ended(&outcome);
            Ok(outcome)
        }
    }

    /// Whether to try again.
    fn judge(
        &mut self,
        exchange: &Exchange,
        terms: &Terms<'_>,
        outcome: &Outcome,
    ) -> RetryDecision {
        if !self.body.can_replay() || self.body.failed() {
            return RetryDecision::No;
        }
        let ended = match outcome {
            Outcome::Answer(response) => AttemptOutcome::Answer {
                status: response.status().as_u16(),
                headers: response.headers(),
            },
            Outcome::Failed(failure) => AttemptOutcome::Failure(failure.kind()),
            Outcome::NoHost => AttemptOutcome::Failure(resilience::AttemptFailure::NoEndpoint),
        };
        let (retries, limiter) = (&mut self.retries, self.cluster.retries());
        let decision = self
            .cluster
            .with_rng(|rng| retries.consider(terms.retry, &ended, limiter, rng));
        match decision {
            RetryDecision::Exhausted => exchange.mechanism(Mechanism::RetryExhausted, ""),
            RetryDecision::Overflow => exchange.mechanism(Mechanism::RetryBudgetExhausted, ""),
            RetryDecision::No | RetryDecision::Retry(_) => {}
        }
        decision
    }

    fn answer(
        self,
        mut exchange: Box<Exchange>,
        terms: &Terms<'_>,
        outcome: Outcome,
        decision: RetryDecision,
    ) -> Response<ResponseBody> {
        match decision {
            RetryDecision::Exhausted => {
                exchange
                    .flags
                    .insert(ResponseFlag::UpstreamRetryLimitExceeded);
            }
            RetryDecision::Overflow => exchange.flags.insert(ResponseFlag::UpstreamOverflow),
            RetryDecision::Retry(_) | RetryDecision::No => {}
        }
        match outcome {
            Outcome::Answer(mut head) => {
                exchange.status = head.status().as_u16();
                exchange.details = Cow::Borrowed("via_upstream");
                exchange.note(|notes| notes.answered(head.headers()));
                *head.version_mut() = Version::HTTP_11;
                headers::strip_hop_by_hop(head.headers_mut(), false);
                finish_headers(head.headers_mut(), terms);
                let armed = self.deadline.armed;
                head.map(|body| ResponseBody::upstream(body, armed, exchange))
            }
            Outcome::Failed(failure) => failed(exchange, terms, &failure),
            Outcome::NoHost => reply(exchange, LocalReply::no_healthy_upstream(), terms),
        }
    }
}

/// The route's changes to the answer.
fn finish_headers(map: &mut HeaderMap, terms: &Terms<'_>) {
    if let Some(choice) = terms.choice {
        choice.apply_to_response(map, None);
    }
    if let Some(cookie) = &terms.set_cookie {
        map.append(header::SET_COOKIE, HeaderValue::clone(cookie));
    }
}

/// Answers for an attempt that failed and is not followed by another.
#[cold]
fn failed(
    mut exchange: Box<Exchange>,
    terms: &Terms<'_>,
    failure: &AttemptFailure,
) -> Response<ResponseBody> {
    let mut local = failure.reply();
    match failure {
        AttemptFailure::Connect(ConnectFailure::Overflow) => {
            exchange.mechanism(Mechanism::Overflow, "pending");
        }
        AttemptFailure::Connect(ConnectFailure::Failed(why)) => {
            exchange.note(|notes| notes.connect_failure = Some(why.clone()));
            if why.starts_with("TLS error") {
                let details = format!(
                    "upstream_reset_before_response_started{{remote_connection_failure|{why}}}"
                );
                exchange.details = Cow::Owned(details.replace(' ', "_"));
                local.details = "";
            }
        }
        _ => {}
    }
    reply(exchange, local, terms)
}

/// Answers with a local reply under a route.
#[cold]
pub(crate) fn reply(
    exchange: Box<Exchange>,
    local: LocalReply,
    terms: &Terms<'_>,
) -> Response<ResponseBody> {
    let mut response = local_response(exchange, local);
    finish_headers(response.headers_mut(), terms);
    response
}

/// A local reply outside any route.
#[cold]
pub(crate) fn local_response(
    mut exchange: Box<Exchange>,
    local: LocalReply,
) -> Response<ResponseBody> {
    let head = local.head(exchange.grpc);
    exchange.status = head.status().as_u16();
    for flag in local.flags.iter() {
        exchange.flags.insert(flag);
    }
    if !local.details.is_empty() {
        exchange.details = Cow::Borrowed(local.details);
    }
    let body = if exchange.grpc {
        bytes::Bytes::new()
    } else {
        local.body
    };
    head.map(|()| ResponseBody::local(body, exchange))
}
