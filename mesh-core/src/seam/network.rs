//! Sockets as a seam.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};

use super::LocalBoxFuture;

/// A byte stream: a TCP connection, or a pipe between two processes of one pod.
pub trait Io: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Io for T {}

/// An established connection.
pub struct Connection {
    /// The byte stream. Dropping it closes the connection.
    pub io: Box<dyn Io>,
    /// This end's address.
    pub local: SocketAddr,
    /// The other end's address.
    pub peer: SocketAddr,
}

/// A listening socket. Dropping it stops listening.
pub trait Listener {
    /// The address it is bound to.
    fn local_addr(&self) -> SocketAddr;

    /// Waits for the next connection.
    ///
    /// # Errors
    /// When the socket can accept no more.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Connection>>;
}

impl dyn Listener {
    /// The next connection.
    ///
    /// # Errors
    /// When the socket can accept no more.
    pub async fn accept(&mut self) -> io::Result<Connection> {
        std::future::poll_fn(|cx| self.poll_accept(cx)).await
    }
}

/// A host's network stack.
pub trait Network {
    /// Connects to `peer`. Connecting to loopback reaches another process of the same pod.
    fn connect(&self, peer: SocketAddr) -> LocalBoxFuture<'static, io::Result<Connection>>;

    /// Listens on `addr`; port 0 picks a free port.
    ///
    /// # Errors
    /// When the address is in use or not this host's.
    fn listen(&self, addr: SocketAddr) -> LocalBoxFuture<'static, io::Result<Box<dyn Listener>>>;
}
