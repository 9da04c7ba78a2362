//! The virtual network and clock: turmoil-net's sockets under an event loop of
//! our own.
//!
//! A [`Fabric`] is a world of hosts. Each has a kernel (a socket table of
//! turmoil-net), its own clock, and while it is up a process: a set of tasks
//! that reach the outside only through the seams. Virtual time is a nanosecond
//! counter that jumps from event to event, so idle time costs nothing and every
//! timer and delivery is exact.
//!
//! * [`run`]: the loop. [`queue`]: the events. [`clock`]: time as each host sees it.
//! * [`tcp`], [`pipe`], [`loopback`], [`network`]: sockets as the mesh sees them.
//! * [`direct`]: data, past the kernels. [`sweep`]: getting the rest out of them.
//! * [`link`], [`rule`], [`transit`], [`retransmission`], [`arrival`]: what happens to them then.
//! * [`connection`], [`connections`]: what must be remembered for that; [`ending`]: until when.
//! * [`power`]: crashes, freezes, skewed clocks, partitions.
//!
//! A fabric belongs to its thread (turmoil-net keeps the current kernel in a
//! thread-local) and there is one per thread; many threads may have one each.

mod address_map;
mod arrival;
mod clock;
mod connection;
mod connections;
mod core;
mod direct;
mod ending;
mod link;
mod loopback;
mod network;
mod packet;
mod panic;
mod pipe;
mod power;
mod queue;
mod retransmission;
mod rule;
mod run;
mod sweep;
mod tcp;
mod transit;
mod wire;

#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mesh_core::seam::{Instant, Randomness, Rng, Seams};
use mesh_core::telemetry::Observer;
use rustls::KeyLog;
use turmoil_net::{KernelConfig, Net};

pub use self::rule::{Effect, HostSet, PacketScope, RuleId};
pub use self::wire::{FabricStats, Sweeping, Tap, TcpTimeouts};

use self::address_map::AddressMap;
use self::clock::{ClockState, HostClock, HostWaker, Shared};
use self::connections::Connections;
use self::core::{Core, Host, HostSpawn};
use self::link::{Links, Place};
use self::network::HostNetwork;
use self::rule::Rules;
use self::wire::{Slab, Wire};
use crate::plan::LinkPlan;

/// Bytes that may wait to be read before a receiver stops acknowledging, and a
/// kernel's receive buffer. turmoil-net advertises room again only after one
/// read of half of it, so a small one stalls for ever once it has been full.
const RECEIVE_BUFFER: usize = 64 * 1024 * 1024;

/// Bytes that may be on their way on one connection, and a kernel's send
/// buffer: one byte less than the window a receiver with room advertises
/// (65 535; the field has 16 bits and no scaling), so that even the FIN fits.
/// Whatever is written leaves at once, and one connection carries at most this
/// per round trip.
const SEND_BUFFER: usize = 65_534;

/// A host's number in its world: the position of its [`HostSpec`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(u32);

impl HostId {
    /// The host at this position.
    pub const fn new(position: u32) -> Self {
        Self(position)
    }

    /// Its position.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A host that may be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostSpec {
    /// Its name; random streams are keyed by it.
    pub name: Arc<str>,
    /// Its one address.
    pub ip: IpAddr,
    /// Where it stands.
    pub region: Arc<str>,
    /// Where it stands within the region.
    pub zone: Arc<str>,
}

/// What a fabric is made of.
#[derive(Clone, Debug)]
pub struct FabricConfig {
    /// Seed of every random stream.
    pub seed: u64,
    /// Wall time at the beginning of the world, since the Unix epoch.
    pub epoch: Duration,
    /// Every host that may ever be started: none can be added later.
    pub hosts: Vec<HostSpec>,
    /// The links between them.
    pub links: LinkPlan,
    /// How patient TCP is.
    pub timeouts: TcpTimeouts,
    /// When kernels are swept.
    pub sweeping: Sweeping,
    /// Who is told the secrets of every host's TLS connections.
    pub key_log: Option<Arc<dyn KeyLog>>,
}

