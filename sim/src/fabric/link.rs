//! One direction of a link: serialisation, queue, propagation.
//!
//! A packet of `b` bytes occupies a link of `r` bits per second for `8b/r`
//! seconds, after the packets before it; then it travels for the propagation
//! latency. Occupation is kept in whole nanoseconds plus the remainder of the
//! division, so a long burst is exact to the nanosecond and not off by one per
//! packet. What would have to wait behind more than the queue's limit is lost,
//! as a tail-drop queue loses it.
//!
//! Latencies are drawn one per packet, in the order packets are sent on this
//! link, from a stream that belongs to the link. The draws for the next few
//! packets may be looked at before those packets are sent: how long a packet
//! will travel at least is how long a sweep of it may wait.

use std::collections::VecDeque;
use std::rc::Rc;

use mesh_core::seam::Rng;

use super::HostId;
use super::rule::{Verdict, nanos};
use crate::plan::{Distribution, LinkPlan, LinkQuality};

/// Where a packet is after it was put on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passage {
    /// It arrives at this instant.
    Arrives(u64),
    /// The queue was full.
    Overflows,
}

/// One direction of a link.
pub(super) struct Link {
    quality: Rc<LinkQuality>,
    /// Set when every latency is the same.
    constant: Option<u64>,
    latencies: Rng,
    losses: Rng,
    /// Latencies drawn but not used yet.
    ahead: VecDeque<u64>,
    /// Packets that wait for a sweep.
    expected: usize,
    /// When the last packet's last bit leaves: nanoseconds and a fraction of one in 1/bps.
    free_at: u64,
    free_at_fraction: u64,
}

impl Link {
    fn new(seed: u64, from: &str, to: &str, quality: Rc<LinkQuality>) -> Self {
        let name = format!("fabric/link/{from}→{to}");
        let constant = match &quality.latency {
            Distribution::Constant(span) => Some(nanos(*span)),
            _ => None,
        };
        Self {
            quality,
            constant,
            latencies: Rng::named(seed, &format!("{name}/latency")),
            losses: Rng::named(seed, &format!("{name}/loss")),
            ahead: VecDeque::new(),
            expected: 0,
            free_at: 0,
            free_at_fraction: 0,
        }
    }

    /// How long one more packet, to be sent after those already expected, will take at least.
    pub(super) fn expect(&mut self) -> u64 {
        if let Some(constant) = self.constant {
            return constant;
        }
        while self.ahead.len() <= self.expected {
            let drawn = nanos(self.quality.latency.sample(&mut self.latencies));
            self.ahead.push_back(drawn);
        }
        self.expected += 1;
        self.ahead[self.expected - 1]
    }

    /// Every expected packet has been sent.
    pub(super) fn expect_none(&mut self) {
        self.expected = 0;
    }

    /// Whether the link itself loses the next packet.
    pub(super) fn loses(&mut self) -> bool {
        self.quality.loss > 0.0 && self.losses.uniform() < self.quality.loss
    }

    /// One draw of the propagation latency.
    pub(super) fn latency(&mut self) -> u64 {
        if let Some(constant) = self.constant {
            return constant;
        }
        if let Some(drawn) = self.ahead.pop_front() {
            return drawn;
        }
        nanos(self.quality.latency.sample(&mut self.latencies))
    }

    /// Sends `bytes` at `at`.
    pub(super) fn pass(&mut self, at: u64, bytes: u32, verdict: &Verdict) -> Passage {
        let own = self.quality.bandwidth_bps;
        let ruled = verdict.bps.filter(|bps| own.is_none_or(|own| *bps < own));
        let limit = match ruled {
            Some(_) => verdict.queue_bytes_max,
            None => self.quality.queue_bytes_max,
        };
        let left = match ruled.or(own) {
            None => at,
            Some(bps) => match self.serialise(at, bytes, bps.max(1), limit) {
                Some(left) => left,
                None => return Passage::Overflows,
            },
        };
        let travel = self.latency().saturating_add(verdict.extra_ns);
        Passage::Arrives(left.saturating_add(travel))
    }

    /// The instant at which the last bit has left, rounded up; `None` when the queue is full.
    fn serialise(&mut self, at: u64, bytes: u32, bps: u64, limit: Option<u64>) -> Option<u64> {
        const GIGA: u128 = 1_000_000_000;
        if self.free_at < at {
            self.free_at = at;
            self.free_at_fraction = 0;
        }
        let waits = self.free_at - at;
        if waits > 0
            && let Some(limit) = limit
        {
            let queued = u128::from(waits) * u128::from(bps) / (8 * GIGA);
            if queued + u128::from(bytes) > u128::from(limit) {
                return None;
            }
        }
        let bits = u128::from(bytes) * 8;
        // The fraction is in units of 1/bps; a rule may have changed the rate meanwhile.
        let fraction = u128::from(self.free_at_fraction.min(bps - 1));
        let total = bits * GIGA + fraction;
        let span = u64::try_from(total / u128::from(bps)).unwrap_or(u64::MAX);
        self.free_at = self.free_at.saturating_add(span);
        self.free_at_fraction = (total % u128::from(bps)) as u64;
        Some(
            self.free_at
                .saturating_add(u64::from(self.free_at_fraction > 0)),
        )
    }
}

/// Where a host stands.
pub(super) struct Place {
    pub(super) name: std::sync::Arc<str>,
    pub(super) region: std::sync::Arc<str>,
    pub(super) zone: std::sync::Arc<str>,
}

/// All links that were ever used.
pub(super) struct Links {
    seed: u64,
    places: Vec<Place>,
    same_zone: Rc<LinkQuality>,
    cross_zone: Rc<LinkQuality>,
    cross_region: Rc<LinkQuality>,
    all: Vec<Link>,
    index: std::collections::BTreeMap<(HostId, HostId), u32>,
    expecting: Vec<u32>,
}

