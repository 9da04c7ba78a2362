//! The bare path: what a request costs when nobody makes a decision.
//!
//! App client → pass-through proxy → mutual TLS, HTTP/2 → pass-through proxy →
//! echo app: the same hops, bytes and handshakes as a meshed request, by hyper
//! and rustls alone. The pods reach the outside through the seams only, so they
//! run unchanged [on the fabric](crate::on_fabric) and
//! [on plain turmoil](crate::on_turmoil). The mesh's own path is measured
//! against this one.

mod pool;
mod proxy;

use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Duration;

use mesh_core::seam::{Seams, TlsTime};
use meshquake::fabric::{FabricError, FabricStats, Sweeping};
use meshquake::plan::Distribution;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::load::{Calls, OUTBOUND, Tally, echo_app, local};
use crate::on_fabric;
use crate::pod::Pod;
use crate::tls::Identity;

pub(crate) use pool::Pool;
pub(crate) use proxy::serve1;

/// A load on bare pods: the first half are clients, each calling its own server in the second half.
#[derive(Clone, Debug)]
pub struct Bare {
    /// Pods, an even number.
    pub pods: u32,
    /// Requests per second of all clients together.
    pub per_second: f64,
    /// Virtual length of the load.
    pub duration: Duration,
    /// One-way latency of every link.
    pub latency: Distribution,
    /// Bytes of request body, sent back as the answer's.
    pub body_bytes: usize,
    /// When kernels are swept.
    pub sweeping: Sweeping,
}

impl Default for Bare {
    fn default() -> Self {
        Self {
            pods: 10,
            per_second: 2000.0,
            duration: Duration::from_secs(10),
            latency: Distribution::Constant(Duration::from_micros(500)),
            body_bytes: 100,
            sweeping: Sweeping::Late,
        }
    }
}

impl Bare {
    /// Requests of the whole load.
    pub fn requests(&self) -> u64 {
        (self.per_second * self.duration.as_secs_f64()) as u64
    }

    /// How long a world must last for its pods to come up, send everything and hear of it.
    pub fn length(&self) -> Duration {
        START + self.duration + Duration::from_secs(1)
    }
}

/// What came of it on the fabric.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Requests answered 200.
    pub answered: u64,
    /// All other requests.
    pub failed: u64,
    /// Sum of the latencies of those answered.
    pub latency_sum: Duration,
    /// What the fabric did.
    pub stats: FabricStats,
}

/// Clients begin when servers listen.
const START: Duration = Duration::from_millis(1);

/// Runs the load on the fabric to its end.
///
/// # Errors
/// A task panicked, or time stood still.
pub fn run(load: &Bare) -> Result<Outcome, FabricError> {
    let tally = Tally::new();
    let world = on_fabric::World {
        latency: load.latency.clone(),
        sweeping: load.sweeping,
    };
    let stats = on_fabric::run(pods(load, &tally), &world, load.length())?;
    let answers = tally.answers();
    Ok(Outcome {
        answered: answers.answered,
        failed: answers.failed,
        latency_sum: answers.latency_sum,
        stats,
    })
}

/// The load's pods, for any world; what comes of their requests goes into `tally`.
pub fn pods(load: &Bare, tally: &Rc<Tally>) -> Vec<Pod> {
    let pairs = load.pods / 2;
    let identity = Rc::new(Identity::new());
    let mut clients = Vec::new();
    let mut servers = Vec::new();
    for pair in 0..pairs {
        let calls = Calls {
            load: load.clone(),
            start: START,
            pair,
            authority: "server".into(),
        };
        let (tally, tls) = (tally.clone(), identity.clone());
        let peer = ip(pairs + pair);
        clients.push(Pod::new(ip(pair), move |seams| {
            client_pod(seams, tls, peer, calls, tally)
        }));
        let tls = identity.clone();
        servers.push(Pod::new(peer, move |seams| server_pod(seams, tls)));
    }
    servers.extend(clients);
    servers
}

fn ip(position: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x0a00_0001 + position)
}

async fn client_pod(
    seams: Seams,
    tls: Rc<Identity>,
    server: Ipv4Addr,
    calls: Calls,
    tally: Rc<Tally>,
) {
    let connector = TlsConnector::from(tls.client(TlsTime(seams.clock.clone())));
    let peer = (server, proxy::INBOUND).into();
    seams.spawn(proxy::outbound(seams.clone(), connector, peer));
    calls.make(seams, local(OUTBOUND), tally).await;
}

async fn server_pod(seams: Seams, tls: Rc<Identity>) {
    seams.spawn(echo_app(seams.clone()));
    let acceptor = TlsAcceptor::from(tls.server(TlsTime(seams.clock.clone())));
    proxy::inbound(seams, acceptor).await;
}
