//! Retries in flight, and how many a sidecar allows.
//!
//! A sidecar counts for each of its clusters by itself. A retry is in flight from the decision to make it, through
//! its back-off, until its own attempt has ended; no more may be than the pool's `maxRetries`, or with a retry
//! budget than a share of the requests in flight and a few in any case (Envoy's `RetryBudgetImpl`,
//! `resource_manager_impl.h`).
//!
//! Events tell when an attempt ends and that it is retried, in this order and with nothing of the same sidecar's
//! requests in between; so a retry belongs to the attempt that its sidecar told of last. It is over when the attempt
//! with the next number ends, or when its request ends while it still waits. Requests are told only at their end:
//! how many were in flight at the end of a moment is known when they are over, and those that never end are not
//! counted. Limits are those that the sidecar was told last ([`Limits`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_core::telemetry::{AttemptEvent, RequestEvent};

use super::cast::{EdgeId, PodId};
use super::limits::Limits;
use super::{Film, Frame};
use crate::plan::Plan;
use crate::record::quick::Map;

/// A sidecar's cluster by number.
pub(crate) type PoolId = u32;

/// Most clusters of sidecars that are followed.
const POOLS_MAX: usize = 20_000;

/// Where one sidecar counts its retries: one of its clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pool {
    /// Whose sidecar.
    pub(crate) by: PodId,
    /// The edge that the cluster belongs to.
    pub(crate) edge: EdgeId,
    /// How many retries may be in flight: at first, or where an instant is asked for, then.
    pub(crate) limit: Limit,
}

/// How many retries may be in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// As many as one likes.
    None,
    /// So many.
    Fixed(u32),
    /// So many millionths of the requests in flight, and so many in any case.
    Budget {
        /// The share.
        ppm: u32,
        /// Always allowed.
        least: u32,
    },
}

impl Limit {
    /// How many retries may be in flight while `active` requests are; `None` when there is no limit.
    pub(crate) fn allows(self, active: u64) -> Option<u64> {
        match self {
            Self::None => None,
            Self::Fixed(retries) => Some(u64::from(retries)),
            Self::Budget { ppm, least } => {
                let share = active.saturating_mul(u64::from(ppm)) / 1_000_000;
                Some(share.max(u64::from(least)))
            }
        }
    }
}

/// Retries in flight in a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flight {
    /// At its end.
    pub(crate) now: u32,
    /// At once, at most.
    pub(crate) most: u32,
}

/// Retries of a sidecar's cluster in a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retries {
    /// Of which.
    pub(crate) pool: Pool,
    /// In flight.
    pub(crate) flight: Flight,
    /// Requests in flight at its end, where that matters.
    pub(crate) active: u64,
}

impl Retries {
    /// How many may be in flight; `None` when there is no limit.
    pub(crate) fn allowed(&self) -> Option<u64> {
        self.pool.limit.allows(self.active)
    }
}

/// Requests in flight at the end of moments: by the moment from which on it changed, by how much.
pub(crate) type Course = BTreeMap<u32, i32>;

impl Film {
    /// Retries in flight in the moment that `at` belongs to, of the wanted clusters of sidecars.
    pub(crate) fn retries(&self, at: u64, wanted: impl Fn(&Pool) -> bool) -> Vec<Retries> {
        let frame = self.frames.partition_point(|frame| frame.to < at);
        let frame = frame.min(self.frames.len().saturating_sub(1));
        let moment = self.frames.get(frame);
        let flights = moment.map_or(&[][..], |f: &Frame| &f.retries);
        let end = moment.map_or(at, |frame| frame.to);
        let pools = self.pools.iter().enumerate();
        let told = pools.filter(|(_, pool)| wanted(pool)).map(|(id, pool)| {
            let id = id as PoolId;
            let pool = Pool {
                limit: self.limit(id, pool.limit, end),
                ..*pool
            };
            let flight = flights.binary_search_by_key(&id, |(pool, _)| *pool);
            let changes = self.active.get(&id).into_iter();
            let active: i64 = changes
                .flat_map(|course| course.range(..=frame as u32))
                .map(|(_, by)| i64::from(*by))
                .sum();
            Retries {
                pool,
                flight: flight.map_or_else(|_| Flight::default(), |place| flights[place].1),
                active: u64::try_from(active).unwrap_or(0),
            }
        });
        told.collect()
    }

