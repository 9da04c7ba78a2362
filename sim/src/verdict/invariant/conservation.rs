//! Conservation: no hop has answers that the next one did not give.
//!
//! A caller's sidecar tells of an attempt when the answer's head has come, or
//! when none will. The callee's sidecar has told, before it sends that head, of
//! its own attempt at its app, or ends the request itself with a refusal. Time
//! passes on the way between the two, so at every instant, and with whatever is
//! in flight, the answers that callers tell of are no more than those that the
//! pod's sidecar let out:
//!
//! answered attempts at a pod ≤ its app's answers + its sidecar's own.
//!
//! The other direction cannot be stated so: answers get lost, and work goes on
//! for callers that have gone. That requests sent upstream are no more than
//! attempts is the edges' own law. Answers that an HTTP server gives by itself
//! to what it cannot read (400, 408, 413, 414, 431) pass no filter and are not counted.

use std::collections::BTreeMap;

use mesh_core::telemetry::{AttemptEvent, RequestEvent};

use super::Broken;
use crate::plan::Plan;
use crate::verdict::witness::Teller;

/// Answers at each meshed pod.
#[derive(Clone, Debug, Default)]
pub(super) struct Conservation {
    pods: BTreeMap<Box<str>, Answers>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Answers {
    /// That callers tell of.
    received: u64,
    /// That the pod's sidecar let out.
    given: u64,
}

impl Conservation {
    pub(super) fn new(plan: &Plan) -> Self {
        let meshed = plan.pods.iter().filter(|pod| pod.workload.meshed);
        let pods = meshed.map(|pod| (pod.workload.name.as_ref().into(), Answers::default()));
        Self {
            pods: pods.collect(),
        }
    }

    /// An outbound attempt ended.
    pub(super) fn answered(&mut self, event: &AttemptEvent<'_>) {
        if event.status == 0 || is_the_servers(event.status) {
            return;
        }
        if let Some(answers) = self.pods.get_mut(event.upstream) {
            answers.received += 1;
        }
    }

    /// A sidecar's attempt at its own app ended.
    pub(super) fn passed(&mut self, teller: Teller<'_>, event: &AttemptEvent<'_>) {
        if let Some(answers) = self.pods.get_mut(teller.pod).filter(|_| event.status != 0) {
            answers.given += 1;
        }
    }

    /// A request passed the inbound side of a sidecar; it may have been the sidecar that answered.
    pub(super) fn refused(&mut self, teller: Teller<'_>, event: &RequestEvent<'_>) {
        let own = event.status != 0 && event.details != "via_upstream";
        if let Some(answers) = self.pods.get_mut(teller.pod).filter(|_| own) {
            answers.given += 1;
        }
    }

    pub(super) fn close(&self, broken: &mut Broken) {
        for (pod, answers) in &self.pods {
            if answers.received > answers.given {
                broken.tell("conservation", || {
                    let Answers { received, given } = answers;
                    format!("callers of {pod} got {received} answers, and it gave {given}")
                });
            }
        }
    }
}

/// Whether an HTTP server gives such an answer before anybody has seen the request.
const fn is_the_servers(status: u16) -> bool {
    matches!(status, 400 | 408 | 413 | 414 | 431)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, broken_by, teller};
    use super::*;
    use crate::record::sample;

    const POD: &str = "reviews-v1-1";

    fn app_attempt() -> AttemptEvent<'static> {
        AttemptEvent {
            cluster: "inbound|9080||",
            ..sample::attempt(1, 1, 0, 10)
        }
    }

    #[test]
    fn an_answer_out_of_nothing_is_noticed() {
        let told = broken_by(|laws| {
            laws.app_attempt(teller(POD), &app_attempt());
            laws.attempt(
                teller("client-shoppers"),
                at(0),
                &sample::attempt(1, 1, 0, 10),
            );
            laws.attempt(
                teller("client-shoppers"),
                at(0),
                &sample::attempt(2, 1, 0, 10),
            );
        });
        assert_eq!(
            told,
            ["callers of reviews-v1-1 got 2 answers, and it gave 1"]
        );
    }

    #[test]
    fn refusals_and_lost_answers_are_in_order() {
        let refusal = RequestEvent {
            status: 403,
            details: "rbac_access_denied_matched_policy[none]",
            ..sample::through_sidecar(1, 0, [0; 5])
        };
        let refused = AttemptEvent {
            status: 403,
            ..sample::attempt(1, 1, 0, 10)
        };
        let told = broken_by(|laws| {
            laws.inbound(teller(POD), &refusal);
            laws.attempt(teller("client-shoppers"), at(0), &refused);
            laws.app_attempt(teller(POD), &app_attempt());
        });
        assert!(told.is_empty(), "{told:?}");
    }
}
