//! What the fabric knows about each TCP connection.
//!
//! The kernels keep the protocol's state and do not show it. The fabric keeps
//! what it needs of its own: delivery in order per direction, a round-trip
//! estimate for retransmission timeouts, segments waiting for a retransmission,
//! the bytes that travel [past the kernels](super::direct), and notes of what a
//! kernel has made and no sweep has taken yet. A connection is forgotten once
//! both ends have let go of it.

use std::collections::VecDeque;
use std::hash::{BuildHasherDefault, Hasher};
use std::net::SocketAddr;
use std::task::Waker;

use bytes::{Bytes, BytesMut};
use indexmap::IndexMap;
use turmoil_net::Packet;

use super::HostId;

/// A packet that a kernel makes and no sweep has taken yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Note {
    pub(super) round: u64,
    pub(super) at: u64,
    pub(super) ordinal: u64,
    /// Sequence and acknowledgement number on the wire, unless they are the kernel's own.
    pub(super) numbers: Option<(u32, u32)>,
}

/// Where the retransmission of a direction stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    /// The timeout that runs now; doubles with each retransmission.
    pub(super) timeout: u64,
    /// When the connection gives up.
    pub(super) gives_up: u64,
}

/// One direction: what end `i` sends.
#[derive(Debug, Default)]
pub(super) struct Direction {
    pub(super) link: Option<u32>,
    /// The sender may send data: its side of the handshake is done.
    pub(super) open: bool,
    /// The sequence number of the SYN.
    pub(super) isn: u32,
    /// The next sequence number to send; the first that is not acknowledged.
    pub(super) snd_nxt: u32,
    pub(super) snd_una: u32,
    /// The next sequence number the receiver expects.
    pub(super) rcv_nxt: u32,
    /// Bytes written in this round.
    pub(super) outgoing: BytesMut,
    /// Something was written in this round.
    pub(super) fresh: bool,
    /// Bytes that went past the kernels, modulo 2^32.
    pub(super) carried: u32,
    /// Bytes delivered and not read yet.
    pub(super) incoming: VecDeque<Bytes>,
    pub(super) unread: usize,
    /// An acknowledgement waits until enough of them are read.
    pub(super) withheld: bool,
    /// The FIN was delivered.
    pub(super) ended: bool,
    /// The receiver, waiting to read.
    pub(super) reader: Option<Waker>,
    /// The sender, waiting to write.
    pub(super) writer: Option<Waker>,
    /// What the sender's kernel makes, the FIN apart (it follows the data).
    pub(super) notes: VecDeque<Note>,
    pub(super) fin_note: Option<Note>,
    /// The sender has shut its side, and where the FIN is once it was sent.
    pub(super) shut: bool,
    pub(super) fin: Option<u32>,
    pub(super) fin_acked: bool,
    /// Packets on the way.
    pub(super) in_flight: u32,
    pub(super) last_arrival: u64,
    /// How long the last packet took.
    pub(super) delay: Option<u64>,
    /// Segments that did not get through, and all sent after them.
    pub(super) parked: VecDeque<Packet>,
    /// When the first of them is sent again.
    pub(super) retry_at: Option<u64>,
    /// Since the first loss that nothing has got through.
    pub(super) backoff: Option<Backoff>,
}

impl Direction {
    fn new(link: Option<u32>) -> Self {
        Self {
            link,
            ..Self::default()
        }
    }

    /// Forgets everything that waits to be sent or sent again.
    pub(super) fn discard(&mut self) {
        self.outgoing.clear();
        self.notes.clear();
        self.fin_note = None;
        self.parked.clear();
        self.retry_at = None;
        self.backoff = None;
    }

    /// `ack` has arrived: who waits to write may go on.
    pub(super) fn acknowledge(&mut self, ack: u32) {
        if (ack.wrapping_sub(self.snd_una) as i32) > 0 {
            self.snd_una = ack;
        }
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }

    /// The sequence number of the first byte written and not cut into a segment yet.
    pub(super) fn carried_seq(&self) -> u32 {
        self.isn.wrapping_add(1).wrapping_add(self.carried)
    }

    /// Bytes that were written and not acknowledged (a FIN counts for one).
    pub(super) fn unacknowledged(&self) -> usize {
        self.snd_nxt.wrapping_sub(self.snd_una) as usize
    }
}

