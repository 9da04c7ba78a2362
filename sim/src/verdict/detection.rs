//! How long it took until somebody acted on a fault.
//!
//! The mesh acts on a broken endpoint by ejecting it. **Time to detect** is from
//! the beginning of a fault to the first ejection, by any sidecar, of an endpoint
//! that the fault is for (the pods it takes away or cuts off), or of an endpoint
//! of the service that the expectation names. Where neither is known, any
//! ejection counts.

use std::collections::BTreeMap;

use mesh_core::seam::Instant;
use mesh_core::telemetry::EjectionEvent;

use super::fault_facts;
use super::occurrence::Occurrences;
use crate::plan::{Demand, FaultSet, Plan};

/// The detections that expectations ask for.
#[derive(Clone, Debug)]
pub(super) struct Detections {
    /// By the expectation's place in the plan.
    watched: BTreeMap<usize, Detection>,
}

#[derive(Clone, Debug)]
struct Detection {
    faults: FaultSet,
    /// Endpoints whose ejection counts; `None` is any.
    endpoints: Option<Vec<String>>,
    ejected: Option<u64>,
}

impl Detections {
    pub(super) fn new(plan: &Plan) -> Self {
        let expectations = plan.expectations.iter().enumerate();
        let watched = expectations.filter_map(|(index, expectation)| match &expectation.demand {
            Demand::Detects { faults, service } => {
                let detection = Detection {
                    endpoints: match service {
                        Some(service) => Some(pods_of(plan, service)),
                        None => meant(plan, faults),
                    },
                    faults: faults.clone(),
                    ejected: None,
                };
                Some((index, detection))
            }
            Demand::Measured { .. } | Demand::Recovers { .. } => None,
        });
        Self {
            watched: watched.collect(),
        }
    }

    /// An endpoint was ejected or returned, at `at` on the scenario's clock.
    pub(super) fn ejection(
        &mut self,
        at: Instant,
        event: &EjectionEvent<'_>,
        occurrences: &Occurrences,
    ) {
        if event.reason.is_none() {
            return;
        }
        for detection in self.watched.values_mut() {
            let meant = detection.endpoints.as_ref();
            let counts = meant.is_none_or(|pods| pods.iter().any(|pod| pod == event.upstream));
            let began = occurrences.began(&detection.faults);
            if counts && detection.ejected.is_none() && began.is_some_and(|b| b <= at.as_nanos()) {
                detection.ejected = Some(at.as_nanos());
            }
        }
    }

    /// When the ejection came that expectation `index` waits for.
    pub(super) fn ejected(&self, index: usize) -> Option<u64> {
        self.watched.get(&index)?.ejected
    }
}

fn pods_of(plan: &Plan, service: &str) -> Vec<String> {
    let pods = plan.pods.iter().filter(|pod| pod.service == service);
    pods.map(|pod| pod.workload.name.to_string()).collect()
}

/// The pods that `faults` are for; `None` when that is not known of all.
fn meant(plan: &Plan, faults: &FaultSet) -> Option<Vec<String>> {
    let mut pods = Vec::new();
    for index in &faults.indices {
        pods.extend(fault_facts::pods(plan.faults.get(*index)?)?);
    }
    Some(pods)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Bound, Comparison, Expectation};
    use crate::record::{FaultPhase, sample};
    use crate::verdict::occurrence::tests::event;
    use mesh_core::telemetry::EjectionReason;
    use std::time::Duration;

    const S: u64 = 1_000_000_000;

    fn ejection(upstream: &str) -> EjectionEvent<'_> {
        EjectionEvent {
            cluster: sample::REVIEWS,
            upstream,
            reason: Some(EjectionReason::ConsecutiveLocal),
            ejected_for: Duration::from_secs(30),
            ejected_now: 1,
            endpoints: 2,
        }
    }

    fn detects(service: Option<&str>) -> Detections {
        let mut plan = sample::plan();
        plan.expectations = vec![Expectation {
            demand: Demand::Detects {
                faults: FaultSet {
                    indices: vec![0],
                    name: "crash reviews-v1-0".into(),
                },
                service: service.map(str::to_owned),
            },
            bound: Bound {
                comparison: Comparison::AtMost,
                value: 5.0,
            },
            place: String::new(),
        }];
        Detections::new(&plan)
    }

    fn first(mut detections: Detections, ejections: &[(u64, &str)]) -> Option<u64> {
        let mut occurrences = Occurrences::new(&sample::plan());
        occurrences.event(Instant::from_nanos(10 * S), &event(0, FaultPhase::Began));
        for (at, upstream) in ejections {
            let at = Instant::from_nanos(at * S);
            detections.ejection(at, &ejection(upstream), &occurrences);
        }
        detections.ejected(0).map(|at| at / S)
    }

    #[test]
    fn the_first_ejection_of_what_the_fault_is_for_counts() {
        let seen = [
            (5, "reviews-v1-0"),
            (12, "reviews-v1-1"),
            (14, "reviews-v1-0"),
            (20, "reviews-v1-0"),
        ];
        assert_eq!(first(detects(None), &seen), Some(14));
        assert_eq!(first(detects(Some("reviews")), &seen), Some(12));
        assert_eq!(first(detects(Some("ratings")), &seen), None);
        assert_eq!(first(detects(None), &seen[..2]), None);
    }
}
