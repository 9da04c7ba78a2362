//! Sweeping packets out of the kernels: rarely, and as if at once.
//!
//! `egress_all` walks every socket of every host, so a sweep costs more than
//! all the rest of a request when there are many. It need not happen when
//! nothing can have been made, and it need not happen *yet* when nothing made
//! can arrive yet. A segment that host A writes at `t` over a link whose next
//! latency draw is `d` cannot be noticed before `t + d`: any sweep up to then
//! will do, if it dates the segment back to `t`. This is the lookahead of
//! conservative parallel simulation (Chandy and Misra, 1979), used to batch
//! rather than to parallelise.
//!
//! What makes it exact is that on an open connection every byte written leaves
//! at once. The kernel's send buffer is smaller than the one window it ever
//! advertises (see [`super::SEND_BUFFER`]), so nothing waits for an
//! acknowledgement, and everything a kernel makes is either
//!
//! * the segments of a write, which our stream saw happen, or
//! * the acknowledgement of a segment, which we delivered.
//!
//! Both leave a note (instant, round, the numbers the header must carry); the
//! sweep cuts the bytes it gets along the notes, restores the headers, and
//! sorts by round and position. The result is the packet sequence of a sweep in
//! every round, equal in every field, and so in every latency drawn and
//! every digest. Whatever is not of these two kinds (handshakes, FIN, RST, a
//! receiver with less than a full window) is swept in its own round.

use std::collections::VecDeque;
use std::net::IpAddr;

use bytes::{Bytes, BytesMut};
use turmoil_net::{Packet, TcpFlags, Transport};

use super::connection::{AckNote, EndRef, WriteNote};
use super::wire::{Staged, Sweeping, Wire, addresses, segment};

/// Bytes of TCP payload in a full segment: the kernel's 1500 bytes less the headers.
fn segment_max(ip: IpAddr) -> usize {
    match ip {
        IpAddr::V4(_) => 1460,
        IpAddr::V6(_) => 1440,
    }
}

impl Wire {
    /// Something may have been made that has no note: sweep at the end of this round.
    pub(super) fn touch(&mut self) {
        self.touched = true;
    }

    /// `bytes` were written at `end`.
    pub(super) fn wrote(&mut self, end: EndRef, bytes: usize) {
        let (now, round) = (self.shared.now(), self.round);
        let plain = self.conns.get(end.conn).filter(|conn| conn.plain(end.side));
        let Some(conn) = plain else {
            self.touched = true;
            return;
        };
        let ack = conn.dirs[end.side ^ 1].rcv_nxt;
        let segments = bytes.div_ceil(segment_max(conn.ends[end.side].addr.ip()));
        let dir = &mut conn.dirs[end.side];
        dir.snd_nxt = dir.snd_nxt.wrapping_add(bytes as u32);
        match dir.writes.back_mut() {
            Some(last) if last.round == round => last.bytes += bytes,
            _ => dir.writes.push_back(WriteNote {
                round,
                at: now,
                bytes,
                ack,
            }),
        }
        let link = dir.link;
        self.defer(link, segments, now);
    }

    /// The kernel at `end` has acknowledged something.
    pub(super) fn acknowledged(&mut self, end: EndRef) {
        let (now, round) = (self.shared.now(), self.round);
        let Some(conn) = self.conns.get(end.conn) else {
            return;
        };
        let dir = &mut conn.dirs[end.side];
        dir.acks.push_back(AckNote {
            round,
            at: now,
            seq: dir.snd_nxt,
        });
        let link = dir.link;
        self.defer(link, 1, now);
    }

    fn defer(&mut self, link: Option<u32>, segments: usize, now: u64) {
        self.noted = true;
        let ahead = link.map_or(0, |link| self.links.expect(link, segments));
        // A lost segment is first sent again after the retransmission timeout.
        let ahead = ahead.min(self.timeouts.min.as_nanos() as u64);
        self.due = self.due.min(now.saturating_add(ahead));
        self.touched |= self.sweeping != Sweeping::Late;
    }

