//! How long callers wait for an answer.
//!
//! Whoever waits gives up at the earliest of three: the client's own timeout,
//! or that of the app's call; the route's, for the whole request; and the
//! route's for one attempt. The shortest that any route of the callee's host
//! sets is taken, whatever requests it matches.

use std::collections::BTreeMap;
use std::time::Duration;

use mesh_core::policy::HostPattern;

use crate::plan::{Plan, Step};

/// The timeouts of a plan.
#[derive(Clone, Debug, Default)]
pub(super) struct Timeouts {
    /// By callee.
    routes: BTreeMap<String, Duration>,
    /// By caller and callee.
    callers: BTreeMap<(String, String), Duration>,
}

impl Timeouts {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut timeouts = Self::default();
        for service in &plan.services {
            let named =
                |host: &HostPattern| matches!(host, HostPattern::Exact(h) if *h == *service.host);
            let rules = plan.mesh.routes.iter();
            let rules = rules.filter(|rule| rule.hosts.iter().any(named));
            for scoped in rules.flat_map(|rule| &rule.routes) {
                let route = &scoped.route;
                let bounds = [route.timeout.value, route.retry.value.per_try_timeout];
                for bound in bounds.into_iter().flatten() {
                    shortest(&mut timeouts.routes, service.name.to_string(), bound);
                }
            }
        }
        for traffic in &plan.traffic {
            timeouts.caller(&traffic.name, &traffic.request.service, traffic.timeout);
        }
        for pod in &plan.pods {
            for endpoint in pod.app.endpoints.iter().chain([&pod.app.fallback]) {
                timeouts.calls(&pod.service, &endpoint.steps);
            }
        }
        timeouts
    }

    fn calls(&mut self, from: &str, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Call(call) => self.caller(from, &call.service, call.timeout),
                Step::Parallel(steps) => self.calls(from, steps),
                _ => {}
            }
        }
    }

    fn caller(&mut self, from: &str, to: &str, timeout: Option<Duration>) {
        if let Some(timeout) = timeout {
            shortest(&mut self.callers, (from.to_owned(), to.to_owned()), timeout);
        }
    }

    /// How long `from` waits for `to`; `None` when nothing bounds it.
    pub(super) fn of(&self, from: &str, to: &str) -> Option<Duration> {
        let own = self.callers.get(&(from.to_owned(), to.to_owned()));
        own.into_iter().chain(self.routes.get(to)).min().copied()
    }
}

fn shortest<K: Ord>(known: &mut BTreeMap<K, Duration>, key: K, timeout: Duration) {
    let shortest = known.entry(key).or_insert(timeout);
    *shortest = timeout.min(*shortest);
}
