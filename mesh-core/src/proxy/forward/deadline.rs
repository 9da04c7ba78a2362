//! The route timeout.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;

use crate::proxy::exchange::Downstream;
use crate::proxy::request_body::RequestBody;
use crate::seam::BoxSleep;

/// The route timeout: a timer that starts when the request has been received completely.
pub(super) struct Deadline {
    pub(super) timeout: Option<Duration>,
    pub(super) body: RequestBody,
    pub(super) downstream: Rc<Downstream>,
    pub(super) armed: Option<BoxSleep>,
}

/// The route timeout fired.
pub(super) struct DeadlinePassed;

impl Deadline {
    /// Runs `future`, unless the deadline passes first.
    pub(super) fn bound<F: Future>(&mut self, future: F) -> Bound<'_, F> {
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
    pub(super) struct Bound<'d, F> {
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
