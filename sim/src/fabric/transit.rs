//! The fate of a packet: sent, lost, parked, sent again, delivered.
//!
//! turmoil-net's receiver keeps no segment that arrives out of order, and its
//! own retransmission counts sweeps, not time. So the fabric does what a kernel
//! with a clock does: a segment that does not get through is *parked* and
//! sent again after the retransmission timeout, which doubles each time; what
//! its sender sends after it waits behind it, as it would in the receiver's
//! reassembly queue. A connection that gets nothing through for its user
//! timeout is reset at both ends, and its sockets report a timeout.
//!
//! Not modelled: fast retransmit, tail-loss probes and congestion control, so
//! a single loss costs a full timeout where a real bulk transfer often recovers
//! within a round trip. Pure acknowledgements are never lost (the next one
//! makes up for it), but a partition stops them like everything else. A reset
//! that does not get through is gone, as RFC 9293 has it.

use std::net::SocketAddr;

use bytes::Bytes;
use turmoil_net::{Packet, TcpFlags, TcpSegment, Transport};

use super::HostId;
use super::connection::{Backoff, EndRef};
use super::link::Passage;
use super::rule::nanos;
use super::sweep::is_pure_ack;
use super::wire::{Flight, Sweeping, Wire, segment};

/// The full window; what every receiver advertises that has room.
const FULL_WINDOW: u16 = u16::MAX;

impl Wire {
    /// Sends a packet that a kernel made at `at`.
    pub(super) fn send(&mut self, packet: Packet, end: Option<EndRef>, at: u64) {
        let (Some(end), Some(tcp)) = (end, segment(&packet)) else {
            return self.transmit(packet, end, at);
        };
        let Some(conn) = self.conns.get(end.conn) else {
            return self.transmit(packet, None, at);
        };
        let dir = &mut conn.dirs[end.side];
        if tcp.flags.rst {
            conn.closing = true;
            conn.ends[end.side].dead = true;
            dir.discard();
        } else if tcp.flags.syn {
            dir.isn = tcp.seq;
            dir.snd_nxt = tcp.seq.wrapping_add(1);
            dir.snd_una = dir.snd_nxt;
            if tcp.flags.ack {
                conn.syn_ack = Some(tcp.seq);
            }
        } else if tcp.flags.fin {
            conn.closing = true;
            dir.fin = Some(tcp.seq.wrapping_add(tcp.payload.len() as u32));
        }
        let dir = &mut conn.dirs[end.side];
        if !dir.parked.is_empty() {
            dir.parked.push_back(packet);
            return;
        }
        self.transmit(packet, Some(end), at);
    }

    /// Puts a packet on its link.
    fn transmit(&mut self, packet: Packet, end: Option<EndRef>, at: u64) {
        self.count(&packet, at);
        let Some((from, to)) = self.route(&packet) else {
            return self.block(packet, end, at);
        };
        let losable = !is_pure_ack(&packet);
        let verdict = self.rules.judge(from, to, losable);
        if verdict.blocked {
            return self.block(packet, end, at);
        }
        if verdict.reset {
            return self.reject(&packet, end, at);
        }
        let link = self.links.between(from, to);
        let lost = (losable && self.links.get(link).loses()) || verdict.lost;
        let passage = match lost {
            true => Passage::Overflows,
            false => self.links.get(link).pass(at, packet.size(), &verdict),
        };
        match (passage, end) {
            (Passage::Arrives(arrival), _) => self.fly(packet, end, at, arrival),
            (Passage::Overflows, None) => self.stats.lost += 1,
            (Passage::Overflows, Some(end)) => {
                self.stats.lost += 1;
                self.park(end, packet, at);
            }
        }
    }

    fn route(&self, packet: &Packet) -> Option<(HostId, HostId)> {
        Some((self.host_of(packet.src)?, self.host_of(packet.dst)?))
    }

    fn count(&mut self, packet: &Packet, at: u64) {
        self.stats.packets += 1;
        self.stats.bytes += u64::from(packet.size());
        if let Some(tap) = &mut self.tap {
            tap(mesh_core::seam::Instant::from_nanos(at), packet);
        }
    }

    /// On its way, behind whatever its connection sent before.
    fn fly(&mut self, packet: Packet, end: Option<EndRef>, sent: u64, arrival: u64) {
        let mut arrival = arrival;
        if let Some(end) = end
            && let Some(conn) = self.conns.get(end.conn)
        {
            let dir = &mut conn.dirs[end.side];
            arrival = arrival.max(dir.last_arrival);
            dir.last_arrival = arrival;
            dir.in_flight += 1;
            dir.delay = Some(arrival.saturating_sub(sent));
            if let [Some(there), Some(back)] = [conn.dirs[0].delay, conn.dirs[1].delay] {
                conn.rtt.sample(there.saturating_add(back));
            }
        }
        self.launch(arrival, Flight::Segment { packet, end, sent });
    }

