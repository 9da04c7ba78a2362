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
    /// The port at the end of `to`; `None` is any.
    port: Option<u16>,
}

impl PacketScope {
    /// Packets that hosts of `from` send to hosts of `to`.
    pub fn new(from: HostSet, to: HostSet) -> Self {
        Self {
            from: from.sorted(),
            to: to.sorted(),
            both_ways: false,
            port: None,
        }
    }

    /// Only packets of connections to this port of `to` (or, [both ways](Self::both_ways), of either end).
    #[must_use]
    pub fn port(mut self, port: Option<u16>) -> Self {
        self.port = port;
        self
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

    fn contains(&self, passing: &Passing) -> bool {
        let Passing { from, to, .. } = *passing;
        let there = self.from.contains(from) && self.to.contains(to);
        let back = self.both_ways && self.from.contains(to) && self.to.contains(from);
        (there || back) && self.port.is_none_or(|port| passing.ports.contains(&port))
    }
}

/// A packet on its way onto a link, as rules see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passing {
    pub(super) from: HostId,
    pub(super) to: HostId,
    /// Of its sender and its receiver.
    pub(super) ports: [u16; 2],
    /// TCP would notice its loss.
    pub(super) losable: bool,
    /// It asks for a connection.
    pub(super) opens: bool,
    /// When its connection was made, in the order of all that is made; `u64::MAX` when it has none.
    pub(super) birth: u64,
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
    /// Answers every attempt to connect with a reset; connections that stand are left alone.
    Refuse,
    /// Swallows the packets of connections that were made before the rule: what a middlebox does
    /// that has forgotten its connections. New ones pass.
    Forget,
}

/// A handle to a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleId(u32);

struct Rule {
    scope: PacketScope,
    effect: Effect,
    touched: u64,
    /// When it was made, in the order of all that is made.
    birth: u64,
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
    pub(super) const PASS: Self = Self {
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

    /// Whether no rule is in force.
    pub(super) const fn is_idle(&self) -> bool {
        self.active.is_empty()
    }

    /// Puts a rule in force; `birth` is its place in the order of all that is made.
    pub(super) fn add(&mut self, scope: PacketScope, effect: Effect, birth: u64) -> RuleId {
        let id = u32::try_from(self.all.len()).expect("fewer than 2^32 rules");
        self.all.push(Rule {
            scope,
            effect,
            touched: 0,
            birth,
            streams: Streams::default(),
        });
        self.active.push(id);
        RuleId(id)
    }

    /// Takes a rule out of force.
    pub(super) fn remove(&mut self, id: RuleId) {
        self.active.retain(|&active| active != id.0);
    }

    /// Changes what a rule does, and leaves its count and its random streams as they are.
    pub(super) fn change(&mut self, id: RuleId, effect: Effect) {
        if let Some(rule) = self.all.get_mut(id.0 as usize) {
            rule.effect = effect;
        }
    }

    /// How many packets the rule delayed, lost, blocked or reset.
    pub(super) fn touched(&self, id: RuleId) -> u64 {
        self.all.get(id.0 as usize).map_or(0, |rule| rule.touched)
    }

    /// What happens to a packet.
    pub(super) fn judge(&mut self, passing: &Passing) -> Verdict {
        let mut verdict = Verdict::PASS;
        for &id in &self.active {
            let rule = &mut self.all[id as usize];
            if rule.scope.contains(passing) {
                rule.judge(self.seed, id, passing, &mut verdict);
            }
        }
        verdict
    }
}

impl Rule {
    fn judge(&mut self, seed: u64, id: u32, passing: &Passing, verdict: &mut Verdict) {
        let link = (passing.from, passing.to);
        let touched = match &self.effect {
            Effect::Latency(by) => {
                let extra = nanos(by.sample(self.streams.of(seed, id, link)));
                verdict.extra_ns = verdict.extra_ns.saturating_add(extra);
                true
            }
            Effect::Loss(probability) => {
                let lost =
                    passing.losable && self.streams.of(seed, id, link).uniform() < *probability;
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
            Effect::Refuse => {
                verdict.reset |= passing.opens;
                passing.opens
            }
            Effect::Forget => {
                let older = passing.birth < self.birth;
                verdict.blocked |= older;
                older
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

    fn passing(from: HostId, to: HostId) -> Passing {
        Passing {
            from,
            to,
            ports: [40_000, 80],
            losable: true,
            opens: false,
            birth: 5,
        }
    }

    impl PacketScope {
        fn has(&self, from: HostId, to: HostId) -> bool {
            self.contains(&passing(from, to))
        }
    }

    #[test]
    fn a_port_narrows_a_scope() {
        let to_b = |port| PacketScope::new(HostSet::ALL, HostSet::Only(vec![B])).port(Some(port));
        assert!(to_b(80).has(A, B) && !to_b(81).has(A, B));
        assert!(to_b(40_000).has(A, B), "either end's");
    }

    #[test]
    fn a_refusal_touches_openings_and_forgetting_old_connections() {
        let mut rules = Rules::new(1);
        let refuse = rules.add(PacketScope::everything(), Effect::Refuse, 9);
        assert!(!rules.judge(&passing(A, B)).reset);
        let opening = Passing {
            opens: true,
            ..passing(A, B)
        };
        assert!(rules.judge(&opening).reset);
        assert_eq!(rules.touched(refuse), 1);
        rules.remove(refuse);
        let forget = rules.add(PacketScope::everything(), Effect::Forget, 9);
        let young = Passing {
            birth: 9,
            ..passing(A, B)
        };
        assert!(rules.judge(&passing(A, B)).blocked && !rules.judge(&young).blocked);
        assert_eq!(rules.touched(forget), 1);
    }

    #[test]
    fn scopes_are_directed_unless_both_ways() {
        let one = PacketScope::new(HostSet::Only(vec![A]), HostSet::Only(vec![B, C]));
        assert!(one.has(A, C) && !one.has(C, A) && !one.has(B, C));
        assert!(one.both_ways().has(C, A));
        let around = PacketScope::around(vec![C, A]);
        assert!(around.has(A, B) && around.has(B, C));
        assert!(!around.has(A, C) && !around.has(B, B));
    }

    #[test]
    fn rules_add_up_and_count_what_they_touch() {
        let ms = |ms| Effect::Latency(Distribution::Constant(Duration::from_millis(ms)));
        let mut rules = Rules::new(1);
        let first = rules.add(PacketScope::everything(), ms(1), 0);
        let to_b = PacketScope::new(HostSet::ALL, HostSet::Only(vec![B]));
        let second = rules.add(to_b, ms(2), 0);
        let loss = rules.add(PacketScope::everything(), Effect::Loss(1.0), 0);
        assert_eq!(rules.judge(&passing(A, B)).extra_ns, 3_000_000);
        assert!(
            !rules
                .judge(&Passing {
                    losable: false,
                    ..passing(A, C)
                })
                .lost,
            "an ACK is not lost"
        );
        rules.remove(first);
        assert_eq!(rules.judge(&passing(A, C)).extra_ns, 0);
        let touched = [first, second, loss].map(|id| rules.touched(id));
        assert_eq!(touched, [2, 1, 2], "removed rules keep their count");
    }
}
