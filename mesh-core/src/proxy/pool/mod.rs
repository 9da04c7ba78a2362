//! Connections to one endpoint of one cluster.
//!
//! HTTP/2 connections are shared by many requests, HTTP/1.1 connections serve
//! one at a time and are reused last-in first-out. A request that finds no
//! free connection waits; connections are made as waiting requests need them,
//! and a connection that cannot be made fails every request that waits, as
//! Envoy's connection pools do.

mod lease;
mod open;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::sync::oneshot;

use self::lease::{H1Connection, H2Connection, LeaseKind};
pub(crate) use self::lease::{Lease, SendFailure};
use self::open::{OpenConnection, http2_client};
use super::transport::Transport;
use crate::balance::{ActiveRequest, EndpointState};
use crate::policy::ConnectionPool;
use crate::resilience::{Breaker, Permit};
use crate::seam::{BoxSleep, HyperTimer, Instant, LocalBoxFuture, Seams, timeout_at};
use crate::telemetry::{ConnectionEvent, Event, Mechanism, MechanismEvent, TlsState};

/// Secures a fresh connection: a TLS handshake, or nothing.
pub(crate) trait Secure {
    /// Turns a byte stream into the transport to speak HTTP over.
    fn secure(
        &self,
        io: Box<dyn crate::seam::Io>,
    ) -> LocalBoxFuture<'static, Result<Transport, String>>;

    /// Whether HTTP/2 is spoken over it.
    fn http2(&self) -> bool;
}

/// Why no connection could be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ConnectFailure {
    /// Refused, reset or unreachable, or the handshake failed; with the reason.
    Failed(Arc<str>),
    /// Not within the connect timeout.
    TimedOut,
    /// Too many requests wait already.
    Overflow,
}

/// Pool settings that may change with the cluster's configuration.
pub(crate) struct PoolSettings {
    pub(crate) cluster: Arc<str>,
    pub(crate) limits: ConnectionPool,
}

/// What each request asks of the settings, at hand.
#[derive(Clone, Copy)]
struct Limits {
    http2: bool,
    /// Streams at once on a connection, at least 1.
    streams: u32,
    /// Requests of a connection's life; 0 is no limit.
    requests: u32,
    age: Option<Duration>,
}

impl Limits {
    fn new(settings: &PoolSettings, secure: &dyn Secure) -> Self {
        let limits = &settings.limits;
        Self {
            http2: secure.http2(),
            streams: limits.streams_max.max(1),
            requests: limits.requests_per_connection_max,
            age: limits.connection_age_max,
        }
    }
}

/// An endpoint and the pool of connections to it.
#[repr(C)] // What every request asks for comes first, in as few cache lines as may be.
pub(crate) struct HostPool {
    pub(crate) endpoint: Rc<EndpointState>,
    own: Weak<Self>,
    /// Follows `settings` and `secure`.
    limits: Cell<Limits>,
    shared: RefCell<Vec<Rc<H2Connection>>>,
    idle: RefCell<Vec<H1Connection>>,
    waiting: RefCell<VecDeque<oneshot::Sender<Result<Lease, ConnectFailure>>>>,
    /// How often it was drained: a connection made before the last time is not kept.
    drains: Cell<u64>,
    connecting: Cell<u32>,
    reaper: Cell<bool>,
    /// Whether connections are made as to an endpoint with a sidecar.
    pub(crate) meshed: Cell<bool>,
    open: Rc<Cell<u32>>,
    seams: Seams,
    timer: HyperTimer,
    settings: RefCell<Rc<PoolSettings>>,
    breaker: Rc<Breaker>,
    secure: RefCell<Rc<dyn Secure>>,
}

impl HostPool {
    pub(crate) fn new(
        seams: Seams,
        settings: Rc<PoolSettings>,
        breaker: Rc<Breaker>,
        endpoint: Rc<EndpointState>,
        secure: Rc<dyn Secure>,
    ) -> Rc<Self> {
        Rc::new_cyclic(|own| Self {
            meshed: Cell::new(endpoint.meshed()),
            endpoint,
            timer: HyperTimer::new(seams.clock.clone()),
            seams,
            limits: Cell::new(Limits::new(&settings, &*secure)),
            settings: RefCell::new(settings),
            breaker,
            secure: RefCell::new(secure),
            shared: RefCell::default(),
            idle: RefCell::default(),
            connecting: Cell::new(0),
            open: Rc::default(),
            waiting: RefCell::default(),
            reaper: Cell::new(false),
            drains: Cell::new(0),
            own: own.clone(),
        })
    }

