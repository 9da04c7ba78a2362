//! Little's law: L = λW (Little, *A proof for the queuing formula L = λW*, Operations Research 9, 1961).
//!
//! Over a closed account it is not a statistical law but an identity: the area
//! under the number of requests in the system is the sum of the times that each
//! spent in it. Both sides are measured by witnesses that share nothing.
//!
//! *At the clients* the left side is summed from the count, event by event, and
//! the right side from the times that each request tells when it ends; those in
//! flight at the end have been there until then. The two are equal to the
//! nanosecond.
//!
//! *At the apps* L is what the pod's sidecar sees (the time from sending a
//! request to its app until the answer's head), and λW what the app tells of the
//! requests it answered. The app's part lies within the sidecar's, and the
//! sidecar waits for some that the app does not answer, so λW ≤ L. What was answered
//! in the last instant of the run its sidecar may not have seen. An app that sends its
//! body slowly answers after its head, and has no such law.

use std::collections::BTreeMap;

use mesh_core::seam::Instant;
use mesh_core::telemetry::AttemptEvent;

use super::Broken;
use crate::plan::{EndpointPlan, Plan, ScriptedResponse};
use crate::record::{AppEvent, AppOutcome, nanos};
use crate::verdict::witness::Teller;

/// Both sides, for every client and every meshed app.
#[derive(Clone, Debug)]
pub(super) struct Little {
    clients: Vec<Client>,
    apps: BTreeMap<Box<str>, App>,
}

#[derive(Clone, Debug, Default)]
struct Client {
    inside: u64,
    since: Instant,
    area: u128,
    spent: u128,
}

#[derive(Clone, Copy, Debug, Default)]
struct App {
    /// By the sidecar.
    seen: u128,
    /// By the app.
    told: u128,
    /// The part of it told at the instant `last`.
    just_told: u128,
    last: Instant,
}

impl Little {
    pub(super) fn new(plan: &Plan) -> Self {
        let exact = plan.pods.iter().filter(|pod| {
            let mut endpoints = pod.app.endpoints.iter().chain([&pod.app.fallback]);
            pod.workload.meshed && !endpoints.any(is_slow)
        });
        let apps = exact.map(|pod| (pod.workload.name.as_ref().into(), App::default()));
        Self {
            clients: vec![Client::default(); plan.traffic.len()],
            apps: apps.collect(),
        }
    }

    pub(super) fn sent(&mut self, traffic: usize, sent: Instant) {
        if let Some(client) = self.clients.get_mut(traffic) {
            client.until(sent);
            client.inside += 1;
        }
    }

    pub(super) fn ended(&mut self, traffic: usize, sent: Instant, ended: Instant) {
        if let Some(client) = self.clients.get_mut(traffic) {
            client.until(ended);
            client.inside = client.inside.saturating_sub(1);
            client.spent += u128::from(nanos(ended.since(sent)));
        }
    }

    pub(super) fn in_flight(&mut self, traffic: usize, sent: Instant, end: Instant) {
        if let Some(client) = self.clients.get_mut(traffic) {
            let end = end.max(client.since);
            client.spent += u128::from(nanos(end.since(sent)));
        }
    }

    /// A sidecar's attempt at its own app ended.
    pub(super) fn app_attempt(&mut self, teller: Teller<'_>, event: &AttemptEvent<'_>) {
        if let Some(app) = self.apps.get_mut(teller.pod) {
            app.seen += u128::from(nanos(event.duration));
        }
    }

    pub(super) fn app(&mut self, event: &AppEvent<'_>) {
        let Some(app) = self.apps.get_mut(event.pod) else {
            return;
        };
        if event.outcome == AppOutcome::Answered {
            let spent = u128::from(nanos(event.ended.since(event.arrived)));
            if event.ended > app.last {
                app.last = event.ended;
                app.just_told = 0;
            }
            app.told += spent;
            app.just_told += spent;
        }
    }

    pub(super) fn close(&mut self, plan: &Plan, end: Instant, broken: &mut Broken) {
        for (client, traffic) in self.clients.iter_mut().zip(&plan.traffic) {
            client.until(end);
            let Client { area, spent, .. } = *client;
            if area != spent {
                broken.tell("little", || {
                    format!(
                        "Little's law fails at {}: the count of its requests in flight makes {area} ns, their times make {spent} ns",
                        traffic.name
                    )
                });
            }
        }
        for (pod, app) in &self.apps {
            if app.told - app.just_told > app.seen {
                broken.tell("little", || {
                    format!(
                        "Little's law fails at {pod}: its app answered requests for {} ns, of which its sidecar saw {} ns",
                        app.told, app.seen
                    )
                });
            }
        }
    }
}

impl Client {
    fn until(&mut self, now: Instant) {
        self.area += u128::from(self.inside) * u128::from(nanos(now.since(self.since)));
        self.since = self.since.max(now);
    }
}

fn is_slow(endpoint: &EndpointPlan) -> bool {
    let slow = |response: &ScriptedResponse| matches!(response, ScriptedResponse::SlowBody { .. });
    endpoint.responses.iter().any(slow)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, broken_by, teller};
    use super::*;
    use crate::record::sample;

    #[test]
    fn in_flight_requests_count_until_the_end() {
        let told = broken_by(|laws| {
            laws.sent(0, at(10));
            laws.sent(0, at(20));
            laws.ended(0, at(10), at(50));
            laws.in_flight(0, at(20), at(60_000_000));
        });
        assert!(told.is_empty(), "{told:?}");
    }

    #[test]
    fn a_request_that_tells_another_time_is_noticed() {
        let told = broken_by(|laws| {
            laws.sent(0, at(10));
            laws.ended(0, at(11), at(50));
        });
        assert_eq!(
            told,
            [
                "Little's law fails at shoppers: the count of its requests in flight makes 40000 ns, their times make 39000 ns"
            ]
        );
    }

    #[test]
    fn one_that_never_ends_is_noticed() {
        let told = broken_by(|laws| laws.sent(0, at(10)));
        assert_eq!(told.len(), 1);
    }

    #[test]
    fn work_that_no_sidecar_asked_for_is_noticed() {
        let work = |us| sample::in_app("reviews-v1-1", 1, us, 0, 30);
        let asked = AttemptEvent {
            cluster: "inbound|9080||",
            ..sample::attempt(1, 1, 100, 30)
        };
        let told = broken_by(|laws| {
            laws.app(&work(100));
            laws.app_attempt(teller("reviews-v1-1"), &asked);
            laws.app(&work(200));
        });
        assert!(told.is_empty(), "the last may not have been seen: {told:?}");
        let told = broken_by(|laws| {
            laws.app(&work(100));
            laws.app_attempt(teller("reviews-v1-1"), &asked);
            laws.app(&work(200));
            laws.app(&work(300));
        });
        assert_eq!(
            told,
            [
                "Little's law fails at reviews-v1-1: its app answered requests for 90000 ns, of which its sidecar saw 30000 ns"
            ]
        );
    }
}
