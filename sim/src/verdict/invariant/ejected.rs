//! No ejected endpoint is picked, but in a panic.
//!
//! An attempt tells when its endpoint was picked. Between the ejection of an
//! endpoint and its return no pick may fall on it, unless the balancer told, in
//! that same instant, that it panics and ignores health (Envoy's
//! `healthy_panic_threshold`). What happens in the instant of the ejection itself may have
//! come before it.
//!
//! A push of configuration may change endpoints and detection, and takes
//! ejections back without a word. Sidecars tell of pushes only when they have
//! been applied, so from the push to its acknowledgement nothing is judged, and
//! what was ejected before is forgotten.

use std::collections::{BTreeMap, BTreeSet};

use mesh_core::seam::Instant;
use mesh_core::telemetry::{AttemptEvent, ConfigEvent, EjectionEvent, Mechanism, MechanismEvent};

use super::Broken;
use crate::record::quick::Map;
use crate::verdict::witness::Teller;

/// Panics remembered of one sidecar; a run that has more goes unjudged there.
const PANICS_MAX: usize = 100_000;

/// The ejections of every sidecar.
#[derive(Clone, Debug, Default)]
pub(super) struct Ejected {
    sidecars: Map<Box<str>, Sidecar>,
    /// Whether any of them has ejected anything yet: in most runs none does.
    any: bool,
}

#[derive(Clone, Debug, Default)]
struct Sidecar {
    /// When each endpoint was ejected, by cluster and workload.
    out: BTreeMap<(Box<str>, Box<str>), Instant>,
    /// When it told of a panic, while anything was ejected.
    panics: BTreeSet<Instant>,
    /// Pushes on their way.
    pushes: u32,
    /// When the last one arrived.
    settled: Instant,
}

impl Ejected {
    pub(super) fn ejection(&mut self, teller: Teller<'_>, at: Instant, event: &EjectionEvent<'_>) {
        self.any = true;
        if !self.sidecars.contains_key(teller.pod) {
            self.sidecars.insert(teller.pod.into(), Sidecar::default());
        }
        let Some(sidecar) = self.sidecars.get_mut(teller.pod) else {
            return;
        };
        let key = (event.cluster.into(), event.upstream.into());
        match event.reason {
            Some(_) => sidecar.out.insert(key, at),
            None => sidecar.out.remove(&key),
        };
        if sidecar.out.is_empty() {
            sidecar.panics.clear();
        }
    }

    pub(super) fn mechanism(
        &mut self,
        teller: Teller<'_>,
        at: Instant,
        event: &MechanismEvent<'_>,
    ) {
        if event.mechanism != Mechanism::Panic {
            return;
        }
        if let Some(sidecar) = self.sidecars.get_mut(teller.pod)
            && !sidecar.out.is_empty()
        {
            sidecar.panics.insert(at);
            if sidecar.panics.len() > PANICS_MAX {
                sidecar.forget(at);
            }
        }
    }

    pub(super) fn config(&mut self, at: Instant, event: &ConfigEvent<'_>) {
        if !matches!(
            event.what,
            "push" | "ack" | "nack" | "connect" | "disconnect"
        ) {
            return;
        }
        if !self.sidecars.contains_key(event.workload) {
            self.sidecars
                .insert(event.workload.into(), Sidecar::default());
        }
        if let Some(sidecar) = self.sidecars.get_mut(event.workload) {
            sidecar.pushes = match event.what {
                "push" => sidecar.pushes + 1,
                "ack" | "nack" => sidecar.pushes.saturating_sub(1),
                // A push that was on its way when the connection broke is not acknowledged.
                _ => 0,
            };
            sidecar.forget(at);
        }
    }