    fn block(&mut self, packet: Packet, end: Option<EndRef>, at: u64) {
        self.stats.parked += 1;
        if let Some(end) = end {
            self.park(end, packet, at);
        }
    }

    /// A packet sent at `sent` did not get through: it will be sent again.
    pub(super) fn park(&mut self, end: EndRef, packet: Packet, sent: u64) {
        let now = self.shared.now();
        let timeouts = self.timeouts;
        let Some(tcp) = segment(&packet) else { return };
        let Some(conn) = self.conns.get(end.conn) else {
            return;
        };
        if tcp.flags.rst || conn.ends[end.side].dead {
            return;
        }
        if tcp.flags.syn && !tcp.flags.ack && !conn.ends[0].held {
            // Nobody waits for this connection any more.
            conn.reset = true;
            self.conns.forget_if_over(end.conn);
            return;
        }
        let syn = tcp.flags.syn;
        let seq = tcp.seq;
        let rtt = conn.rtt;
        let dir = &mut conn.dirs[end.side];
        let behind = dir
            .parked
            .iter()
            .position(|other| segment(other).is_some_and(|other| after(other.seq, seq)));
        dir.parked
            .insert(behind.unwrap_or(dir.parked.len()), packet);
        if dir.retry_at.is_some() {
            return;
        }
        let max = nanos(timeouts.max);
        let backoff = match dir.backoff {
            Some(again) => Backoff {
                timeout: again.timeout.saturating_mul(2).min(max),
                ..again
            },
            None => {
                let initial = nanos(timeouts.initial);
                let (timeout, patience) = match syn {
                    true => (initial, timeouts.connect),
                    false => (
                        rtt.timeout(nanos(timeouts.min), initial).min(max),
                        timeouts.user,
                    ),
                };
                Backoff {
                    timeout,
                    gives_up: sent.saturating_add(nanos(patience)),
                }
            }
        };
        dir.backoff = Some(backoff);
        let at = sent
            .saturating_add(backoff.timeout)
            .min(backoff.gives_up)
            .max(now);
        dir.retry_at = Some(at);
        self.launch(at, Flight::Retry(end));
    }

    /// A retransmission timeout ended.
    fn retry(&mut self, end: EndRef) {
        let now = self.shared.now();
        let Some(conn) = self.conns.get(end.conn) else {
            return;
        };
        let dir = &mut conn.dirs[end.side];
        if dir.retry_at != Some(now) {
            return;
        }
        dir.retry_at = None;
        if dir.backoff.is_some_and(|backoff| backoff.gives_up <= now) {
            return self.give_up(end);
        }
        // What waits for a sweep was sent before this.
        self.flush();
        let Some(conn) = self.conns.get(end.conn) else {
            return;
        };
        let dir = &mut conn.dirs[end.side];
        let mut parked = std::mem::take(&mut dir.parked).into_iter();
        let receiver = conn.ends[end.side ^ 1].host;
        let Some(first) = parked.next() else { return };
        if self.is_powered(receiver) {
            self.transmit(first, Some(end), now);
        } else {
            self.count(&first, now);
            self.block(first, Some(end), now);
        }
        for packet in parked {
            self.send(packet, Some(end), now);
        }
    }

    /// Nothing got through for too long: both ends are reset.
    fn give_up(&mut self, end: EndRef) {
        self.stats.aborted += 1;
        if let Some(conn) = self.conns.get(end.conn) {
            for side in 0..2 {
                let waits = side == end.side || !conn.dirs[side].parked.is_empty();
                conn.ends[side].timed_out |= waits;
            }
        }
        self.reset_at(end);
        self.reset_at(end.peer());
    }

    /// The network answers with a reset, and passes one on.
    fn reject(&mut self, packet: &Packet, end: Option<EndRef>, at: u64) {
        let (Some(end), Some((from, to)), Some(tcp)) = (end, self.route(packet), segment(packet))
        else {
            return;
        };
        let Some(conn) = self.conns.get(end.conn).filter(|_| !tcp.flags.rst) else {
            return;
        };
        conn.closing = true;
        let [src, dst] = [conn.ends[end.side].addr, conn.ends[end.side ^ 1].addr];
        let onward = control_packet(src, dst, tcp.seq, tcp.ack, RST);
        let back = control_packet(dst, src, tcp.ack, tcp.seq, RST);
        let there = self.links.between(from, to);
        let home = self.links.between(to, from);
        let onward_at = at.saturating_add(self.links.get(there).latency());
        let back_at = onward_at.saturating_add(self.links.get(home).latency());
        self.fly(onward, Some(end), at, onward_at);
        self.fly(back, Some(end.peer()), at, back_at);
    }

