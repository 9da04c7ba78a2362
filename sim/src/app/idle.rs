//! How long a connection has been idle.
//!
//! A connection is idle while no request on it is being answered, until the
//! answer's last byte has been handed over. One whose request has not come to
//! its end yet is idle too: there is one timeout for both.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use mesh_core::seam::{BoxSleep, Clock, Instant};

use super::answer::AnswerBody;

/// Whether a connection is idle, and since when.
#[derive(Default)]
pub(super) struct Idleness {
    /// Requests being answered on it.
    busy: Cell<u32>,
    /// When the last of them ended.
    since: Cell<Option<Instant>>,
    waker: RefCell<Option<Waker>>,
}

impl Idleness {
    /// A request begins to be answered.
    pub(super) fn begin(self: &Rc<Self>, clock: &Arc<dyn Clock>) -> Busy {
        self.busy.set(self.busy.get() + 1);
        Busy {
            idleness: self.clone(),
            clock: clock.clone(),
        }
    }
}

/// A request being answered; dropped when its answer is.
pub(super) struct Busy {
    idleness: Rc<Idleness>,
    clock: Arc<dyn Clock>,
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.idleness.busy.set(self.idleness.busy.get() - 1);
        self.idleness.since.set(Some(self.clock.now()));
        if let Some(waker) = self.idleness.waker.take() {
            waker.wake();
        }
    }
}

/// An answer's body, and the busyness of its connection.
pub(super) struct Occupied {
    body: AnswerBody,
    _busy: Option<Busy>,
}

impl Occupied {
    /// `body`, whose end is the end of `busy`.
    pub(super) fn new(body: AnswerBody, busy: Option<Busy>) -> Self {
        Self { body, _busy: busy }
    }
}

impl Body for Occupied {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Waits until a connection has been idle for too long.
pub(super) struct Patience {
    clock: Arc<dyn Clock>,
    timeout: Duration,
    idleness: Rc<Idleness>,
    opened: Instant,
    sleep: Option<(Instant, BoxSleep)>,
}

impl Patience {
    /// With a connection that is opened now.
    pub(super) fn new(clock: Arc<dyn Clock>, timeout: Duration, idleness: Rc<Idleness>) -> Self {
        Self {
            opened: clock.now(),
            clock,
            timeout,
            idleness,
            sleep: None,
        }
    }

    /// Ready when it has been idle for so long.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        *self.idleness.waker.borrow_mut() = Some(cx.waker().clone());
        if self.idleness.busy.get() > 0 {
            self.sleep = None;
            return Poll::Pending;
        }
        let due = self.idleness.since.get().unwrap_or(self.opened) + self.timeout;
        if self.sleep.as_ref().is_none_or(|(armed, _)| *armed != due) {
            self.sleep = Some((due, self.clock.sleep_until(due)));
        }
        if let Some((_, sleep)) = &mut self.sleep {
            ready!(sleep.as_mut().poll(cx));
        }
        Poll::Ready(())
    }
}
