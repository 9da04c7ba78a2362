//! TCP sockets of the simulated kernels as the mesh's `Network` seam sees them.
//!
//! A stream of ours wraps one of turmoil-net's and tells the wire what it does:
//! what it writes (so that a sweep can wait), when it opens and closes (so
//! that connections are remembered and forgotten).

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use mesh_core::seam::Connection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop::poll_proceed;
use turmoil_net::netstat;
use turmoil_net::shim::tokio::net::{TcpListener, TcpStream};

use super::connections::EndRef;
use super::core::Core;
use super::{HostId, RECEIVE_BUFFER};

/// A handle to something in a kernel, which must be let go with its host
/// current, and not at all once the world has ended.
struct Held<T> {
    inner: Option<T>,
    core: Rc<Core>,
    host: HostId,
}

impl<T> Held<T> {
    fn get(&mut self) -> io::Result<&mut T> {
        self.inner
            .as_mut()
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn let_go(&mut self) {
        let Some(inner) = self.inner.take() else {
            return;
        };
        if self.core.wire(|_| ()).is_some() {
            self.core.on(self.host, || drop(inner));
        } else {
            std::mem::forget(inner);
        }
    }
}

/// A TCP stream.
struct TcpIo {
    stream: Held<TcpStream>,
    end: EndRef,
    /// Data goes past the kernel.
    direct: bool,
}

impl TcpIo {
    fn wire<T>(&self, work: impl FnOnce(&mut super::wire::Wire) -> T) -> Option<T> {
        self.stream.core.wire(work)
    }

    /// A reset that the fabric made because the connection gave up is a timeout.
    fn explain(&self, error: io::Error) -> io::Error {
        explain(&self.stream.core, self.end, error)
    }
}

fn explain(core: &Core, end: EndRef, error: io::Error) -> io::Error {
    let timed_out = core.wire(|wire| {
        let conn = wire.conns.get(end.conn);
        conn.is_some_and(|conn| conn.ends[end.side].timed_out)
    });
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
            if timed_out == Some(true) =>
        {
            io::ErrorKind::TimedOut.into()
        }
        _ => error,
    }
}

impl Drop for TcpIo {
    fn drop(&mut self) {
        self.wire(|wire| wire.close(self.end));
        self.stream.let_go();
        self.wire(|wire| wire.release(self.end));
    }
}

impl AsyncRead for TcpIo {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let coop = ready!(poll_proceed(cx));
        let this = self.get_mut();
        if this.direct {
            let read = this.wire(|wire| wire.poll_read(this.end, cx, buf));
            let read = ready!(read.unwrap_or_else(gone));
            coop.made_progress();
            return Poll::Ready(read);
        }
        let before = buf.filled().len();
        let read = ready!(Pin::new(this.stream.get()?).poll_read(cx, buf));
        coop.made_progress();
        if buf.filled().len() - before >= RECEIVE_BUFFER / 2 {
            // The kernel advertises its window anew.
            this.wire(|wire| wire.touch());
        }
        Poll::Ready(read.map_err(|error| this.explain(error)))
    }
}

impl AsyncWrite for TcpIo {
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
        let this = self.get_mut();
        let written = match this.direct {
            true => {
                let written = this.wire(|wire| wire.poll_write(this.end, cx, bufs));
                ready!(written.unwrap_or_else(gone))
            }
            false => ready!(this.poll_write_kernel(cx, bufs)),
        };
        coop.made_progress();
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let end = this.end;
        let done = ready!(Pin::new(this.stream.get()?).poll_shutdown(cx));
        this.wire(|wire| wire.shut(end));
        Poll::Ready(done.map_err(|error| this.explain(error)))
    }
}

impl TcpIo {
    fn poll_write_kernel(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut total = 0;
        for buf in bufs.iter().filter(|buf| !buf.is_empty()) {
            match Pin::new(self.stream.get()?).poll_write(cx, buf) {
                Poll::Ready(Ok(bytes)) => {
                    total += bytes;
                    if bytes < buf.len() {
                        break;
                    }
                }
                _ if total > 0 => break,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.explain(error))),
                Poll::Pending => return Poll::Pending,
            }
        }
        self.wire(|wire| wire.wrote(self.end, total));
        Poll::Ready(Ok(total))
    }
}

/// The world has ended.
fn gone<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
}

