//! Orders from a request to the connection it came on.
//!
//! hyper ends a connection when its peer does, or after an error; to end it in
//! a chosen way and at a chosen moment, the task that drives the connection
//! looks here before it lets hyper go on.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};

use super::idle::Idleness;

/// What a connection is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    /// End when idle.
    Drain,
    /// End now, in order.
    Close,
    /// End now, abruptly.
    Abort,
}

/// Where a connection gets its orders.
#[derive(Default)]
pub(super) struct Line {
    order: Cell<Option<Order>>,
    /// How long it has been idle.
    pub(super) idleness: Rc<Idleness>,
    waker: RefCell<Option<Waker>>,
}

impl Line {
    /// The stronger of two orders counts.
    pub(super) fn give(&self, order: Order) {
        self.order.set(self.order.get().max(Some(order)));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// The order given since the last poll, if any.
    pub(super) fn poll(&self, cx: &Context<'_>) -> Option<Order> {
        let mut waker = self.waker.borrow_mut();
        match &mut *waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => *waker = Some(cx.waker().clone()),
        }
        self.order.take()
    }
}
