//! What goes wrong: one file per family of faults.
//!
//! The engine ([`engine`]) keeps the schedule: it begins each fault when its
//! time has come or its trigger has fired, lets its strength grow, and ends it.
//! What a fault does is an [`Active`]: made when the fault begins, ended when
//! it heals, and able to say what it has touched. A fault that touched nothing
//! tested nothing, and fails the run.
//!
//! Every random choice of a fault (when, how long, which pods) is drawn from a
//! stream of its own, `fault/<place in the plan>`, so that adding a fault
//! changes nobody else's luck.

mod capacity;
mod clock;
mod control;
mod engine;
mod identity;
mod network;
mod process;
mod scope;
mod traffic;
mod trigger;

use std::rc::Rc;
use std::sync::Arc;

use mesh_core::seam::Rng;

use crate::fabric::Fabric;
use crate::plan::{FaultKind, PodSelector, Take};
use crate::world::Shared;

pub(crate) use engine::{Standing, end, happened, schedule};
pub(crate) use trigger::TriggerObserver;

/// What a fault has touched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Touched {
    /// Pods killed, stopped, replaced or changed.
    pub(crate) pods: u32,
    /// Packets delayed, lost, stopped or reset.
    pub(crate) packets: u64,
    /// Requests, connections, names or messages treated otherwise than without it.
    pub(crate) requests: u64,
}

impl std::ops::AddAssign for Touched {
    fn add_assign(&mut self, more: Self) {
        self.pods = self.pods.saturating_add(more.pods);
        self.packets += more.packets;
        self.requests += more.requests;
    }
}

/// What happens in a run that faults can wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Happened {
    /// A fault began: its place in the plan.
    Began(usize),
    /// A fault ended.
    Healed(usize),
    /// A load balancer ejected the pod.
    Ejected(Arc<str>),
    /// It came back.
    Returned(Arc<str>),
    /// The pod died.
    Crashed(Arc<str>),
    /// The pod takes traffic.
    Ready(Arc<str>),
    /// A sidecar of the pod refused a request because of a breaker's limit.
    Overflowed(Arc<str>),
    /// A time that a fault waits for has come.
    Elapsed,
}

/// The world, while a fault acts on it.
pub(crate) struct Scene<'a> {
    pub(crate) fabric: &'a mut Fabric,
    pub(crate) shared: &'a Rc<Shared>,
}

/// A fault in force.
pub(crate) trait Active {
    /// Its strength is now this share of the whole, 0 to 1. Called only for kinds that have a strength.
    fn strength(&mut self, _scene: &mut Scene<'_>, _share: f64) {}

    /// Something happened. Returns whether the fault is over by itself.
    fn happened(&mut self, _scene: &mut Scene<'_>, _what: &Happened) -> bool {
        false
    }

    /// It ends: what it did is undone, as far as it can be.
    fn heal(&mut self, scene: &mut Scene<'_>);

    /// What it has touched so far.
    fn touched(&self, fabric: &Fabric) -> Touched;
}

/// What a fault is told when it begins.
pub(crate) struct Beginning {
    /// Its strength at first, 0 to 1.
    pub(crate) strength: f64,
    /// Its random stream.
    pub(crate) rng: Rng,
    /// The pods that were drawn for it from among more.
    drawn: Vec<Arc<str>>,
}

impl Beginning {
    fn new(strength: f64, rng: Rng) -> Self {
        Self {
            strength,
            rng,
            drawn: Vec::new(),
        }
    }

    /// The pods that are meant this time, in plan order.
    fn draw(&mut self, selector: &PodSelector) -> Vec<Arc<str>> {
        let all = selector.pods.len();
        let count = match selector.take {
            Take::All => all,
            Take::Count(count) => (count as usize).min(all),
            Take::Share(share) => {
                let exact = all as u64 * u64::from(share.ppm());
                (((exact + 500_000) / 1_000_000) as usize).clamp(1, all)
            }
        };
        let mut places: Vec<usize> = (0..all).collect();
        if count < all {
            // The first steps of a Fisher-Yates shuffle.
            for i in 0..count {
                let j = i + self.rng.below((all - i) as u64) as usize;
                places.swap(i, j);
            }
            places.truncate(count);
            places.sort_unstable();
        }
        let pods = places.into_iter().map(|place| &selector.pods[place]);
        let pods: Vec<Arc<str>> = pods.map(|name| Arc::from(name.as_str())).collect();
        if count < all {
            self.drawn.extend(pods.iter().cloned());
        }
        pods
    }
}

/// Puts a fault in force.
fn begin(kind: &FaultKind, scene: &mut Scene<'_>, beginning: &mut Beginning) -> Box<dyn Active> {
    match kind {
        FaultKind::Network(fault) => network::begin(fault, scene, beginning),
        FaultKind::Process(fault) => process::begin(fault, scene, beginning),
        FaultKind::Capacity(fault) => capacity::begin(fault, scene, beginning),
        FaultKind::Traffic(fault) => traffic::begin(fault, scene, beginning),
        FaultKind::Clock(fault) => clock::begin(fault, scene, beginning),
        FaultKind::Identity(fault) => identity::begin(fault, scene, beginning),
        FaultKind::Control(fault) => control::begin(fault, scene, beginning),
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_control;
#[cfg(test)]
mod tests_identity;

#[cfg(test)]
mod draws {
    use super::*;

    fn selector(take: Take) -> PodSelector {
        PodSelector {
            pods: (0..10).map(|i| format!("a-{i}")).collect(),
            take,
            text: "a".into(),
        }
    }

    #[test]
    fn as_many_pods_are_drawn_as_asked_for_and_not_always_the_same() {
        let mut beginning = Beginning::new(1.0, Rng::named(1, "fault/0"));
        assert_eq!(beginning.draw(&selector(Take::All)).len(), 10);
        let third = Take::Share(mesh_core::policy::Fraction::from_percent(33.0).unwrap());
        let first = beginning.draw(&selector(third));
        assert_eq!(first.len(), 3);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let two = beginning.draw(&selector(Take::Count(2)));
            assert!(two[0] < two[1], "in plan order, without repetition");
            seen.extend(two);
        }
        assert_eq!(seen.len(), 10);
    }
}