    /// All hosts are quiet: what they made belongs together, and is swept now or later.
    pub(super) fn end_round(&mut self) {
        if self.touched || self.due <= self.shared.now() {
            self.sweep();
        } else if std::mem::take(&mut self.noted) {
            self.round += 1;
        }
    }

    /// Takes out everything made so far, before the rules of the world change.
    pub(super) fn flush(&mut self) {
        if self.touched || self.due != u64::MAX {
            self.sweep();
        }
    }

    /// Takes every packet out of every kernel and sends it.
    pub(super) fn sweep(&mut self) {
        self.stats.sweeps += 1;
        self.touched = false;
        self.noted = false;
        self.due = u64::MAX;
        let mut egress = std::mem::take(&mut self.egress);
        self.guard.egress_all(&mut egress);
        for (position, packet) in egress.drain(..).enumerate() {
            self.stage(packet, position as u32);
        }
        self.egress = egress;
        self.round += 1;
        let mut staged = std::mem::take(&mut self.staged);
        if !staged.is_sorted_by_key(|s| (s.round, s.position)) {
            staged.sort_by_key(|s| (s.round, s.position));
        }
        for next in staged.drain(..) {
            self.send(next.packet, next.end, next.at);
        }
        self.staged = staged;
        self.links.expect_none();
        self.chase_unanswered();
    }

    /// Finds out which round and instant a packet belongs to.
    fn stage(&mut self, mut packet: Packet, position: u32) {
        let (now, round) = (self.shared.now(), self.round);
        let (src, dst) = addresses(&packet);
        let end = self.conns.find(src, dst);
        let mut staged = |round, at, packet| {
            self.staged.push(Staged {
                round,
                position,
                at,
                end,
                packet,
            });
        };
        let conn = end.and_then(|end| Some((end.side, self.conns.get(end.conn)?)));
        let (Some((side, conn)), Transport::Tcp(tcp)) = (conn, &mut packet.payload) else {
            return staged(round, now, packet);
        };
        let dir = &mut conn.dirs[side];
        if tcp.flags.syn || tcp.flags.fin || tcp.flags.rst {
            return staged(round, now, packet);
        }
        if tcp.payload.is_empty() {
            let Some(note) = dir.acks.pop_front() else {
                return staged(round, now, packet);
            };
            tcp.seq = note.seq;
            return staged(note.round, note.at, packet);
        }
        let Some(note) = dir.writes.front().copied() else {
            return staged(round, now, packet);
        };
        if dir.swept.is_empty() && note.bytes == tcp.payload.len() {
            dir.writes.pop_front();
            tcp.ack = note.ack;
            return staged(note.round, note.at, packet);
        }
        // The kernel cuts what it has; a sweep per round would have cut per round.
        let first = tcp
            .seq
            .wrapping_sub(u32::try_from(dir.swept_bytes).unwrap_or(0));
        let mut cut = Cut {
            seq: first,
            max: segment_max(packet.src),
            swept: &mut dir.swept,
            swept_bytes: &mut dir.swept_bytes,
            writes: &mut dir.writes,
        };
        cut.push(std::mem::take(&mut tcp.payload));
        while let Some((note, seq, payload)) = cut.next() {
            let mut packet = packet.clone();
            if let Transport::Tcp(tcp) = &mut packet.payload {
                tcp.seq = seq;
                tcp.ack = note.ack;
                tcp.payload = payload;
            }
            staged(note.round, note.at, packet);
        }
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
        Some(super::transit::control_packet(
            client,
            server,
            conn.dirs[0].snd_nxt,
            ack,
            TcpFlags {
                ack: true,
                ..TcpFlags::default()
            },
        ))
    }
}

/// Cuts swept bytes into the segments their notes call for.
struct Cut<'a> {
    seq: u32,
    max: usize,
    swept: &'a mut VecDeque<Bytes>,
    swept_bytes: &'a mut usize,
    writes: &'a mut VecDeque<WriteNote>,
}