    /// How many retries a sidecar's cluster allows at `at`, if it began with `first`.
    fn limit(&self, pool: PoolId, first: Limit, at: u64) -> Limit {
        let later = self.limits.get(&pool).map_or(&[][..], Vec::as_slice);
        let told = later.partition_point(|(from, _)| *from <= at);
        told.checked_sub(1).map_or(first, |last| later[last].1)
    }
}

/// Follows the retries of all sidecars.
pub(super) struct Flights {
    limits: Limits,
    pools: Map<(PodId, u32), PoolId>,
    /// With the limit that holds now.
    known: Vec<(Pool, Flight)>,
    /// Names of pods and clusters.
    named: Vec<(Arc<str>, Arc<str>)>,
    /// Those that have, or had, a budget: what they allow depends on the requests in flight.
    budgeted: BTreeSet<PoolId>,
    /// Limits as they changed, since this was last taken.
    changed: Vec<(PoolId, u64, Limit)>,
    /// Those in which something was in flight in this moment.
    busy: BTreeSet<PoolId>,
    /// The attempt that each sidecar told of last: its trace, number and cluster.
    last: Map<PodId, (u128, u32, u32)>,
    /// Retries in flight by trace and number of attempt. A trace may make several at once.
    open: Map<(PoolId, u128, u32), u32>,
    /// Ends of moments.
    ends: Vec<u64>,
    /// Requests in flight, as they changed, since this was last taken.
    active: BTreeMap<(PoolId, u32), i32>,
}

impl Flights {
    /// For a run of `plan`.
    pub(super) fn of(plan: &Plan) -> Self {
        Self {
            limits: Limits::of(plan),
            pools: Map::default(),
            known: Vec::new(),
            named: Vec::new(),
            budgeted: BTreeSet::new(),
            changed: Vec::new(),
            busy: BTreeSet::new(),
            last: Map::default(),
            open: Map::default(),
            ends: Vec::new(),
            active: BTreeMap::new(),
        }
    }

    /// The number of a sidecar's cluster; one that is met for the first time is added to `met`.
    fn pool(
        &mut self,
        (by, pod): (PodId, &str),
        (cluster, name): (u32, &str),
        edge: EdgeId,
        met: &mut Vec<Pool>,
    ) -> Option<PoolId> {
        if let Some(pool) = self.pools.get(&(by, cluster)) {
            return Some(*pool);
        }
        if self.known.len() >= POOLS_MAX {
            return None;
        }
        let id = self.known.len() as PoolId;
        let (limit, later) = self.limits.course(pod, name);
        let pool = Pool { by, edge, limit };
        self.pools.insert((by, cluster), id);
        self.known.push((pool, Flight::default()));
        self.named.push((pod.into(), name.into()));
        self.budget(id, limit);
        for (at, limit) in later {
            self.change(id, at, limit);
        }
        met.push(pool);
        Some(id)
    }

    fn change(&mut self, pool: PoolId, at: u64, limit: Limit) {
        self.known[pool as usize].0.limit = limit;
        self.budget(pool, limit);
        self.changed.push((pool, at, limit));
    }

    fn budget(&mut self, pool: PoolId, limit: Limit) {
        if matches!(limit, Limit::Budget { .. }) {
            self.budgeted.insert(pool);
        }
    }

    /// A fault that may have to do with configuration begins or ends at `at`, on the world's clock.
    pub(super) fn fault(&mut self, fault: u32, at: u64, began: bool, drawn: &[Arc<str>]) {
        self.limits.fault(fault, at, began, drawn);
    }

