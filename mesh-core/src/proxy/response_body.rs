//! What the downstream is sent: the upstream's answer as it comes, or a local reply.

use std::borrow::Cow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::exchange::Exchange;
use super::forward::ActiveAttempt;
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
    Upstream(Box<Upstream>),
}

struct Upstream {
    body: Incoming,
    attempt: Option<ActiveAttempt>,
    since: Instant,
    deadline: Option<BoxSleep>,
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
            exchange.complete();
            Kind::Done
        } else {
            Kind::Local(bytes)
        };
        Self { kind, exchange }
    }

    pub(crate) fn upstream(
        body: Incoming,
        attempt: ActiveAttempt,
        deadline: Option<BoxSleep>,
        mut exchange: Box<Exchange>,
    ) -> Self {
        if body.is_end_stream() {
            attempt.finish();
            exchange.complete();
            let kind = Kind::Done;
            return Self { kind, exchange };
        }
        let since = exchange.seams().now();
        let kind = Kind::Upstream(Box::new(Upstream {
            body,
            attempt: Some(attempt),
            since,
            deadline,
        }));
        Self { kind, exchange }
    }

    fn end(&mut self) {
        if let Kind::Upstream(upstream) = std::mem::replace(&mut self.kind, Kind::Done) {
            let now = self.exchange.seams().now();
            self.exchange.timing.upstream += now.since(upstream.since);
            if let Some(attempt) = upstream.attempt {
                attempt.finish();
            }
        }
        self.exchange.complete();
    }

    #[cold]
    fn abort(&mut self, flag: ResponseFlag, why: Cow<'static, str>) -> ResponseAborted {
        if let Kind::Upstream(upstream) = std::mem::replace(&mut self.kind, Kind::Done) {
            let now = self.exchange.seams().now();
            self.exchange.timing.upstream += now.since(upstream.since);
        }
        self.exchange.flags.insert(flag);
        self.exchange.details = why.clone();
        self.exchange.complete();
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
            Kind::Upstream(upstream) => {
                let polled = Pin::new(&mut upstream.body).poll_frame(cx);
                if polled.is_pending()
                    && let Some(sleep) = &mut upstream.deadline
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
                        if upstream.body.is_end_stream() {
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
            Kind::Upstream(upstream) => upstream.body.size_hint(),
        }
    }
}
