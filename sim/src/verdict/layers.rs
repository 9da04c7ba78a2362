//! What every layer of the mesh carried, stage by stage.
//!
//! A layer is an edge and the service at its end. Its **attempts per request**
//! are what the caller's sidecar adds; **arrivals** are what all callers
//! together send there; **capacity** is works done per second of a worker's
//! time, times the workers: what the service could do if it did nothing else.
//! The **wasted** share is the part of the workers' time that went into
//! answers whose callers had gone.

use std::collections::BTreeSet;

use mesh_core::seam::Instant;
use meshquake_reports::{LayerReport, Phases};

use super::stage::{Staged, Stages, Sum};
use super::timeouts::Timeouts;
use crate::plan::Plan;
use crate::record::quick::Map;
use crate::record::{AppEvent, AppOutcome, nanos};

/// Edges told of; more than these nobody reads.
const LAYERS_MAX: usize = 10;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OnEdge {
    requests: u64,
    /// Attempts of those requests.
    tried: u64,
    /// All attempts.
    attempts: u64,
}

impl Sum for OnEdge {
    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.tried += other.tried;
        self.attempts += other.attempts;
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AtWork {
    works: u64,
    busy: u128,
    wasted: u128,
    wait: u128,
    line: u64,
}

impl Sum for AtWork {
    fn add(&mut self, other: &Self) {
        self.works += other.works;
        self.busy += other.busy;
        self.wasted += other.wasted;
        self.wait += other.wait;
        self.line += other.line;
    }
}

impl AtWork {
    fn wait_ms(&self) -> Option<f64> {
        (self.works > 0).then(|| self.wait as f64 / self.works as f64 / 1e6)
    }

    /// The mean length of the line that they met.
    fn line(&self) -> Option<f64> {
        (self.works > 0).then(|| self.line as f64 / self.works as f64)
    }

    fn wasted(&self) -> Option<f64> {
        (self.busy > 0).then(|| self.wasted as f64 / self.busy as f64)
    }
}

/// The loads of all edges and services.
#[derive(Clone, Debug)]
pub(super) struct Layers {
    edges: Map<(Box<str>, Box<str>), Staged<OnEdge>>,
    services: Map<Box<str>, Service>,
    timeouts: Timeouts,
}

#[derive(Clone, Debug)]
struct Service {
    /// Of all pods together; `None` is unlimited.
    workers: Option<u64>,
    load: Staged<AtWork>,
}

/// A layer of a chain, and what is known of it.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub(super) report: LayerReport,
    /// Mean time in line in the first and the second half of the last third, in milliseconds.
    pub(super) waits: (Option<f64>, Option<f64>),
    /// The mean length of the line then, of those who were let in.
    pub(super) lines: (Option<f64>, Option<f64>),
}

/// An edge's number here.
pub(crate) type EdgeId = usize;

