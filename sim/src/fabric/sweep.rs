//! Sweeping packets out of the kernels: rarely, and as if at once.
//!
//! `egress_all` walks every socket of every host, so with many sockets a sweep
//! costs more than all the rest of a request. It need not happen when nothing
//! can have been made, and it need not happen *yet* when nothing made can
//! arrive yet. A packet that host A makes at `t` for a link whose next
//! latency draw is `d` cannot be noticed before `t + d`: any sweep up to then
//! will do, if it dates the packet back to `t`. This is the lookahead of
//! conservative parallel simulation (Chandy and Misra, 1979), used to batch
//! rather than to parallelise.
//!
//! Data does not take part in it at all: it goes [past the kernels](super::direct).
//! What is left are the packets of a handshake and of a close, and for each of
//! them we know the event that makes the kernel make it: a connect, a shutdown,
//! the delivery of a SYN, a SYN-ACK or a FIN. That event leaves a note (round,
//! instant, the numbers the header must carry). A sweep matches packets with
//! notes; whatever was sent meanwhile, past the kernels too, waits with them.
//! Then all leave in the order of their rounds, and within a round by host,
//! socket and place. So the packet sequence is that of a sweep in every round,
//! in every field, and with it every latency drawn and every digest.
//! Packets without a note (the resets of a dying listener, answers to strays)
//! come from events that are swept in their own round.

use turmoil_net::{Packet, Transport};

use super::connection::Note;
use super::connections::EndRef;
use super::packet::{ACK, addresses, control_packet, segment};
use super::wire::{Order, Place, Staged, Wire};

impl Wire {
    /// Something may have been made that has no note: sweep at the end of this round.
    pub(super) fn touch(&mut self) {
        self.touched = true;
    }

    /// The kernel at `end` makes a packet now, with these numbers on the wire.
    pub(super) fn note(&mut self, end: EndRef, numbers: Option<(u32, u32)>) {
        let note = self.new_note(numbers);
        let Some(conn) = self.conns.get(end.conn) else {
            return;
        };
        conn.dirs[end.side].notes.push_back(note);
        let link = conn.dirs[end.side].link;
        self.defer(end, link);
    }

    /// The kernel at `end` has made its SYN.
    pub(super) fn opened(&mut self, end: EndRef) {
        if self.is_direct() {
            self.note(end, None);
        } else {
            self.touched = true;
        }
    }

    /// The kernel at `end` makes its FIN now.
    pub(super) fn note_fin(&mut self, end: EndRef) {
        let note = self.new_note(None);
        let Some(conn) = self.conns.get(end.conn) else {
            return;
        };
        let (to, from) = conn.around(end.side);
        let numbers = Some((from.snd_nxt, to.rcv_nxt));
        from.fin_note = Some(Note { numbers, ..note });
        from.snd_nxt = from.snd_nxt.wrapping_add(1);
        let link = from.link;
        self.defer(end, link);
    }

    fn new_note(&mut self, numbers: Option<(u32, u32)>) -> Note {
        Note {
            round: self.round,
            at: self.shared.now(),
            ordinal: self.next_ordinal(),
            numbers,
        }
    }

    fn defer(&mut self, end: EndRef, link: Option<u32>) {
        self.noted.push(end);
        self.wait_at_most(link);
    }

    /// A packet for `link` waits for a sweep, which must come before it can arrive.
    fn wait_at_most(&mut self, link: Option<u32>) {
        let now = self.shared.now();
        let ahead = link.map_or(0, |link| self.links.expect(link));
        // A lost segment is first sent again after the retransmission timeout.
        let ahead = ahead.min(super::rule::nanos(self.timeouts.min));
        self.due = self.due.min(now.saturating_add(ahead));
    }

    /// All hosts are quiet: what they made belongs together, and leaves now or later.
    pub(super) fn end_round(&mut self) {
        self.cut();
        if self.touched || self.due <= self.shared.now() {
            self.sweep();
        } else if self.noted.is_empty() {
            self.dispatch();
        } else {
            self.hold();
        }
    }

