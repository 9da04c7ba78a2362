//! One cluster at run time: endpoints, load balancer, breakers, retry
//! admission, outlier detection and the pools. It outlives changes of its
//! configuration: what is known about an endpoint is kept as long as the
//! endpoint is.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::pool::{HostPool, PoolSettings};
use super::secure;
use crate::balance::{Balancer, EndpointId, EndpointSet, EndpointState, PickRequest};
use crate::control::{Cluster, LoadAssignment};
use crate::identity::IdentityStore;
use crate::policy::{LoadBalancer, RetryPolicy};
use crate::resilience::{
    AttemptFailure, Breaker, EjectionChange, Observation, OutlierDetector, Permit, RetryLimiter,
};
use crate::seam::{Instant, Rng, Seams};
use crate::telemetry::Event;

/// A cluster of this sidecar.
#[repr(C)] // What every request asks for comes first, in as few cache lines as may be.
pub(crate) struct ClusterRuntime {
    name: Arc<str>,
    breaker: Rc<Breaker>,
    retries: Rc<RetryLimiter>,
    endpoints: Rc<EndpointSet>,
    /// The answer to every pick under a generation of the endpoints, when there is but one.
    sole: RefCell<Option<(u64, Rc<HostPool>)>>,
    /// Whether requests are spread by a hash of theirs.
    hashes: Cell<bool>,
    rng: RefCell<Rng>,
    detector: RefCell<Option<OutlierDetector>>,
    sweeping: Cell<bool>,
    balancer: RefCell<Balancer>,
    hosts: RefCell<BTreeMap<EndpointId, Rc<HostPool>>>,
    seams: Seams,
    identity: IdentityStore,
    config: RefCell<Arc<Cluster>>,
    assignment: RefCell<Arc<LoadAssignment>>,
    born: Instant,
    settings: RefCell<Rc<PoolSettings>>,
}

/// A picked endpoint.
pub(crate) struct Picked {
    pub(crate) host: Rc<HostPool>,
    pub(crate) panicked: bool,
    pub(crate) priority: u32,
}

impl ClusterRuntime {
    pub(crate) fn new(
        seams: Seams,
        identity: IdentityStore,
        config: Arc<Cluster>,
        assignment: Arc<LoadAssignment>,
    ) -> Rc<Self> {
        let now = seams.now();
        let mut rng = seams.random.stream(&format!("cluster/{}", config.name));
        let endpoints = EndpointSet::new(&config, &assignment, now);
        let balancer = Balancer::new(&config, endpoints.clone(), &mut rng);
        let breaker = Breaker::new(&config.pool.value);
        let retries = retry_limiter(&config, &breaker);
        let name = config.name.shared();
        let settings = Rc::new(PoolSettings {
            cluster: name.clone(),
            limits: config.pool.value.clone(),
        });
        let detector = config.outlier.as_ref();
        let detector =
            detector.map(|d| OutlierDetector::new(d.value.clone(), endpoints.clone(), now));
        Rc::new(Self {
            seams,
            identity,
            name,
            sole: RefCell::default(),
            hashes: Cell::new(hashes(&config)),
            assignment: RefCell::new(assignment),
            endpoints,
            balancer: RefCell::new(balancer),
            detector: RefCell::new(detector),
            sweeping: Cell::new(false),
            born: now,
            breaker,
            retries,
            hosts: RefCell::default(),
            settings: RefCell::new(settings),
            rng: RefCell::new(rng),
            config: RefCell::new(config),
        })
    }

    /// Ends connections to all endpoints after what is in flight.
    pub(crate) fn drain(&self) {
        let hosts: Vec<_> = self.hosts.borrow().values().cloned().collect();
        hosts.iter().for_each(|host| host.drain());
    }

