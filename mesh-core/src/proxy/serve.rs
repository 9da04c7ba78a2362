//! One downstream connection, from its first byte to its end.
//!
//! hyper speaks HTTP on it. When it has to end is decided here: when it has
//! carried no request for an hour (Envoy's default `idle_timeout` of a
//! connection manager, which Istio keeps), so that a peer that connects and
//! says nothing does not stay for ever; or when its listener has ceased to take
//! connections of its kind. Then it is told to go (GOAWAY, or the end of
//! keep-alive), requests in flight may end, and what is left after the drain
//! time is cut off (Envoy drains removed filter chains; Istio's `drainDuration`
//! is 45 s). Envoy takes new requests on such a connection while it drains;
//! here it takes none.

use std::cell::Cell;
use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt as _;
use http::{Request, Response, request};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;

use super::exchange::Downstream;
use super::response_body::ResponseBody;
use super::transport::Transport;
use crate::seam::{Executor, HyperTimer, Instant};

/// A connection without requests is closed after this long.
const IDLE_TIMEOUT: Duration = Duration::from_secs(3600);

/// A connection that has been told to go is cut off after this long.
const DRAIN_TIME: Duration = Duration::from_secs(45);

/// Envoy's default for streams at once on a downstream connection (2³¹ − 1).
const STREAMS_MAX: u32 = i32::MAX as u32;

/// Serves HTTP/1.1 and HTTP/2 until the connection ends, or `retired` does.
pub(crate) async fn serve_http<F, S>(
    transport: Transport,
    downstream: &Rc<Downstream>,
    timer: HyperTimer,
    service: S,
    retired: impl Future<Output = ()>,
) where
    S: Fn(Box<request::Parts>, Incoming) -> F + 'static,
    F: Future<Output = Response<ResponseBody>> + 'static,
{
    let seams = &downstream.seams;
    let builder = http_builder(Executor(seams.spawn.clone()), timer);
    // The head is boxed, because it is handed through every filter and big to move. So is the future:
    // hyper keeps it inside its connection, where it would touch a connection's worth of cold memory.
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let (head, body) = request.into_parts();
        // Written where they stay: made first, all their room would be copied, used or not.
        let head = Box::write(Box::new_uninit(), head);
        let answer = Box::write(
            Box::new_uninit(),
            service(head, body).map(Ok::<_, Infallible>),
        );
        Box::into_pin(answer)
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(transport), service));
    let mut retired = pin!(retired);
    let mut due = seams.now() + IDLE_TIMEOUT;
    let mut alarm = seams.clock.sleep_until(due);
    // An alarm that has been polled wakes this task when it is due: until then it need not be asked
    // again. Without budget it was not really polled (tokio's cooperative scheduling).
    let mut set = false;
    let mut draining = false;
    std::future::poll_fn(|cx| {
        loop {
            // Each request has told its own story; how the connection ended adds nothing.
            if connection.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            let now = seams.now();
            let told_to_go = !draining && retired.as_mut().poll(cx).is_ready();
            if !told_to_go {
                if set && now < due {
                    return Poll::Pending;
                }
                set = tokio::task::coop::has_budget_remaining();
                if alarm.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                if draining {
                    return Poll::Ready(());
                }
            }
            due = downstream.activity.idle_until(now, IDLE_TIMEOUT);
            if told_to_go || due <= now {
                draining = true;
                connection.as_mut().graceful_shutdown();
                due = now + DRAIN_TIME;
            }
            alarm.as_mut().reset(due);
            set = false;
        }
    })
    .await;
}

fn http_builder(executor: Executor, timer: HyperTimer) -> auto::Builder<Executor> {
    let mut builder = auto::Builder::new(executor);
    builder
        .http1()
        .timer(timer.clone())
        .header_read_timeout(None)
        .auto_date_header(false)
        .http2()
        .timer(timer)
        .auto_date_header(false)
        .max_concurrent_streams(STREAMS_MAX)
        .max_local_error_reset_streams(None)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(16 << 20);
    builder
}

/// How busy a downstream connection is.
pub(crate) struct Activity {
    requests: Cell<u32>,
    idle_since: Cell<Instant>,
}

impl Activity {
    /// A connection made at `now`.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            requests: Cell::new(0),
            idle_since: Cell::new(now),
        }
    }

    /// A request begins.
    pub(crate) fn begin(&self) {
        self.requests.set(self.requests.get() + 1);
    }

    /// A request has ended.
    pub(crate) fn end(&self, now: Instant) {
        self.requests.set(self.requests.get().saturating_sub(1));
        self.idle_since.set(now);
    }

    /// The earliest instant at which it can have been idle for `limit`.
    pub(crate) fn idle_until(&self, now: Instant, limit: Duration) -> Instant {
        match self.requests.get() {
            0 => self.idle_since.get() + limit,
            _ => now + limit,
        }
    }
}
