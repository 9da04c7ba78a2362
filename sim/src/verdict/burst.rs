//! The bursts that are triggers.
//!
//! A burst of a traffic source is a disturbance as good as a fault that adds
//! load: goodput before it and after it is compared. When it comes is known
//! from the plan.
//!
//! Two kinds of burst are none:
//!
//! - One in which its source begins has nothing before it to compare with.
//! - One that comes again and again (`every`) lasts for as long as the run, so
//!   it is there before a fault and after it, and belongs to the load that the
//!   fault meets. It is a trigger only where nothing else is: no fault, and no
//!   burst that comes once. Its last time is then the last heal.

use crate::plan::{BurstPlan, Plan, TrafficPlan};
use crate::record::nanos;

/// The bursts of a plan that are triggers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bursts(Vec<Burst>);

#[derive(Clone, Debug)]
struct Burst {
    name: String,
    /// When it first comes, when its last time begins, and when that is over, in nanoseconds. Times between the first
    /// and the last are no news: they lie between two triggers.
    first: u64,
    last: (u64, u64),
}

impl Bursts {
    pub(super) fn new(plan: &Plan) -> Self {
        let all: Vec<&BurstPlan> = plan
            .bursts()
            .filter(|(source, burst)| has_before(&plan.traffic[*source], burst, plan))
            .map(|(_, burst)| burst)
            .collect();
        let once = |burst: &&BurstPlan| burst.stretches.len() == 1;
        let alone = plan.faults.is_empty() && !all.iter().any(once);
        let triggers = all.iter().filter(|burst| alone || once(burst));
        Self(
            triggers
                .filter_map(|burst| Burst::of(burst, plan))
                .collect(),
        )
    }

    /// When the first begins, if before `end`.
    pub(super) fn first_began(&self, end: u64) -> Option<u64> {
        let first = self.0.iter().map(|burst| burst.first).min();
        first.filter(|first| *first < end)
    }

    /// When the last is over, of those that begin before `end`, and its name; `None` when one lasts to `end`, or none begins.
    pub(super) fn last_healed(&self, end: u64) -> Option<(u64, &str)> {
        let begun = self.0.iter().filter(|burst| burst.last.0 < end);
        let over = begun.map(|burst| (burst.last.1, burst.name.as_str()));
        over.max_by_key(|(at, _)| *at).filter(|(at, _)| *at < end)
    }

    /// Names of those that are there at `end`.
    pub(super) fn lasting(&self, end: u64) -> impl Iterator<Item = &str> {
        let lasting = self.0.iter().filter(move |burst| burst.lasts_at(end));
        lasting.map(|burst| burst.name.as_str())
    }
}

impl Burst {
    fn of(burst: &BurstPlan, plan: &Plan) -> Option<Self> {
        let begun = |(from, _): &&(_, _)| *from < plan.duration;
        let mut stretches = burst.stretches.iter().take_while(begun);
        let first = stretches.next()?;
        let last = stretches.last().unwrap_or(first);
        Some(Self {
            name: burst.name.clone(),
            first: nanos(first.0),
            last: (nanos(last.0), nanos(last.1)),
        })
    }

    fn lasts_at(&self, end: u64) -> bool {
        self.last.0 < end && self.last.1 >= end
    }
}

/// Whether its source has sent something before it.
fn has_before(traffic: &TrafficPlan, burst: &BurstPlan, plan: &Plan) -> bool {
    let first = burst.stretches.first();
    first.is_some_and(|(from, _)| *from > traffic.start && *from < plan.duration)
}
