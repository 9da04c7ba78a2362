//! Virtual time, exact to the nanosecond.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mesh_core::seam::{BoxSleep, Clock, Instant, Sleep};

#[derive(Default)]
pub(super) struct TestClock(Arc<Mutex<Timers>>);

#[derive(Default)]
struct Timers {
    now: u64,
    next: u64,
    pending: BTreeMap<(u64, u64), Waker>,
}

struct TestSleep {
    timers: Arc<Mutex<Timers>>,
    deadline: u64,
    key: Option<(u64, u64)>,
}

impl TestClock {
    /// Jumps to the next timer not after `end` and fires it, with all others of that instant.
    pub(super) fn advance(&self, end: Instant) -> bool {
        let mut due = Vec::new();
        {
            let mut timers = self.0.lock().unwrap();
            let Some((&(at, _), _)) = timers.pending.first_key_value() else {
                return false;
            };
            if at > end.as_nanos() {
                timers.now = end.as_nanos();
                return false;
            }
            timers.now = at;
            while let Some(entry) = timers.pending.first_entry() {
                if entry.key().0 > at {
                    break;
                }
                due.push(entry.remove());
            }
        }
        due.into_iter().for_each(Waker::wake);
        true
    }
}

impl Clock for TestClock {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.lock().unwrap().now)
    }

    fn sleep_until(&self, deadline: Instant) -> BoxSleep {
        Box::pin(TestSleep {
            timers: self.0.clone(),
            deadline: deadline.as_nanos(),
            key: None,
        })
    }

    fn unix_time(&self) -> Duration {
        self.now().elapsed()
    }
}

impl TestSleep {
    fn cancel(&mut self) {
        if let Some(key) = self.key.take() {
            let mut timers = self.timers.lock().unwrap_or_else(PoisonError::into_inner);
            timers.pending.remove(&key);
        }
    }
}

impl Future for TestSleep {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.cancel();
        let timers = self.timers.clone();
        let mut timers = timers.lock().unwrap();
        if timers.now >= self.deadline {
            return Poll::Ready(());
        }
        if self.deadline != u64::MAX {
            let key = (self.deadline, timers.next);
            timers.next += 1;
            timers.pending.insert(key, cx.waker().clone());
            self.key = Some(key);
        }
        Poll::Pending
    }
}

impl Sleep for TestSleep {
    fn reset(mut self: Pin<&mut Self>, deadline: Instant) {
        self.cancel();
        self.deadline = deadline.as_nanos();
    }
}

impl Drop for TestSleep {
    fn drop(&mut self) {
        self.cancel();
    }
}
