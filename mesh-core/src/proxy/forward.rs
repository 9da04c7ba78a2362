//! The router filter: one request, its attempts, one answer.
//!
//! Order as Envoy's: timeout around everything, then per attempt breaker
//! admission, load-balancer pick, pool, send, outlier feedback, and the
//! decision to retry with back-off in between. Observed behaviour that is easy
//! to get wrong: overflow is never retried; the route timeout starts when the
//! request has been received completely; an exhausted retry answers with the
//! last attempt's answer and the flag `URX`; retries stay in the cluster drawn
//! first.

use std::borrow::Cow;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Request, Response, Uri, Version, header, request};
use hyper::body::Incoming;
use pin_project_lite::pin_project;

use super::cluster::ClusterRuntime;
use super::exchange::{Downstream, Exchange};
use super::failure::AttemptFailure;
use super::headers;
use super::pool::{ConnectFailure, HostPool, Lease, SendFailure};
use super::reply::LocalReply;
use super::request_body::RequestBody;
use super::response_body::ResponseBody;
use crate::balance::ActiveRequest;
use crate::policy::RetryPolicy;
use crate::resilience;
use crate::resilience::{AttemptOutcome, Permit, RetryDecision, RetryState};
use crate::route::Choice;
use crate::seam::{BoxSleep, Instant};
use crate::telemetry::{Mechanism, ResponseFlag, ResponseFlags, TlsState};

/// What the route says about this request.
pub(crate) struct Terms<'a> {
    pub(crate) retry: &'a RetryPolicy,
    pub(crate) timeout: Option<Duration>,
    /// Consistent-hashing key.
    pub(crate) hash: Option<u64>,
    /// The route's choice, whose changes to response headers apply.
    pub(crate) choice: Option<&'a Choice>,
    /// A `set-cookie` to add: consistent hashing by a cookie that was absent.
    pub(crate) set_cookie: Option<HeaderValue>,
}

/// An attempt whose answer is being read.
pub(crate) struct ActiveAttempt {
    lease: Lease,
    _use: ActiveRequest,
    request: Option<Permit>,
}

impl ActiveAttempt {
    /// The answer was read to its end.
    pub(crate) fn finish(self) {
        self.lease.finish();
    }

    /// Nobody will read the answer; the request keeps its place.
    fn abandon(self) -> Option<Permit> {
        self.request
    }
}

/// The route timeout: a timer that starts when the request has been received completely.
struct Deadline {
    timeout: Option<Duration>,
    body: RequestBody,
    downstream: Rc<Downstream>,
    armed: Option<BoxSleep>,
}

/// The route timeout fired.
struct DeadlinePassed;

impl Deadline {
    /// Runs `future`, unless the deadline passes first.
    fn bound<F: Future>(&mut self, future: F) -> Bound<'_, F> {
        Bound {
            deadline: self,
            future,
        }
    }

    /// Ready when the deadline has passed.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(timeout) = self.timeout else {
            return Poll::Pending;
        };
        if self.armed.is_none() && self.body.poll_ended(cx).is_ready() {
            let clock = &self.downstream.seams.clock;
            self.armed = Some(clock.sleep_until(clock.now() + timeout));
        }
        match &mut self.armed {
            Some(sleep) => sleep.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}

pin_project! {
    /// The future of [`Deadline::bound`]; an `async fn` would hold `future` twice.
    struct Bound<'d, F> {
        deadline: &'d mut Deadline,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Bound<'_, F> {
    type Output = Result<F::Output, DeadlinePassed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(output) = this.future.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        this.deadline.poll(cx).map(|()| Err(DeadlinePassed))
    }
}

/// How one attempt ended.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every attempt is answered, and it is moved once"
)]
enum Outcome {
    /// Response headers came.
    Answer(Response<Incoming>, ActiveAttempt),
    /// It failed.
    Failed(AttemptFailure),
    /// There was no endpoint to try.
    NoHost,
}

