//! What faults do to packets: rules, each with a scope and a count.
//!
//! A rule looks at every packet put on a link inside its scope, and only there:
//! packets already on their way are not called back, and loopback traffic never
//! touches a link. Rules add up: latencies are summed, losses are independent,
//! the narrowest bandwidth counts, and one partition is enough to block. Each
//! rule draws from streams of its own, one per link direction, so adding a rule
//! shifts nobody else's numbers.

use std::collections::BTreeMap;

use mesh_core::seam::Rng;

use super::HostId;
use crate::plan::Distribution;

/// A set of hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostSet {
    /// These.
    Only(Vec<HostId>),
    /// Everybody but these.
    AllBut(Vec<HostId>),
}

impl HostSet {
    /// Everybody.
    pub const ALL: Self = Self::AllBut(Vec::new());

    fn sorted(self) -> Self {
        let sort = |mut hosts: Vec<HostId>| {
            hosts.sort_unstable();
            hosts
        };
        match self {
            Self::Only(hosts) => Self::Only(sort(hosts)),
            Self::AllBut(hosts) => Self::AllBut(sort(hosts)),
        }
    }

    fn contains(&self, host: HostId) -> bool {
        match self {
            Self::Only(hosts) => hosts.binary_search(&host).is_ok(),
            Self::AllBut(hosts) => hosts.binary_search(&host).is_err(),
        }
    }
}

/// Which packets a rule sees, by the hosts at both ends of the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketScope {
    from: HostSet,
    to: HostSet,
    both_ways: bool,
}

impl PacketScope {
    /// Packets that hosts of `from` send to hosts of `to`.
    pub fn new(from: HostSet, to: HostSet) -> Self {
        Self {
            from: from.sorted(),
            to: to.sorted(),
            both_ways: false,
        }
    }

    /// Also the packets the other way.
    #[must_use]
    pub fn both_ways(mut self) -> Self {
        self.both_ways = true;
        self
    }

    /// Everything between `hosts` and everybody else, both ways; not what they send each other.
    pub fn around(hosts: Vec<HostId>) -> Self {
        Self::new(HostSet::Only(hosts.clone()), HostSet::AllBut(hosts)).both_ways()
    }

    /// Every packet on every link.
    pub fn everything() -> Self {
        Self::new(HostSet::ALL, HostSet::ALL)
    }

    fn contains(&self, from: HostId, to: HostId) -> bool {
        (self.from.contains(from) && self.to.contains(to))
            || (self.both_ways && self.from.contains(to) && self.to.contains(from))
    }
}

/// What a rule does to the packets in its scope.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Adds latency, drawn per packet.
    Latency(Distribution),
    /// Loses packets with this probability (0 to 1). A lost segment comes late, by a retransmission timeout.
    Loss(f64),
    /// Lets through at most so many bits per second, with at most so many bytes waiting.
    Bandwidth {
        /// Bits per second of each link direction.
        bps: u64,
        /// Bytes that may wait; `None` is unlimited. What does not fit is lost.
        queue_bytes_max: Option<u64>,
    },
    /// Lets nothing through, in silence. Segments are sent again until it heals or their connection gives up.
    Partition,
    /// Answers every packet with a reset of its connection, at both ends.
    Reset,
}

/// A handle to a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleId(u32);

struct Rule {
    scope: PacketScope,
    effect: Effect,
    touched: u64,
    streams: Streams,
}

/// A rule's random streams, one per link direction.
#[derive(Default)]
struct Streams(BTreeMap<(HostId, HostId), Rng>);

impl Streams {
    fn of(&mut self, seed: u64, rule: u32, link: (HostId, HostId)) -> &mut Rng {
        let (from, to) = (link.0.index(), link.1.index());
        let name = || format!("fabric/rule {rule}/{from}→{to}");
        let stream = self.0.entry(link);
        stream.or_insert_with(|| Rng::named(seed, &name()))
    }
}

/// What the rules say about one packet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Verdict {
    pub(super) extra_ns: u64,
    pub(super) blocked: bool,
    pub(super) reset: bool,
    pub(super) lost: bool,
    pub(super) bps: Option<u64>,
    pub(super) queue_bytes_max: Option<u64>,
}

impl Verdict {
    const PASS: Self = Self {
        extra_ns: 0,
        blocked: false,
        reset: false,
        lost: false,
        bps: None,
        queue_bytes_max: None,
    };
}

