//! A byte stream between two processes of one pod.
//!
//! Loopback traffic never leaves the host, so it needs no packets: a pair of
//! buffers does, at a quarter of the cost. A pipe behaves as a loopback TCP
//! connection does where a program can see it: it is bounded, either direction
//! can be shut down alone, and closing an end that has not read everything
//! resets the other.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop::poll_proceed;

/// Bytes that may wait in one direction.
const CAPACITY: usize = 64 * 1024;

/// One direction.
#[derive(Default)]
struct Channel {
    bytes: VecDeque<u8>,
    /// No more will be written.
    shut: bool,
    /// Nobody will read any more.
    abandoned: bool,
    /// The writer closed without reading what it had been sent.
    reset: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Channel {
    fn wake_reader(&mut self) {
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }

    fn wake_writer(&mut self) {
        if let Some(waker) = self.writer.take() {
            waker.wake();
        }
    }
}

fn park(slot: &mut Option<Waker>, cx: &Context<'_>) {
    match slot {
        Some(old) => old.clone_from(cx.waker()),
        none => *none = Some(cx.waker().clone()),
    }
}

/// One end of a pipe.
pub(super) struct Pipe {
    incoming: Rc<RefCell<Channel>>,
    outgoing: Rc<RefCell<Channel>>,
}

/// Both ends of a new pipe.
pub(super) fn pipe() -> (Pipe, Pipe) {
    let (a, b) = (Rc::default(), Rc::default());
    let one = Pipe {
        incoming: Rc::clone(&a),
        outgoing: Rc::clone(&b),
    };
    let other = Pipe {
        incoming: b,
        outgoing: a,
    };
    (one, other)
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let mut incoming = self.incoming.borrow_mut();
        let unread = !incoming.bytes.is_empty();
        incoming.abandoned = true;
        incoming.bytes.clear();
        incoming.wake_writer();
        let mut outgoing = self.outgoing.borrow_mut();
        outgoing.shut = true;
        outgoing.reset |= unread;
        outgoing.wake_reader();
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let coop = ready!(poll_proceed(cx));
        let mut channel = self.incoming.borrow_mut();
        if channel.bytes.is_empty() {
            if channel.reset {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            if !channel.shut {
                park(&mut channel.reader, cx);
                return Poll::Pending;
            }
            coop.made_progress();
            return Poll::Ready(Ok(()));
        }
        coop.made_progress();
        let (front, back) = channel.bytes.as_slices();
        let first = front.len().min(buf.remaining());
        buf.put_slice(&front[..first]);
        let second = back.len().min(buf.remaining());
        buf.put_slice(&back[..second]);
        if first + second == channel.bytes.len() {
            channel.bytes.clear();
        } else {
            channel.bytes.drain(..first + second);
        }
        channel.wake_writer();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let coop = ready!(poll_proceed(cx));
        let mut channel = self.outgoing.borrow_mut();
        if channel.shut || channel.abandoned {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = CAPACITY - channel.bytes.len();
        if room == 0 {
            park(&mut channel.writer, cx);
            return Poll::Pending;
        }
        let mut left = room;
        for buf in bufs {
            let taken = buf.len().min(left);
            channel.bytes.extend(&buf[..taken]);
            left -= taken;
        }
        coop.made_progress();
        if left < room {
            channel.wake_reader();
        }
        Poll::Ready(Ok(room - left))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut channel = self.outgoing.borrow_mut();
        channel.shut = true;
        channel.wake_reader();
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn now<T>(future: impl Future<Output = T>) -> Option<T> {
        let mut future = std::pin::pin!(future);
        let mut cx = Context::from_waker(Waker::noop());
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    #[test]
    fn bytes_come_out_in_order_and_each_way_ends_alone() {
        let (mut a, mut b) = pipe();
        now(a.write_all(b"hello")).unwrap().unwrap();
        now(a.shutdown()).unwrap().unwrap();
        let mut text = String::new();
        now(b.read_to_string(&mut text)).unwrap().unwrap();
        assert_eq!(text, "hello");
        now(b.write_all(b"still open")).unwrap().unwrap();
        let mut back = [0; 10];
        now(a.read_exact(&mut back)).unwrap().unwrap();
        assert_eq!(&back, b"still open");
        let late = now(a.write(b"x")).unwrap().unwrap_err();
        assert_eq!(late.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_full_pipe_waits_for_its_reader() {
        let (mut a, mut b) = pipe();
        assert!(now(a.write_all(&vec![7; CAPACITY + 1])).is_none());
        let mut all = vec![0; CAPACITY];
        now(b.read_exact(&mut all)).unwrap().unwrap();
        assert!(all.iter().all(|&byte| byte == 7));
        assert_eq!(now(a.write(b"x")).unwrap().unwrap(), 1);
    }

    #[test]
    fn closing_with_unread_bytes_resets_and_without_ends() {
        let (mut a, b) = pipe();
        now(a.write_all(b"unread")).unwrap().unwrap();
        drop(b);
        let reset = now(a.read(&mut [0; 1])).unwrap().unwrap_err();
        assert_eq!(reset.kind(), io::ErrorKind::ConnectionReset);
        let (mut a, b) = pipe();
        drop(b);
        assert_eq!(now(a.read(&mut [0; 1])).unwrap().unwrap(), 0);
    }
}
