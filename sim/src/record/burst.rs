//! The bursts of traffic sources, told as faults are: when they came, how often, and how much was sent in them.
//!
//! A burst is part of its source's load, and no event tells of it: when it comes is known from the plan.

use std::time::Duration;

use mesh_core::seam::Instant;
use meshquake_reports::FaultReport;
use meshquake_reports::record::seconds;

use super::edge::nanos;
use super::event::{FaultEvent, FaultPhase};
use super::fault::SPANS_MAX;
use crate::plan::{BurstPlan, Plan};

/// All bursts, in plan order of their sources.
pub(super) struct Bursts(Vec<Sent>);

/// One burst, and what was sent in it.
struct Sent {
    /// Its traffic source.
    traffic: usize,
    /// From and to, in nanoseconds on the scenario's clock.
    stretches: Vec<(u64, u64)>,
    requests: u64,
}

impl Bursts {
    pub(super) fn new(plan: &Plan) -> Self {
        let sent = |(traffic, burst): (usize, &BurstPlan)| Sent {
            traffic,
            stretches: burst
                .stretches
                .iter()
                .map(|(from, to)| (nanos(*from), nanos(*to)))
                .collect(),
            requests: 0,
        };
        Self(plan.bursts().map(sent).collect())
    }

    /// A source sent a request that was intended for `intended` on the scenario's clock.
    pub(super) fn sent(&mut self, traffic: usize, intended: Instant) {
        let at = intended.as_nanos();
        for burst in self.0.iter_mut().filter(|burst| burst.traffic == traffic) {
            let next = burst.stretches.partition_point(|(from, _)| *from <= at);
            let last = next
                .checked_sub(1)
                .and_then(|last| burst.stretches.get(last));
            burst.requests += u64::from(last.is_some_and(|(_, to)| at < *to));
        }
    }

    /// The accounts of the bursts of a run of this length in nanoseconds.
    pub(super) fn report(&self, plan: &Plan, length: u64) -> Vec<FaultReport> {
        let all = plan.bursts().zip(&self.0);
        all.map(|((_, burst), sent)| sent.told(burst, length))
            .collect()
    }

    /// When each burst was there: the first of the times it came.
    pub(super) fn spans(&self, length: u64) -> Vec<Vec<[f64; 2]>> {
        let of = |sent: &Sent| {
            let begun = sent.begun(length).take(SPANS_MAX);
            begun
                .map(|(from, to)| [seconds(from), seconds(to)])
                .collect()
        };
        self.0.iter().map(of).collect()
    }

    /// Tells of beginnings and ends as of those of faults, of the first of the times each burst came.
    pub(super) fn tell(
        &self,
        plan: &Plan,
        (origin, length): (Instant, u64),
        mut told: impl FnMut(Instant, &FaultEvent<'_>),
    ) {
        for ((_, burst), sent) in plan.bursts().zip(&self.0) {
            for (from, to) in sent.begun(length).take(SPANS_MAX) {
                for (at, phase) in [(from, FaultPhase::Began), (to, FaultPhase::Ended)] {
                    let event = FaultEvent {
                        index: u32::MAX,
                        name: &burst.name,
                        phase,
                        pods: 0,
                        packets: 0,
                        requests: sent.requests,
                        drawn: &[],
                    };
                    told(origin + Duration::from_nanos(at), &event);
                }
            }
        }
    }
}

impl Sent {
    /// The times it came in a run of this length.
    fn begun(&self, length: u64) -> impl Iterator<Item = (u64, u64)> {
        let begun = self
            .stretches
            .iter()
            .filter(move |(from, _)| *from < length);
        begun.map(move |(from, to)| (*from, (*to).min(length)))
    }

    fn told(&self, burst: &BurstPlan, length: u64) -> FaultReport {
        let first = self.stretches.first();
        let last = self.begun(length).last();
        FaultReport {
            name: burst.name.clone(),
            what: String::new(),
            at_s: first.map_or(0.0, |(from, _)| seconds(*from)),
            for_s: first.map(|(from, to)| seconds(to - from)),
            over_s: first
                .zip(last)
                .map(|((from, _), (_, to))| seconds(to - from)),
            times: self.begun(length).count() as u64,
            began: last.is_some(),
            pods: 0,
            drawn: Vec::new(),
            packets: 0,
            requests: self.requests,
            inert: self.requests == 0,
            place: burst.place.clone(),
            burst: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample;

    const S: u64 = 1_000_000_000;

    fn plan(stretches: &[(u64, u64)]) -> Plan {
        let mut plan = sample::plan();
        let seconds = Duration::from_secs;
        plan.traffic[0].bursts = vec![BurstPlan {
            name: "burst of shoppers".into(),
            stretches: stretches
                .iter()
                .map(|(from, to)| (seconds(*from), seconds(*to)))
                .collect(),
            place: "s.yaml:9:3".into(),
        }];
        plan
    }

    #[test]
    fn a_burst_has_the_requests_that_were_sent_in_it() {
        let plan = plan(&[(10, 12), (30, 32)]);
        let mut bursts = Bursts::new(&plan);
        for at in [9, 10, 11, 12, 29, 30, 31, 32, 40] {
            bursts.sent(0, Instant::from_nanos(at * S));
            bursts.sent(1, Instant::from_nanos(at * S));
        }
        let told = &bursts.report(&plan, 60 * S)[0];
        assert_eq!((told.requests, told.times, told.inert), (4, 2, false));
        assert_eq!(
            (told.at_s, told.for_s, told.over_s),
            (10.0, Some(2.0), Some(22.0))
        );
        // Cut short within its second time.
        assert_eq!(bursts.spans(31 * S)[0], [[10.0, 12.0], [30.0, 31.0]]);
        let cut = &bursts.report(&plan, 5 * S)[0];
        assert!(!cut.began && cut.times == 0 && cut.over_s.is_none());
    }

    #[test]
    fn what_comes_again_is_told_so_often_and_counted_on() {
        let many: Vec<(u64, u64)> = (1..1_000).map(|n| (10 * n, 10 * n + 1)).collect();
        let plan = plan(&many);
        let bursts = Bursts::new(&plan);
        let length = 100_000 * S;
        assert_eq!(bursts.report(&plan, length)[0].times, 999);
        assert_eq!(bursts.spans(length)[0].len(), SPANS_MAX);
        let mut told = 0;
        bursts.tell(&plan, (Instant::ZERO, length), |_, _| told += 1);
        assert_eq!(told, 2 * SPANS_MAX);
    }
}
