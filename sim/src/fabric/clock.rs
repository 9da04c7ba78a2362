//! Virtual time, and each host's own idea of it.
//!
//! Global time is a nanosecond counter that only the event loop moves. A host
//! reads it through its own clock: `local = l0 + (global - g0) * (1 + ppb/1e9)`
//! in 128-bit integers, rounded down; the way back rounds up, so that a timer
//! never fires before its deadline on the clock it was set on. Changing a
//! rate starts a new linear piece (`l0`, `g0`) and re-times the pending timers
//! of that host. The wall clock is the monotonic one plus an offset that may
//! be stepped without touching timers, as `CLOCK_REALTIME` and
//! `CLOCK_MONOTONIC` relate on Linux.
//!
//! hyper's `Sleep` and rustls' `TimeProvider` must be `Send + Sync`, hence the
//! `Arc`, the atomics and the (never contended) locks. Nobody is woken while
//! the queue is locked: a waker may drop a task, and with it a timer.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, ready};
use std::time::Duration;

use mesh_core::seam::{BoxSleep, Clock, Instant, Sleep};
use tokio::task::coop::poll_proceed;

use super::panic::Failure;
use super::queue::Queue;

const GIGA: i128 = 1_000_000_000;
/// A clock may run arbitrarily slowly, but it runs.
const PPB_MIN: i64 = -999_999_999;

/// What the event loop shares with clocks and wakers.
#[derive(Default)]
pub(super) struct Shared {
    now: AtomicU64,
    queue: Mutex<Queue>,
    ready: Mutex<VecDeque<u32>>,
    failure: Mutex<Option<Failure>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Global time.
    pub(super) fn now(&self) -> u64 {
        self.now.load(Relaxed)
    }

    /// Moves global time.
    pub(super) fn set_now(&self, at: u64) {
        self.now.store(at, Relaxed);
    }

    /// The event queue, locked.
    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }

    /// The next host to poll.
    pub(super) fn next_ready(&self) -> Option<u32> {
        lock(&self.ready).pop_front()
    }

    /// Notes that a task of `host` panicked; the first one counts.
    fn fail(&self, failure: Failure) {
        lock(&self.failure).get_or_insert(failure);
    }

    /// The panic noted, if any.
    pub(super) fn take_failure(&self) -> Option<Failure> {
        lock(&self.failure).take()
    }
}

/// Wakes a host: puts it into the line of hosts to poll, once.
pub(super) struct HostWaker {
    shared: Arc<Shared>,
    host: u32,
    queued: AtomicBool,
    tasks: AtomicU32,
}

impl HostWaker {
    /// The waker of `host`.
    pub(super) fn new(shared: Arc<Shared>, host: u32) -> Self {
        Self {
            shared,
            host,
            queued: AtomicBool::new(false),
            tasks: AtomicU32::new(0),
        }
    }

    /// One task more.
    pub(super) fn enter(&self) {
        self.tasks.fetch_add(1, Relaxed);
    }

    /// One task less.
    pub(super) fn leave(&self) {
        self.tasks.fetch_sub(1, Relaxed);
    }

    /// How many tasks the host has.
    pub(super) fn tasks(&self) -> u32 {
        self.tasks.load(Relaxed)
    }

    /// Notes that a task of this host panicked.
    pub(super) fn fail(&self, message: String) {
        let host = self.host;
        self.shared.fail(Failure { host, message });
    }

    /// The host is about to be polled: wakes from now on count again.
    pub(super) fn clear(&self) {
        self.queued.store(false, Relaxed);
    }
}

impl Wake for HostWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Relaxed) {
            lock(&self.shared.ready).push_back(self.host);
        }
    }
}

/// One linear piece of a host's clock.
#[derive(Clone, Copy)]
struct Piece {
    local: u64,
    global: u64,
    ppb: i64,
    wall_offset_ns: i64,
}

impl Piece {
    fn local(self, global: u64) -> u64 {
        let span = i128::from(global.saturating_sub(self.global));
        let local = i128::from(self.local) + span * (GIGA + i128::from(self.ppb)) / GIGA;
        u64::try_from(local).unwrap_or(u64::MAX)
    }

    /// The first global instant at which the clock shows `local`.
    fn global(self, local: u64) -> u64 {
        if local == u64::MAX {
            return u64::MAX;
        }
        let span = i128::from(local.saturating_sub(self.local));
        let rate = GIGA + i128::from(self.ppb);
        let global = i128::from(self.global) + (span * GIGA + rate - 1) / rate;
        u64::try_from(global).unwrap_or(u64::MAX)
    }
}

/// A host's clock.
pub(super) struct ClockState {
    shared: Arc<Shared>,
    host: u32,
    /// Wall time when the world began.
    epoch: Duration,
    /// Whether it differs from global time.
    skewed: AtomicBool,
    piece: Mutex<Piece>,
}

impl ClockState {
    /// A clock that agrees with global time.
    pub(super) fn new(shared: Arc<Shared>, host: u32, epoch: Duration) -> Self {
        Self {
            shared,
            host,
            epoch,
            skewed: AtomicBool::new(false),
            piece: Mutex::new(Piece {
                local: 0,
                global: 0,
                ppb: 0,
                wall_offset_ns: 0,
            }),
        }
    }