impl Cut<'_> {
    fn push(&mut self, bytes: Bytes) {
        *self.swept_bytes += bytes.len();
        self.swept.push_back(bytes);
    }

    /// The next whole segment, if its bytes are all there.
    fn next(&mut self) -> Option<(WriteNote, u32, Bytes)> {
        let note = self.writes.front_mut()?;
        let bytes = note.bytes.min(self.max);
        if *self.swept_bytes < bytes {
            return None;
        }
        note.bytes -= bytes;
        let of = *note;
        if of.bytes == 0 {
            self.writes.pop_front();
        }
        let seq = self.seq;
        self.seq = seq.wrapping_add(bytes as u32);
        *self.swept_bytes -= bytes;
        Some((of, seq, take(self.swept, bytes)))
    }
}

/// The first `n` bytes of `from`, copied only when they span several pieces.
fn take(from: &mut VecDeque<Bytes>, n: usize) -> Bytes {
    let whole = match from.front_mut() {
        Some(first) if first.len() > n => return first.split_to(n),
        Some(first) => first.len() == n,
        None => return Bytes::new(),
    };
    if whole {
        return from.pop_front().unwrap_or_default();
    }
    let mut joined = BytesMut::with_capacity(n);
    while joined.len() < n {
        let Some(mut piece) = from.pop_front() else {
            break;
        };
        let left = n - joined.len();
        if piece.len() > left {
            joined.extend_from_slice(&piece.split_to(left));
            from.push_front(piece);
        } else {
            joined.extend_from_slice(&piece);
        }
    }
    joined.freeze()
}

/// Whether a packet only acknowledges.
pub(super) fn is_pure_ack(packet: &Packet) -> bool {
    segment(packet).is_some_and(|tcp| {
        tcp.payload.is_empty() && !(tcp.flags.syn || tcp.flags.fin || tcp.flags.rst)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        /// Whatever the kernel's segments and the writes, the cut segments
        /// are the writes' bytes, in order, none longer than a segment or across two writes.
        #[test]
        fn cutting_follows_the_notes(
            writes in proptest::collection::vec(1usize..5000, 1..20),
        ) {
            let total: usize = writes.iter().sum();
            let data: Vec<u8> = (0..total).map(|i| (i % 251) as u8).collect();
            let mut notes: VecDeque<WriteNote> = writes
                .iter()
                .enumerate()
                .map(|(i, &bytes)| WriteNote { round: i as u64, at: 0, bytes, ack: 0 })
                .collect();
            let (mut swept, mut swept_bytes) = (VecDeque::new(), 0);
            let mut out: Vec<(u64, Bytes)> = Vec::new();
            let mut seq = 7u32;
            for piece in data.chunks(1460) {
                let first = seq.wrapping_sub(swept_bytes as u32);
                let mut cut = Cut { seq: first, max: 1460, swept: &mut swept, swept_bytes: &mut swept_bytes, writes: &mut notes };
                cut.push(Bytes::copy_from_slice(piece));
                while let Some((note, at, bytes)) = cut.next() {
                    let before: usize = out.iter().map(|(_, b)| b.len()).sum();
                    proptest::prop_assert_eq!(at, 7 + before as u32);
                    out.push((note.round, bytes));
                }
                seq += piece.len() as u32;
            }
            proptest::prop_assert_eq!(swept_bytes, 0);
            let joined: Vec<u8> = out.iter().flat_map(|(_, b)| b.iter().copied()).collect();
            proptest::prop_assert_eq!(joined, data);
            for (round, &bytes) in writes.iter().enumerate() {
                let own: Vec<usize> = out.iter().filter(|(r, _)| *r == round as u64).map(|(_, b)| b.len()).collect();
                proptest::prop_assert_eq!(own.iter().sum::<usize>(), bytes);
                proptest::prop_assert_eq!(own.len(), bytes.div_ceil(1460));
            }
        }
    }
}