    /// Configuration leaves for a pod at `at`, on the world's clock.
    pub(super) fn pushed(&mut self, pod: &str, version: u64, at: u64) {
        self.limits.pushed(pod, version, at);
    }

    /// A sidecar has applied it, at `at` of the scenario.
    pub(super) fn apply(&mut self, pod: &str, version: u64, at: u64) {
        if !self.limits.apply(pod, version, at) {
            return;
        }
        for pool in 0..self.named.len() {
            let (by, cluster) = self.named[pool].clone();
            if *by != *pod {
                continue;
            }
            let limit = self.limits.now(&by, &cluster);
            if limit != self.known[pool].0.limit {
                self.change(pool as PoolId, at, limit);
            }
        }
    }

    /// An attempt has ended.
    pub(super) fn attempt(
        &mut self,
        (by, pod): (PodId, &str),
        cluster: u32,
        edge: EdgeId,
        event: &AttemptEvent<'_>,
        met: &mut Vec<Pool>,
    ) {
        let pool = self.pool((by, pod), (cluster, event.cluster), edge, met);
        self.last.insert(by, (event.trace, event.number, cluster));
        if let Some(pool) = pool.filter(|_| event.number > 1) {
            self.over(pool, event.trace, event.number);
        }
    }

    /// Somebody will be tried again.
    pub(super) fn retry(&mut self, by: PodId, cluster: u32) {
        let Some(pool) = self.pools.get(&(by, cluster)).copied() else {
            return;
        };
        let Some((trace, number, _)) = self.last.get(&by).filter(|last| last.2 == cluster) else {
            return;
        };
        *self.open.entry((pool, *trace, number + 1)).or_default() += 1;
        let (_, flight) = &mut self.known[pool as usize];
        flight.now += 1;
        flight.most = flight.most.max(flight.now);
        self.busy.insert(pool);
    }

    fn over(&mut self, pool: PoolId, trace: u128, number: u32) {
        let (_, flight) = &mut self.known[pool as usize];
        let key = (pool, trace, number);
        if flight.now == 0 {
            return;
        }
        let Some(open) = self.open.get_mut(&key) else {
            return;
        };
        *open -= 1;
        if *open == 0 {
            self.open.swap_remove(&key);
        }
        flight.now -= 1;
    }

    /// A request that began at `start` has ended.
    pub(super) fn request(
        &mut self,
        by: PodId,
        cluster: u32,
        start: u64,
        event: &RequestEvent<'_>,
    ) {
        let Some(pool) = self.pools.get(&(by, cluster)).copied() else {
            return;
        };
        // A retry that was still waiting.
        self.over(pool, event.trace, event.attempts + 1);
        if !self.budgeted.contains(&pool) {
            return;
        }
        let first = self.ends.partition_point(|end| *end < start);
        if first < self.ends.len() {
            *self.active.entry((pool, first as u32)).or_default() += 1;
            let past = (pool, self.ends.len() as u32);
            *self.active.entry(past).or_default() -= 1;
        }
    }

    /// A pod was killed, and with it what its sidecar had in flight.
    pub(super) fn killed(&mut self, pod: PodId) {
        let known = &mut self.known;
        self.open.retain(|(pool, ..), _| {
            let (pool, flight) = &mut known[*pool as usize];
            let dead = pool.by == pod;
            if dead {
                flight.now = 0;
            }
            !dead
        });
    }

    /// A moment has ended at `at`: what was in flight in it.
    pub(super) fn cut(&mut self, at: u64) -> Vec<(PoolId, Flight)> {
        self.ends.push(at);
        let told = self.busy.iter().map(|pool| {
            let (_, flight) = &mut self.known[*pool as usize];
            let told = *flight;
            flight.most = flight.now;
            (*pool, told)
        });
        let told = told.collect();
        let known = &self.known;
        self.busy.retain(|pool| known[*pool as usize].1.now > 0);
        told
    }

