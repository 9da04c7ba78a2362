//! The state of the mesh over time, as its events tell it.
//!
//! Counts belong to the window in which something happened; a state is what it
//! was when the window ended. Sidecars tell of their own clocks, which faults
//! may skew: a window is the teller's.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::record::quick::Map;
use mesh_core::seam::Instant;
use mesh_core::telemetry::{ConfigEvent, ConnectionEvent, EjectionEvent, IdentityEvent};
use meshquake_reports::record::seconds;
use meshquake_reports::{Course as CourseReport, ServiceCourse};

use super::edge::nanos;
use super::event::{AppArrival, AppEvent, AppOutcome, PodChange, PodEvent};
use super::series::Cut;
use crate::plan::Plan;

/// Most services told over time: a mesh of thousands would make a report of a gigabyte.
const SERVICES_MAX: usize = 200;

/// Everything that is told over time, but for latencies.
pub(super) struct Course {
    cut: Cut,
    /// Wall time when the world began, since the Unix epoch.
    epoch: Duration,
    /// The service of each pod, by number.
    pods: Map<Box<str>, usize>,
    services: Map<Box<str>, Service>,
    connections: Gauge<u64>,
    open: BTreeMap<usize, u64>,
    sidecars: BTreeMap<usize, Sidecar>,
    /// Windows whose end has come.
    sampled: usize,
    stale: Vec<u64>,
    staleness: Vec<f64>,
    certificate: Vec<Option<f64>>,
}

/// What is known of a sidecar.
#[derive(Default)]
struct Sidecar {
    pushed: u64,
    /// Since when it has not had what it should.
    behind: Option<Instant>,
    /// End of its certificate's validity, seconds since the Unix epoch.
    not_after: Option<u64>,
}

#[derive(Default)]
struct Service {
    pods: u32,
    arrivals: Counter,
    errors: Counter,
    queue_max: Vec<u32>,
    /// Who has ejected each endpoint, and in which cluster: a sidecar judges it in each of its clusters by itself.
    out: BTreeMap<Box<str>, BTreeSet<(usize, Box<str>)>>,
    ejected: Gauge<u32>,
    absent: BTreeSet<Box<str>>,
    down: Gauge<u32>,
}

/// A count for each window.
#[derive(Default)]
struct Counter(Vec<u64>);

impl Counter {
    fn add(&mut self, window: usize) {
        if self.0.len() <= window {
            self.0.resize(window + 1, 0);
        }
        self.0[window] += 1;
    }

    fn told(&self, windows: usize) -> Vec<u64> {
        let mut told = self.0.clone();
        told.resize(windows, 0);
        told
    }
}

/// A state at the end of each window.
#[derive(Default)]
struct Gauge<T> {
    ended: Vec<T>,
    now: T,
}

impl<T: Copy> Gauge<T> {
    /// It became `value` in `window`.
    fn set(&mut self, window: usize, value: T) {
        if self.ended.len() < window {
            self.ended.resize(window, self.now);
        }
        self.now = value;
    }

    fn told(&self, windows: usize) -> Vec<T> {
        let mut told = self.ended.clone();
        told.resize(windows, self.now);
        told
    }
}

impl Course {
    pub(super) fn new(plan: &Plan, cut: Cut) -> Self {
        let mut services: Map<Box<str>, Service> = Map::default();
        let mut pods = Map::default();
        for pod in &plan.pods {
            if !services.contains_key(pod.service.as_str()) && services.len() >= SERVICES_MAX {
                continue;
            }
            let entry = services.entry(pod.service.as_str().into());
            pods.insert((&*pod.workload.name).into(), entry.index());
            entry.or_default().pods += u32::from(!pod.waits);
        }
        let boot = Duration::from_nanos(cut.origin().as_nanos());
        Self {
            cut,
            epoch: plan.epoch.saturating_sub(boot),
            pods,
            services,
            connections: Gauge::default(),
            open: BTreeMap::new(),
            sidecars: BTreeMap::new(),
            sampled: 0,
            stale: Vec::new(),
            staleness: Vec::new(),
            certificate: Vec::new(),
        }
    }

    fn service(&mut self, pod: &str) -> Option<&mut Service> {
        let index = *self.pods.get(pod)?;
        self.services
            .get_index_mut(index)
            .map(|(_, service)| service)
    }

