//! One attempt: the request as it is sent, and the account of what came of it.

use std::rc::Rc;

use http::{HeaderMap, HeaderValue, Request, Response, Uri, Version, header, request};
use hyper::body::Incoming;

use super::spare::Spare;
use crate::balance::ActiveRequest;
use crate::header_map;
use crate::proxy::cluster::ClusterRuntime;
use crate::proxy::exchange::Exchange;
use crate::proxy::failure::AttemptFailure;
use crate::proxy::headers;
use crate::proxy::pool::{ConnectFailure, HostPool, Lease, SendFailure};
use crate::proxy::request_body::{AttemptBody, RequestBody};
use crate::proxy::response_body::Answering;
use crate::proxy::sidecar::same;
use crate::resilience::{self, Permit};
use crate::seam::Instant;
use crate::telemetry::{ResponseFlag, ResponseFlags, TlsState};

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
    pub(crate) fn abandon(self) -> Option<Permit> {
        self.request
    }
}

/// How one attempt ended.
pub(super) enum Outcome {
    /// Response headers came; what the attempt holds is with the exchange.
    Answer(Response<Incoming>),
    /// It failed.
    Failed(AttemptFailure),
    /// There was no endpoint to try.
    NoHost,
}

/// Sees one attempt through, and accounts for it however it ends.
pub(super) struct AttemptWatch<'a> {
    pub(super) exchange: &'a mut Exchange,
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
    pub(super) fn new(
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

    pub(super) fn run(
        &mut self,
        mut head: AttemptHead<'_>,
        body: &RequestBody,
        permit: &mut Option<Permit>,
    ) -> impl Future<Output = Outcome> {
        async move {
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
                // Where it refuses it, what was sent already counts as a connection that failed.
                head.resent |= self.tls != TlsState::Plain;
                if fresh && !unjudged {
                    self.cluster.connected(&self.host);
                }
                let sent = match lease.ready().await {
                    Ok(()) => {
                        let request = upstream_request(&mut head, self.exchange, body, &lease);
                        lease.send(request).await.map_err(|failure| {
                            let unsent = failure.unsent.is_some();
                            (head.unsent(failure), unsent)
                        })
                    }
                    Err(error) => Err((AttemptFailure::from_send(&error, true), true)),
                };
                if sent.is_err()
                    && let Some(why) = lease.refusal()
                {
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
                        header_map::replace(map, headers::SERVICE_TIME, headers::number(millis));
                        let attempt = ActiveAttempt {
                            lease,
                            _use: usage,
                            request: permit.take(),
                        };
                        self.exchange.answering = Some(Answering::new(attempt, now));
                        return Outcome::Answer(response);
                    }
                    Err((why, unsent)) => {
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

    pub(super) fn ended(mut self, outcome: &Outcome) {
        self.done = true;
        self.account();
        let (status, flags) = match outcome {
            Outcome::Answer(response) => {
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
    pub(super) fn timed_out(mut self) {
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
pub(super) struct AttemptHead<'a> {
    pub(super) parts: &'a mut request::Parts,
    /// The headers, when an attempt has taken them and another may follow.
    pub(super) spare: &'a mut Option<Spare>,
    /// No other attempt will need it.
    pub(super) is_last: bool,
    /// Another attempt may follow one that was sent.
    pub(super) resent: bool,
}

impl AttemptHead<'_> {
    /// The headers to send. An attempt takes them; those that it did not send after all are to be put back.
    fn headers(&mut self) -> HeaderMap {
        if let Some(spare) = self.spare {
            return spare.headers();
        }
        if self.resent && !self.is_last {
            *self.spare = Some(Spare::of(&self.parts.headers));
        }
        std::mem::take(&mut self.parts.headers)
    }

    /// Takes back what was not sent, and says why.
    #[cold]
    fn unsent(&mut self, failure: SendFailure) -> AttemptFailure {
        let why = AttemptFailure::from_send(&failure.error, failure.unsent.is_some());
        if let Some(mut request) = failure.unsent {
            self.parts.headers = std::mem::take(request.headers_mut());
            *self.spare = None;
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
) -> Request<AttemptBody> {
    let mut request = Request::new(body.attempt());
    *request.headers_mut() = head.headers();
    let head = &*head.parts;
    *request.method_mut() = head.method.clone();
    if lease.is_http2() {
        *request.uri_mut() = head.uri.clone();
        *request.version_mut() = Version::HTTP_2;
        request.headers_mut().remove(header::HOST);
    } else {
        if let Some(path) = head.uri.path_and_query() {
            *request.uri_mut() = Uri::from(path.clone());
        }
        let authority = head.uri.authority();
        let same = match (&exchange.authority.authority, authority) {
            (Some(own), Some(authority)) => same(own, authority),
            _ => false,
        };
        let host = match &exchange.authority.host {
            Some(host) if same => Some(host.clone()),
            _ => HeaderValue::from_str(authority.map_or("", |a| a.as_str())).ok(),
        };
        if let Some(host) = host {
            request.headers_mut().insert(header::HOST, host);
        }
    }
    let count = headers::number(exchange.attempts.into());
    header_map::replace(request.headers_mut(), headers::ATTEMPT_COUNT, count);
    request
}