    /// Something arrives.
    pub(super) fn arrive(&mut self, flight: u32) {
        match self.flights.take(flight) {
            Some(Flight::Segment { packet, end, sent }) => self.deliver(packet, end, sent),
            Some(Flight::Retry(end)) => self.retry(end),
            None => {}
        }
    }

    fn deliver(&mut self, packet: Packet, end: Option<EndRef>, sent: u64) {
        let receiver = self.host_of(packet.dst);
        let there = self.is_powered(receiver);
        if let Some(end) = end
            && let Some(conn) = self.conns.get(end.conn)
        {
            conn.dirs[end.side].in_flight -= 1;
            if there {
                return self.deliver_to(packet, end, sent);
            }
            self.stats.parked += 1;
            self.park(end, packet, sent);
            self.conns.forget_if_over(end.conn);
        } else if there {
            self.guard.deliver(packet);
            self.touched = true;
        }
    }

    /// Delivers a packet of a known connection to a live host.
    fn deliver_to(&mut self, packet: Packet, end: EndRef, sent: u64) {
        let Some(tcp) = segment(&packet) else { return };
        if tcp.flags.rst {
            self.before_reset(end.peer());
            self.guard.deliver(packet);
            return self.conns.forget_if_over(end.conn);
        }
        let birth = self.next_ordinal();
        let direct = self.is_direct();
        let Some(conn) = self.conns.get(end.conn) else {
            return;
        };
        let receiver = &mut conn.ends[end.side ^ 1];
        let alive = receiver.alive();
        let (dir, reverse) = conn.around(end.side ^ 1);
        let length =
            (tcp.payload.len() as u32).wrapping_add(u32::from(tcp.flags.fin || tcp.flags.syn));
        dir.rcv_nxt = tcp.seq.wrapping_add(length);
        if reverse
            .fin
            .is_some_and(|fin| tcp.ack == fin.wrapping_add(1))
        {
            reverse.fin_acked = true;
        }
        if tcp.flags.syn && !tcp.flags.ack {
            conn.ends[end.side ^ 1].birth = birth;
            self.unanswered.push((end, packet.clone(), sent));
        } else {
            dir.backoff = None;
        }
        if direct && alive {
            self.receive(packet, end);
        } else {
            self.receive_by_kernel(packet, end);
        }
        self.conns.forget_if_over(end.conn);
    }

    /// Lets the kernel take in what arrived.
    fn receive_by_kernel(&mut self, packet: Packet, from: EndRef) {
        let quiet = match (self.conns.get(from.conn), segment(&packet)) {
            (Some(conn), Some(tcp)) => {
                conn.narrow |= tcp.window < FULL_WINDOW;
                let reverse = &mut conn.dirs[from.side ^ 1];
                // The SYN-ACK lets the client speak, the ACK of it the server.
                reverse.open |= !tcp.flags.syn || tcp.flags.ack;
                is_pure_ack(&packet) && conn.plain(from.side ^ 1)
            }
            _ => false,
        };
        self.touched |= !quiet || self.sweeping == Sweeping::Always;
        self.guard.deliver(packet);
    }

    /// Resets the socket at `end`, as if its peer had.
    pub(super) fn reset_at(&mut self, end: EndRef) {
        let Some(conn) = self.conns.get(end.conn) else {
            return;
        };
        let (to, from) = (conn.ends[end.side], conn.ends[end.side ^ 1]);
        conn.dirs[end.side].discard();
        if to.dead || !self.is_powered(to.host) {
            return;
        }
        self.before_reset(end);
        self.guard
            .deliver(control_packet(from.addr, to.addr, 0, 0, RST));
        self.conns.forget_if_over(end.conn);
    }

    /// Before a reset is delivered to `end`: what it has sent is sent, and what
    /// would leak is completed.
    ///
    /// A reset that finds a half-open child of a listener would leave it in the
    /// kernel's table for ever, and its port could not be bound again. So the
    /// handshake is completed first, and the listener passes over the stillborn connection.
    fn before_reset(&mut self, end: EndRef) {
        self.flush();
        self.touched = true;
        let Some(conn) = self.conns.get(end.conn) else {
            return;
        };
        conn.closing = true;
        conn.reset = true;
        conn.fail(end.side);
        conn.dirs[end.side].discard();
        let half_open = end.side == 1 && !conn.dirs[1].open && conn.syn_ack.is_some();
        conn.stillborn |= half_open;
        conn.dirs[1].open |= half_open;
        if half_open && let Some(ack) = self.completing_ack(end) {
            self.guard.deliver(ack);
        }
    }