    /// Asked a dozen times at every hop of a request.
    #[inline]
    fn now(&self) -> u64 {
        if self.skewed.load(Relaxed) {
            return self.skewed_now();
        }
        self.shared.now()
    }

    #[cold]
    fn skewed_now(&self) -> u64 {
        lock(&self.piece).local(self.shared.now())
    }

    fn global(&self, local: u64) -> u64 {
        if self.skewed.load(Relaxed) {
            return lock(&self.piece).global(local);
        }
        local
    }

    /// From now on the clock gains `ppb` nanoseconds per second of true time.
    pub(super) fn set_rate(&self, ppb: i64) {
        let global = self.shared.now();
        let piece = {
            let mut piece = lock(&self.piece);
            *piece = Piece {
                local: piece.local(global),
                global,
                ppb: ppb.max(PPB_MIN),
                wall_offset_ns: piece.wall_offset_ns,
            };
            *piece
        };
        self.skewed.store(true, Relaxed);
        self.shared
            .queue()
            .retime(self.host, |deadline| piece.global(deadline));
    }

    /// Moves the wall clock by `offset_ns`; timers do not notice.
    pub(super) fn step_wall(&self, offset_ns: i64) {
        let mut piece = lock(&self.piece);
        piece.wall_offset_ns = piece.wall_offset_ns.saturating_add(offset_ns);
        drop(piece);
        self.skewed.store(true, Relaxed);
    }

    fn unix_time(&self) -> Duration {
        let wall = self.epoch + Duration::from_nanos(self.now());
        if !self.skewed.load(Relaxed) {
            return wall;
        }
        let offset = lock(&self.piece).wall_offset_ns;
        let span = Duration::from_nanos(offset.unsigned_abs());
        if offset < 0 {
            wall.saturating_sub(span)
        } else {
            wall.saturating_add(span)
        }
    }
}

/// The handle that goes out as `seam::Clock`.
pub(super) struct HostClock(pub(super) Arc<ClockState>);

impl Clock for HostClock {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.now())
    }

    fn sleep_until(&self, deadline: Instant) -> BoxSleep {
        Box::pin(FabricSleep {
            clock: self.0.clone(),
            deadline: deadline.as_nanos(),
            slot: None,
        })
    }

    fn unix_time(&self) -> Duration {
        self.0.unix_time()
    }
}

struct FabricSleep {
    clock: Arc<ClockState>,
    deadline: u64,
    /// Its timer, once it had to wait.
    slot: Option<u32>,
}

impl FabricSleep {
    fn cancel(&mut self) {
        if let Some(slot) = self.slot.take() {
            let waker = self.clock.shared.queue().remove(slot);
            drop(waker);
        }
    }
}

impl Drop for FabricSleep {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl Future for FabricSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        // Without a budget `loop { sleep(0).await }` would never leave one
        // poll, where no guard can see it.
        let coop = ready!(poll_proceed(cx));
        if this.clock.now() >= this.deadline {
            coop.made_progress();
            this.cancel();
            return Poll::Ready(());
        }
        if this.deadline == u64::MAX {
            return Poll::Pending;
        }
        let due = this.clock.global(this.deadline);
        let mut queue = this.clock.shared.queue();
        let slot = *this
            .slot
            .get_or_insert_with(|| queue.insert(this.clock.host));
        queue.set_waker(slot, cx.waker());
        if !queue.is_set(slot, this.deadline) {
            queue.set(slot, due, this.deadline);
        }
        Poll::Pending
    }
}

impl Sleep for FabricSleep {
    fn reset(mut self: Pin<&mut Self>, deadline: Instant) {
        self.deadline = deadline.as_nanos();
        let Some(slot) = self.slot else { return };
        if self.deadline == u64::MAX {
            self.cancel();
            return;
        }
        let due = self.clock.global(self.deadline);
        self.clock.shared.queue().set(slot, due, self.deadline);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(ppb: i64) -> Piece {
        Piece {
            local: 0,
            global: 0,
            ppb,
            wall_offset_ns: 0,
        }
    }

    #[test]
    fn a_fast_clock_reaches_its_deadline_early() {
        // 10 s at +100 ppm: 10e9 / 1.0001 = 9 999 000 099.99, rounded up.
        assert_eq!(piece(100_000).global(10_000_000_000), 9_999_000_100);
        assert_eq!(piece(-500_000_000).global(10_000_000_000), 20_000_000_000);
    }

    proptest::proptest! {
        #[test]
        fn a_deadline_is_never_early_and_at_most_one_tick_late(
            deadline in 0u64..1 << 50, ppb in -900_000_000i64..2_000_000_000,
        ) {
            let piece = piece(ppb);
            let fires = piece.global(deadline);
            proptest::prop_assert!(piece.local(fires) >= deadline);
            proptest::prop_assert!(fires == 0 || piece.local(fires - 1) < deadline);
        }
    }
}