    /// What was made in this round waits for a sweep behind what was made before.
    fn hold(&mut self) {
        for position in self.held..self.staged.len() {
            let end = self.staged[position].end;
            let conn = end.and_then(|end| Some((end.side, self.conns.get(end.conn)?)));
            let link = conn.and_then(|(side, conn)| conn.dirs[side].link);
            self.wait_at_most(link);
        }
        self.held = self.staged.len();
        self.round += 1;
    }

    /// Sends everything made so far, before the rules of the world change.
    pub(super) fn flush(&mut self) {
        self.cut();
        if self.touched || !self.noted.is_empty() {
            self.sweep();
        } else {
            self.dispatch();
        }
    }

    /// Takes every packet out of every kernel, and sends all there is.
    pub(super) fn sweep(&mut self) {
        self.stats.sweeps += 1;
        self.touched = false;
        let mut egress = std::mem::take(&mut self.egress);
        self.guard.egress_all(&mut egress);
        for packet in egress.drain(..) {
            self.stage_made(packet);
        }
        self.egress = egress;
        // A note without a packet: the kernel has dropped a SYN.
        for end in std::mem::take(&mut self.noted) {
            if let Some(conn) = self.conns.get(end.conn) {
                conn.dirs[end.side].notes.clear();
                conn.dirs[end.side].fin_note = None;
            }
        }
        self.dispatch();
        self.links.expect_none();
        self.chase_unanswered();
    }

    /// Sends what waits, in order.
    fn dispatch(&mut self) {
        self.round += 1;
        self.due = u64::MAX;
        self.held = 0;
        let mut staged = std::mem::take(&mut self.staged);
        if !staged.is_sorted_by_key(|next| next.order) {
            staged.sort_by_key(|next| next.order);
        }
        for next in staged.drain(..) {
            self.send(next.packet, next.end, next.at);
        }
        self.staged = staged;
    }

    /// Finds out when a packet out of a kernel was made.
    fn stage_made(&mut self, mut packet: Packet) {
        let (src, dst) = addresses(&packet);
        let end = self.conns.find(src, dst);
        let ordinal = self.next_ordinal();
        let host = self.host_of(packet.src);
        let mut at = self.shared.now();
        let mut order = Order {
            round: self.round,
            host,
            birth: u64::MAX,
            class: place(&packet),
            ordinal,
        };
        let conn = end.and_then(|end| Some((end.side, self.conns.get(end.conn)?)));
        if let (Some((side, conn)), Transport::Tcp(tcp)) = (conn, &mut packet.payload) {
            order.birth = conn.ends[side].birth;
            let dir = &mut conn.dirs[side];
            let note = match order.class {
                Place::Fin => dir.fin_note.take(),
                Place::Answer => dir.notes.pop_front(),
                Place::Data => None,
            };
            if let Some(note) = note {
                order.round = note.round;
                order.ordinal = note.ordinal;
                at = note.at;
                (tcp.seq, tcp.ack) = note.numbers.unwrap_or((tcp.seq, tcp.ack));
            }
        }
        self.staged.push(Staged {
            order,
            at,
            end,
            packet,
        });
    }

    /// SYNs that a kernel dropped because its backlog was full are sent again.
    fn chase_unanswered(&mut self) {
        for (end, packet, sent) in std::mem::take(&mut self.unanswered) {
            let Some(conn) = self.conns.get(end.conn) else {
                continue;
            };
            if conn.syn_ack.is_some() || conn.closing {
                conn.dirs[end.side].backoff = None;
            } else {
                self.stats.lost += 1;
                self.park(end, packet, sent);
            }
        }
    }

    /// The packet that completes a handshake in place of a client that has gone.
    pub(super) fn completing_ack(&mut self, end: EndRef) -> Option<Packet> {
        let conn = self.conns.get(end.conn)?;
        let ack = conn.syn_ack?.wrapping_add(1);
        let [client, server] = conn.ends.map(|end| end.addr);
        let seq = conn.dirs[0].snd_nxt;
        Some(control_packet(client, server, seq, ack, ACK))
    }
}

fn place(packet: &Packet) -> Place {
    match segment(packet) {
        Some(tcp) if tcp.flags.fin => Place::Fin,
        Some(tcp) if !tcp.payload.is_empty() => Place::Data,
        _ => Place::Answer,
    }
}
