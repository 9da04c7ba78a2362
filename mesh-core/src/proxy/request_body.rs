//! Request bodies that can be sent again.
//!
//! The downstream's body is read once. While it passes to the first attempt it
//! is kept, up to a limit, so that another attempt can start from its
//! beginning; past the limit the request goes on but can be tried only once,
//! as Envoy does (its default limit is 1 MiB).

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

/// Envoy's default `per_connection_buffer_limit_bytes`.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// A downstream's request body, shared by the attempts of one request.
#[derive(Clone)]
pub(crate) struct RequestBody(Rc<RefCell<State>>);

struct State {
    source: Option<Incoming>,
    /// Chunks read so far, from `first` on.
    kept: Kept,
    kept_bytes: usize,
    /// Whether the beginning was thrown away.
    overflowed: bool,
    trailers: Option<Box<http::HeaderMap>>,
    total: u64,
    ended: bool,
    failed: bool,
    size: SizeHint,
    /// Woken when the body ends: the route timeout starts then.
    end_waker: Option<Waker>,
}

/// Chunks; most bodies are one, and that one needs no room of its own.
#[derive(Default)]
struct Kept {
    first: Option<Bytes>,
    others: Vec<Bytes>,
}

impl Kept {
    fn push(&mut self, chunk: Bytes) {
        match &self.first {
            None => self.first = Some(chunk),
            Some(_) => self.others.push(chunk),
        }
    }

    fn get(&self, index: usize) -> Option<&Bytes> {
        match index {
            0 => self.first.as_ref(),
            _ => self.others.get(index - 1),
        }
    }

    fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.len()
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

impl RequestBody {
    pub(crate) fn new(source: Incoming) -> Self {
        let ended = source.is_end_stream();
        let size = source.size_hint();
        Self(Rc::new(RefCell::new(State {
            source: (!ended).then_some(source),
            kept: Kept::default(),
            kept_bytes: 0,
            overflowed: false,
            trailers: None,
            total: 0,
            ended,
            failed: false,
            size,
            end_waker: None,
        })))
    }

    /// Whether another attempt can send it from the beginning.
    pub(crate) fn can_replay(&self) -> bool {
        !self.0.borrow().overflowed
    }

    /// Whether the downstream stopped sending in the middle.
    pub(crate) fn failed(&self) -> bool {
        self.0.borrow().failed
    }

    /// Bytes received.
    pub(crate) fn received(&self) -> u64 {
        self.0.borrow().total
    }

    /// Completes when all of it has been received.
    pub(crate) fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.borrow_mut();
        if state.ended {
            return Poll::Ready(());
        }
        state.end_waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// The body for one attempt.
    pub(crate) fn attempt(&self) -> AttemptBody {
        if self.0.borrow().ended && self.0.borrow().total == 0 && self.0.borrow().trailers.is_none()
        {
            return AttemptBody(None);
        }
        AttemptBody(Some(Replay {
            body: self.clone(),
            next: 0,
            trailers_sent: false,
        }))
    }
}

impl State {
    fn end(&mut self) {
        self.ended = true;
        self.source = None;
        if let Some(waker) = self.end_waker.take() {
            waker.wake();
        }
    }

    fn keep(&mut self, data: &Bytes) {
        self.total += data.len() as u64;
        if self.overflowed {
            return;
        }
        self.kept_bytes += data.len();
        if self.kept_bytes > KEPT_BYTES_MAX {
            self.overflowed = true;
            self.kept.clear();
        } else {
            self.kept.push(data.clone());
        }
    }
}

/// What one attempt sends upstream; empty when there is no body at all.
pub(crate) struct AttemptBody(Option<Replay>);

struct Replay {
    body: RequestBody,
    /// The next kept chunk to send.
    next: usize,
    trailers_sent: bool,
}

/// The downstream went away in the middle of its body.
#[derive(Debug)]
pub(crate) struct BodyAborted;

impl std::fmt::Display for BodyAborted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the downstream stopped sending its request")
    }
}

impl std::error::Error for BodyAborted {}

impl Body for AttemptBody {
    type Data = Bytes;
    type Error = BodyAborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyAborted>>> {
        match &mut self.0 {
            None => Poll::Ready(None),
            Some(replay) => replay.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            None => true,
            Some(replay) => {
                let state = replay.body.0.borrow();
                state.ended
                    && !state.failed
                    && replay.next >= state.kept.len()
                    && (replay.trailers_sent || state.trailers.is_none())
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            None => SizeHint::with_exact(0),
            Some(replay) => replay.body.0.borrow().size,
        }
    }
}

impl Replay {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyAborted>>> {
        let state = &mut *self.body.0.borrow_mut();
        if let Some(chunk) = state.kept.get(self.next) {
            self.next += 1;
            return Poll::Ready(Some(Ok(Frame::data(chunk.clone()))));
        }
        if state.failed {
            return Poll::Ready(Some(Err(BodyAborted)));
        }
        let Some(source) = state.source.as_mut() else {
            if !self.trailers_sent
                && let Some(trailers) = state.trailers.clone()
            {
                self.trailers_sent = true;
                return Poll::Ready(Some(Ok(Frame::trailers(*trailers))));
            }
            return Poll::Ready(None);
        };
        let frame = match ready!(Pin::new(&mut *source).poll_frame(cx)) {
            None => {
                state.end();
                return Poll::Ready(None);
            }
            Some(Err(_)) => {
                state.failed = true;
                state.end();
                return Poll::Ready(Some(Err(BodyAborted)));
            }
            Some(Ok(frame)) => frame,
        };
        let done = source.is_end_stream();
        let frame = match frame.into_data() {
            Ok(data) => {
                state.keep(&data);
                self.next = state.kept.len();
                Frame::data(data)
            }
            Err(frame) => {
                state.trailers = frame.trailers_ref().cloned().map(Box::new);
                self.trailers_sent = true;
                frame
            }
        };
        if done {
            state.end();
        }
        Poll::Ready(Some(Ok(frame)))
    }
}
