//! What does not get through is sent again, later and later.
//!
//! turmoil-net's own retransmission counts sweeps, not time. So the fabric does
//! what a kernel with a clock does: a segment that does not get through is
//! *parked* and sent again after the retransmission timeout, which doubles each
//! time; what its sender sends after it waits behind it, as it would in the
//! receiver's reassembly queue. A connection that gets nothing through for its
//! user timeout is reset at both ends, and its sockets report a timeout.
//!
//! Not modelled: fast retransmit, tail-loss probes and congestion control, so
//! a single loss costs a full timeout where a real bulk transfer often recovers
//! within a round trip.

use turmoil_net::Packet;

use super::connections::EndRef;
use super::packet::segment;
use super::rule::nanos;
use super::wire::{Flight, Wire};

/// Where the retransmission of a direction stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    /// The timeout that runs now; doubles with each retransmission.
    pub(super) timeout: u64,
    /// When the connection gives up.
    pub(super) gives_up: u64,
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

impl Wire {
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
    pub(super) fn retry(&mut self, end: EndRef) {
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
}

/// Whether sequence number `a` comes after `b` (RFC 9293, 3.4).
fn after(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) > 0
}