impl FabricConfig {
    /// A fabric with Linux's TCP timeouts.
    pub fn new(seed: u64, epoch: Duration, hosts: Vec<HostSpec>, links: LinkPlan) -> Self {
        Self {
            seed,
            epoch,
            hosts,
            links,
            timeouts: TcpTimeouts::default(),
            sweeping: Sweeping::default(),
            key_log: None,
        }
    }
}

/// Why a fabric cannot be made or cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FabricError {
    /// A host's address is no unicast address of a host of its own.
    BadAddress {
        /// The host.
        host: Arc<str>,
        /// The address.
        ip: IpAddr,
    },
    /// This thread already has a fabric.
    Occupied,
    /// A task panicked.
    Panic {
        /// Its host.
        host: Arc<str>,
        /// What it said, and where.
        message: String,
    },
    /// A host's tasks kept waking each other without time passing.
    Livelock {
        /// The host.
        host: Arc<str>,
        /// The instant time stood still at.
        at: Instant,
    },
}

impl std::fmt::Display for FabricError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BadAddress { host, ip } => {
                write!(
                    f,
                    "host {host} cannot have the address {ip}: it is taken or no host's"
                )
            }
            Self::Occupied => f.write_str("this thread already runs a world"),
            Self::Panic { host, message } => write!(f, "a task of host {host} panicked: {message}"),
            Self::Livelock { host, at } => write!(
                f,
                "host {host} keeps waking itself at {:?} and time cannot pass",
                at.elapsed()
            ),
        }
    }
}

impl std::error::Error for FabricError {}

type Action = Box<dyn FnOnce(&mut Fabric)>;

/// Where tasks leave what is to be done to the world: it is done in the same instant, when all tasks have run.
#[derive(Clone, Default)]
pub struct Inbox(Rc<RefCell<Vec<Action>>>);

impl Inbox {
    /// Leaves `action`.
    pub fn post(&self, action: impl FnOnce(&mut Fabric) + 'static) {
        self.0.borrow_mut().push(Box::new(action));
    }
}

/// A world of hosts on a virtual network in virtual time.
pub struct Fabric {
    core: Rc<Core>,
    actions: Slab<Action>,
    inbox: Inbox,
    sweeping: Sweeping,
    key_log: Option<Arc<dyn KeyLog>>,
    failed: Option<FabricError>,
}

thread_local! {
    static OCCUPIED: Cell<bool> = const { Cell::new(false) };
}

impl Fabric {
    /// A world at its beginning, with every host down.
    ///
    /// # Errors
    /// Two hosts share an address, or one is loopback or unspecified; this thread already has a fabric.
    pub fn new(config: FabricConfig) -> Result<Self, FabricError> {
        let mut by_ip: AddressMap<IpAddr, HostId> = AddressMap::default();
        for (position, spec) in (0..).zip(&config.hosts) {
            let bad = spec.ip.is_loopback() || spec.ip.is_unspecified() || spec.ip.is_multicast();
            if bad || by_ip.insert(spec.ip, HostId(position)).is_some() {
                return Err(FabricError::BadAddress {
                    host: spec.name.clone(),
                    ip: spec.ip,
                });
            }
        }
        if OCCUPIED.replace(true) {
            return Err(FabricError::Occupied);
        }
        panic::install_hook();
        let shared = Arc::<Shared>::default();
        let kernel = KernelConfig::default()
            .recv_buf_cap(RECEIVE_BUFFER)
            .send_buf_cap(SEND_BUFFER)
            // turmoil-net counts sweeps where a kernel counts time; retransmission is ours.
            .retx_threshold(u32::MAX);
        let mut net = Net::with_config(kernel);
        let place = |spec: &HostSpec| Place {
            name: spec.name.clone(),
            region: spec.region.clone(),
            zone: spec.zone.clone(),
        };
        let places = config.hosts.iter().map(place).collect();
        let powered = vec![false; config.hosts.len()];
        let hosts = (0..)
            .zip(config.hosts)
            .map(|(position, spec)| {
                let net = net.add_host(spec.ip);
                host(position, spec, net, &shared, config.epoch)
            })
            .collect();
        let wire = Wire {
            guard: net.enter(),
            shared: shared.clone(),
            conns: Connections::default(),
            links: Links::new(config.seed, places, config.links),
            rules: Rules::new(config.seed),
            timeouts: config.timeouts,
            sweeping: config.sweeping,
            by_ip,
            powered,
            flights: Slab::default(),
            stats: FabricStats::default(),
            tap: None,
            round: 0,
            ordinal: 0,
            writers: Vec::new(),
            noted: Vec::new(),
            touched: false,
            due: u64::MAX,
            egress: Vec::new(),
            staged: Vec::new(),
            held: 0,
            unanswered: Vec::new(),
        };
        Ok(Self {
            core: Rc::new(Core::new(config.seed, shared, hosts, wire)),
            actions: Slab::default(),
            inbox: Inbox::default(),
            sweeping: config.sweeping,
            key_log: config.key_log,
            failed: None,
        })
    }