/// All rules ever made; removed ones keep their count.
pub(super) struct Rules {
    seed: u64,
    all: Vec<Rule>,
    active: Vec<u32>,
}

impl Rules {
    /// No rules yet.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            all: Vec::new(),
            active: Vec::new(),
        }
    }

    /// Puts a rule in force.
    pub(super) fn add(&mut self, scope: PacketScope, effect: Effect) -> RuleId {
        let id = u32::try_from(self.all.len()).expect("fewer than 2^32 rules");
        self.all.push(Rule {
            scope,
            effect,
            touched: 0,
            streams: Streams::default(),
        });
        self.active.push(id);
        RuleId(id)
    }

    /// Takes a rule out of force.
    pub(super) fn remove(&mut self, id: RuleId) {
        self.active.retain(|&active| active != id.0);
    }

    /// How many packets the rule delayed, lost, blocked or reset.
    pub(super) fn touched(&self, id: RuleId) -> u64 {
        self.all.get(id.0 as usize).map_or(0, |rule| rule.touched)
    }

    /// What happens to a packet on this link. `losable` is false for packets whose loss TCP would not notice.
    pub(super) fn judge(&mut self, from: HostId, to: HostId, losable: bool) -> Verdict {
        let mut verdict = Verdict::PASS;
        for &id in &self.active {
            let rule = &mut self.all[id as usize];
            if rule.scope.contains(from, to) {
                rule.judge(self.seed, id, (from, to), losable, &mut verdict);
            }
        }
        verdict
    }
}

impl Rule {
    fn judge(
        &mut self,
        seed: u64,
        id: u32,
        link: (HostId, HostId),
        losable: bool,
        verdict: &mut Verdict,
    ) {
        let touched = match &self.effect {
            Effect::Latency(by) => {
                let extra = nanos(by.sample(self.streams.of(seed, id, link)));
                verdict.extra_ns = verdict.extra_ns.saturating_add(extra);
                true
            }
            Effect::Loss(probability) => {
                let lost = losable && self.streams.of(seed, id, link).uniform() < *probability;
                verdict.lost |= lost;
                lost
            }
            Effect::Bandwidth {
                bps,
                queue_bytes_max,
            } => {
                if verdict.bps.is_none_or(|narrowest| *bps < narrowest) {
                    verdict.bps = Some(*bps);
                    verdict.queue_bytes_max = *queue_bytes_max;
                }
                true
            }
            Effect::Partition => {
                verdict.blocked = true;
                true
            }
            Effect::Reset => {
                verdict.reset = true;
                true
            }
        };
        self.touched += u64::from(touched);
    }
}

/// A duration in whole nanoseconds, saturating.
pub(super) fn nanos(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const A: HostId = HostId::new(0);
    const B: HostId = HostId::new(1);
    const C: HostId = HostId::new(2);

    #[test]
    fn scopes_are_directed_unless_both_ways() {
        let one = PacketScope::new(HostSet::Only(vec![A]), HostSet::Only(vec![B, C]));
        assert!(one.contains(A, C) && !one.contains(C, A) && !one.contains(B, C));
        assert!(one.both_ways().contains(C, A));
        let around = PacketScope::around(vec![C, A]);
        assert!(around.contains(A, B) && around.contains(B, C));
        assert!(!around.contains(A, C) && !around.contains(B, B));
    }

    #[test]
    fn rules_add_up_and_count_what_they_touch() {
        let ms = |ms| Effect::Latency(Distribution::Constant(Duration::from_millis(ms)));
        let mut rules = Rules::new(1);
        let first = rules.add(PacketScope::everything(), ms(1));
        let to_b = PacketScope::new(HostSet::ALL, HostSet::Only(vec![B]));
        let second = rules.add(to_b, ms(2));
        let loss = rules.add(PacketScope::everything(), Effect::Loss(1.0));
        assert_eq!(rules.judge(A, B, true).extra_ns, 3_000_000);
        assert!(!rules.judge(A, C, false).lost, "an ACK is not lost");
        rules.remove(first);
        assert_eq!(rules.judge(A, C, true).extra_ns, 0);
        let touched = [first, second, loss].map(|id| rules.touched(id));
        assert_eq!(touched, [2, 1, 2], "removed rules keep their count");
    }
}