impl Layers {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut services: Map<Box<str>, Service> = Map::default();
        for pod in &plan.pods {
            let workers = pod.app.workers.map(u64::from);
            match services.get_mut(pod.service.as_str()) {
                Some(service) => {
                    service.workers = service.workers.zip(workers).map(|(a, b)| a + b);
                }
                None => {
                    let service = Service {
                        workers,
                        load: Staged::default(),
                    };
                    services.insert(pod.service.as_str().into(), service);
                }
            }
        }
        Self {
            edges: Map::default(),
            services,
            timeouts: Timeouts::new(plan),
        }
    }

    /// The number of the edge from `from` to `to`.
    pub(super) fn edge(&mut self, from: &str, to: &str) -> EdgeId {
        let entry = self.edges.entry((from.into(), to.into()));
        let index = entry.index();
        entry.or_default();
        index
    }

    /// A fault has begun.
    pub(super) fn began(&mut self) {
        self.edges.values_mut().for_each(Staged::again);
        let services = self.services.values_mut();
        services.for_each(|service| service.load.again());
    }

    /// A request on an edge ended, after so many attempts.
    pub(super) fn request(&mut self, edge: EdgeId, start: Instant, attempts: u32, stages: &Stages) {
        let stage = stages.of(start);
        if let Some((_, edge)) = self.edges.get_index_mut(edge) {
            let load = edge.at(stage);
            load.requests += 1;
            load.tried += u64::from(attempts);
        }
    }

    /// An attempt on an edge ended.
    pub(super) fn attempt(&mut self, edge: EdgeId, start: Instant, stages: &Stages) {
        let stage = stages.of(start);
        if let Some((_, edge)) = self.edges.get_index_mut(edge) {
            edge.at(stage).attempts += 1;
        }
    }

    /// An app was done with a request at `ended`, on the scenario's clock.
    pub(super) fn app(&mut self, event: &AppEvent<'_>, ended: Instant, stages: &Stages) {
        let stage = stages.of(ended);
        let (Some(service), Some(started)) = (self.services.get_mut(event.service), event.started)
        else {
            return;
        };
        let busy = u128::from(nanos(event.ended.since(started)));
        service.load.at(stage).add(&AtWork {
            works: 1,
            busy,
            wasted: if event.outcome == AppOutcome::Wasted {
                busy
            } else {
                0
            },
            wait: nanos(started.since(event.arrived)).into(),
            line: event.queue.into(),
        });
    }

    /// The layers down from `source`, the nearest first.
    pub(super) fn down_from(&self, source: &str, stages: &Stages) -> Vec<Layer> {
        let mut seen = BTreeSet::from([source]);
        let mut next = vec![source];
        let mut layers = Vec::new();
        while !next.is_empty() && layers.len() < LAYERS_MAX {
            let from = std::mem::take(&mut next);
            for ((caller, callee), load) in &self.edges {
                if !from.contains(&&**caller) || layers.len() >= LAYERS_MAX {
                    continue;
                }
                layers.push(self.layer(caller, callee, load, stages));
                if seen.insert(callee) {
                    next.push(callee);
                }
            }
        }
        layers
    }

    fn layer(&self, from: &str, to: &str, load: &Staged<OnEdge>, stages: &Stages) -> Layer {
        let service = self.services.get(to);
        let last = load.last();
        let rate = |n: u64, seconds: f64| (seconds > 0.0).then(|| n as f64 / seconds);
        let each =
            |load: &OnEdge| (load.requests > 0).then(|| load.tried as f64 / load.requests as f64);
        // At the end requests are under way, in an overload most of them. Their attempts are known, which end sooner.
        let sent = |load: &OnEdge| match each(load) {
            Some(each) if each > 0.0 => Some(load.attempts as f64 / each),
            _ => (load.requests > 0).then_some(load.requests as f64),
        };
        let work = service.map(|service| &service.load);
        let at_last = work.map(Staged::last).unwrap_or_default();
        let at = |pick: fn(&Staged<AtWork>) -> &AtWork| work.map(pick).copied().unwrap_or_default();
        let (before, during) = (at(|load| &load.before), at(|load| &load.during));
        let workers = service.and_then(|service| service.workers);
        let used = |load: &AtWork, seconds: f64| {
            let time = workers? as f64 * seconds * 1e9;
            (time > 0.0).then(|| load.busy as f64 / time)
        };
        let capacity = |load: &AtWork| {
            (load.busy > 0)
                .then(|| Some(load.works as f64 / (load.busy as f64 / 1e9) * workers? as f64))
        };
        let arrivals = |pick: fn(&Staged<OnEdge>) -> OnEdge| {
            let edges = self.edges.iter().filter(|((_, callee), _)| **callee == *to);
            edges.map(|(_, load)| pick(load).attempts).sum::<u64>()
        };
        let report = LayerReport {
            from: from.into(),
            to: to.into(),
            requests_per_s: Phases {
                before: rate(load.before.requests, stages.before_s()),
                during: rate(load.during.requests, stages.during_s()),
                after: sent(&last)
                    .map(|n| n / stages.last_s())
                    .filter(|rate| rate.is_finite()),
            },
            attempts: Phases {
                before: each(&load.before),
                during: each(&load.during),
                after: each(&last),
            },
            arrivals_per_s: Phases {
                before: rate(arrivals(|load| load.before), stages.before_s()),
                during: rate(arrivals(|load| load.during), stages.during_s()),
                after: rate(arrivals(Staged::last), stages.last_s()),
            },
            capacity_per_s: capacity(&at_last).or_else(|| capacity(&before)).flatten(),
            utilisation: Phases {
                before: used(&before, stages.before_s()),
                during: used(&during, stages.during_s()),
                after: used(&at_last, stages.last_s()),
            },
            wait_ms: Phases {
                before: before.wait_ms(),
                during: during.wait_ms(),
                after: at_last.wait_ms(),
            },
            timeout_ms: self.timeouts.of(from, to).map(|t| t.as_secs_f64() * 1e3),
            wasted: Phases {
                before: before.wasted(),
                during: during.wasted(),
                after: at_last.wasted(),
            },
        };
        let wait = |pick: fn(&Staged<AtWork>) -> &AtWork| work.map(pick)?.wait_ms();
        let line = |pick: fn(&Staged<AtWork>) -> &AtWork| work.map(pick)?.line();
        Layer {
            report,
            lines: (line(|load| &load.earlier), line(|load| &load.later)),
            waits: (wait(|load| &load.earlier), wait(|load| &load.later)),
        }
    }
}
