//! Data past the kernels.
//!
//! On an open connection of this fabric TCP has nothing to decide: segments
//! arrive in order and are never lost for good, the window is never the limit
//! (see [`super::SEND_BUFFER`]), there is no congestion control. What a kernel
//! does then is to cut what was written into segments, and to acknowledge what
//! arrives. The fabric does that itself, without a search through every socket
//! of every host, and with one copy of the bytes at each end instead of two.
//!
//! The kernels still make and end connections; between handshake and FIN they
//! hear nothing. So their sequence numbers lag behind those on the wire by the
//! bytes carried past them, and are translated where the two meet. The packets
//! are those the kernels would have made, in every field; the tests compare.

use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use tokio::io::ReadBuf;
use turmoil_net::{Packet, TcpFlags, Transport};

use super::connection::{Conn, End};
use super::connections::EndRef;
use super::packet::{ACK, FIN, PSH, RST, control_packet, segment};
use super::wire::{Order, Place, Staged, Wire};
use super::{RECEIVE_BUFFER, SEND_BUFFER};

/// Bytes of TCP payload in a full segment: 1500 bytes less the headers, as the kernels cut.
fn segment_max(ip: IpAddr) -> usize {
    match ip {
        IpAddr::V4(_) => 1460,
        IpAddr::V6(_) => 1440,
    }
}

fn park(slot: &mut Option<Waker>, cx: &Context<'_>) {
    match slot {
        Some(old) => old.clone_from(cx.waker()),
        none => *none = Some(cx.waker().clone()),
    }
}

fn wake(slot: &mut Option<Waker>) {
    if let Some(waker) = slot.take() {
        waker.wake();
    }
}

fn failure(end: &End) -> Option<io::Error> {
    let kind = match end.timed_out {
        true => io::ErrorKind::TimedOut,
        false => io::ErrorKind::ConnectionReset,
    };
    (!end.alive()).then(|| kind.into())
}