    /// How requests in flight changed, since this was last asked.
    pub(super) fn changes(&mut self) -> BTreeMap<(PoolId, u32), i32> {
        std::mem::take(&mut self.active)
    }

    /// How limits changed, since this was last asked.
    pub(super) fn told(&mut self) -> Vec<(PoolId, u64, Limit)> {
        std::mem::take(&mut self.changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample::{REVIEWS, attempt, plan, through_sidecar};

    const BY: (PodId, &str) = (0, "shoppers");
    const CLUSTER: u32 = 0;

    /// One sidecar's cluster with this limit, known since an attempt that nobody retries.
    fn flights(limit: Limit) -> Flights {
        let mut flights = Flights::of(&plan());
        let mut met = Vec::new();
        flights.attempt(BY, CLUSTER, 0, &attempt(99, 1, 0, 1), &mut met);
        assert_eq!(met.len(), 1);
        flights.known[0].0.limit = limit;
        flights.budget(0, limit);
        flights
    }

    fn tried(flights: &mut Flights, trace: u128, number: u32) {
        let event = attempt(trace, number, 0, 1);
        assert_eq!(event.cluster, REVIEWS);
        flights.attempt(BY, CLUSTER, 0, &event, &mut Vec::new());
    }

    fn ended(flights: &mut Flights, trace: u128, attempts: u32, start: u64) {
        let event = RequestEvent {
            attempts,
            ..through_sidecar(trace, 0, [0; 5])
        };
        flights.request(BY.0, CLUSTER, start, &event);
    }

    #[test]
    fn a_retry_is_in_flight_from_the_decision_to_its_own_end() {
        let mut flights = flights(Limit::Fixed(3));
        for trace in [1, 2, 3] {
            tried(&mut flights, trace, 1);
            flights.retry(BY.0, CLUSTER);
        }
        let told = flights.cut(10);
        assert_eq!(told, [(0, Flight { now: 3, most: 3 })]);
        // The first ends well, the second fails and is tried once more, the third runs out of time as it waits.
        tried(&mut flights, 1, 2);
        ended(&mut flights, 1, 2, 0);
        tried(&mut flights, 2, 2);
        flights.retry(BY.0, CLUSTER);
        ended(&mut flights, 3, 1, 0);
        assert_eq!(flights.cut(20), [(0, Flight { now: 1, most: 3 })]);
        flights.killed(BY.0);
        assert_eq!(flights.cut(30), [(0, Flight { now: 0, most: 1 })]);
        assert_eq!(flights.cut(40), [], "nothing was in flight");
        assert!(flights.open.is_empty());
    }

    #[test]
    fn a_request_is_in_flight_at_the_ends_of_moments_that_it_outlasts() {
        let budget = Limit::Budget {
            ppm: 200_000,
            least: 3,
        };
        let mut flights = flights(budget);
        let mut film = Film::default();
        film.pools.push(flights.known[0].0);
        for end in [100, 200, 300] {
            flights.cut(end);
            film.frames.push(Frame {
                from: end - 100,
                to: end,
                traffic: Vec::new(),
                edges: Vec::new(),
                pods: Vec::new(),
                retries: Vec::new(),
                standing: Default::default(),
                entries: 0,
            });
            // One that began in the first moment ends in each, and twenty within the second.
            ended(&mut flights, 1, 1, 50);
            if end == 200 {
                (0..20).for_each(|_| ended(&mut flights, 2, 1, 150));
            }
        }
        for ((pool, frame), by) in flights.changes() {
            let course = film.active.entry(pool).or_default();
            *course.entry(frame).or_default() += by;
        }
        let at = |at: u64| {
            let told = film.retries(at, |_| true)[0];
            (told.active, told.allowed())
        };
        // At 100 three were, at 200 two and twenty, at 300 one.
        assert_eq!(at(60), (3, Some(3)));
        assert_eq!(at(200), (22, Some(4)));
        assert_eq!(at(300), (1, Some(3)));
    }
}
