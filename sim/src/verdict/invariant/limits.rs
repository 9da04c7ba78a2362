//! Limits and budgets are never exceeded.
//!
//! | limit | as seen in events |
//! |---|---|
//! | workers | works of one pod that overlap |
//! | queue | the line that an arriving request met, itself not in it |
//! | requests of a cluster (`http2MaxRequests`) | its attempts of one sidecar that overlap; a request holds its place for longer than an attempt lasts |
//! | retries of a cluster (`maxRetries`) | its attempts after the first, as above |
//! | retry budget | the most retries at once, against its share of the most requests at once, those in flight at the end included; at traffic sources, where their number is known |
//!
//! Limits are those that the scenario's configuration comes to
//! ([`intended`](crate::verdict)); a cluster without any costs nothing.

use std::collections::BTreeMap;

use mesh_core::telemetry::{AttemptEvent, RequestEvent};

use super::Broken;
use super::lanes::Lanes;
use crate::plan::Plan;
use crate::record::quick::Map;
use crate::record::{AppEvent, AppOutcome};
use crate::verdict::intended::Bounds;
use crate::verdict::witness::Teller;

/// Everything that is limited.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    apps: Map<Box<str>, App>,
    /// By host and cluster.
    clusters: BTreeMap<(usize, Box<str>), Cluster>,
    /// Requests of each traffic source in flight at the end.
    in_flight: Vec<u64>,
}

#[derive(Clone, Debug)]
struct App {
    workers: Option<u32>,
    queue_max: Option<u32>,
    at_work: Lanes,
}

#[derive(Clone, Debug)]
struct Cluster {
    pod: Box<str>,
    source: Option<usize>,
    bounds: Bounds,
    requests: Lanes,
    attempts: Lanes,
    retries: Lanes,
}

impl Limits {
    pub(super) fn new(plan: &Plan) -> Self {
        let apps = plan.pods.iter().map(|pod| {
            let app = App {
                workers: pod.app.workers,
                queue_max: pod.app.queue_max,
                at_work: Lanes::default(),
            };
            (pod.workload.name.as_ref().into(), app)
        });
        Self {
            apps: apps.collect(),
            clusters: BTreeMap::new(),
            in_flight: vec![0; plan.traffic.len()],
        }
    }

    /// An app is done with a request.
    pub(super) fn app(&mut self, event: &AppEvent<'_>, broken: &mut Broken) {
        let Some(app) = self.apps.get_mut(event.pod) else {
            return;
        };
        let pod = event.pod;
        if let (Some(workers), Some(started)) = (app.workers, event.started) {
            let busy = app.at_work.take(started, event.ended);
            if busy > workers {
                broken.tell("workers", || {
                    format!("{pod} worked on {busy} requests at once with {workers} workers")
                });
            }
        }
        // One that was turned away met a full line; any other one has joined it.
        let joined = u32::from(
            event.outcome != AppOutcome::Rejected && event.started != Some(event.arrived),
        );
        if let Some(max) = app
            .queue_max
            .filter(|max| event.queue.saturating_add(joined) > *max)
        {
            let line = event.queue + joined;
            broken.tell("queue", || {
                format!("{line} requests were in line at {pod}, which has room for {max}")
            });
        }
    }

    /// A request passed the outbound side of a sidecar.
    pub(super) fn request(
        &mut self,
        teller: Teller<'_>,
        event: &RequestEvent<'_>,
        bounds: Option<Bounds>,
    ) {
        if let Some(bounds) = bounds.filter(|bounds| bounds.budget.is_some()) {
            let cluster = self.cluster(teller, event.cluster, bounds);
            cluster
                .requests
                .take(event.start, event.start + event.duration);
        }
    }

    /// An attempt ended.
    pub(super) fn attempt(
        &mut self,
        teller: Teller<'_>,
        event: &AttemptEvent<'_>,
        bounds: Option<Bounds>,
        broken: &mut Broken,
    ) {
        let Some(bounds) = bounds else { return };
        let cluster = self.cluster(teller, event.cluster, bounds);
        let (from, to) = (event.start, event.start + event.duration);
        let (pod, name) = (teller.pod, event.cluster);
        if bounds.requests < u32::MAX {
            let most = cluster.attempts.take(from, to);
            if most > bounds.requests {
                let max = bounds.requests;
                broken.tell("requests", || {
                    format!("{pod} had {most} requests in flight to {name}, and may have {max}")
                });
            }
        }
        if event.number > 1 && (bounds.retries < u32::MAX || bounds.budget.is_some()) {
            let most = cluster.retries.take(from, to);
            if bounds.budget.is_none() && most > bounds.retries {
                let max = bounds.retries;
                broken.tell("retries", || {
                    format!("{pod} had {most} retries in flight to {name}, and may have {max}")
                });
            }
        }
    }

    fn cluster(&mut self, teller: Teller<'_>, name: &str, bounds: Bounds) -> &mut Cluster {
        let key = (teller.host, name.into());
        self.clusters.entry(key).or_insert_with(|| Cluster {
            pod: teller.pod.into(),
            source: teller.source,
            bounds,
            requests: Lanes::default(),
            attempts: Lanes::default(),
            retries: Lanes::default(),
        })
    }

    /// A client's request was in flight when the run ended.
    pub(super) fn in_flight(&mut self, traffic: usize) {
        if let Some(count) = self.in_flight.get_mut(traffic) {
            *count += 1;
        }
    }

