//! Looking at the first byte of a stream without taking it away.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

use super::Io;

/// A stream whose first byte was read, to see what it is or that it comes at all.
pub(crate) struct Peeked {
    first: Option<u8>,
    io: Box<dyn Io>,
}

impl Peeked {
    /// Reads the first byte and keeps it; `None` at the end of the stream.
    pub(crate) async fn peek(mut io: Box<dyn Io>) -> io::Result<Option<(u8, Self)>> {
        let mut byte = [0u8; 1];
        if io.read(&mut byte).await? == 0 {
            return Ok(None);
        }
        let first = Some(byte[0]);
        Ok(Some((byte[0], Self { first, io })))
    }
}

impl AsyncRead for Peeked {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() > 0
            && let Some(byte) = self.first.take()
        {
            buf.put_slice(&[byte]);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Peeked {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
