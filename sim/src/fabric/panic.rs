//! A panicking task fails the run, and says so once.
//!
//! tokio hides a panic in a `JoinHandle` that nobody awaits; the world would go
//! on with a dead sidecar. So every task is polled under `catch_unwind` and a
//! panic ends the run as an error that names the host. The error carries the
//! message, so the standard hook must not print it as well: a hook in front of
//! it keeps quiet for panics inside a task of the fabric and remembers what it
//! would have said.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::{Arc, Once};
use std::task::{Context, Poll};

use mesh_core::seam::LocalBoxFuture;

use super::clock::HostWaker;

/// A panic inside a host's task.
#[derive(Debug)]
pub(super) struct Failure {
    /// Whose task.
    pub(super) host: u32,
    /// Message and place.
    pub(super) message: String,
}

thread_local! {
    static IN_TASK: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Keeps panics of fabric tasks off stderr, from now on, in this process.
pub(super) fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IN_TASK.get() {
                return previous(info);
            }
            let place = info
                .location()
                .map(|l| format!(" ({}:{})", l.file(), l.line()));
            let text = format!("{}{}", message(info.payload()), place.unwrap_or_default());
            LAST.with_borrow_mut(|last| *last = Some(text));
        }));
    });
}

fn message(payload: &(dyn Any + Send)) -> &str {
    match payload.downcast_ref::<&str>() {
        Some(text) => text,
        None => payload
            .downcast_ref::<String>()
            .map_or("a task panicked", String::as_str),
    }
}

/// Runs `step` as part of a task of `host`; `None` when it panicked, which `host` then knows.
pub(super) fn guarded<T>(host: &HostWaker, step: impl FnOnce() -> T) -> Option<T> {
    let outer = IN_TASK.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(step));
    IN_TASK.set(outer);
    match result {
        Ok(value) => Some(value),
        Err(payload) => {
            let said = LAST.with_borrow_mut(Option::take);
            host.fail(said.unwrap_or_else(|| message(&*payload).to_owned()));
            None
        }
    }
}

/// A task whose panics are caught.
pub(super) struct Guarded {
    task: LocalBoxFuture<'static, ()>,
    host: Arc<HostWaker>,
}

impl Guarded {
    /// `task` as a task of `host`.
    pub(super) fn new(task: LocalBoxFuture<'static, ()>, host: Arc<HostWaker>) -> Self {
        host.enter();
        Self { task, host }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.host.leave();
    }
}

impl Future for Guarded {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        guarded(&this.host, || this.task.as_mut().poll(cx)).unwrap_or(Poll::Ready(()))
    }
}
