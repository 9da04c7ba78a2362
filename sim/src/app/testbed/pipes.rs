//! Connections as in-memory pipes without latency.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use mesh_core::seam::{Connection, Listener, LocalBoxFuture, Network};

/// Connections as in-memory pipes without latency.
#[derive(Default)]
pub(crate) struct Pipes {
    listeners: RefCell<BTreeMap<SocketAddr, Rc<Backlog>>>,
    /// Connections made so far.
    pub(crate) opened: Cell<u32>,
}

#[derive(Default)]
struct Backlog {
    queue: RefCell<VecDeque<Connection>>,
    waker: RefCell<Option<Waker>>,
}

struct PipeListener {
    address: SocketAddr,
    backlog: Rc<Backlog>,
    pipes: Rc<Pipes>,
}

impl Pipes {
    fn dial(&self, peer: SocketAddr) -> io::Result<Connection> {
        let listeners = self.listeners.borrow();
        let backlog = listeners
            .get(&peer)
            .ok_or(io::ErrorKind::ConnectionRefused)?;
        self.opened.set(self.opened.get() + 1);
        let local = SocketAddr::from(([127, 0, 0, 1], 1));
        let (near, far) = tokio::io::duplex(64 << 10);
        backlog.queue.borrow_mut().push_back(Connection {
            io: Box::new(far),
            local: peer,
            peer: local,
        });
        if let Some(waker) = backlog.waker.take() {
            waker.wake();
        }
        Ok(Connection {
            io: Box::new(near),
            local,
            peer,
        })
    }
}

pub(super) struct PipeNetwork(pub(super) Rc<Pipes>);

impl Network for PipeNetwork {
    fn connect(&self, peer: SocketAddr) -> LocalBoxFuture<'static, io::Result<Connection>> {
        let pipes = self.0.clone();
        Box::pin(async move { pipes.dial(peer) })
    }

    fn listen(
        &self,
        address: SocketAddr,
    ) -> LocalBoxFuture<'static, io::Result<Box<dyn Listener>>> {
        let pipes = self.0.clone();
        Box::pin(async move {
            let backlog = Rc::new(Backlog::default());
            let mut listeners = pipes.listeners.borrow_mut();
            if listeners.contains_key(&address) {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            listeners.insert(address, backlog.clone());
            drop(listeners);
            Ok(Box::new(PipeListener {
                address,
                backlog,
                pipes,
            }) as Box<dyn Listener>)
        })
    }
}

impl Listener for PipeListener {
    fn local_addr(&self) -> SocketAddr {
        self.address
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Connection>> {
        match self.backlog.queue.borrow_mut().pop_front() {
            Some(connection) => Poll::Ready(Ok(connection)),
            None => {
                *self.backlog.waker.borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for PipeListener {
    fn drop(&mut self) {
        self.pipes.listeners.borrow_mut().remove(&self.address);
    }
}
