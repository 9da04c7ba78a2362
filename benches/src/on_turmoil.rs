//! Pods on plain turmoil 0.7, through the same seams.
//!
//! What any user of turmoil may do: `mesh-core` runs inside an ordinary turmoil
//! simulation, each pod a host. Three things are turmoil's own and differ from
//! the [fabric](crate::on_fabric):
//!
//! * Time moves in ticks, of whole milliseconds (`Builder::tick_duration`;
//!   tokio's timers know nothing finer), so a link's latency is at least one.
//! * Messages over loopback are held for a tick (`net/tcp/stream.rs`,
//!   `send_loopback`), so each hop between an app and its proxy takes one.
//! * A port is taken on all of a host's addresses at once (`host.rs`, `Tcp`), so
//!   an app's port on loopback is moved out of the way of its sidecar's.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, UNIX_EPOCH};

use mesh_core::seam::real::{LocalSpawn, SystemClock};
use mesh_core::seam::{
    BoxSleep, Clock, Connection, Instant, Listener, LocalBoxFuture, Network, Randomness, Rng, Seams,
};
use mesh_core::telemetry::NullObserver;
use turmoil::net::{TcpListener, TcpStream};

use crate::on_fabric::EPOCH;
use crate::pod::Pod;

/// How far time moves at once: the least that turmoil's timers can tell.
pub const TICK: Duration = Duration::from_millis(1);

/// Runs `pods` for this long, every link with this one-way latency.
///
/// # Errors
/// What turmoil says of a host that failed.
pub fn run(pods: Vec<Pod>, latency: Duration, length: Duration) -> Result<(), String> {
    let mut world = turmoil::Builder::new()
        .tick_duration(TICK)
        .min_message_latency(latency)
        .max_message_latency(latency)
        .simulation_duration(length)
        .epoch(UNIX_EPOCH + EPOCH)
        .rng_seed(1)
        .build();
    for pod in pods {
        let ip = pod.ip;
        let run = RefCell::new(Some(pod.run));
        world.host(ip, move || {
            let run = run.borrow_mut().take();
            async move {
                if let Some(run) = run {
                    run(seams(ip)).await;
                }
                // turmoil stops a host whose first task ends, with all others.
                std::future::pending().await
            }
        });
    }
    while world.elapsed() < length {
        world.step().map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn seams(ip: Ipv4Addr) -> Seams {
    Seams {
        network: Rc::new(HostNetwork { ip: ip.into() }),
        clock: Arc::new(HostClock(SystemClock::new())),
        spawn: Rc::new(LocalSpawn),
        random: Rc::new(Named(ip)),
        observer: Rc::new(NullObserver),
        key_log: None,
    }
}

/// tokio's clock, which turmoil moves; dates are turmoil's.
struct HostClock(SystemClock);

impl Clock for HostClock {
    fn now(&self) -> Instant {
        self.0.now()
    }

    fn sleep_until(&self, deadline: Instant) -> BoxSleep {
        self.0.sleep_until(deadline)
    }

    fn unix_time(&self) -> Duration {
        turmoil::since_epoch().unwrap_or(EPOCH)
    }
}

/// Streams keyed by host and name.
struct Named(Ipv4Addr);

impl Randomness for Named {
    fn stream(&self, name: &str) -> Rng {
        Rng::named(1, &format!("{}/{name}", self.0))
    }
}

struct HostNetwork {
    ip: IpAddr,
}

/// Loopback ports lie this much higher.
const MOVED_BY: u16 = 10_000;

fn moved(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port + MOVED_BY).into()
}

impl Network for HostNetwork {
    fn connect(&self, peer: SocketAddr) -> LocalBoxFuture<'static, io::Result<Connection>> {
        let at = match peer.ip().is_loopback() || peer.ip() == self.ip {
            true => moved(peer.port()),
            false => peer,
        };
        Box::pin(async move { connection(TcpStream::connect(at).await?) })
    }

    fn listen(&self, addr: SocketAddr) -> LocalBoxFuture<'static, io::Result<Box<dyn Listener>>> {
        // turmoil binds to loopback or to everything.
        let at = match addr.ip().is_loopback() {
            true => moved(addr.port()),
            false => (Ipv4Addr::UNSPECIFIED, addr.port()).into(),
        };
        Box::pin(async move {
            let listener = Rc::new(TcpListener::bind(at).await?);
            Ok(Box::new(HostListener {
                listener,
                local: addr,
                accepting: None,
            }) as Box<dyn Listener>)
        })
    }
}

fn connection(stream: TcpStream) -> io::Result<Connection> {
    Ok(Connection {
        local: stream.local_addr()?,
        peer: stream.peer_addr()?,
        io: Box::new(stream),
    })
}

struct HostListener {
    listener: Rc<TcpListener>,
    local: SocketAddr,
    accepting: Option<LocalBoxFuture<'static, io::Result<TcpStream>>>,
}

impl Listener for HostListener {
    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Connection>> {
        let accepting = self.accepting.get_or_insert_with(|| {
            let listener = self.listener.clone();
            Box::pin(async move { Ok(listener.accept().await?.0) })
        });
        let accepted = ready!(accepting.as_mut().poll(cx));
        self.accepting = None;
        Poll::Ready(accepted.and_then(connection))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bare::{self, Bare};
    use crate::load::Tally;
    use crate::{on_fabric, sidecars};
    use meshquake::fabric::Sweeping;
    use meshquake::plan::Distribution;

    #[test]
    fn the_same_pods_answer_everything_here_and_on_the_fabric() {
        let load = Bare {
            pods: 4,
            per_second: 50.0,
            duration: Duration::from_secs(1),
            latency: Distribution::Constant(TICK),
            ..Bare::default()
        };
        let paths = [
            (
                bare::pods as fn(&Bare, &Rc<Tally>) -> Vec<Pod>,
                load.length(),
            ),
            (sidecars::pods, sidecars::length(&load)),
        ];
        for (pods, length) in paths {
            let here = Tally::new();
            run(pods(&load, &here), TICK, length).unwrap();
            let there = Tally::new();
            let world = on_fabric::World {
                latency: load.latency.clone(),
                sweeping: Sweeping::Late,
            };
            on_fabric::run(pods(&load, &there), &world, length).unwrap();
            for answers in [here.answers(), there.answers()] {
                assert_eq!((answers.answered, answers.failed), (50, 0));
            }
        }
    }
}