/// A connect in progress. Dropping it gives it up.
type ConnectFuture = Pin<Box<dyn Future<Output = io::Result<TcpStream>>>>;

struct Connecting {
    connect: Held<ConnectFuture>,
    /// Known once the kernel has chosen a port.
    end: Option<EndRef>,
    peer: SocketAddr,
}

impl Connecting {
    /// The kernel has just opened a socket and keeps its number to itself, but
    /// lists sockets in the order they were opened.
    fn find_end(&mut self) {
        let core = &self.connect.core;
        let entries = netstat(core.host(self.connect.host).spec.ip).entries;
        let own = entries.iter().rev().find(|e| e.peer == Some(self.peer));
        if let Some(own) = own {
            let (local, peer) = (own.local, self.peer);
            self.end = core.wire(|wire| {
                let end = wire.open(local, peer);
                wire.opened(end);
                end
            });
        }
    }
}

impl Future for Connecting {
    type Output = io::Result<Connection>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let polled = this.connect.get()?.as_mut().poll(cx);
        if this.end.is_none() {
            this.find_end();
        }
        let stream = match (ready!(polled), this.end) {
            (Ok(stream), Some(_)) => stream,
            (Ok(_), None) => return Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
            (Err(error), None) => return Poll::Ready(Err(error)),
            (Err(error), Some(end)) => {
                return Poll::Ready(Err(explain(&this.connect.core, end, error)));
            }
        };
        let end = this.end.take();
        let local = stream.local_addr()?;
        Poll::Ready(match end {
            Some(end) => Ok(wrap(
                &this.connect.core,
                this.connect.host,
                stream,
                end,
                (local, this.peer),
            )),
            None => Err(io::ErrorKind::NotConnected.into()),
        })
    }
}

impl Drop for Connecting {
    fn drop(&mut self) {
        self.connect.let_go();
        if let Some(end) = self.end {
            self.connect.core.wire(|wire| wire.release(end));
        }
    }
}

fn wrap(
    core: &Rc<Core>,
    host: HostId,
    stream: TcpStream,
    end: EndRef,
    (local, peer): (SocketAddr, SocketAddr),
) -> Connection {
    Connection {
        io: Box::new(TcpIo {
            stream: Held {
                inner: Some(stream),
                core: core.clone(),
                host,
            },
            end,
            direct: core.wire(|wire| wire.is_direct()) == Some(true),
        }),
        local,
        peer,
    }
}

/// Connects over the network.
pub(super) async fn connect(
    core: Rc<Core>,
    host: HostId,
    peer: SocketAddr,
) -> io::Result<Connection> {
    let connect: ConnectFuture = Box::pin(TcpStream::connect(peer));
    let connecting = Connecting {
        connect: Held {
            inner: Some(connect),
            core,
            host,
        },
        end: None,
        peer,
    };
    connecting.await
}

/// A listening socket of a kernel.
pub(super) struct TcpAcceptor {
    listener: Held<TcpListener>,
}

impl TcpAcceptor {
    /// Listens on `addr`, and where it really listens.
    pub(super) async fn bind(
        core: Rc<Core>,
        host: HostId,
        addr: SocketAddr,
    ) -> io::Result<(Self, SocketAddr)> {
        let listener = TcpListener::bind(addr).await?;
        let local = listener.local_addr()?;
        let listener = Held {
            inner: Some(listener),
            core,
            host,
        };
        Ok((Self { listener }, local))
    }

    /// The next connection.
    pub(super) fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Connection>> {
        loop {
            let (stream, peer) = ready!(self.listener.get()?.poll_accept(cx))?;
            let local = stream.local_addr()?;
            let core = &self.listener.core;
            let end = core.wire(|wire| {
                let end = wire.conns.find(local, peer)?;
                let conn = wire.conns.get(end.conn)?;
                conn.ends[end.side].held = true;
                Some((end, conn.stillborn))
            });
            match end.flatten() {
                Some((end, false)) => {
                    let host = self.listener.host;
                    return Poll::Ready(Ok(wrap(core, host, stream, end, (local, peer))));
                }
                Some((end, true)) => {
                    drop(stream);
                    core.wire(|wire| wire.release(end));
                }
                // Reset and forgotten before it was accepted.
                None => drop(stream),
            }
        }
    }
}

impl Drop for TcpAcceptor {
    fn drop(&mut self) {
        self.listener.let_go();
        self.listener.core.wire(|wire| wire.touch());
    }
}