/// Sends the request upstream, as often as its terms allow.
pub(crate) async fn forward(
    mut exchange: Box<Exchange>,
    cluster: &Rc<ClusterRuntime>,
    terms: Terms<'_>,
    mut head: Box<request::Parts>,
    body: RequestBody,
) -> Response<ResponseBody> {
    exchange.cluster = Some(cluster.name());
    exchange.body = Some(body.clone());
    let Some(permit) = cluster.admit() else {
        exchange.attempts = 1;
        exchange.mechanism(Mechanism::Overflow, "requests");
        return reply(exchange, LocalReply::overflow(), &terms);
    };
    let mut run = Run {
        cluster,
        head: &mut head,
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
        let outcome = match run.attempt(&mut exchange, &terms).await {
            Ok(outcome) => outcome,
            Err(DeadlinePassed) => {
                exchange.mechanism(Mechanism::Timeout, "");
                return reply(exchange, LocalReply::timeout(), &terms);
            }
        };
        let decision = run.judge(&exchange, &terms, &outcome);
        let RetryDecision::Retry(wait) = decision else {
            return run.answer(exchange, &terms, outcome, decision);
        };
        run.discard(outcome);
        exchange.mechanism(Mechanism::Retry, "");
        if run.back_off(&mut exchange, wait).await.is_err() {
            exchange.mechanism(Mechanism::Timeout, "");
            return reply(exchange, LocalReply::timeout(), &terms);
        }
    }
}

struct Run<'a> {
    cluster: &'a Rc<ClusterRuntime>,
    head: &'a mut request::Parts,
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
    fn discard(&mut self, outcome: Outcome) {
        if let Outcome::Answer(_, attempt) = outcome {
            self.permit = attempt.abandon();
        }
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

    async fn attempt(
        &mut self,
        exchange: &mut Exchange,
        terms: &Terms<'_>,
    ) -> Result<Outcome, DeadlinePassed> {
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
            parts: &mut *self.head,
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
            Outcome::Answer(response, _) => AttemptOutcome::Answer {
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
            Outcome::Answer(response, attempt) => {
                let (parts, body) = response.into_parts();
                let mut head = Response::from_parts(parts, ());
                exchange.status = head.status().as_u16();
                exchange.details = Cow::Borrowed("via_upstream");
                exchange.note(|notes| notes.answered(head.headers()));
                *head.version_mut() = Version::HTTP_11;
                headers::strip_hop_by_hop(head.headers_mut(), false);
                finish_headers(head.headers_mut(), terms);
                let armed = self.deadline.armed;
                head.map(|()| ResponseBody::upstream(body, attempt, armed, exchange))
            }
            Outcome::Failed(failure) => failed(exchange, terms, &failure),
            Outcome::NoHost => reply(exchange, LocalReply::no_healthy_upstream(), terms),
        }
    }
}

/// Sees one attempt through, and accounts for it however it ends.
struct AttemptWatch<'a> {
    exchange: &'a mut Exchange,
    cluster: &'a Rc<ClusterRuntime>,
    host: Rc<HostPool>,
    start: Instant,
    /// Since when it waits for a connection, then since when it waits for the answer.
    since: Instant,
    sent: bool,
    tls: TlsState,
    done: bool,
}

impl<'a> AttemptWatch<'a> {
    fn new(
        exchange: &'a mut Exchange,
        cluster: &'a Rc<ClusterRuntime>,
        host: Rc<HostPool>,
        start: Instant,
    ) -> Self {
        Self {
            exchange,
            cluster,
            host,
            start,
            since: start,
            sent: false,
            tls: TlsState::Plain,
            done: false,
        }
    }

    async fn run(
        &mut self,
        mut head: AttemptHead<'_>,
        body: &RequestBody,
        permit: &mut Option<Permit>,
    ) -> Outcome {
        let mut usage = self.host.begin(self.start);
        loop {
            let mut lease = match self.host.acquire().await {
                Ok(lease) => lease,
                Err(failure) => return Outcome::Failed(AttemptFailure::Connect(failure)),
            };
            self.sending();
            self.tls = lease.tls();
            let fresh = lease.is_first_use();
            // The server of a fresh TLS connection has yet to look at our certificate.
            let unjudged = fresh && self.tls != TlsState::Plain;
            if fresh && !unjudged {
                self.cluster.connected(&self.host);
            }
            let request = upstream_request(&mut head, self.exchange, body, &lease);
            let sent = lease.send(request).await;
            if let Some(why) = lease.refusal() {
                let why = format!("TLS error: {why}").into();
                return Outcome::Failed(AttemptFailure::Connect(ConnectFailure::Failed(why)));
            }
            if unjudged {
                self.cluster.connected(&self.host);
            }
            match sent {
                Ok(mut response) => {
                    let now = self.exchange.seams().now();
                    usage.measure(now);
                    let millis = now.since(self.start).as_millis() as u64;
                    let map = response.headers_mut();
                    map.insert(headers::SERVICE_TIME, headers::number(millis));
                    let attempt = ActiveAttempt {
                        lease,
                        _use: usage,
                        request: permit.take(),
                    };
                    return Outcome::Answer(response, attempt);
                }
                Err(failure) => {
                    let unsent = failure.unsent.is_some();
                    let why = head.unsent(failure);
                    // A kept connection closed just before it was used: another one serves,
                    // and nobody notices (observed: case conn_keepalive).
                    let stale = AttemptFailure::ConnectionTermination {
                        before_request: true,
                    };
                    if why == stale && unsent && !fresh {
                        drop(lease);
                        continue;
                    }
                    return Outcome::Failed(why);
                }
            }
        }
    }

