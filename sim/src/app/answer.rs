//! The body of an app's answer.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use mesh_core::seam::{BoxSleep, Clock, Instant};

use super::body::{FillBody, piece};
use super::visit::Visit;

/// The body of an answer.
pub(super) enum AnswerBody {
    /// All there at once.
    Whole(FillBody),
    /// Sent slowly, the worker held until the last byte.
    Slow(Box<SlowBody>),
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(body) => Pin::new(body).poll_frame(cx),
            Self::Slow(body) => body
                .poll_piece(cx)
                .map(|piece| piece.map(|p| Ok(Frame::data(p)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Slow(body) => body.left == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Slow(body) => SizeHint::with_exact(body.left),
        }
    }
}

/// Pieces a slow body is sent in: enough to look like a trickle.
const PIECES: u64 = 64;

/// A body whose bytes are due evenly over a time, the first at its beginning and the last at its end.
pub(super) struct SlowBody {
    clock: Arc<dyn Clock>,
    sleep: Option<BoxSleep>,
    start: Instant,
    over: Duration,
    bytes: u64,
    left: u64,
    /// Ended when the last piece has been taken, abandoned when dropped before.
    visit: Option<Visit>,
}

impl SlowBody {
    /// A body that starts now. It ends `visit`.
    pub(super) fn new(clock: Arc<dyn Clock>, bytes: u64, over: Duration, visit: Visit) -> Self {
        Self {
            sleep: None,
            start: clock.now(),
            clock,
            over,
            bytes,
            left: bytes,
            visit: Some(visit),
        }
    }

    fn piece_bytes(&self) -> u64 {
        self.bytes.div_ceil(PIECES).max(1)
    }

    /// When the next piece is due: the first at the start, the last at the
    /// end; the only piece of a body too small for two is its last.
    fn due(&self) -> Instant {
        let last = self.bytes.div_ceil(self.piece_bytes()).saturating_sub(1);
        let next = (self.bytes - self.left) / self.piece_bytes();
        if next >= last {
            return self.start + self.over;
        }
        let share = self.over.as_nanos() * u128::from(next) / u128::from(last);
        self.start + Duration::from_nanos(u64::try_from(share).unwrap_or(u64::MAX))
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let due = self.due();
        if self.clock.now() < due {
            let sleep = self
                .sleep
                .get_or_insert_with(|| self.clock.sleep_until(due));
            ready!(sleep.as_mut().poll(cx));
        }
        self.sleep = None;
        let piece = piece(self.left.min(self.piece_bytes()));
        self.left -= piece.len() as u64;
        if self.left == 0
            && let Some(visit) = self.visit.take()
        {
            visit.answered();
        }
        Poll::Ready(Some(piece))
    }
}
