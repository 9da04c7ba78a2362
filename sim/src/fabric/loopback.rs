//! A host's own ports, as its own processes reach them.
//!
//! Every listener of a host is entered here, also those that the kernel has,
//! so that a connect to 127.0.0.1 or to the pod's own address becomes a
//! [`Pipe`](super::pipe) and two listeners never share a port.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use mesh_core::seam::Connection;

use super::pipe::pipe;

/// First of the ports given to those who ask for any (IANA dynamic ports, as the kernel's own).
const EPHEMERAL_FIRST: u16 = 49152;

/// Connections that may wait to be accepted (Linux `somaxconn`).
const BACKLOG: usize = 4096;

/// Connections that wait to be accepted.
#[derive(Default)]
pub(super) struct Backlog {
    waiting: VecDeque<Connection>,
    acceptor: Option<Waker>,
}

impl Backlog {
    /// The next connection.
    pub(super) fn poll_accept(&mut self, cx: &Context<'_>) -> Poll<Connection> {
        match self.waiting.pop_front() {
            Some(connection) => Poll::Ready(connection),
            None => {
                self.acceptor = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// The ports of one host.
#[derive(Default)]
pub(super) struct Loopback {
    listeners: BTreeMap<SocketAddr, Rc<RefCell<Backlog>>>,
    next_port: u16,
}

fn overlap(a: IpAddr, b: IpAddr) -> bool {
    a == b || a.is_unspecified() || b.is_unspecified()
}

impl Loopback {
    /// Whether `addr` can be listened on.
    pub(super) fn is_free(&self, addr: SocketAddr) -> bool {
        let mut taken = self.listeners.keys();
        !taken.any(|other| other.port() == addr.port() && overlap(other.ip(), addr.ip()))
    }

    /// A port nobody listens on.
    pub(super) fn free_port(&mut self) -> io::Result<u16> {
        for _ in EPHEMERAL_FIRST..=u16::MAX {
            let port = self.next_port.max(EPHEMERAL_FIRST);
            self.next_port = port.checked_add(1).unwrap_or(EPHEMERAL_FIRST);
            if !self.listeners.keys().any(|other| other.port() == port) {
                return Ok(port);
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }

    /// Starts to listen on `addr`, which must be free.
    pub(super) fn listen(&mut self, addr: SocketAddr) -> Rc<RefCell<Backlog>> {
        let backlog = Rc::<RefCell<Backlog>>::default();
        self.listeners.insert(addr, backlog.clone());
        backlog
    }

    /// Stops listening on `addr` if it is still `backlog` that does. Connections
    /// not yet accepted end when what is returned is dropped.
    pub(super) fn close_own(
        &mut self,
        addr: SocketAddr,
        backlog: &Rc<RefCell<Backlog>>,
    ) -> Option<impl Sized + use<>> {
        let own = self.listeners.get(&addr);
        own.filter(|own| Rc::ptr_eq(own, backlog))?;
        self.listeners.remove(&addr)
    }

    /// Stops listening on every port.
    pub(super) fn close_all(&mut self) -> impl Sized + use<> {
        std::mem::take(&mut self.listeners)
    }

    /// Connects to one of the host's own addresses.
    pub(super) fn connect(&mut self, peer: SocketAddr) -> io::Result<Connection> {
        let wildcard: IpAddr = match peer.ip() {
            IpAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
        };
        let exact = self.listeners.get(&peer);
        let listener = exact.or_else(|| {
            let any = SocketAddr::new(wildcard, peer.port());
            self.listeners.get(&any)
        });
        let listener = listener.ok_or(io::ErrorKind::ConnectionRefused)?.clone();
        let local = SocketAddr::new(peer.ip(), self.free_port()?);
        let mut backlog = listener.borrow_mut();
        if backlog.waiting.len() >= BACKLOG {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (near, far) = pipe();
        backlog.waiting.push_back(Connection {
            io: Box::new(far),
            local: peer,
            peer: local,
        });
        if let Some(acceptor) = backlog.acceptor.take() {
            acceptor.wake();
        }
        Ok(Connection {
            io: Box::new(near),
            local,
            peer,
        })
    }
}
