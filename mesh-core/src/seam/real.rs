//! The seams on tokio: real sockets, the machine's clock, the OS's entropy.
//!
//! Must run inside a `tokio::task::LocalSet` on a runtime with IO and time
//! enabled.

#![expect(
    clippy::disallowed_methods,
    reason = "this module is the one real-world implementation of the seams"
)]

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use tokio::net::{TcpListener, TcpStream};

use super::{
    BoxSleep, Clock, Connection, Instant, Listener, LocalBoxFuture, Network, Randomness, Rng,
    Seams, Sleep, Spawn,
};
use crate::telemetry::Observer;

/// All five seams on tokio, with `observer` as the fifth.
pub fn seams(observer: Rc<dyn Observer>) -> Seams {
    Seams {
        network: Rc::new(TokioNetwork),
        clock: Arc::new(SystemClock::new()),
        spawn: Rc::new(LocalSpawn),
        random: Rc::new(OsRandomness),
        observer,
        key_log: None,
    }
}

/// TCP on tokio.
pub struct TokioNetwork;

struct TokioListener {
    inner: TcpListener,
    local: SocketAddr,
}

impl Listener for TokioListener {
    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Connection>> {
        let (stream, _) = ready!(self.inner.poll_accept(cx))?;
        Poll::Ready(connection(stream))
    }
}

fn connection(stream: TcpStream) -> io::Result<Connection> {
    stream.set_nodelay(true)?;
    Ok(Connection {
        local: stream.local_addr()?,
        peer: stream.peer_addr()?,
        io: Box::new(stream),
    })
}

impl Network for TokioNetwork {
    fn connect(&self, peer: SocketAddr) -> LocalBoxFuture<'static, io::Result<Connection>> {
        Box::pin(async move { connection(TcpStream::connect(peer).await?) })
    }

    fn listen(&self, addr: SocketAddr) -> LocalBoxFuture<'static, io::Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let inner = TcpListener::bind(addr).await?;
            let local = inner.local_addr()?;
            Ok(Box::new(TokioListener { inner, local }) as Box<dyn Listener>)
        })
    }
}

/// The machine's clocks. tokio timers are accurate to a millisecond.
pub struct SystemClock {
    base: tokio::time::Instant,
}

impl SystemClock {
    /// A clock whose world begins now.
    pub fn new() -> Self {
        Self {
            base: tokio::time::Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

struct TokioSleep {
    base: tokio::time::Instant,
    inner: Pin<Box<tokio::time::Sleep>>,
}

impl Future for TokioSleep {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.inner.as_mut().poll(cx)
    }
}

impl Sleep for TokioSleep {
    fn reset(mut self: Pin<&mut Self>, deadline: Instant) {
        let at = real(self.base, deadline);
        self.inner.as_mut().reset(at);
    }
}

/// tokio panics beyond its clock's range; a century is as good as never.
fn real(base: tokio::time::Instant, at: Instant) -> tokio::time::Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);
    base + at.elapsed().min(CENTURY)
}

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::ZERO + self.base.elapsed()
    }

    fn sleep_until(&self, deadline: Instant) -> BoxSleep {
        let inner = Box::pin(tokio::time::sleep_until(real(self.base, deadline)));
        Box::pin(TokioSleep {
            base: self.base,
            inner,
        })
    }

    fn unix_time(&self) -> Duration {
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or(Duration::ZERO)
    }
}

/// Tasks on the current `LocalSet`.
pub struct LocalSpawn;

impl Spawn for LocalSpawn {
    fn spawn(&self, task: LocalBoxFuture<'static, ()>) {
        tokio::task::spawn_local(task);
    }
}

/// Streams seeded by the operating system; names are ignored.
pub struct OsRandomness;

impl Randomness for OsRandomness {
    fn stream(&self, _name: &str) -> Rng {
        let mut seed = [0u8; 32];
        // ring's generator is the OS's; a machine without entropy cannot run TLS either.
        rustls::crypto::ring::default_provider()
            .secure_random
            .fill(&mut seed)
            .expect("the operating system provides entropy");
        seed[0] |= 1; // xoshiro's one forbidden state is all zeros
        Rng::from_seed(seed)
    }
}
