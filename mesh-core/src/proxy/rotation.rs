//! Whether a sidecar's agent renews its certificate: by itself, when told to, or not at all.

use std::cell::Cell;

use futures_util::future::{Either, select};
use tokio::sync::Notify;

/// The agent's part in rotation.
#[derive(Default)]
pub(crate) struct Rotation {
    /// How many have paused it.
    paused: Cell<u32>,
    missed: Cell<u64>,
    /// Told to renew now.
    asked: Cell<bool>,
    renewal: Notify,
    resumed: Notify,
}

impl Rotation {
    /// Renews no certificate until [`resume`](Self::resume) has been called as often.
    pub(crate) fn pause(&self) {
        self.paused.set(self.paused.get() + 1);
    }

    /// Renews when it is time, and what was missed at once.
    pub(crate) fn resume(&self) {
        self.paused.set(self.paused.get().saturating_sub(1));
        if !self.is_paused() {
            self.resumed.notify_waiters();
        }
    }

    /// Renews now, whatever the time.
    pub(crate) fn renew(&self) {
        self.asked.set(true);
        self.renewal.notify_waiters();
    }

    /// Renewals that came due while paused.
    pub(crate) fn missed(&self) -> u64 {
        self.missed.get()
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused.get() > 0
    }

    /// Waits for `due`, or to be told to renew, and then until it may.
    pub(crate) async fn wait(&self, due: impl Future<Output = ()> + Unpin) {
        if !self.asked.get() {
            let told = std::pin::pin!(self.renewal.notified());
            let is_due = matches!(select(told, due).await, Either::Right(_));
            if is_due && self.is_paused() {
                self.missed.set(self.missed.get() + 1);
            }
        }
        self.allowed().await;
        self.asked.set(false);
    }

    /// Waits until it may renew.
    pub(crate) async fn allowed(&self) {
        while self.is_paused() {
            self.resumed.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn is_over(waiting: &mut std::pin::Pin<Box<impl Future<Output = ()>>>) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        matches!(waiting.as_mut().poll(&mut cx), Poll::Ready(()))
    }

    #[test]
    fn it_renews_when_it_is_time_or_when_told_to() {
        let rotation = Rotation::default();
        assert!(is_over(&mut Box::pin(rotation.wait(ready(())))));
        let mut waiting = Box::pin(rotation.wait(pending()));
        assert!(!is_over(&mut waiting));
        rotation.renew();
        assert!(is_over(&mut waiting));
        // Once.
        assert!(!is_over(&mut Box::pin(rotation.wait(pending()))));
    }

    #[test]
    fn what_comes_due_while_paused_is_missed_and_made_up_for() {
        let rotation = Rotation::default();
        rotation.pause();
        rotation.pause();
        let mut waiting = Box::pin(rotation.wait(ready(())));
        assert!(!is_over(&mut waiting));
        assert_eq!(rotation.missed(), 1);
        rotation.resume();
        assert!(!is_over(&mut waiting), "somebody else has paused it too");
        rotation.resume();
        assert!(is_over(&mut waiting));
        // To be told while paused misses nothing.
        rotation.pause();
        rotation.renew();
        let mut waiting = Box::pin(rotation.wait(pending()));
        assert!(!is_over(&mut waiting));
        assert_eq!(rotation.missed(), 1);
        rotation.resume();
        assert!(is_over(&mut waiting));
    }
}