    pub(super) fn close(&self, broken: &mut Broken) {
        for ((_, name), cluster) in &self.clusters {
            let Some((budget, source)) = cluster.bounds.budget.zip(cluster.source) else {
                continue;
            };
            let in_flight = self.in_flight.get(source).copied().unwrap_or_default();
            let load = u64::from(cluster.requests.most()) + in_flight;
            let share = load * u64::from(budget.fraction.ppm()) / 1_000_000;
            let most = u64::from(cluster.retries.most());
            let allowed = share.max(budget.retries_min.into());
            if most > allowed {
                let pod = &cluster.pod;
                broken.tell("budget", || {
                    format!("{pod} had {most} retries in flight to {name}; its budget is {allowed} at most, of {load} requests")
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, broken_by, broken_under, teller};
    use super::*;
    use crate::plan::{AppPlan, Plan};
    use crate::record::sample;
    use mesh_core::policy::{
        ConnectionPool, DestinationPolicy, DestinationRule, Fraction, HostPattern, Origin,
        RetryBudget, Sourced,
    };
    use std::sync::Arc;
    use std::time::Duration;

    const POD: &str = "reviews-v1-1";

    #[test]
    fn a_worker_is_in_one_place() {
        // The sample's app has one worker.
        let told = |waited| {
            let told = broken_by(|laws| {
                laws.app(&sample::in_app(POD, 1, 0, 0, 10));
                laws.app(&sample::in_app(POD, 2, 5, waited, 10));
            });
            let mut told = told.into_iter();
            told.find(|text| text.contains("worked on 2 requests at once with 1 workers"))
        };
        assert_eq!(told(5), None);
        assert!(told(4).is_some());
    }

    #[test]
    fn a_line_has_its_bound() {
        let mut plan = sample::plan();
        let app = AppPlan {
            queue_max: Some(1),
            ..plan.pods[0].app.as_ref().clone()
        };
        plan.pods
            .iter_mut()
            .for_each(|pod| pod.app = Arc::new(app.clone()));
        let met = |queue, outcome, started: bool| AppEvent {
            queue,
            outcome,
            started: started.then_some(sample::at(7)),
            ..sample::in_app(POD, 1, 0, 0, 10)
        };
        let of = |event: AppEvent<'static>| broken_under(&plan, |laws| laws.app(&event));
        assert!(of(met(1, AppOutcome::Rejected, false)).is_empty());
        assert!(of(met(0, AppOutcome::Answered, true)).is_empty());
        assert_eq!(
            of(met(1, AppOutcome::Answered, true)),
            ["2 requests were in line at reviews-v1-1, which has room for 1"]
        );
    }

    fn governed(change: impl Fn(&mut DestinationPolicy)) -> Plan {
        let mut plan = sample::plan();
        let mut policy = DestinationPolicy::default();
        change(&mut policy);
        plan.mesh.destinations.push(DestinationRule {
            name: "default/reviews".into(),
            namespace: "default".into(),
            host: HostPattern::Exact("reviews.default.svc.cluster.local".into()),
            visible_to: Vec::new(),
            workload_selector: BTreeMap::new(),
            policy,
            ports: BTreeMap::new(),
            subsets: Vec::new(),
            origin: Origin::default_of("a test"),
        });
        plan
    }

    fn pool() -> ConnectionPool {
        ConnectionPool {
            connections_max: u32::MAX,
            pending_max: u32::MAX,
            requests_max: 2,
            retries_max: 1,
            requests_per_connection_max: 0,
            streams_max: u32::MAX,
            connect_timeout: Duration::from_secs(10),
            idle_timeout: None,
            connection_age_max: None,
            http2_upgrade: false,
        }
    }

    #[test]
    fn breakers_hold() {
        let plan = governed(|policy| policy.pool = Some(Sourced::default_of(pool(), "a test")));
        let client = || teller("client-shoppers");
        let at_once = |number, count: u64| {
            broken_under(&plan, |laws| {
                for i in 0..count {
                    laws.attempt(client(), at(0), &sample::attempt(1, number, i, 100 - i));
                }
            })
        };
        let told = |number, count| {
            let told = at_once(number, count).into_iter();
            told.filter(|text| text.contains("client-shoppers"))
                .collect::<Vec<_>>()
        };
        assert!(told(1, 2).is_empty());
        assert_eq!(told(1, 3).len(), 1);
        assert!(
            told(1, 3)[0].contains("3 requests in flight"),
            "{:?}",
            told(1, 3)
        );
        assert!(told(2, 1).is_empty());
        assert!(
            told(2, 2)[0].contains("2 retries in flight"),
            "{:?}",
            told(2, 2)
        );
    }

    #[test]
    fn a_budget_is_a_share() {
        let budget = RetryBudget {
            fraction: Fraction::from_percent(20.0).unwrap(),
            retries_min: 1,
        };
        let plan =
            governed(|policy| policy.retry_budget = Some(Sourced::default_of(budget, "a test")));
        let client = || Teller {
            source: Some(0),
            ..teller("client-shoppers")
        };
        let told = |retries: u64| {
            let told = broken_under(&plan, |laws| {
                for i in 0..10 {
                    let request = sample::through_sidecar(1, i, [0, 0, 0, 100 - i, 0]);
                    laws.outbound(client(), &request);
                }
                for i in 0..retries {
                    laws.attempt(client(), at(0), &sample::attempt(1, 2, i, 100 - i));
                }
            });
            told.into_iter()
                .filter(|text| text.contains("budget"))
                .count()
        };
        assert_eq!((told(2), told(3)), (0, 1));
    }
}
