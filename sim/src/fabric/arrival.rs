//! What arrives, and who takes it in.
//!
//! A packet for a host without power is held up like one that met a partition.
//! On a live connection data goes [past the kernels](super::direct); what a
//! kernel takes in may make it say something, and then a sweep is due.

use turmoil_net::Packet;

use super::connections::EndRef;
use super::packet::{FULL_WINDOW, is_pure_ack, segment};
use super::wire::{Flight, Sweeping, Wire};

impl Wire {
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
}
