//! Time as a seam: a monotonic clock with nanosecond timers, and wall time.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use rustls_pki_types::UnixTime;
use serde::{Deserialize, Serialize};

/// A point on a host's monotonic clock, in nanoseconds since the world began.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Instant(u64);

impl Instant {
    /// The beginning of the world.
    pub const ZERO: Self = Self(0);
    /// A point that is never reached.
    pub const NEVER: Self = Self(u64::MAX);

    /// The instant `nanos` nanoseconds after the beginning.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the beginning.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Time since the beginning.
    pub const fn elapsed(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// Time from `earlier` to `self`; zero when `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Duration> for Instant {
    type Output = Self;

    /// Saturates at [`Instant::NEVER`]: an absurd timeout means "never", not a wrap.
    fn add(self, rhs: Duration) -> Self {
        let nanos = u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

/// A pending timer. Dropping it cancels it.
pub trait Sleep: Future<Output = ()> + Send + Sync {
    /// Moves the timer to another deadline, in place.
    fn reset(self: Pin<&mut Self>, deadline: Instant);
}

/// A boxed timer.
pub type BoxSleep = Pin<Box<dyn Sleep>>;

/// A host's clock.
pub trait Clock: Send + Sync + 'static {
    /// The monotonic time.
    fn now(&self) -> Instant;

    /// A timer that completes once `now() >= deadline`.
    fn sleep_until(&self, deadline: Instant) -> BoxSleep;

    /// Wall time since the Unix epoch, as certificates and `date` headers see it.
    fn unix_time(&self) -> Duration;
}

/// Completes after `span` on `clock`.
pub fn sleep(clock: &dyn Clock, span: Duration) -> BoxSleep {
    clock.sleep_until(clock.now() + span)
}

/// Runs `future` until `deadline`; `None` when the deadline came first. A
/// future that is ready at the very instant of its deadline wins.
pub fn timeout_at<F: Future>(clock: &dyn Clock, deadline: Instant, future: F) -> TimeoutAt<'_, F> {
    TimeoutAt {
        clock,
        deadline,
        sleep: None,
        future,
    }
}

pin_project! {
    /// The future of [`timeout_at`].
    ///
    /// Written out because an `async fn` would hold its future twice: as an
    /// argument and where it is awaited. Nested, that doubles at every level,
    /// and every request pays for moving it.
    pub struct TimeoutAt<'a, F> {
        clock: &'a dyn Clock,
        deadline: Instant,
        sleep: Option<BoxSleep>,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for TimeoutAt<'_, F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(out) = this.future.poll(cx) {
            return Poll::Ready(Some(out));
        }
        if *this.deadline == Instant::NEVER {
            return Poll::Pending;
        }
        let (clock, deadline) = (*this.clock, *this.deadline);
        let sleep = this
            .sleep
            .get_or_insert_with(|| clock.sleep_until(deadline));
        sleep.as_mut().poll(cx).map(|()| None)
    }
}

/// hyper's view of a [`Clock`].
#[derive(Clone)]
pub struct HyperTimer {
    clock: Arc<dyn Clock>,
    /// What hyper sees as the beginning of the world; only differences to it matter.
    base: std::time::Instant,
}

impl HyperTimer {
    /// A timer on `clock`.
    #[expect(
        clippy::disallowed_methods,
        reason = "std offers no other way to make an Instant; it is an arbitrary origin, and only virtual offsets from it are ever compared"
    )]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            base: std::time::Instant::now(),
        }
    }

    fn instant(&self, at: std::time::Instant) -> Instant {
        Instant::ZERO + at.saturating_duration_since(self.base)
    }
}

struct HyperSleep(BoxSleep);

impl Future for HyperSleep {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

impl hyper::rt::Sleep for HyperSleep {}

impl hyper::rt::Timer for HyperTimer {
    fn sleep(&self, span: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(HyperSleep(sleep(&*self.clock, span)))
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(HyperSleep(self.clock.sleep_until(self.instant(deadline))))
    }

    fn now(&self) -> std::time::Instant {
        self.base + self.clock.now().elapsed()
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn hyper::rt::Sleep>>, deadline: std::time::Instant) {
        let at = self.instant(deadline);
        match sleep.as_mut().downcast_mut_pin::<HyperSleep>() {
            // In place: h2 keep-alive resets on every frame.
            Some(mut own) => own.0.as_mut().reset(at),
            None => *sleep = Box::pin(HyperSleep(self.clock.sleep_until(at))),
        }
    }
}

/// rustls' view of a [`Clock`].
#[derive(Clone)]
pub struct TlsTime(pub Arc<dyn Clock>);

impl std::fmt::Debug for TlsTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsTime")
    }
}

impl rustls::time_provider::TimeProvider for TlsTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(self.0.unix_time()))
    }
}
