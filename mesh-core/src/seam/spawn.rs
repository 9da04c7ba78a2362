//! Tasks as a seam.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

/// A boxed future that stays on its thread.
pub type LocalBoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Starts tasks on one host.
pub trait Spawn {
    /// Starts `task`. It runs until it completes or its host dies.
    fn spawn(&self, task: LocalBoxFuture<'static, ()>);
}

/// hyper's view of a [`Spawn`].
#[derive(Clone)]
pub struct Executor(pub Rc<dyn Spawn>);

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(Box::pin(Discarding { future }));
    }
}

pin_project! {
    /// A future whose output nobody wants. An `async` block would take twice its room.
    struct Discarding<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Discarding<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.project().future.poll(cx).map(drop)
    }
}