    /// An attempt ended, whose endpoint was picked at `picked`.
    pub(super) fn attempt(
        &mut self,
        teller: Teller<'_>,
        picked: Instant,
        event: &AttemptEvent<'_>,
        broken: &mut Broken,
    ) {
        if !self.any {
            return;
        }
        let Some(sidecar) = self.sidecars.get(teller.pod).filter(|s| !s.out.is_empty()) else {
            return;
        };
        let key = (event.cluster.into(), event.upstream.into());
        let Some(ejected) = sidecar.out.get(&key).copied() else {
            return;
        };
        let judged = sidecar.pushes == 0 && picked > sidecar.settled && picked > ejected;
        if judged && !sidecar.panics.contains(&picked) {
            let (pod, upstream) = (teller.pod, event.upstream);
            broken.tell("ejected", || {
                format!("{pod} picked {upstream}, which it had ejected, and did not panic")
            });
        }
    }
}

impl Sidecar {
    fn forget(&mut self, at: Instant) {
        self.out.clear();
        self.panics.clear();
        self.settled = at;
    }
}

#[cfg(test)]
mod tests {
    use super::super::Invariants;
    use super::super::tests::{at, broken_by, teller};
    use super::*;
    use crate::record::sample;
    use mesh_core::telemetry::EjectionReason;
    use std::time::Duration;

    const CLIENT: &str = "client-shoppers";

    fn eject(laws: &mut Invariants, us: u64, reason: Option<EjectionReason>) {
        let event = EjectionEvent {
            cluster: sample::REVIEWS,
            upstream: "reviews-v1-1",
            reason,
            ejected_for: Duration::from_secs(30),
            ejected_now: 1,
            endpoints: 2,
        };
        laws.ejection(teller(CLIENT), at(us), &event);
    }

    fn pick(laws: &mut Invariants, us: u64) {
        let failed = AttemptEvent {
            status: 0,
            ..sample::attempt(1, 1, us, 10)
        };
        laws.attempt(teller(CLIENT), at(us), &failed);
    }

    fn panic(laws: &mut Invariants, us: u64) {
        let event = MechanismEvent {
            mechanism: Mechanism::Panic,
            subject: sample::REVIEWS,
            detail: "",
        };
        laws.mechanism(teller(CLIENT), at(us), &event);
    }

    fn config(laws: &mut Invariants, us: u64, what: &str) {
        let event = ConfigEvent {
            what,
            version: 2,
            workload: CLIENT,
            why: "",
        };
        laws.config(at(us), &event);
    }

    const OUT: Option<EjectionReason> = Some(EjectionReason::Consecutive5xx);

    #[test]
    fn an_ejected_endpoint_is_left_alone() {
        let told = broken_by(|laws| {
            pick(laws, 50);
            eject(laws, 100, OUT);
            pick(laws, 90);
            pick(laws, 100);
            eject(laws, 300, None);
            pick(laws, 310);
        });
        assert!(told.is_empty(), "{told:?}");
        let told = broken_by(|laws| {
            eject(laws, 100, OUT);
            pick(laws, 101);
        });
        assert_eq!(
            told,
            ["client-shoppers picked reviews-v1-1, which it had ejected, and did not panic"]
        );
    }

    #[test]
    fn a_panic_ignores_health_in_its_own_instant() {
        let told = broken_by(|laws| {
            eject(laws, 100, OUT);
            panic(laws, 150);
            pick(laws, 150);
        });
        assert!(told.is_empty(), "{told:?}");
        let told = broken_by(|laws| {
            eject(laws, 100, OUT);
            panic(laws, 150);
            pick(laws, 160);
        });
        assert_eq!(told.len(), 1);
    }

    #[test]
    fn a_push_takes_ejections_back() {
        let told = broken_by(|laws| {
            eject(laws, 100, OUT);
            config(laws, 150, "push");
            pick(laws, 160);
            eject(laws, 170, OUT);
            pick(laws, 180);
            config(laws, 190, "ack");
            pick(laws, 195);
        });
        assert!(told.is_empty(), "{told:?}");
        let told = broken_by(|laws| {
            config(laws, 150, "push");
            config(laws, 190, "ack");
            eject(laws, 200, OUT);
            pick(laws, 210);
        });
        assert_eq!(told.len(), 1);
    }
}