    /// Sends a reset from `end` to its peer.
    pub(super) fn send_reset(&mut self, end: EndRef) {
        let now = self.shared.now();
        let Some(conn) = self.conns.get(end.conn) else {
            return;
        };
        let (from, to) = (conn.ends[end.side].addr, conn.ends[end.side ^ 1].addr);
        let (seq, ack) = (conn.dirs[end.side].snd_nxt, conn.dirs[end.side ^ 1].rcv_nxt);
        self.send(control_packet(from, to, seq, ack, RST), Some(end), now);
    }

    /// The stream at `end` shuts its writing side down.
    pub(super) fn shut(&mut self, end: EndRef) {
        let direct = self.is_direct();
        self.touched |= !direct;
        let Some(conn) = self.conns.get(end.conn) else {
            return;
        };
        conn.closing = true;
        let alive = conn.ends[end.side].alive();
        let dir = &mut conn.dirs[end.side];
        if alive && dir.open && !std::mem::replace(&mut dir.shut, true) {
            match direct {
                true => self.note_fin(end),
                false => dir.snd_nxt = dir.snd_nxt.wrapping_add(1),
            }
        }
    }

    /// The stream object of `end` is about to close its socket.
    ///
    /// Closing with unread bytes resets, and would lose what was written in
    /// this round: a kernel sends that first.
    pub(super) fn close(&mut self, end: EndRef) {
        let (direct, round) = (self.is_direct(), self.round);
        let Some(conn) = self.conns.get(end.conn) else {
            return;
        };
        let dir = &conn.dirs[end.side];
        let fin_made = match direct {
            true => dir.fin_note.is_some_and(|note| note.round == round),
            false => dir.shut && dir.fin.is_none(),
        };
        if dir.fresh || fin_made {
            self.flush();
        }
        let Some(conn) = self.conns.get(end.conn) else {
            return;
        };
        let (inward, outward) = conn.around(end.side);
        // Nothing is owed to a peer that has all and has said all.
        let done = inward.ended && outward.fin_acked;
        let unread = !inward.incoming.is_empty() && !done;
        if unread && conn.ends[end.side].alive() {
            conn.closing = true;
            self.abort(end);
        } else {
            self.shut(end);
        }
    }

    /// The stream object of `end` has closed its socket, or its connect was given up.
    pub(super) fn release(&mut self, end: EndRef) {
        self.touched |= !self.is_direct();
        let opening = self
            .conns
            .get(end.conn)
            .is_some_and(|conn| !conn.dirs[end.side].open);
        let Some(conn) = self.conns.get(end.conn) else {
            return;
        };
        if opening && conn.ends[end.side].alive() {
            // The SYN leaves before it is known to be in vain.
            self.touched = true;
            self.flush();
        }
        let Some(conn) = self.conns.get(end.conn) else {
            return;
        };
        conn.closing = true;
        conn.ends[end.side].held = false;
        conn.ends[end.side].released = true;
        let (inward, _) = conn.around(end.side);
        inward.incoming.clear();
        inward.unread = 0;
        if opening {
            conn.dirs[end.side].discard();
            // A SYN that is still on its way will be answered, and the answer reset.
            conn.reset |= conn.dirs[end.side].in_flight == 0 && conn.syn_ack.is_none();
        }
        self.conns.forget_if_over(end.conn);
    }
}

/// The flags of a reset.
pub(super) const RST: TcpFlags = TcpFlags {
    syn: false,
    ack: true,
    fin: false,
    rst: true,
    psh: false,
    urg: false,
};

/// A packet without payload.
pub(super) fn control_packet(
    from: SocketAddr,
    to: SocketAddr,
    seq: u32,
    ack: u32,
    flags: TcpFlags,
) -> Packet {
    Packet {
        src: from.ip(),
        dst: to.ip(),
        ttl: 64,
        payload: Transport::Tcp(TcpSegment {
            src_port: from.port(),
            dst_port: to.port(),
            seq,
            ack,
            flags,
            window: if flags.rst { 0 } else { FULL_WINDOW },
            payload: Bytes::new(),
        }),
    }
}

/// Whether sequence number `a` comes after `b` (RFC 9293, 3.4).
fn after(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) > 0
}