    /// Takes over a changed configuration or changed endpoints.
    pub(crate) fn configure(&self, config: &Arc<Cluster>, assignment: &Arc<LoadAssignment>) {
        let now = self.seams.now();
        if *self.config.borrow() != *config {
            self.reconfigure(config, now);
        }
        if *self.assignment.borrow() != *assignment {
            *self.assignment.borrow_mut() = assignment.clone();
            *self.sole.borrow_mut() = None;
            for gone in self.endpoints.update(assignment, now) {
                let left = self.detector.borrow().as_ref().and_then(|d| d.left(&gone));
                if let Some(returned) = left {
                    self.report(&returned);
                }
                if let Some(host) = self.hosts.borrow_mut().remove(&gone.id()) {
                    host.drain();
                }
            }
            for host in self.hosts.borrow().values() {
                if host.meshed.replace(host.endpoint.meshed()) != host.endpoint.meshed() {
                    self.resecure(host);
                }
            }
        }
    }

    /// Has connections to `host` made as configuration and endpoint now say.
    fn resecure(&self, host: &HostPool) {
        let (config, endpoint) = (self.config(), &host.endpoint);
        let (meshed, address) = (endpoint.meshed(), endpoint.address());
        let secure = secure::to_endpoint(&config, &self.identity, meshed, address);
        host.resecure(secure);
    }

    fn reconfigure(&self, config: &Arc<Cluster>, now: Instant) {
        let before = self.config.replace(config.clone());
        let same_security = before.tls.value == config.tls.value
            && before.identities == config.identities
            && before.http2 == config.http2;
        self.endpoints.configure(config, now);
        let balancer = Balancer::new(config, self.endpoints.clone(), &mut self.rng.borrow_mut());
        *self.balancer.borrow_mut() = balancer;
        *self.sole.borrow_mut() = None;
        self.hashes.set(hashes(config));
        self.breaker.configure(&config.pool.value);
        let pool = &config.pool.value;
        let budget = config.retry_budget.as_ref().map(|b| b.value);
        self.retries.configure(pool.retries_max, budget);
        let settings = Rc::new(PoolSettings {
            cluster: self.name.clone(),
            limits: config.pool.value.clone(),
        });
        for host in self.hosts.borrow().values() {
            host.configure(settings.clone());
            if !same_security {
                self.resecure(host);
            }
        }
        *self.settings.borrow_mut() = settings;
        let retired = self.detector.take();
        let returned = retired.map(|detector| detector.retire());
        returned
            .iter()
            .flatten()
            .for_each(|change| self.report(change));
        *self.detector.borrow_mut() = config.outlier.as_ref().map(|outlier| {
            OutlierDetector::new(outlier.value.clone(), self.endpoints.clone(), now)
        });
    }

    pub(crate) fn name(&self) -> Arc<str> {
        self.name.clone()
    }

    /// Whether requests are spread by a hash of theirs.
    pub(crate) fn hashes(&self) -> bool {
        self.hashes.get()
    }

    /// The configuration in force.
    pub(crate) fn config(&self) -> Arc<Cluster> {
        self.config.borrow().clone()
    }

    pub(crate) fn with_rng<T>(&self, draw: impl FnOnce(&mut Rng) -> T) -> T {
        draw(&mut self.rng.borrow_mut())
    }

    /// Lets a request in, unless the breaker on requests is open.
    pub(crate) fn admit(&self) -> Option<Permit> {
        self.breaker.request().ok()
    }

    /// The limit on retries in flight.
    pub(crate) fn retries(&self) -> &Rc<RetryLimiter> {
        &self.retries
    }

    /// An endpoint for the next attempt; `None` when none may be used.
    pub(crate) fn pick(
        &self,
        hash: Option<u64>,
        retry: &RetryPolicy,
        tried: &[Rc<HostPool>],
    ) -> Option<Picked> {
        let generation = self.endpoints.generation();
        // Later attempts may avoid what was tried, and draw to do so.
        if tried.is_empty()
            && let Some((of, host)) = &*self.sole.borrow()
            && *of == generation
        {
            return Some(Picked {
                host: host.clone(),
                panicked: false,
                priority: 0,
            });
        }
        let (mut avoid, mut avoid_priorities) = (Vec::new(), Vec::new());
        if retry.avoid_previous_endpoints {
            avoid.extend(tried.iter().map(|host| host.endpoint.id()));
        }
        // Istio sets an update frequency of 2: the first retry may stay, the next ones leave.
        if retry.remote_localities && tried.len() >= 2 {
            avoid_priorities.extend(tried.iter().map(|host| host.endpoint.priority()));
        }
        let request = PickRequest {
            hash,
            avoid: &avoid,
            redraws_max: retry.endpoint_draws_max,
            avoid_priorities: &avoid_priorities,
        };
        let now = self.seams.now();
        let balancer = self.balancer.borrow();
        let pick = balancer.pick(now, &mut self.rng.borrow_mut(), &request)?;
        let host = self.host(pick.endpoint);
        if balancer.has_no_choice() {
            *self.sole.borrow_mut() = Some((generation, host.clone()));
        }
        Some(Picked {
            host,
            panicked: pick.panicked,
            priority: pick.priority,
        })
    }