    /// Applies new settings to connections made and returned from now on.
    pub(crate) fn configure(&self, settings: Rc<PoolSettings>) {
        self.limits
            .set(Limits::new(&settings, &**self.secure.borrow()));
        *self.settings.borrow_mut() = settings;
    }

    /// Where to connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.endpoint.address()
    }

    /// The workload's name.
    pub(crate) fn workload(&self) -> Arc<str> {
        self.endpoint.workload().clone()
    }

    /// Counts a request in flight until it is dropped.
    pub(crate) fn begin(&self, now: Instant) -> ActiveRequest {
        self.endpoint.begin(now)
    }

    /// Secures connections in another way from now on. None made in the old way serves another
    /// request: to whom it leads, and who can read it, may no longer be what policy says.
    pub(crate) fn resecure(&self, secure: Rc<dyn Secure>) {
        self.limits
            .set(Limits::new(&self.settings.borrow(), &*secure));
        *self.secure.borrow_mut() = secure;
        self.drain();
    }

    /// Closes idle connections and lets busy ones finish: the endpoint is gone or was ejected,
    /// or connections are made in another way now.
    pub(crate) fn drain(&self) {
        self.drains.set(self.drains.get() + 1);
        self.idle.borrow_mut().clear();
        for connection in self.shared.borrow_mut().drain(..) {
            connection.draining.set(true);
        }
    }

    /// A connection for one request.
    ///
    /// # Errors
    /// When none could be made, or too many requests wait already.
    pub(crate) async fn acquire(&self) -> Result<Lease, ConnectFailure> {
        if let Some(lease) = self.ready() {
            return Ok(lease);
        }
        let Ok(_pending) = self.breaker.pending() else {
            return Err(ConnectFailure::Overflow);
        };
        let (give, take) = oneshot::channel();
        self.waiting.borrow_mut().push_back(give);
        self.connect_if_needed();
        match take.await {
            Ok(result) => result,
            Err(_) => Err(ConnectFailure::Failed("the pool was closed".into())),
        }
    }

    /// A free connection, if there is one.
    fn ready(&self) -> Option<Lease> {
        let limits = self.limits.get();
        if limits.http2 {
            let found = self.free_stream(limits)?;
            return Some(self.lease(LeaseKind::H2(found)));
        }
        let mut idle = self.idle.borrow_mut();
        while let Some(mut connection) = idle.pop() {
            if connection.sender.is_closed() {
                continue;
            }
            connection.served += 1;
            return Some(self.lease(LeaseKind::H1(connection)));
        }
        None
    }

    /// The first HTTP/2 connection with room for another request, which it counts.
    fn free_stream(&self, limits: Limits) -> Option<Rc<H2Connection>> {
        let mut shared = self.shared.borrow_mut();
        shared.retain(|c| !c.draining.get() && !c.sender.borrow().is_closed());
        let has_room = |c: &&Rc<H2Connection>| c.active.get() < limits.streams;
        let found = shared.iter().find(has_room)?.clone();
        let served = found.served.get() + 1;
        found.served.set(served);
        found.active.set(found.active.get() + 1);
        if self.is_spent(limits, served, found.born) {
            found.draining.set(true);
            shared.retain(|c| !c.draining.get());
        }
        Some(found)
    }

    fn lease(&self, kind: LeaseKind) -> Lease {
        Lease {
            kind: Some(kind),
            pool: self.own.clone(),
        }
    }

    /// Whether a connection has served its share or reached its age.
    fn is_spent(&self, limits: Limits, served: u32, born: Instant) -> bool {
        let used_up = limits.requests > 0 && served >= limits.requests;
        used_up
            || limits
                .age
                .is_some_and(|age| self.seams.now().since(born) >= age)
    }

    fn connect_if_needed(&self) {
        self.forget_gone();
        let waiting = self.waiting.borrow().len() as u64;
        let limits = self.limits.get();
        let per_connection = match limits.http2 {
            true => u64::from(limits.streams),
            false => 1,
        };
        while u64::from(self.connecting.get()) * per_connection < waiting {
            let permit = match self.breaker.connection() {
                Ok(permit) => permit,
                // Envoy lets a host without any connection make one whatever the limit.
                Err(_) if self.open.get() == 0 && self.connecting.get() == 0 => {
                    self.breaker.first_connection()
                }
                Err(_) => return,
            };
            self.connecting.set(self.connecting.get() + 1);
            let Some(pool) = self.own.upgrade() else {
                return;
            };
            self.seams.spawn(async move { pool.connect(permit).await });
        }
    }

    /// Takes those out of line who have given up, as far as they stand in front.
    fn forget_gone(&self) {
        let mut waiting = self.waiting.borrow_mut();
        while waiting.front().is_some_and(oneshot::Sender::is_closed) {
            waiting.pop_front();
        }
    }

    async fn connect(self: Rc<Self>, permit: Permit) {
        let start = self.seams.now();
        let limit = self.settings.borrow().limits.connect_timeout;
        let secure = self.secure.borrow().clone();
        let made = timeout_at(
            &*self.seams.clock,
            start + limit,
            self.establish(secure.clone(), permit, start),
        )
        .await;
        self.connecting.set(self.connecting.get().saturating_sub(1));
        let result = made.unwrap_or(Err(ConnectFailure::TimedOut));
        if !Rc::ptr_eq(&secure, &*self.secure.borrow()) {
            // Made in a way that is no longer in force, for requests that still wait.
            drop(result);
            return self.connect_if_needed();
        }
        match result {
            Ok(connection) => {
                self.observe("open", "", start, connection.tls());
                self.serve_waiting(connection);
            }
            Err(failure) => {
                let why: Arc<str> = match &failure {
                    ConnectFailure::Failed(why) => why.clone(),
                    ConnectFailure::TimedOut => "connection timeout".into(),
                    ConnectFailure::Overflow => "overflow".into(),
                };
                self.observe("fail", &why, start, TlsState::Plain);
                for waiter in self.waiting.take() {
                    // A waiter that has gone away needs no answer.
                    let _gone = waiter.send(Err(failure.clone()));
                }
            }
        }
    }

    async fn establish(
        &self,
        secure: Rc<dyn Secure>,
        permit: Permit,
        start: Instant,
    ) -> Result<LeaseKind, ConnectFailure> {
        let failed = |why: String| ConnectFailure::Failed(why.into());
        let connection = self.seams.network.connect(self.address()).await;
        let io = connection.map_err(|e| failed(e.kind().to_string()))?.io;
        let http2 = secure.http2();
        let transport = secure.secure(io).await.map_err(|why| {
            self.handshake_failed(&why);
            failed(format!("TLS error: {why}"))
        })?;
        let (tls, verdict) = (transport.tls(), transport.verdict());
        let io = TokioIo::new(transport);
        let open = OpenConnection::new(self, permit, tls, verdict.clone(), start);
        if http2 {
            let (sender, driver) = http2_client(&self.seams, &self.timer)
                .handshake(io)
                .await
                .map_err(|e| failed(e.to_string()))?;
            self.seams.spawn(open.follow(driver));
            let now = self.seams.now();
            return Ok(LeaseKind::H2(Rc::new(H2Connection {
                sender: RefCell::new(sender),
                active: Cell::new(0),
                served: Cell::new(0),
                born: now,
                idle_since: Cell::new(now),
                draining: Cell::new(false),
                tls,
                verdict,
            })));
        }
        let (sender, driver) = http1::Builder::new()
            .handshake(io)
            .await
            .map_err(|e| failed(e.to_string()))?;
        self.seams.spawn(open.follow(driver));
        let now = self.seams.now();
        Ok(LeaseKind::H1(H1Connection {
            sender,
            served: 0,
            born: now,
            idle_since: now,
            tls,
            verdict,
            drains: self.drains.get(),
        }))
    }

    /// Hands a connection that has just become free to those who wait, or keeps it.
    fn serve_waiting(&self, kind: LeaseKind) {
        match kind {
            LeaseKind::H2(connection) => {
                self.shared.borrow_mut().push(connection);
                self.watch_idle();
            }
            LeaseKind::H1(connection) => self.idle.borrow_mut().push(connection),
        }
        while self.serve_next() {}
        self.connect_if_needed();
        self.watch_idle();
    }

    /// Takes a connection back after its request.
    fn give_back(&self, kind: LeaseKind) {
        match kind {
            LeaseKind::H2(connection) => {
                connection.idle_since.set(self.seams.now());
                if !connection.draining.get() {
                    self.serve_next();
                }
            }
            LeaseKind::H1(mut connection) => {
                let limits = self.limits.get();
                let spent = self.is_spent(limits, connection.served, connection.born)
                    || connection.drains != self.drains.get();
                if spent || connection.sender.is_closed() {
                    drop(connection);
                    self.connect_if_needed();
                    return;
                }
                connection.idle_since = self.seams.now();
                self.serve_waiting(LeaseKind::H1(connection));
            }
        }
    }

    /// Hands a free connection to whoever has waited longest; false when there is no such thing or nobody.
    fn serve_next(&self) -> bool {
        let Some(waiter) = self.next_waiting() else {
            return false;
        };
        match self.ready() {
            Some(lease) => {
                // A waiter that goes away before it looks gives the lease back by dropping it.
                let _returned = waiter.send(Ok(lease));
                true
            }
            None => {
                self.waiting.borrow_mut().push_front(waiter);
                false
            }
        }
    }

    /// Who has waited longest and still waits: those who gave up stay in line until it is their turn.
    fn next_waiting(&self) -> Option<oneshot::Sender<Result<Lease, ConnectFailure>>> {
        self.forget_gone();
        self.waiting.borrow_mut().pop_front()
    }

    /// Makes sure that somebody closes idle connections when their time is up.
    fn watch_idle(&self) {
        if self.reaper.get() {
            return;
        }
        let Some(limit) = self.settings.borrow().limits.idle_timeout else {
            return;
        };
        self.reaper.set(true);
        let own = self.own.clone();
        let clock = self.seams.clock.clone();
        let first = clock.sleep_until(clock.now() + limit);
        self.seams.spawn(reap(own, first, limit));
    }

    /// Closes what has been idle for `limit`; the next deadline, or `None` when nothing is left.
    fn close_idle(&self, limit: Duration) -> Option<Instant> {
        let now = self.seams.now();
        let mut next = None;
        let mut keep = |since: Instant| {
            if now.since(since) >= limit {
                return false;
            }
            let due = since + limit;
            next = Some(next.map_or(due, |n: Instant| n.min(due)));
            true
        };
        self.idle
            .borrow_mut()
            .retain(|c| !c.sender.is_closed() && keep(c.idle_since));
        self.shared.borrow_mut().retain(|c| {
            let busy_since = if c.active.get() > 0 {
                now
            } else {
                c.idle_since.get()
            };
            !c.sender.borrow().is_closed() && keep(busy_since)
        });
        if next.is_none() {
            self.reaper.set(false);
        }
        next
    }

    fn handshake_failed(&self, why: &str) {
        let event = Event::Mechanism(MechanismEvent {
            mechanism: Mechanism::HandshakeFailed,
            subject: &self.settings.borrow().cluster,
            detail: why,
        });
        self.seams.observer.observe(self.seams.now(), &event);
    }

    fn observe(&self, what: &str, why: &str, start: Instant, tls: TlsState) {
        let now = self.seams.now();
        let settings = self.settings.borrow().clone();
        let event = ConnectionEvent {
            cluster: &settings.cluster,
            upstream: self.endpoint.workload(),
            address: self.address(),
            what,
            why,
            duration: now.since(start),
            tls,
        };
        self.seams.observer.observe(now, &Event::Connection(event));
    }
}

async fn reap(own: Weak<HostPool>, mut sleep: BoxSleep, limit: Duration) {
    loop {
        sleep.as_mut().await;
        let Some(next) = own.upgrade().and_then(|pool| pool.close_idle(limit)) else {
            return;
        };
        sleep.as_mut().reset(next);
    }
}