    pub(super) fn arrived(&mut self, at: Instant, arrival: &AppArrival<'_>) {
        let window = self.cut.index(at);
        let Some(service) = self.service(arrival.pod) else {
            return;
        };
        service.arrivals.add(window);
        if service.queue_max.len() <= window {
            service.queue_max.resize(window + 1, 0);
        }
        let longest = &mut service.queue_max[window];
        *longest = arrival.queue.max(*longest);
    }

    pub(super) fn app(&mut self, event: &AppEvent<'_>) {
        if event.status < 500 && event.outcome != AppOutcome::Abandoned {
            return;
        }
        let window = self.cut.index(event.arrived);
        if let Some(service) = self.service(event.pod) {
            service.errors.add(window);
        }
    }

    pub(super) fn ejection(&mut self, at: Instant, teller: usize, event: &EjectionEvent<'_>) {
        let window = self.cut.index(at);
        let Some(service) = self.service(event.upstream) else {
            return;
        };
        let out = service.out.entry(event.upstream.into()).or_default();
        match event.reason {
            Some(_) => out.insert((teller, event.cluster.into())),
            None => out.remove(&(teller, event.cluster.into())),
        };
        service.count_ejected(window);
    }

    pub(super) fn connection(&mut self, at: Instant, teller: usize, event: &ConnectionEvent<'_>) {
        let open = self.open.entry(teller).or_default();
        let all = self.connections.now;
        let all = match event.what {
            "open" => {
                *open += 1;
                all + 1
            }
            "close" if *open > 0 => {
                *open -= 1;
                all - 1
            }
            _ => return,
        };
        self.connections.set(self.cut.index(at), all);
    }

    /// A pod came or went; `teller` is its sidecar, if that ever told anything.
    pub(super) fn pod(&mut self, at: Instant, teller: Option<usize>, event: &PodEvent<'_>) {
        let window = self.cut.index(at);
        let gone = match event.change {
            PodChange::Ready | PodChange::Thawed => false,
            PodChange::NotReady
            | PodChange::Crashed
            | PodChange::PoweredOff
            | PodChange::Frozen
            | PodChange::OomKilled => true,
            PodChange::Started => return,
        };
        if let Some(service) = self.service(event.pod) {
            if gone {
                service.absent.insert(event.pod.into());
            } else {
                service.absent.remove(event.pod);
            }
            service.down.set(window, service.absent.len() as u32);
        }
        if let Some(teller) = teller.filter(|_| event.change.kills()) {
            self.forget(window, teller);
        }
    }

    /// A sidecar was killed, and with it its connections and what it knew of endpoints.
    fn forget(&mut self, window: usize, teller: usize) {
        self.sidecars.remove(&teller);
        if self.open.remove(&teller).is_some() {
            self.connections.set(window, self.open.values().sum());
        }
        for service in self.services.values_mut() {
            let mut changed = false;
            for ejectors in service.out.values_mut() {
                let before = ejectors.len();
                ejectors.retain(|(by, _)| *by != teller);
                changed |= ejectors.len() < before;
            }
            if changed {
                service.count_ejected(window);
            }
        }
    }

    /// The control plane tells of the sidecar numbered `sidecar`.
    pub(super) fn config(&mut self, at: Instant, sidecar: usize, event: &ConfigEvent<'_>) {
        self.sample(at);
        let sidecar = self.sidecars.entry(sidecar).or_default();
        match event.what {
            "push" => {
                sidecar.pushed = event.version;
                sidecar.behind.get_or_insert(at);
            }
            "ack" if event.version >= sidecar.pushed => sidecar.behind = None,
            "disconnect" => {
                sidecar.behind.get_or_insert(at);
            }
            _ => {}
        }
    }

    /// A sidecar tells of its certificate.
    pub(super) fn identity(&mut self, at: Instant, teller: usize, event: &IdentityEvent<'_>) {
        self.sample(at);
        if event.not_after > 0 {
            self.sidecars.entry(teller).or_default().not_after = Some(event.not_after);
        }
    }

    /// Notes how things stood at the ends of the windows before `at`.
    fn sample(&mut self, at: Instant) {
        let window_ns = self.cut.window_ns();
        let since = nanos(at.since(self.cut.origin()));
        while (self.sampled as u64 + 1).saturating_mul(window_ns) <= since {
            self.sampled += 1;
            let end = self.cut.origin() + Duration::from_nanos(self.sampled as u64 * window_ns);
            let behind = self.sidecars.values().filter_map(|sidecar| sidecar.behind);
            let ages: Vec<u64> = behind.map(|behind| nanos(end.since(behind))).collect();
            self.stale.push(ages.len() as u64);
            self.staleness
                .push(seconds(ages.into_iter().max().unwrap_or(0)));
            let wall = (self.epoch + Duration::from_nanos(end.as_nanos())).as_secs_f64();
            let first = self.sidecars.values().filter_map(|s| s.not_after).min();
            self.certificate
                .push(first.map(|not_after| not_after as f64 - wall));
        }
    }