    fn sending(&mut self) {
        self.account();
        self.sent = true;
    }

    /// Books the time since the last change of state.
    fn account(&mut self) {
        let now = self.exchange.seams().now();
        let spent = now.since(self.since);
        if self.sent {
            self.exchange.timing.upstream += spent;
        } else {
            self.exchange.timing.pool += spent;
        }
        self.since = now;
    }

    fn ended(mut self, outcome: &Outcome) {
        self.done = true;
        self.account();
        let (status, flags) = match outcome {
            Outcome::Answer(response, _) => {
                let status = response.status().as_u16();
                self.cluster.answered(&self.host, status);
                (status, ResponseFlags::NONE)
            }
            Outcome::Failed(failure) => {
                self.cluster.failed(&self.host, failure.kind());
                (0, failure.reply().flags)
            }
            Outcome::NoHost => (0, ResponseFlag::NoHealthyUpstream.into()),
        };
        self.emit(status, flags);
    }

    #[cold]
    fn timed_out(mut self) {
        self.done = true;
        self.account();
        self.cluster
            .failed(&self.host, resilience::AttemptFailure::Timeout);
        self.emit(0, ResponseFlag::UpstreamRequestTimeout.into());
    }

    fn emit(&self, status: u16, flags: ResponseFlags) {
        self.exchange
            .attempt(self.exchange.attempts, self.start, status, flags, self.tls);
    }
}

impl Drop for AttemptWatch<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.account();
            self.emit(0, ResponseFlag::DownstreamConnectionTermination.into());
        }
    }
}

/// The request's head, for one attempt.
struct AttemptHead<'a> {
    parts: &'a mut request::Parts,
    /// No other attempt will need it.
    is_last: bool,
}

impl AttemptHead<'_> {
    /// The headers to send. The last attempt takes them; those that it did not send after all
    /// are to be put back.
    fn headers(&mut self) -> HeaderMap {
        match self.is_last {
            true => std::mem::take(&mut self.parts.headers),
            false => self.parts.headers.clone(),
        }
    }

    /// Takes back what was not sent, and says why.
    #[cold]
    fn unsent(&mut self, failure: SendFailure) -> AttemptFailure {
        let why = AttemptFailure::from_send(&failure.error, failure.unsent.is_some());
        if let Some(mut request) = failure.unsent {
            self.parts.headers = std::mem::take(request.headers_mut());
        }
        why
    }
}

/// The request as this attempt sends it.
fn upstream_request(
    head: &mut AttemptHead<'_>,
    exchange: &Exchange,
    body: &RequestBody,
    lease: &Lease,
) -> Request<super::request_body::AttemptBody> {
    let mut request = Request::new(body.attempt());
    *request.headers_mut() = head.headers();
    let head = &*head.parts;
    *request.method_mut() = head.method.clone();
    let path = head.uri.path_and_query().cloned();
    if lease.is_http2() {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(http::uri::Scheme::HTTP);
        parts.authority = head.uri.authority().cloned();
        parts.path_and_query = path;
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
        *request.version_mut() = Version::HTTP_2;
        request.headers_mut().remove(header::HOST);
    } else {
        if let Some(path) = path {
            *request.uri_mut() = Uri::from(path);
        }
        let authority = head.uri.authority();
        let same = exchange.authority.authority.as_ref() == authority;
        let host = match &exchange.authority.host {
            Some(host) if same => Some(host.clone()),
            _ => HeaderValue::from_str(authority.map_or("", |a| a.as_str())).ok(),
        };
        if let Some(host) = host {
            request.headers_mut().insert(header::HOST, host);
        }
    }
    let count = headers::number(exchange.attempts.into());
    request.headers_mut().insert(headers::ATTEMPT_COUNT, count);
    request
}

/// The route's changes to the answer.
fn finish_headers(map: &mut HeaderMap, terms: &Terms<'_>) {
    if let Some(choice) = terms.choice {
        choice.apply_to_response(map, None);
    }
    if let Some(cookie) = &terms.set_cookie {
        map.append(header::SET_COOKIE, cookie.clone());
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
