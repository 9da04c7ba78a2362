//! Which connections of a port may stay, and how those learn that may not.
//!
//! A connection is polled a few times for each of its requests, its port's mode
//! changes hardly ever: so a poll looks at one flag, and leaves its waker once.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::policy::MtlsMode;
use crate::telemetry::TlsState;

/// A port's mode, and the connections that wait for another one, in the order in which they came.
pub(crate) struct Mode {
    now: Cell<MtlsMode>,
    /// No connection is taken any more.
    draining: Cell<bool>,
    waiting: RefCell<BTreeMap<u64, Waker>>,
    next: Cell<u64>,
}

impl Mode {
    pub(crate) fn new(mode: MtlsMode) -> Rc<Self> {
        Rc::new(Self {
            now: Cell::new(mode),
            draining: Cell::new(false),
            waiting: RefCell::default(),
            next: Cell::new(0),
        })
    }

    /// Changes the mode; connections that it does not take are told.
    pub(crate) fn set(&self, mode: MtlsMode) {
        if self.now.replace(mode) != mode {
            self.tell();
        }
    }

    /// No connection is taken from now on, whatever the mode; all are told.
    pub(crate) fn drain(&self) {
        if !self.draining.replace(true) {
            self.tell();
        }
    }

    fn tell(&self) {
        // A waker may drop a connection, which then takes itself out.
        let wakers: Vec<Waker> = self.waiting.borrow().values().cloned().collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Completes when connections protected by `tls` are no longer taken.
    pub(crate) fn retired(self: &Rc<Self>, tls: TlsState) -> Retired {
        let place = self.next.get();
        self.next.set(place + 1);
        Retired {
            mode: self.clone(),
            tls,
            place,
            waker: None,
        }
    }
}

/// The future of [`Mode::retired`].
pub(crate) struct Retired {
    mode: Rc<Mode>,
    tls: TlsState,
    place: u64,
    /// The waker it left.
    waker: Option<Waker>,
}

impl Future for Retired {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.mode.draining.get() || !is_taken(self.mode.now.get(), self.tls) {
            return Poll::Ready(());
        }
        let left = self.waker.as_ref();
        if !left.is_some_and(|waker| waker.will_wake(cx.waker())) {
            let mut waiting = self.mode.waiting.borrow_mut();
            waiting.insert(self.place, cx.waker().clone());
            drop(waiting);
            self.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Retired {
    fn drop(&mut self) {
        let waker = self.mode.waiting.borrow_mut().remove(&self.place);
        drop(waker);
    }
}

fn is_taken(mode: MtlsMode, tls: TlsState) -> bool {
    match mode {
        MtlsMode::Disable => tls == TlsState::Plain,
        MtlsMode::Permissive => true,
        MtlsMode::Strict => tls == TlsState::Mutual,
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[test]
    fn plain_connections_are_told_of_strict_mode_once() {
        let woken = Arc::new(Count::default());
        let waker = Waker::from(woken.clone());
        let mut cx = Context::from_waker(&waker);
        let mode = Mode::new(MtlsMode::Permissive);
        let mut plain = pin!(mode.retired(TlsState::Plain));
        let mut mutual = Box::pin(mode.retired(TlsState::Mutual));
        assert!(plain.as_mut().poll(&mut cx).is_pending());
        assert!(mutual.as_mut().poll(&mut cx).is_pending());
        assert!(mutual.as_mut().poll(&mut cx).is_pending());
        mode.set(MtlsMode::Permissive);
        assert_eq!(woken.0.load(Relaxed), 0);
        mode.set(MtlsMode::Strict);
        assert_eq!(woken.0.load(Relaxed), 2);
        assert!(plain.as_mut().poll(&mut cx).is_ready());
        assert!(mutual.as_mut().poll(&mut cx).is_pending());
        drop(mutual);
        mode.set(MtlsMode::Disable);
        assert_eq!(woken.0.load(Relaxed), 3);
        assert!(plain.as_mut().poll(&mut cx).is_pending());
        mode.drain();
        assert_eq!(woken.0.load(Relaxed), 4);
        assert!(plain.as_mut().poll(&mut cx).is_ready());
    }
}