/// One end.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) addr: SocketAddr,
    /// `None`: an address nobody has.
    pub(super) host: Option<HostId>,
    /// A stream object holds it.
    pub(super) held: bool,
    /// Its socket is gone without a FIN: reset, or its host died.
    pub(super) dead: bool,
    /// A reset reached it.
    pub(super) reset: bool,
    /// It gave up waiting, so its socket reports a timeout rather than a reset.
    pub(super) timed_out: bool,
    /// The stream object that held it was dropped.
    pub(super) released: bool,
    /// When its socket was made: orders the packets of one host in one round.
    pub(super) birth: u64,
}

impl End {
    /// An end at `addr`, which `host` has.
    pub(super) fn new(addr: SocketAddr, host: Option<HostId>) -> Self {
        Self {
            addr,
            host,
            held: false,
            dead: false,
            reset: false,
            timed_out: false,
            released: false,
            birth: 0,
        }
    }

    /// Whether its socket still takes part.
    pub(super) fn alive(&self) -> bool {
        !self.dead && !self.reset
    }
}

/// A connection; end 0 opened it.
#[derive(Debug)]
pub(super) struct Conn {
    generation: u32,
    pub(super) ends: [End; 2],
    pub(super) dirs: [Direction; 2],
    /// A FIN or RST was sent, or is about to be.
    pub(super) closing: bool,
    /// A receiver advertised less than a full window.
    pub(super) narrow: bool,
    /// A reset reached an end.
    pub(super) reset: bool,
    /// The server's SYN-ACK went out with this sequence number.
    pub(super) syn_ack: Option<u32>,
    /// The client was gone before the handshake ended: nobody should accept it.
    pub(super) stillborn: bool,
    pub(super) rtt: Rtt,
}

impl Conn {
    /// Whether a pure acknowledgement to `side` can make its kernel say nothing.
    pub(super) fn plain(&self, side: usize) -> bool {
        self.dirs[side].open && !self.closing && !self.narrow
    }

    /// The direction to `side`, and the one from it.
    pub(super) fn around(&mut self, side: usize) -> (&mut Direction, &mut Direction) {
        let [a, b] = &mut self.dirs;
        if side == 0 { (b, a) } else { (a, b) }
    }

    /// Whether nobody will ever hear of it again.
    fn is_over(&self) -> bool {
        let idle = |d: &Direction| {
            let unsent = d.fin_note.is_some() || !d.notes.is_empty() || !d.outgoing.is_empty();
            d.in_flight == 0 && d.parked.is_empty() && !unsent
        };
        let over = self.reset
            || self.dirs.iter().all(|d| d.fin_acked)
            || self.ends.iter().all(|e| e.dead || e.host.is_none());
        over && self.dirs.iter().all(idle) && self.ends.iter().all(|e| !e.held)
    }
}

/// A smoothed round-trip time, as RFC 6298 defines it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rtt(Option<Smoothed>);

#[derive(Clone, Copy, Debug)]
struct Smoothed {
    rtt: u64,
    variation: u64,
}

impl Rtt {
    /// A new sample (RFC 6298, 2.2 and 2.3; alpha 1/8, beta 1/4).
    pub(super) fn sample(&mut self, rtt: u64) {
        self.0 = Some(match self.0 {
            None => Smoothed {
                rtt,
                variation: rtt / 2,
            },
            Some(old) => Smoothed {
                rtt: old.rtt - old.rtt / 8 + rtt / 8,
                variation: old.variation - old.variation / 4 + old.rtt.abs_diff(rtt) / 4,
            },
        });
    }

    /// The retransmission timeout. Linux takes the floor on the variation, not
    /// on the sum (`tcp_rtt_estimator` and `__tcp_set_rto`, net/ipv4).
    pub(super) fn timeout(self, floor: u64, initial: u64) -> u64 {
        self.0.map_or(initial, |smoothed| {
            let variation = smoothed.variation.saturating_mul(4);
            smoothed.rtt.saturating_add(variation.max(floor))
        })
    }
}

/// A handle to a connection that may be over by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ConnRef {
    index: u32,
    generation: u32,
}

/// Which connection, and which end of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EndRef {
    pub(super) conn: ConnRef,
    pub(super) side: usize,
}

