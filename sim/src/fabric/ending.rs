//! How connections end: shut down, closed, let go of, reset.
//!
//! The kernels do it; the fabric sees to it that what was sent before goes
//! before, that nothing is left behind in a kernel's table, and that a
//! connection is forgotten when nobody will hear of it again.

use super::connections::EndRef;
use super::packet::{RST, control_packet};
use super::wire::Wire;

impl Wire {
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
    pub(super) fn before_reset(&mut self, end: EndRef) {
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
}
