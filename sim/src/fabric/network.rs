//! The `Network` seam of one host: pipes within it, TCP beyond.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::task::{Context, Poll};

use mesh_core::seam::{Connection, Listener, LocalBoxFuture, Network};

use super::HostId;
use super::core::Core;
use super::loopback::Backlog;
use super::tcp::{self, TcpAcceptor};

/// One host's network stack.
pub(super) struct HostNetwork {
    pub(super) core: Rc<Core>,
    pub(super) host: HostId,
}

impl HostNetwork {
    fn is_own(&self, ip: IpAddr) -> bool {
        ip.is_loopback() || ip == self.core.host(self.host).spec.ip
    }
}

impl Network for HostNetwork {
    fn connect(&self, peer: SocketAddr) -> LocalBoxFuture<'static, io::Result<Connection>> {
        if self.is_own(peer.ip()) {
            let connection = self
                .core
                .host(self.host)
                .loopback
                .borrow_mut()
                .connect(peer);
            return Box::pin(std::future::ready(connection));
        }
        Box::pin(tcp::connect(self.core.clone(), self.host, peer))
    }

    fn listen(&self, addr: SocketAddr) -> LocalBoxFuture<'static, io::Result<Box<dyn Listener>>> {
        Box::pin(listen(self.core.clone(), self.host, addr))
    }
}

async fn listen(core: Rc<Core>, host: HostId, addr: SocketAddr) -> io::Result<Box<dyn Listener>> {
    let mut local = addr;
    if addr.port() == 0 {
        local.set_port(core.host(host).loopback.borrow_mut().free_port()?);
    }
    if !core.host(host).loopback.borrow().is_free(local) {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    let tcp = match addr.ip().is_loopback() {
        true => None,
        false => Some(TcpAcceptor::bind(core.clone(), host, local).await?.0),
    };
    let backlog = core.host(host).loopback.borrow_mut().listen(local);
    Ok(Box::new(HostListener {
        core,
        host,
        local,
        backlog,
        tcp,
    }))
}

/// A listening socket: for the host's own processes, and for others unless it is on loopback.
struct HostListener {
    core: Rc<Core>,
    host: HostId,
    local: SocketAddr,
    backlog: Rc<RefCell<Backlog>>,
    tcp: Option<TcpAcceptor>,
}

impl Listener for HostListener {
    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Connection>> {
        if let Poll::Ready(connection) = self.backlog.borrow_mut().poll_accept(cx) {
            return Poll::Ready(Ok(connection));
        }
        match &mut self.tcp {
            Some(tcp) => tcp.poll_accept(cx),
            None => Poll::Pending,
        }
    }
}

impl Drop for HostListener {
    fn drop(&mut self) {
        let mut loopback = self.core.host(self.host).loopback.borrow_mut();
        // After a crash and a restart the port may be somebody else's.
        let closed = loopback.close_own(self.local, &self.backlog);
        drop(loopback);
        drop(closed);
    }
}
