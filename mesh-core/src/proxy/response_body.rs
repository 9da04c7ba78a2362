//! What the downstream is sent: the upstream's answer as it comes, or a local reply.

use std::borrow::Cow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::exchange::Exchange;
use super::forward::ActiveAttempt;
use crate::resilience::Permit;
use crate::seam::{BoxSleep, Instant};
use crate::telemetry::{Mechanism, ResponseFlag};

/// A response body. Dropping it before its end means that the downstream went away.
pub(crate) struct ResponseBody {
    kind: Kind,
    exchange: Box<Exchange>,
}

enum Kind {
    Done,
    Local(Bytes),
    Upstream(Incoming),
}

/// What is kept while an upstream's answer is passed on, beside the exchange: a body is moved about.
pub(super) struct Answering {
    attempt: ActiveAttempt,
    since: Instant,
    deadline: Option<BoxSleep>,
}

impl Answering {
    /// An attempt whose answer began at `since`.
    pub(super) fn new(attempt: ActiveAttempt, since: Instant) -> Self {
        Self {
            attempt,
            since,
            deadline: None,
        }
    }

    /// Nobody will read the answer; the request keeps its place.
    pub(super) fn abandon(self) -> Option<Permit> {
        self.attempt.abandon()
    }
}

/// The answer broke off in the middle.
#[derive(Debug)]
pub(crate) struct ResponseAborted(Cow<'static, str>);

impl std::fmt::Display for ResponseAborted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the upstream's answer broke off: {}", self.0)
    }
}

impl std::error::Error for ResponseAborted {}

impl ResponseBody {
    pub(crate) fn local(bytes: Bytes, mut exchange: Box<Exchange>) -> Self {
        exchange.response_bytes = bytes.len() as u64;
        let kind = if bytes.is_empty() || exchange.method == http::Method::HEAD {
            exchange.complete(exchange.seams().now());
            Kind::Done
        } else {
            Kind::Local(bytes)
        };
        Self { kind, exchange }
    }

    /// The answer that the exchange's attempt got.
    pub(crate) fn upstream(
        body: Incoming,
        deadline: Option<BoxSleep>,
        exchange: Box<Exchange>,
    ) -> Self {
        let whole = body.is_end_stream();
        let kind = Kind::Upstream(body);
        let mut answer = Self { kind, exchange };
        if whole {
            answer.end();
        } else if let Some(answering) = &mut answer.exchange.answering {
            answering.deadline = deadline;
        }
        answer
    }

    fn end(&mut self) {
        let kind = std::mem::replace(&mut self.kind, Kind::Done);
        let now = self.exchange.seams().now();
        if let Some(answering) = self.exchange.answering.take() {
            self.exchange.timing.upstream += now.since(answering.since);
            answering.attempt.finish();
        }
        drop(kind);
        self.exchange.complete(now);
    }

    #[cold]
    fn abort(&mut self, flag: ResponseFlag, why: Cow<'static, str>) -> ResponseAborted {
        self.kind = Kind::Done;
        let now = self.exchange.seams().now();
        if let Some(answering) = self.exchange.answering.take() {
            self.exchange.timing.upstream += now.since(answering.since);
        }
        self.exchange.flags.insert(flag);
        self.exchange.details = why.clone();
        self.exchange.complete(now);
        ResponseAborted(why)
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = ResponseAborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ResponseAborted>>> {
        let this = &mut *self;
        match &mut this.kind {
            Kind::Done => Poll::Ready(None),
            Kind::Local(bytes) => {
                let bytes = std::mem::take(bytes);
                this.end();
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Kind::Upstream(body) => {
                let polled = Pin::new(&mut *body).poll_frame(cx);
                if polled.is_pending()
                    && let Some(answering) = &mut this.exchange.answering
                    && let Some(sleep) = &mut answering.deadline
                    && sleep.as_mut().poll(cx).is_ready()
                {
                    this.exchange.mechanism(Mechanism::Timeout, "");
                    let flag = ResponseFlag::UpstreamRequestTimeout;
                    let aborted = this.abort(flag, "response_timeout".into());
                    return Poll::Ready(Some(Err(aborted)));
                }
                match ready!(polled) {
                    None => {
                        this.end();
                        Poll::Ready(None)
                    }
                    Some(Ok(frame)) => {
                        if let Some(data) = frame.data_ref() {
                            this.exchange.response_bytes += data.len() as u64;
                        }
                        if body.is_end_stream() {
                            this.end();
                        }
                        Poll::Ready(Some(Ok(frame)))
                    }
                    Some(Err(error)) => {
                        // Observed (case retry_not_after_headers): UPE, and no retry.
                        let why = super::failure::root_cause(&error);
                        let flag = ResponseFlag::UpstreamProtocolError;
                        Poll::Ready(Some(Err(this.abort(flag, why.into()))))
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.kind, Kind::Done)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Done => SizeHint::with_exact(0),
            Kind::Local(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Upstream(body) => body.size_hint(),
        }
    }
}