    fn host(&self, endpoint: Rc<EndpointState>) -> Rc<HostPool> {
        if let Some(host) = self.hosts.borrow().get(&endpoint.id()) {
            return host.clone();
        }
        let config = self.config.borrow();
        let address = endpoint.address();
        let secure = secure::to_endpoint(&config, &self.identity, endpoint.meshed(), address);
        let id = endpoint.id();
        let host = HostPool::new(
            self.seams.clone(),
            self.settings.borrow().clone(),
            self.breaker.clone(),
            endpoint,
            secure,
        );
        self.hosts.borrow_mut().insert(id, host.clone());
        host
    }

    /// An attempt was answered with `status`.
    pub(crate) fn answered(self: &Rc<Self>, host: &HostPool, status: u16) {
        self.judge(host, Observation::Answer(status));
    }

    /// An attempt failed without an answer.
    pub(crate) fn failed(self: &Rc<Self>, host: &HostPool, failure: AttemptFailure) {
        self.judge(host, Observation::Failure(failure));
    }

    /// A connection was made: it ends a run of local failures.
    pub(crate) fn connected(self: &Rc<Self>, host: &HostPool) {
        self.judge(host, Observation::Connected);
    }

    fn judge(self: &Rc<Self>, host: &HostPool, result: Observation) {
        let detector = self.detector.borrow();
        let Some(running) = detector.as_ref() else {
            return;
        };
        let now = self.seams.now();
        let ejected = running.on_result(&host.endpoint, now, result);
        let needs_sweep = !running.is_quiet();
        drop(detector);
        if let Some(ejection) = ejected {
            self.report(&ejection);
        }
        if needs_sweep && !self.sweeping.replace(true) {
            let cluster = self.clone();
            self.seams.spawn(async move { cluster.sweep().await });
        }
    }

    /// Sweeps at each multiple of the interval since the cluster was made, for as long as there is
    /// something to sweep: an idle cluster costs nothing.
    async fn sweep(self: Rc<Self>) {
        loop {
            let Some(interval) = self
                .config
                .borrow()
                .outlier
                .as_ref()
                .map(|o| o.value.interval)
            else {
                break;
            };
            let interval = interval.max(std::time::Duration::from_millis(1)).as_nanos() as u64;
            let elapsed = self.seams.now().since(self.born).as_nanos() as u64;
            let next = (elapsed / interval + 1) * interval;
            let due = self.born + std::time::Duration::from_nanos(next);
            self.seams.clock.sleep_until(due).await;
            let detector = self.detector.borrow();
            let Some(running) = detector.as_ref() else {
                break;
            };
            let changes = running.sweep(self.seams.now());
            let done = running.is_quiet();
            drop(detector);
            changes.iter().for_each(|change| self.report(change));
            if done {
                break;
            }
        }
        self.sweeping.set(false);
    }

    fn report(&self, ejection: &EjectionChange) {
        if ejection.reason.is_some()
            && let Some(host) = self.hosts.borrow().get(&ejection.endpoint.id())
        {
            // Observed (case od_inflight_on_ejection): requests in flight end, then connections close.
            host.drain();
        }
        let event = Event::Ejection(ejection.event(&self.name));
        self.seams.observer.observe(self.seams.now(), &event);
    }
}

fn hashes(config: &Cluster) -> bool {
    matches!(config.load_balancer.value, LoadBalancer::Hash { .. })
}

fn retry_limiter(config: &Cluster, breaker: &Rc<Breaker>) -> Rc<RetryLimiter> {
    let budget = config.retry_budget.as_ref().map(|b| b.value);
    RetryLimiter::new(breaker.clone(), config.pool.value.retries_max, budget)
}
