//! The way of a packet: sent, lost or held up, and on its way.
//!
//! turmoil-net's receiver keeps no segment that arrives out of order, so what
//! is sent on a connection stays in order: nothing overtakes what was sent
//! before it, and what follows a segment that did not get through [waits behind
//! it](super::retransmission).
//!
//! Pure acknowledgements are never lost (the next one makes up for it), but a
//! partition stops them like everything else. A reset that does not get
//! through is gone, as RFC 9293 has it.

use turmoil_net::Packet;

use super::HostId;
use super::connections::EndRef;
use super::link::Passage;
use super::packet::{RST, addresses, control_packet, is_pure_ack, segment};
use super::rule::{Passing, Verdict};
use super::wire::{Flight, Wire};

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
    pub(super) fn transmit(&mut self, packet: Packet, end: Option<EndRef>, at: u64) {
        self.count(&packet, at);
        let Some((from, to)) = self.route(&packet) else {
            return self.block(packet, end, at);
        };
        let losable = !is_pure_ack(&packet);
        let verdict = match self.rules.is_idle() {
            true => Verdict::PASS,
            false => self.judge(&packet, end, (from, to), losable),
        };
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

    fn judge(
        &mut self,
        packet: &Packet,
        end: Option<EndRef>,
        (from, to): (HostId, HostId),
        losable: bool,
    ) -> Verdict {
        let (source, target) = addresses(packet);
        let conn = end.and_then(|end| self.conns.get(end.conn));
        let passing = Passing {
            from,
            to,
            ports: [source.port(), target.port()],
            losable,
            opens: segment(packet).is_some_and(|tcp| tcp.flags.syn && !tcp.flags.ack),
            birth: conn.map_or(u64::MAX, |conn| conn.ends[0].birth),
        };
        self.rules.judge(&passing)
    }

    fn route(&self, packet: &Packet) -> Option<(HostId, HostId)> {
        Some((self.host_of(packet.src)?, self.host_of(packet.dst)?))
    }

    pub(super) fn count(&mut self, packet: &Packet, at: u64) {
        self.stats.packets += 1;
        self.stats.bytes += u64::from(packet.size());
        self.show(packet, at);
    }

    /// Shows a packet on its way to the tap.
    fn show(&mut self, packet: &Packet, at: u64) {
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

    pub(super) fn block(&mut self, packet: Packet, end: Option<EndRef>, at: u64) {
        self.stats.parked += 1;
        if let Some(end) = end {
            self.park(end, packet, at);
        }
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
        self.show(&onward, at);
        self.show(&back, at);
        self.fly(onward, Some(end), at, onward_at);
        self.fly(back, Some(end.peer()), at, back_at);
    }
}