impl Links {
    /// The links between `places` by `plan`.
    pub(super) fn new(seed: u64, places: Vec<Place>, plan: LinkPlan) -> Self {
        Self {
            seed,
            places,
            same_zone: Rc::new(plan.same_zone),
            cross_zone: Rc::new(plan.cross_zone),
            cross_region: Rc::new(plan.cross_region),
            all: Vec::new(),
            index: std::collections::BTreeMap::new(),
            expecting: Vec::new(),
        }
    }

    /// The link from one host to another.
    pub(super) fn between(&mut self, from: HostId, to: HostId) -> u32 {
        if let Some(&link) = self.index.get(&(from, to)) {
            return link;
        }
        let (a, b) = (&self.places[from.index()], &self.places[to.index()]);
        let quality = if a.region != b.region {
            &self.cross_region
        } else if a.zone != b.zone {
            &self.cross_zone
        } else {
            &self.same_zone
        };
        let link = u32::try_from(self.all.len()).expect("fewer than 2^32 links");
        self.all
            .push(Link::new(self.seed, &a.name, &b.name, quality.clone()));
        self.index.insert((from, to), link);
        link
    }

    /// The link with this number.
    pub(super) fn get(&mut self, link: u32) -> &mut Link {
        &mut self.all[link as usize]
    }

    /// [`Link::expect`], remembered until [`Links::expect_none`].
    pub(super) fn expect(&mut self, link: u32) -> u64 {
        let entry = &mut self.all[link as usize];
        if entry.expected == 0 && entry.constant.is_none() {
            self.expecting.push(link);
        }
        entry.expect()
    }

    /// Every expected packet on every link has been sent.
    pub(super) fn expect_none(&mut self) {
        for link in self.expecting.drain(..) {
            self.all[link as usize].expect_none();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::rule::{PacketScope, Passing, Rules};
    use super::*;

    fn quality(latency: Distribution, bps: Option<u64>, queue: Option<u64>) -> LinkQuality {
        LinkQuality {
            latency,
            loss: 0.0,
            bandwidth_bps: bps,
            queue_bytes_max: queue,
        }
    }

    fn link(quality: LinkQuality) -> Link {
        Link::new(9, "a", "b", Rc::new(quality))
    }

    fn free() -> Verdict {
        Verdict::PASS
    }

    #[test]
    fn serialisation_is_exact_over_a_burst() {
        // 1500 bytes at 7 Gbit/s take 12000/7 ns = 1714 2/7; the n-th of a
        // burst has left after ceil(n * 12000 / 7).
        let mut link = link(quality(Distribution::ZERO, Some(7_000_000_000), None));
        for n in 1..=100_000u64 {
            assert_eq!(
                link.pass(0, 1500, &free()),
                Passage::Arrives((n * 12_000).div_ceil(7))
            );
        }
        // An idle link starts afresh.
        assert_eq!(
            link.pass(1_000_000_000, 1500, &free()),
            Passage::Arrives(1_000_001_715)
        );
    }

    #[test]
    fn a_full_queue_overflows_and_an_idle_link_never_does() {
        // 1 Mbit/s: 1000 bytes take 8 ms.
        let mut link = link(quality(Distribution::ZERO, Some(1_000_000), Some(2_000)));
        let at = |ms: u64| Passage::Arrives(ms * 1_000_000);
        assert_eq!(link.pass(0, 1000, &free()), at(8));
        assert_eq!(link.pass(0, 1000, &free()), at(16), "1000 of 2000 bytes");
        assert_eq!(link.pass(0, 1000, &free()), Passage::Overflows);
        assert_eq!(link.pass(8_000_000, 1000, &free()), at(24));
        let big = link.pass(100_000_000, 65_000, &free());
        assert_eq!(big, at(620), "an idle link takes anything");
    }

    #[test]
    fn looking_ahead_never_promises_too_much_and_changes_no_draw() {
        let wild = quality(
            Distribution::Exponential {
                mean: Duration::from_millis(1),
            },
            None,
            None,
        );
        let (mut plain, mut ahead) = (link(wild.clone()), link(wild));
        for round in 0..200u64 {
            let packets = 1 + (round % 5) as usize;
            let bound = (0..packets).map(|_| ahead.expect()).min().unwrap();
            // One packet fewer may really go out: a kernel may have dropped a SYN.
            for _ in 0..packets.max(2) - 1 {
                let (a, b) = (plain.pass(0, 99, &free()), ahead.pass(0, 99, &free()));
                assert_eq!(a, b);
                assert!(matches!(a, Passage::Arrives(at) if at >= bound));
            }
            ahead.expect_none();
        }
    }

    #[test]
    fn the_narrowest_bandwidth_counts() {
        let mut rules = Rules::new(0);
        let narrow = super::super::rule::Effect::Bandwidth {
            bps: 500_000,
            queue_bytes_max: None,
        };
        rules.add(PacketScope::everything(), narrow, 0);
        let verdict = rules.judge(&Passing {
            from: HostId::new(0),
            to: HostId::new(1),
            ports: [1, 2],
            losable: true,
            opens: false,
            birth: 0,
        });
        let mut wide = link(quality(Distribution::ZERO, Some(1_000_000), None));
        assert_eq!(wide.pass(0, 1000, &verdict), Passage::Arrives(16_000_000));
        let mut tight = link(quality(Distribution::ZERO, Some(250_000), None));
        assert_eq!(tight.pass(0, 1000, &verdict), Passage::Arrives(32_000_000));
    }
}