impl Wire {
    /// Writes at `end`; how much was taken.
    pub(super) fn poll_write(
        &mut self,
        end: EndRef,
        cx: &Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Some(conn) = self.conns.get(end.conn) else {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        };
        if let Some(error) = failure(&conn.ends[end.side]) {
            return Poll::Ready(Err(error));
        }
        let dir = &mut conn.dirs[end.side];
        if dir.shut {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = SEND_BUFFER.saturating_sub(dir.unacknowledged());
        if room == 0 {
            park(&mut dir.writer, cx);
            return Poll::Pending;
        }
        let mut left = room;
        for buf in bufs {
            let taken = buf.len().min(left);
            dir.outgoing.extend_from_slice(&buf[..taken]);
            left -= taken;
        }
        self.wrote(end, room - left);
        Poll::Ready(Ok(room - left))
    }

    /// `bytes` were written at `end`, to its kernel or past it.
    pub(super) fn wrote(&mut self, end: EndRef, bytes: usize) {
        self.touched |= !self.is_direct();
        let Some(conn) = self.conns.get(end.conn).filter(|_| bytes > 0) else {
            return;
        };
        let dir = &mut conn.dirs[end.side];
        dir.snd_nxt = dir.snd_nxt.wrapping_add(bytes as u32);
        if !std::mem::replace(&mut dir.fresh, true) {
            self.writers.push(end);
        }
    }

    /// Reads at `end` what has arrived.
    pub(super) fn poll_read(
        &mut self,
        end: EndRef,
        cx: &Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(conn) = self.conns.get(end.conn) else {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        };
        if let Some(error) = failure(&conn.ends[end.side]) {
            return Poll::Ready(Err(error));
        }
        let (to, _) = conn.around(end.side);
        if to.incoming.is_empty() && !to.ended {
            park(&mut to.reader, cx);
            return Poll::Pending;
        }
        while let Some(first) = to.incoming.front_mut() {
            let taken = first.len().min(buf.remaining());
            buf.put_slice(&first[..taken]);
            first.advance(taken);
            to.unread -= taken;
            if !first.is_empty() {
                break;
            }
            to.incoming.pop_front();
        }
        if to.withheld && to.unread <= RECEIVE_BUFFER {
            to.withheld = false;
            self.acknowledge(end);
        }
        Poll::Ready(Ok(()))
    }

    /// Cuts what was written in this round into segments.
    pub(super) fn cut(&mut self) {
        let mut writers = std::mem::take(&mut self.writers);
        for end in writers.drain(..) {
            if let Some(conn) = self.conns.get(end.conn) {
                conn.dirs[end.side].fresh = false;
            }
            self.cut_at(end);
        }
        self.writers = writers;
    }

    fn cut_at(&mut self, end: EndRef) {
        while let Some((packet, order)) = self.next_segment(end) {
            let at = self.shared.now();
            self.staged.push(Staged {
                order,
                at,
                end: Some(end),
                packet,
            });
        }
    }

    fn next_segment(&mut self, end: EndRef) -> Option<(Packet, Order)> {
        let (round, ordinal) = (self.round, self.next_ordinal());
        let conn = self.conns.get(end.conn)?;
        let ends = conn.ends;
        let own = ends[end.side];
        let (to, from) = conn.around(end.side);
        if from.outgoing.is_empty() {
            return None;
        }
        let bytes = from.outgoing.len().min(segment_max(own.addr.ip()));
        let payload = from.outgoing.split_to(bytes).freeze();
        let seq = from.carried_seq();
        from.carried = from.carried.wrapping_add(bytes as u32);
        let peer = ends[end.side ^ 1].addr;
        let mut packet = control_packet(own.addr, peer, seq, to.rcv_nxt, PSH);
        if let Transport::Tcp(tcp) = &mut packet.payload {
            tcp.payload = payload;
        }
        Some((packet, of(&own, round, Place::Data, ordinal)))
    }

    /// Takes in what arrived for the end of a live connection.
    pub(super) fn receive(&mut self, packet: Packet, from: EndRef) {
        let to = from.peer();
        let (Some(tcp), Some(conn)) = (segment(&packet), self.conns.get(to.conn)) else {
            return;
        };
        let (incoming, outgoing) = conn.around(to.side);
        let handshake = tcp.flags.syn || !outgoing.open;
        outgoing.open |= !tcp.flags.syn || tcp.flags.ack;
        if tcp.flags.ack && !tcp.flags.syn {
            outgoing.acknowledge(tcp.ack);
        }
        let fin = outgoing.fin;
        let acks_fin = fin.is_some_and(|fin| tcp.ack == fin.wrapping_add(1));
        if handshake {
            if tcp.flags.syn {
                self.note(to, None);
            }
            self.guard.deliver(packet);
        } else if tcp.flags.fin {
            incoming.ended = true;
            wake(&mut incoming.reader);
            let numbers = (outgoing.snd_nxt, incoming.rcv_nxt);
            let translated = conn.for_kernel(&packet, to.side);
            self.note(to, Some(numbers));
            self.guard.deliver(translated);
        } else if !tcp.payload.is_empty() {
            let payload = tcp.payload.clone();
            self.land(payload, to);
        } else if acks_fin {
            let translated = conn.for_kernel(&packet, to.side);
            self.guard.deliver(translated);
        }
    }

    /// Data arrives.
    fn land(&mut self, payload: Bytes, to: EndRef) {
        let Some(conn) = self.conns.get(to.conn) else {
            return;
        };
        let released = conn.ends[to.side].released;
        let (incoming, _) = conn.around(to.side);
        if !released {
            incoming.unread += payload.len();
            incoming.incoming.push_back(payload);
            wake(&mut incoming.reader);
        }
        if incoming.unread > RECEIVE_BUFFER {
            incoming.withheld = true;
        } else {
            self.acknowledge(to);
        }
    }

    /// `end` acknowledges all it has received.
    fn acknowledge(&mut self, end: EndRef) {
        let Some(conn) = self.conns.get(end.conn) else {
            return;
        };
        let (to, from) = conn.around(end.side);
        let numbers = (from.snd_nxt, to.rcv_nxt);
        self.answer(end, numbers, ACK);
    }

    /// `end` resets its peer, and its own kernel forgets the connection.
    pub(super) fn abort(&mut self, end: EndRef) {
        self.rescue_fin(end);
        let Some(conn) = self.conns.get(end.conn) else {
            return;
        };
        let (own, peer) = (conn.ends[end.side], conn.ends[end.side ^ 1]);
        let (to, from) = conn.around(end.side);
        let numbers = (from.snd_nxt, to.rcv_nxt);
        conn.ends[end.side].dead = true;
        let reset = control_packet(peer.addr, own.addr, 0, 0, RST);
        self.guard.deliver(reset);
        self.answer(end, numbers, RST);
    }

    /// A FIN that no sweep has taken yet would go with its socket.
    fn rescue_fin(&mut self, end: EndRef) {
        let Some(conn) = self.conns.get(end.conn) else {
            return;
        };
        let (own, peer) = (conn.ends[end.side], conn.ends[end.side ^ 1]);
        let note = conn.dirs[end.side].fin_note.take();
        if let Some(note) = note
            && let Some((seq, ack)) = note.numbers
        {
            self.staged.push(Staged {
                order: of(&own, note.round, Place::Fin, note.ordinal),
                at: note.at,
                end: Some(end),
                packet: control_packet(own.addr, peer.addr, seq, ack, FIN),
            });
        }
    }

    fn answer(&mut self, end: EndRef, (seq, ack): (u32, u32), flags: TcpFlags) {
        let (round, at, ordinal) = (self.round, self.shared.now(), self.next_ordinal());
        let Some(conn) = self.conns.get(end.conn) else {
            return;
        };
        let (own, peer) = (conn.ends[end.side], conn.ends[end.side ^ 1]);
        self.staged.push(Staged {
            order: of(&own, round, Place::Answer, ordinal),
            at,
            end: Some(end),
            packet: control_packet(own.addr, peer.addr, seq, ack, flags),
        });
    }
}

fn of(end: &End, round: u64, class: Place, ordinal: u64) -> Order {
    Order {
        round,
        host: end.host,
        birth: end.birth,
        class,
        ordinal,
    }
}

impl Conn {
    /// A packet for `side` as its kernel must see it, which knows nothing of the bytes carried past it.
    fn for_kernel(&self, packet: &Packet, side: usize) -> Packet {
        let mut packet = packet.clone();
        if let Transport::Tcp(tcp) = &mut packet.payload {
            tcp.seq = tcp.seq.wrapping_sub(self.dirs[side ^ 1].carried);
            tcp.ack = tcp.ack.wrapping_sub(self.dirs[side].carried);
        }
        packet
    }

    /// A reset has reached `side`: nothing can be read or written there any more.
    pub(super) fn fail(&mut self, side: usize) {
        self.ends[side].reset = true;
        let (to, from) = self.around(side);
        to.incoming.clear();
        to.unread = 0;
        wake(&mut from.writer);
        wake(&mut to.reader);
    }
}