impl EndRef {
    /// The other end.
    pub(super) fn peer(self) -> Self {
        Self {
            conn: self.conn,
            side: 1 - self.side,
        }
    }
}

/// Hashes addresses quickly and the same everywhere (the multiply-rotate hash of rustc).
#[derive(Default)]
pub(super) struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, n: u8) {
        self.write_u64(u64::from(n));
    }

    fn write_u16(&mut self, n: u16) {
        self.write_u64(u64::from(n));
    }

    fn write_u32(&mut self, n: u32) {
        self.write_u64(u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = (self.0.rotate_left(5) ^ n).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn write_usize(&mut self, n: usize) {
        self.write_u64(n as u64);
    }

    fn write_isize(&mut self, n: isize) {
        self.write_u64(n as u64);
    }

    fn finish(&self) -> u64 {
        // The table takes its position from the low bits, the hash is best in the high ones.
        self.0.rotate_left(26)
    }
}

/// An [`IndexMap`] with that hash.
pub(super) type AddressMap<K, V> = IndexMap<K, V, BuildHasherDefault<AddressHasher>>;

/// The live connections.
#[derive(Default)]
pub(super) struct Connections {
    slots: Vec<Option<Conn>>,
    free: Vec<u32>,
    next_generation: u32,
    by_addresses: AddressMap<(SocketAddr, SocketAddr), (u32, u8)>,
}

impl Connections {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// The sender's end of a packet from `src` to `dst`.
    pub(super) fn find(&self, src: SocketAddr, dst: SocketAddr) -> Option<EndRef> {
        let &(index, side) = self.by_addresses.get(&(src, dst))?;
        let generation = self.slots[index as usize].as_ref()?.generation;
        Some(EndRef {
            conn: ConnRef { index, generation },
            side: usize::from(side),
        })
    }

    /// The connection, unless it is over.
    pub(super) fn get(&mut self, conn: ConnRef) -> Option<&mut Conn> {
        let slot = self.slots.get_mut(conn.index as usize)?.as_mut()?;
        (slot.generation == conn.generation).then_some(slot)
    }

    /// A new connection, opened by `ends[0]`. One that had the same addresses is forgotten.
    pub(super) fn open(&mut self, ends: [End; 2], links: [Option<u32>; 2]) -> EndRef {
        let addrs = ends.map(|end| end.addr);
        if let Some(old) = self.find(addrs[0], addrs[1]) {
            self.forget(old.conn);
        }
        self.next_generation = self.next_generation.wrapping_add(1);
        let conn = Conn {
            generation: self.next_generation,
            ends,
            dirs: links.map(Direction::new),
            closing: false,
            narrow: false,
            reset: false,
            syn_ack: None,
            stillborn: false,
            rtt: Rtt::default(),
        };
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                self.slots.push(None);
                u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 connections")
            }
        };
        self.slots[index as usize] = Some(conn);
        self.by_addresses.insert((addrs[0], addrs[1]), (index, 0));
        self.by_addresses.insert((addrs[1], addrs[0]), (index, 1));
        let generation = self.next_generation;
        EndRef {
            conn: ConnRef { index, generation },
            side: 0,
        }
    }

    /// Forgets the connection if nobody will ever hear of it again.
    pub(super) fn forget_if_over(&mut self, conn: ConnRef) {
        if self.get(conn).is_some_and(|conn| conn.is_over()) {
            self.forget(conn);
        }
    }

    fn forget(&mut self, conn: ConnRef) {
        let Some(gone) = self.slots[conn.index as usize].take() else {
            return;
        };
        let [a, b] = gone.ends.map(|end| end.addr);
        self.by_addresses.swap_remove(&(a, b));
        self.by_addresses.swap_remove(&(b, a));
        self.free.push(conn.index);
    }

    /// Every connection with an end on `host`, and which end.
    pub(super) fn of_host(&self, host: HostId) -> Vec<EndRef> {
        let mut found = Vec::new();
        for (index, slot) in self.slots.iter().enumerate() {
            let Some(conn) = slot else { continue };
            for side in 0..2 {
                if conn.ends[side].host == Some(host) {
                    let generation = conn.generation;
                    let index = index as u32;
                    found.push(EndRef {
                        conn: ConnRef { index, generation },
                        side,
                    });
                }
            }
        }
        found
    }
}