    /// The host's doors to the outside, with `observer` as the fifth.
    pub fn seams(&self, host: HostId, observer: Rc<dyn Observer>) -> Seams {
        let core = &self.core;
        let entry = core.host(host);
        Seams {
            network: Rc::new(HostNetwork {
                core: core.clone(),
                host,
            }),
            clock: Arc::new(HostClock(entry.clock.clone())),
            spawn: Rc::new(HostSpawn {
                core: core.clone(),
                host,
            }),
            random: Rc::new(HostRandomness {
                seed: core.seed,
                host: entry.spec.name.clone(),
            }),
            observer,
            key_log: self.key_log.clone(),
        }
    }

    /// Global time.
    pub fn now(&self) -> Instant {
        Instant::from_nanos(self.core.shared.now())
    }

    /// The number of the host called `name`.
    pub fn host(&self, name: &str) -> Option<HostId> {
        let position = self.core.hosts.iter().position(|h| &*h.spec.name == name)?;
        u32::try_from(position).ok().map(HostId)
    }

    /// Where tasks can leave actions.
    pub fn inbox(&self) -> Inbox {
        self.inbox.clone()
    }

    /// What has happened so far.
    pub fn stats(&self) -> FabricStats {
        let stats = self.core.wire(|wire| FabricStats {
            connections: wire.conns.len() as u64,
            ..wire.stats
        });
        stats.unwrap_or_default()
    }

    /// Shows every packet put on a link from now on to `tap`, in the order they
    /// are sent, before `run_until` returns (perhaps some virtual time after they are sent).
    pub fn tap(&mut self, tap: Tap) {
        self.core.wire(|wire| {
            wire.flush();
            wire.tap = Some(tap);
        });
    }

    fn panicked(&self, failure: panic::Failure) -> FabricError {
        FabricError::Panic {
            host: self.core.host(HostId(failure.host)).spec.name.clone(),
            message: failure.message,
        }
    }
}

fn host(
    position: u32,
    spec: HostSpec,
    net: turmoil_net::HostId,
    shared: &Arc<Shared>,
    epoch: Duration,
) -> Host {
    let wake = Arc::new(HostWaker::new(shared.clone(), position));
    Host {
        spec,
        net,
        tasks: RefCell::new(None),
        waker: wake.clone().into(),
        wake,
        clock: Arc::new(ClockState::new(shared.clone(), position, epoch)),
        loopback: RefCell::default(),
        frozen: Cell::new(false),
        missed_wake: Cell::new(false),
        polls: Cell::new((0, 0)),
    }
}

impl Drop for Fabric {
    /// Ends the world: every task is dropped on its host, while there still is a network.
    fn drop(&mut self) {
        for (position, host) in (0..).zip(&self.core.hosts) {
            let tasks = host.tasks.borrow_mut().take();
            panic::guarded(&host.wake, || {
                self.core.on(HostId(position), || drop(tasks));
            });
            drop(host.loopback.borrow_mut().close_all());
        }
        self.actions = Slab::default();
        self.inbox.0.take();
        drop(self.core.wire.borrow_mut().take());
        OCCUPIED.set(false);
    }
}

/// The named streams of one host.
struct HostRandomness {
    seed: u64,
    host: Arc<str>,
}

impl Randomness for HostRandomness {
    fn stream(&self, name: &str) -> Rng {
        Rng::named(self.seed, &format!("{}/{name}", self.host))
    }
}
