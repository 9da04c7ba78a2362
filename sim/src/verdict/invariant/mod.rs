//! What holds in every run, whatever the scenario: if it does not, Meshquake is wrong.
//!
//! Each law has a module with its theory, and tests that break it. They are
//! watched while the run goes on, from the same events as everything else, in
//! memory that grows with the mesh and not with the length of the run. A law is
//! only as strong as what the events tell: where one cannot be decided exactly,
//! it is stated as an inequality that no correct run can break.
//!
//! Laws that depend on configuration ([`mutual`], parts of [`limits`]) hold the
//! mesh to the configuration of the scenario. They are left out of runs in
//! which a fault changes it.

mod conservation;
mod ejected;
mod lanes;
mod limits;
mod little;
mod mutual;
mod once;

use mesh_core::seam::Instant;
use mesh_core::telemetry::{
    AttemptEvent, ConfigEvent, EjectionEvent, MechanismEvent, RequestEvent,
};

use super::fault_facts;
use super::intended::Intended;
use super::witness::Teller;
use crate::plan::Plan;
use crate::record::AppEvent;

use conservation::Conservation;
use ejected::Ejected;
use limits::Limits;
use little::Little;
use mutual::Mutual;
pub(crate) use once::{InFlight, Start};

/// Violations of one law that are told; more of the same say nothing new.
const TOLD_MAX: usize = 5;

/// All laws.
pub(super) struct Invariants {
    intended: Intended,
    conservation: Conservation,
    ejected: Ejected,
    limits: Limits,
    little: Little,
    mutual: Mutual,
    /// Whether the mesh is held to the configuration of the scenario.
    configured: bool,
    broken: Broken,
}

/// Sentences on broken laws.
#[derive(Debug, Default)]
pub(super) struct Broken(Vec<(&'static str, String)>);

impl Broken {
    /// `law` was broken, as `sentence` says.
    fn tell(&mut self, law: &'static str, sentence: impl FnOnce() -> String) {
        if self.0.iter().filter(|(of, _)| *of == law).count() < TOLD_MAX {
            self.0.push((law, sentence()));
        }
    }
}

impl Invariants {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            intended: Intended::new(plan),
            conservation: Conservation::new(plan),
            ejected: Ejected::default(),
            limits: Limits::new(plan),
            little: Little::new(plan),
            mutual: Mutual,
            configured: !plan
                .faults
                .iter()
                .any(|fault| fault_facts::configures(&fault.kind)),
            broken: Broken::default(),
        }
    }

    /// A request passed the outbound side of a sidecar.
    pub(super) fn outbound(&mut self, teller: Teller<'_>, event: &RequestEvent<'_>) {
        if self.configured {
            let bounds = self.intended.bounds(teller.pod, event.cluster);
            self.limits.request(teller, event, bounds);
        }
    }

    /// An outbound attempt ended, whose endpoint was picked at `picked` on the scenario's clock.
    pub(super) fn attempt(
        &mut self,
        teller: Teller<'_>,
        picked: Instant,
        event: &AttemptEvent<'_>,
    ) {
        self.conservation.answered(event);
        self.ejected
            .attempt(teller, picked, event, &mut self.broken);
        if self.configured {
            let bounds = self.intended.bounds(teller.pod, event.cluster);
            self.limits.attempt(teller, event, bounds, &mut self.broken);
        }
    }

    /// A request passed the inbound side of a sidecar.
    pub(super) fn inbound(&mut self, teller: Teller<'_>, event: &RequestEvent<'_>) {
        self.conservation.refused(teller, event);
        if self.configured {
            let intended = &self.intended;
            self.mutual
                .request(teller, event, intended, &mut self.broken);
        }
    }

    /// Whether an app served a request that the scenario's configuration denies.
    pub(super) fn unauthorised(&self, teller: Teller<'_>, event: &RequestEvent<'_>) -> bool {
        self.intended.unauthorised(teller.pod, event)
    }

    /// A sidecar's attempt at its own app ended.
    pub(super) fn app_attempt(&mut self, teller: Teller<'_>, event: &AttemptEvent<'_>) {
        self.conservation.passed(teller, event);
        self.little.app_attempt(teller, event);
    }

    /// An endpoint was ejected or returned.
    pub(super) fn ejection(&mut self, teller: Teller<'_>, at: Instant, event: &EjectionEvent<'_>) {
        self.ejected.ejection(teller, at, event);
    }

    /// A mechanism acted.
    pub(super) fn mechanism(
        &mut self,
        teller: Teller<'_>,
        at: Instant,
        event: &MechanismEvent<'_>,
    ) {
        self.ejected.mechanism(teller, at, event);
    }

    /// Configuration moved.
    pub(super) fn config(&mut self, at: Instant, event: &ConfigEvent<'_>) {
        self.ejected.config(at, event);
    }

    /// A client sent a request.
    pub(super) fn sent(&mut self, traffic: usize, sent: Instant) {
        self.little.sent(traffic, sent);
    }

    /// A client's request ended.
    pub(super) fn ended(&mut self, traffic: usize, sent: Instant, ended: Instant) {
        self.little.ended(traffic, sent, ended);
    }

    /// A client's request was in flight when the run ended.
    pub(super) fn in_flight(&mut self, traffic: usize, sent: Instant, end: Instant) {
        self.little.in_flight(traffic, sent, end);
        self.limits.in_flight(traffic);
    }

    /// An app is done with a request.
    pub(super) fn app(&mut self, event: &AppEvent<'_>) {
        self.little.app(event);
        self.limits.app(event, &mut self.broken);
    }

    /// The run is over.
    pub(super) fn close(&mut self, plan: &Plan, end: Instant) -> Vec<String> {
        self.conservation.close(&mut self.broken);
        self.little.close(plan, end, &mut self.broken);
        self.limits.close(&mut self.broken);
        let broken = std::mem::take(&mut self.broken.0);
        broken.into_iter().map(|(_, sentence)| sentence).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample;

    pub(super) fn at(us: u64) -> Instant {
        sample::at(us)
    }

    pub(super) fn teller(pod: &'static str) -> Teller<'static> {
        Teller {
            host: 0,
            pod,
            service: "reviews",
            source: None,
        }
    }

    /// What is said of a broken stream of events.
    pub(super) fn broken_by(play: impl FnOnce(&mut Invariants)) -> Vec<String> {
        broken_under(&sample::plan(), play)
    }

    pub(super) fn broken_under(plan: &Plan, play: impl FnOnce(&mut Invariants)) -> Vec<String> {
        let mut laws = Invariants::new(plan);
        play(&mut laws);
        laws.close(plan, at(60_000_000))
    }

    #[test]
    fn a_law_that_is_broken_often_is_told_a_few_times() {
        let told = broken_by(|laws| {
            for _ in 0..20 {
                laws.sent(0, at(1));
                laws.ended(0, at(0), at(1));
            }
            for trace in 0..20 {
                laws.app(&sample::in_app("reviews-v1-1", trace, 0, 0, 10));
            }
        });
        assert_eq!(
            told.iter().filter(|text| text.contains("at once")).count(),
            TOLD_MAX
        );
    }
}