    /// What it was over time, in a run that ended at `end` after so many windows.
    pub(super) fn report(&mut self, end: Instant, windows: usize) -> CourseReport {
        self.sample(end + Duration::from_nanos(self.cut.window_ns()));
        let mut report = CourseReport {
            window_s: seconds(self.cut.window_ns()),
            windows,
            connections: self.connections.told(windows),
            stale_sidecars: self.stale.clone(),
            staleness_s: self.staleness.clone(),
            certificate_s: self.certificate.clone(),
            ..CourseReport::default()
        };
        report.stale_sidecars.resize(windows, 0);
        report.staleness_s.resize(windows, 0.0);
        report.certificate_s.resize(windows, None);
        for (name, service) in &self.services {
            let told = service.report(windows);
            report.services.insert(name.to_string(), told);
        }
        report
    }
}

impl Service {
    fn count_ejected(&mut self, window: usize) {
        let out = self.out.values().filter(|ejectors| !ejectors.is_empty());
        self.ejected.set(window, out.count() as u32);
    }

    fn report(&self, windows: usize) -> ServiceCourse {
        // Who stands in a line is counted when another comes: what becomes of it after the last is not known.
        let stands = self.queue_max.last().is_some_and(|longest| *longest > 0);
        let mut queue_max: Vec<Option<u32>> = self.queue_max.iter().copied().map(Some).collect();
        queue_max.resize(windows, if stands { None } else { Some(0) });
        ServiceCourse {
            arrivals: self.arrivals.told(windows),
            errors: self.errors.told(windows),
            queue_max,
            ejected: self.ejected.told(windows),
            down: self.down.told(windows),
            pods: self.pods,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample::plan;
    use mesh_core::telemetry::EjectionReason;

    fn ejection(cluster: &str, reason: Option<EjectionReason>) -> EjectionEvent<'_> {
        EjectionEvent {
            cluster,
            upstream: "reviews-v1",
            reason,
            ejected_for: Duration::from_secs(30),
            ejected_now: 1,
            endpoints: 2,
        }
    }

    /// Ejected in two clusters, an endpoint is back when both have it back, or the sidecar is gone.
    #[test]
    fn an_endpoint_is_out_until_every_cluster_has_it_back() {
        let second = |s: u64| Instant::from_nanos(s * 1_000_000_000);
        let cut = Cut::of(Duration::from_secs(60), Instant::ZERO);
        let plan = plan();
        let pod = plan.pods[0].workload.name.to_string();
        let mut course = Course::new(&plan, cut);
        let window = |s: u64| cut.index(second(s));
        let mut tell = |s: u64, cluster: &str, reason| {
            let event = EjectionEvent {
                upstream: &pod,
                ..ejection(cluster, reason)
            };
            course.ejection(second(s), 1, &event);
        };
        let because = Some(EjectionReason::Consecutive5xx);
        tell(1, "outbound|80||a", because);
        tell(2, "outbound|80|v1|a", because);
        tell(10, "outbound|80|v1|a", None);
        tell(20, "outbound|80||a", None);
        tell(30, "outbound|80||a", because);
        let change = PodChange::Crashed;
        let event = PodEvent {
            pod: "reviews-v2-0",
            change,
        };
        course.pod(second(40), Some(1), &event);
        let told = course.report(second(60), cut.windows(60_000_000_000));
        let out = &told.services[&plan.pods[0].service].ejected;
        let at = |s: u64| out[window(s)];
        assert_eq!([at(5), at(15), at(25), at(35), at(45)], [1, 1, 0, 1, 0]);
    }

    #[test]
    fn a_gauge_tells_how_things_stood_when_a_window_ended() {
        let mut gauge = Gauge::default();
        gauge.set(1, 3);
        gauge.set(1, 2);
        gauge.set(4, 5);
        assert_eq!(gauge.told(6), [0, 2, 2, 2, 5, 5]);
    }

    #[test]
    fn a_counter_tells_what_happened_in_a_window() {
        let mut counter = Counter::default();
        for window in [0, 2, 2] {
            counter.add(window);
        }
        assert_eq!(counter.told(4), [1, 0, 2, 0]);
    }
}
