//! Bursts of traffic sources, shown as faults are: they come after those in a film's cast, and nobody tells of them
//! while a run goes, because when they come is known from its plan.

use super::entry::What;
use crate::plan::Plan;
use crate::record::nanos;

/// Most times that a burst which comes again is told of.
const TIMES_MAX: usize = 100;

/// The bursts of a plan, in its order.
pub(super) struct Bursts {
    all: Vec<Burst>,
    /// Beginnings and ends in order of time, each with the burst's number.
    turns: Vec<(u64, usize, bool)>,
    /// How many of them have been told.
    told: usize,
    /// Faults of the plan: they come first.
    faults: u32,
}

struct Burst {
    source: usize,
    stretches: Vec<(u64, u64)>,
    /// Requests that were sent in it so far.
    requests: u64,
}

impl Bursts {
    pub(super) fn of(plan: &Plan) -> Self {
        let length = nanos(plan.duration);
        let mut all = Vec::new();
        let mut turns = Vec::new();
        for (source, burst) in plan.bursts() {
            let stretches = burst.stretches.iter().take(TIMES_MAX);
            let stretches = stretches.map(|(from, to)| (nanos(*from), nanos(*to).min(length)));
            let begun = stretches.filter(|(from, _)| *from < length);
            let stretches: Vec<(u64, u64)> = begun.collect();
            for (from, to) in &stretches {
                turns.push((*from, all.len(), true));
                turns.push((*to, all.len(), false));
            }
            all.push(Burst {
                source,
                stretches,
                requests: 0,
            });
        }
        // One that ends when it comes again has ended first.
        turns.sort_by_key(|(at, burst, began)| (*at, *began, *burst));
        Self {
            all,
            turns,
            told: 0,
            faults: plan.faults.len() as u32,
        }
    }

    /// A source sent a request that was meant for `intended`.
    pub(super) fn sent(&mut self, source: usize, intended: u64) {
        for burst in self.all.iter_mut().filter(|burst| burst.source == source) {
            let within = |(from, to): &(u64, u64)| (*from..*to).contains(&intended);
            burst.requests += u64::from(burst.stretches.iter().any(within));
        }
    }

    /// The next that begins or ends, by `until` at the latest.
    pub(super) fn next(&mut self, until: u64) -> Option<(u64, What)> {
        let (at, burst, began) = *self.turns.get(self.told).filter(|(at, ..)| *at <= until)?;
        self.told += 1;
        let what = What::Fault {
            fault: self.faults + burst as u32,
            began,
            pods: 0,
            packets: 0,
            requests: self.all[burst].requests,
        };
        Some((at, what))
    }
}
