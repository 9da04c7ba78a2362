//! Everything between the hosts' kernels: connections, links, rules and the
//! packets on their way.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use mesh_core::seam::Instant;
use turmoil_net::{EnterGuard, Packet};

use super::HostId;
use super::address_map::AddressMap;
use super::clock::Shared;
use super::connection::End;
use super::connections::{Connections, EndRef};
use super::link::Links;
use super::queue::Class;
use super::rule::Rules;

/// How long TCP waits before it sends again, and before it gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpTimeouts {
    /// First retransmission of a SYN, and of anything before the first
    /// round-trip sample (RFC 6298, 2.1; Linux `TCP_TIMEOUT_INIT`).
    pub initial: Duration,
    /// Floor of the retransmission timeout's variance term (Linux `TCP_RTO_MIN`).
    pub min: Duration,
    /// Ceiling of the retransmission timeout (Linux `TCP_RTO_MAX`).
    pub max: Duration,
    /// A connect gives up after this (Linux: `tcp_syn_retries` 6 sends seven SYNs in 127 s).
    pub connect: Duration,
    /// A connection gives up when nothing it sends has got through for so long
    /// (Linux: `tcp_retries2` 15, documented as 924.6 s in ip-sysctl).
    pub user: Duration,
}

impl Default for TcpTimeouts {
    fn default() -> Self {
        Self {
            initial: Duration::from_secs(1),
            min: Duration::from_millis(200),
            max: Duration::from_secs(120),
            connect: Duration::from_secs(127),
            user: Duration::from_millis(924_600),
        }
    }
}

/// How data travels and when packets are taken out of the kernels. All give the
/// same packets at the same instants; they differ in speed alone, and the slower
/// ones are there to prove it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sweeping {
    /// The kernels carry everything and are swept after every poll and every delivery.
    Always,
    /// The kernels carry everything and are swept after something that can have made a packet.
    Touched,
    /// Data goes past the kernels. The handshakes and closes they make are
    /// taken out as late as the first could arrive, each dated back to its own instant.
    #[default]
    Late,
}

/// What the fabric has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FabricStats {
    /// Packets put on a link, retransmissions included.
    pub packets: u64,
    /// Their bytes, headers included.
    pub bytes: u64,
    /// Packets that a link, a rule or a full queue lost.
    pub lost: u64,
    /// Packets that ran into a partition or a host without power.
    pub parked: u64,
    /// Connections that gave up waiting.
    pub aborted: u64,
    /// Sweeps over the kernels.
    pub sweeps: u64,
    /// Events taken from the queue.
    pub events: u64,
    /// Connections that exist now.
    pub connections: u64,
}

/// Sees every packet put on a link, at the instant it was sent.
pub type Tap = Box<dyn FnMut(Instant, &Packet)>;

/// Something on its way.
pub(super) enum Flight {
    /// A packet, and when it was sent.
    Segment {
        packet: Packet,
        end: Option<EndRef>,
        sent: u64,
    },
    /// The next retransmission of a direction.
    Retry(EndRef),
}

/// A packet that waits for the end of its round, or for a sweep.
pub(super) struct Staged {
    pub(super) order: Order,
    pub(super) at: u64,
    pub(super) end: Option<EndRef>,
    pub(super) packet: Packet,
}

/// Packets leave in this order: it depends on what made them and when, but not
/// on when they were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Order {
    pub(super) round: u64,
    pub(super) host: Option<HostId>,
    /// When the socket was made.
    pub(super) birth: u64,
    pub(super) class: Place,
    pub(super) ordinal: u64,
}

/// Where in its connection's share of a round a packet goes: a kernel makes its
/// answers when it is asked, and cuts data when it is swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// Handshakes, acknowledgements, resets.
    Answer,
    /// Data.
    Data,
    /// The FIN.
    Fin,
}

/// The network between the kernels.
pub(super) struct Wire {
    pub(super) guard: EnterGuard,
    pub(super) shared: Arc<Shared>,
    pub(super) conns: Connections,
    pub(super) links: Links,
    pub(super) rules: Rules,
    pub(super) timeouts: TcpTimeouts,
    pub(super) sweeping: Sweeping,
    pub(super) by_ip: AddressMap<IpAddr, HostId>,
    /// Whether each host's kernel answers.
    pub(super) powered: Vec<bool>,
    pub(super) flights: Slab<Flight>,
    pub(super) stats: FabricStats,
    pub(super) tap: Option<Tap>,

    /// Counts the quiet points between polls; what is written between two of them leaves together.
    pub(super) round: u64,
    /// Counts what is made.
    pub(super) ordinal: u64,
    /// Ends that have written in this round.
    pub(super) writers: Vec<EndRef>,
    /// Ends whose kernel has made something that has a note.
    pub(super) noted: Vec<EndRef>,
    /// Something may have been made that has no note.
    pub(super) touched: bool,
    /// A sweep may not wait longer than this.
    pub(super) due: u64,
    pub(super) egress: Vec<Packet>,
    pub(super) staged: Vec<Staged>,
    /// How many of `staged` were made before this round.
    pub(super) held: usize,
    /// SYNs delivered since the last sweep: full backlogs drop them in silence.
    pub(super) unanswered: Vec<(EndRef, Packet, u64)>,
}

/// Numbered slots that are used again.
pub(super) struct Slab<T> {
    slots: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slab<T> {
    /// Keeps `value`.
    pub(super) fn insert(&mut self, value: T) -> u32 {
        if let Some(index) = self.free.pop() {
            self.slots[index as usize] = Some(value);
            return index;
        }
        self.slots.push(Some(value));
        u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 events")
    }

    /// Gives `value` back.
    pub(super) fn take(&mut self, index: u32) -> Option<T> {
        let value = self.slots.get_mut(index as usize)?.take();
        if value.is_some() {
            self.free.push(index);
        }
        value
    }
}

impl Wire {
    /// Files `flight` at `at`.
    pub(super) fn launch(&mut self, at: u64, flight: Flight) {
        let index = self.flights.insert(flight);
        self.shared.queue().push(at, Class::Packet, index);
    }

    /// The host with this address, if anybody has it.
    pub(super) fn host_of(&self, ip: IpAddr) -> Option<HostId> {
        self.by_ip.get(&ip).copied()
    }

    /// A connection that the host at `local` opens to `peer`.
    pub(super) fn open(&mut self, local: SocketAddr, peer: SocketAddr) -> EndRef {
        let mut ends = [local, peer].map(|addr| End::new(addr, self.host_of(addr.ip())));
        ends[0].held = true;
        ends[0].birth = self.next_ordinal();
        let links = match (ends[0].host, ends[1].host) {
            (Some(a), Some(b)) => [
                Some(self.links.between(a, b)),
                Some(self.links.between(b, a)),
            ],
            _ => [None, None],
        };
        self.conns.open(ends, links)
    }

    /// The next position in the order of what is made.
    pub(super) fn next_ordinal(&mut self) -> u64 {
        self.ordinal += 1;
        self.ordinal
    }

    /// Whether data goes past the kernels.
    pub(super) fn is_direct(&self) -> bool {
        self.sweeping == Sweeping::Late
    }

    /// Whether the host of an address is there to receive.
    pub(super) fn is_powered(&self, host: Option<HostId>) -> bool {
        host.is_some_and(|host| self.powered[host.index()])
    }
}
