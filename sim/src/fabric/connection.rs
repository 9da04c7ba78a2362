//! What the fabric knows about a TCP connection.
//!
//! The kernels keep the protocol's state and do not show it. The fabric keeps
//! what it needs of its own: delivery in order per direction, a round-trip
//! estimate for retransmission timeouts, segments waiting for a retransmission,
//! the bytes that travel [past the kernels](super::direct), and notes of what a
//! kernel has made and no sweep has taken yet.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::task::Waker;

use bytes::{Bytes, BytesMut};
use turmoil_net::Packet;

use super::HostId;
use super::retransmission::{Backoff, Rtt};

/// A packet that a kernel makes and no sweep has taken yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Note {
    pub(super) round: u64,
    pub(super) at: u64,
    pub(super) ordinal: u64,
    /// Sequence and acknowledgement number on the wire, unless they are the kernel's own.
    pub(super) numbers: Option<(u32, u32)>,
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
    /// Tells it from others that have had its place.
    pub(super) generation: u32,
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
    /// The beginning of a connection between `ends`, over one link per direction.
    pub(super) fn new(generation: u32, ends: [End; 2], links: [Option<u32>; 2]) -> Self {
        Self {
            generation,
            ends,
            dirs: links.map(Direction::new),
            closing: false,
            narrow: false,
            reset: false,
            syn_ack: None,
            stillborn: false,
            rtt: Rtt::default(),
        }
    }

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
    pub(super) fn is_over(&self) -> bool {
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
