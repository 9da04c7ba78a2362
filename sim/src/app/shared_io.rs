//! A stream that outlives the protocol spoken on it.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use hyper_util::rt::TokioIo;
use mesh_core::seam::Io;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A handle to a stream, so that hyper can be dropped in the middle of a
/// message and the stream still be shut down in order.
pub(super) struct SharedIo(Rc<RefCell<Box<dyn Io>>>);

impl SharedIo {
    pub(super) fn new(io: Box<dyn Io>) -> Self {
        Self(Rc::new(RefCell::new(io)))
    }

    /// The same stream, for hyper.
    pub(super) fn for_hyper(&self) -> TokioIo<Self> {
        TokioIo::new(Self(self.0.clone()))
    }

    fn with<T>(&self, f: impl FnOnce(Pin<&mut Box<dyn Io>>) -> T) -> T {
        f(Pin::new(&mut *self.0.borrow_mut()))
    }
}

impl AsyncRead for SharedIo {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.with(|io| io.poll_read(cx, buf))
    }
}

impl AsyncWrite for SharedIo {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.with(|io| io.poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|io| io.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|io| io.poll_shutdown(cx))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.with(|io| io.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.0.borrow().is_write_vectored()
    }
}
