//! One cluster at run time: endpoints, load balancer, breakers, retry
//! admission, outlier detection and the pools. It outlives changes of its
//! configuration: what is known about an endpoint is kept as long as the
//! endpoint is.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use http::Response;

use super::failure::AttemptFailure;
use super::pool::{HostPool, PoolSettings};
use super::secure;
use crate::balance::{ActiveRequest, Balancer, EndpointId, EndpointSet, EndpointState, PickRequest};
use crate::control::{Cluster, LoadAssignment};
use crate::identity::IdentityStore;
use crate::policy::RetryPolicy;
use crate::resilience::{
    AttemptOutcome, Breaker, Ejection, LocalFailure, OutlierDetector, OutlierResult, RequestPermit,
    RetryAdmission, RetryPermit, should_retry,
};
use crate::seam::{Instant, Rng, Seams};
use crate::telemetry::{EjectionEvent, Event};

/// A cluster of this sidecar.
pub(crate) struct ClusterRuntime {
    seams: Seams,
    identity: IdentityStore,
    name: Arc<str>,
    config: RefCell<Arc<Cluster>>,
    assignment: RefCell<Arc<LoadAssignment>>,
    endpoints: Rc<EndpointSet>,
    balancer: RefCell<Balancer>,
    detector: RefCell<Option<OutlierDetector>>,
    sweeping: Cell<bool>,
    born: Instant,
    breaker: Rc<Breaker>,
    retries: RetryAdmission,
    hosts: RefCell<BTreeMap<EndpointId, Rc<Host>>>,
    settings: RefCell<Rc<PoolSettings>>,
    rng: RefCell<Rng>,
}

/// An endpoint and the pool of connections to it.
pub(crate) struct Host {
    pub(crate) endpoint: Rc<EndpointState>,
    pub(crate) pool: Rc<HostPool>,
}

/// A picked endpoint.
pub(crate) struct Picked {
    pub(crate) host: Rc<Host>,
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
        let retries = RetryAdmission::new(&config, &breaker);
        let name = config.name.shared();
        let settings = Rc::new(PoolSettings {
            cluster: name.clone(),
            limits: config.pool.value.clone(),
        });
        let detector = config.outlier.as_ref();
        let detector = detector.map(|d| OutlierDetector::new(&d.value, endpoints.clone(), now));
        Rc::new(Self {
            seams,
            identity,
            name,
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

    /// Takes over a changed configuration or changed endpoints.
    pub(crate) fn configure(&self, config: &Arc<Cluster>, assignment: &Arc<LoadAssignment>) {
        let now = self.seams.now();
        if *self.config.borrow() != *config {
            self.reconfigure(config, now);
        }
        if *self.assignment.borrow() != *assignment {
            *self.assignment.borrow_mut() = assignment.clone();
            for gone in self.endpoints.update(assignment, now) {
                if let Some(host) = self.hosts.borrow_mut().remove(&gone.id()) {
                    host.pool.drain();
                }
            }
        }
    }

    fn reconfigure(&self, config: &Arc<Cluster>, now: Instant) {
        *self.config.borrow_mut() = config.clone();
        self.endpoints.configure(config, now);
        let balancer = Balancer::new(config, self.endpoints.clone(), &mut self.rng.borrow_mut());
        *self.balancer.borrow_mut() = balancer;
        self.breaker.configure(&config.pool.value);
        self.retries.configure(config);
        let settings = Rc::new(PoolSettings {
            cluster: self.name.clone(),
            limits: config.pool.value.clone(),
        });
        for host in self.hosts.borrow().values() {
            let endpoint = &host.endpoint;
            let secure =
                secure::to_endpoint(config, &self.identity, endpoint.meshed(), endpoint.address());
            host.pool.configure(settings.clone(), secure);
        }
        *self.settings.borrow_mut() = settings;
        let mut detector = self.detector.borrow_mut();
        match (&mut *detector, &config.outlier) {
            (_, None) => {
                self.endpoints.restore_all();
                *detector = None;
            }
            (Some(running), Some(outlier)) => running.configure(&outlier.value),
            (empty @ None, Some(outlier)) => {
                *empty = Some(OutlierDetector::new(&outlier.value, self.endpoints.clone(), now));
            }
        }
    }

    pub(crate) fn name(&self) -> Arc<str> {
        self.name.clone()
    }

    /// The configuration in force.
    pub(crate) fn config(&self) -> Arc<Cluster> {
        self.config.borrow().clone()
    }

    pub(crate) fn with_rng<T>(&self, draw: impl FnOnce(&mut Rng) -> T) -> T {
        draw(&mut self.rng.borrow_mut())
    }

    /// Lets a request in, unless the breaker on requests is open.
    pub(crate) fn admit(&self) -> Option<RequestPermit> {
        self.breaker.try_request()
    }

    /// Lets a retry in, unless the retry budget or breaker is full.
    pub(crate) fn admit_retry(&self) -> Option<RetryPermit> {
        self.retries.try_retry()
    }

    /// An endpoint for the next attempt; `None` when none may be used.
    pub(crate) fn pick(
        &self,
        hash: Option<u64>,
        retry: &RetryPolicy,
        tried: &[Rc<Host>],
    ) -> Option<Picked> {
        let (mut avoid, mut avoid_priorities) = (Vec::new(), Vec::new());
        if retry.avoid_previous_endpoints {
            avoid.extend(tried.iter().map(|host| host.endpoint.id()));
        }
        if retry.remote_localities {
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
        Some(Picked {
            host: self.host(pick.endpoint),
            panicked: pick.panicked,
            priority: pick.priority,
        })
    }

    fn host(&self, endpoint: Rc<EndpointState>) -> Rc<Host> {
        if let Some(host) = self.hosts.borrow().get(&endpoint.id()) {
            return host.clone();
        }
        let config = self.config.borrow();
        let address = endpoint.address();
        let secure = secure::to_endpoint(&config, &self.identity, endpoint.meshed(), address);
        let pool = HostPool::new(
            self.seams.clone(),
            self.settings.borrow().clone(),
            self.breaker.clone(),
            address,
            endpoint.workload().clone(),
            secure,
        );
        let id = endpoint.id();
        let host = Rc::new(Host { endpoint, pool });
        self.hosts.borrow_mut().insert(id, host.clone());
        host
    }

    /// An attempt was answered with `status`.
    pub(crate) fn answered(self: &Rc<Self>, host: &Host, status: u16) {
        self.judge(host, OutlierResult::Status(status));
    }

    /// An attempt failed without an answer.
    pub(crate) fn failed(self: &Rc<Self>, host: &Host, failure: &AttemptFailure) {
        if let Some(kind) = local_failure(failure) {
            self.judge(host, OutlierResult::Local(kind));
        }
    }

    /// A connection was made: it ends a run of local failures.
    pub(crate) fn connected(self: &Rc<Self>, host: &Host) {
        self.judge(host, OutlierResult::Connected);
    }

    fn judge(self: &Rc<Self>, host: &Host, result: OutlierResult) {
        let mut detector = self.detector.borrow_mut();
        let Some(running) = detector.as_mut() else {
            return;
        };
        let now = self.seams.now();
        let ejected = running.on_result(&host.endpoint, now, result);
        let needs_sweep = running.needs_sweep();
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
            let Some(interval) = self.config.borrow().outlier.as_ref().map(|o| o.value.interval) else {
                break;
            };
            let interval = interval.max(std::time::Duration::from_millis(1)).as_nanos() as u64;
            let elapsed = self.seams.now().since(self.born).as_nanos() as u64;
            let next = (elapsed / interval + 1) * interval;
            let due = self.born + std::time::Duration::from_nanos(next);
            self.seams.clock.sleep_until(due).await;
            let mut detector = self.detector.borrow_mut();
            let Some(running) = detector.as_mut() else {
                break;
            };
            let changes = running.sweep(self.seams.now());
            let done = !running.needs_sweep();
            drop(detector);
            changes.iter().for_each(|change| self.report(change));
            if done {
                break;
            }
        }
        self.sweeping.set(false);
    }

    fn report(&self, ejection: &Ejection) {
        if ejection.reason.is_some()
            && let Some(host) = self.hosts.borrow().get(&ejection.endpoint.id())
        {
            // Observed (case od_inflight_on_ejection): requests in flight end, then connections close.
            host.pool.drain();
        }
        let now = self.seams.now();
        let event = EjectionEvent {
            cluster: &self.name,
            upstream: ejection.endpoint.workload(),
            reason: ejection.reason,
            ejected_for: ejection.ejected_for,
            ejected_now: self.endpoints.ejected() as u32,
            endpoints: self.endpoints.len() as u32,
        };
        self.seams.observer.observe(now, &Event::Ejection(event));
    }
}

impl Host {
    pub(crate) fn workload(&self) -> Arc<str> {
        self.endpoint.workload().clone()
    }

    /// Counts a request in flight until it is dropped.
    pub(crate) fn begin(&self, now: Instant) -> ActiveRequest {
        self.endpoint.begin(now)
    }
}

fn local_failure(failure: &AttemptFailure) -> Option<LocalFailure> {
    use super::pool::ConnectFailure;
    match failure {
        AttemptFailure::Connect(ConnectFailure::Failed(_) | ConnectFailure::TimedOut) => {
            Some(LocalFailure::Connect)
        }
        // Overflow says nothing about the endpoint.
        AttemptFailure::Connect(ConnectFailure::Overflow) => None,
        AttemptFailure::PerTryTimeout => Some(LocalFailure::Timeout),
        AttemptFailure::ConnectionTermination { .. }
        | AttemptFailure::RemoteReset
        | AttemptFailure::RefusedStream
        | AttemptFailure::Protocol => Some(LocalFailure::Reset),
    }
}

/// Whether an answer is worth another attempt.
pub(crate) fn is_retriable_answer<B>(policy: &RetryPolicy, response: &Response<B>) -> bool {
    let headers = response.headers();
    let outcome = AttemptOutcome::Answer {
        status: response.status().as_u16(),
        headers,
    };
    should_retry(policy, &outcome)
}

/// Whether a failure is worth another attempt.
pub(crate) fn is_retriable_failure(policy: &RetryPolicy, failure: &AttemptFailure) -> bool {
    use super::pool::ConnectFailure;
    let outcome = match failure {
        AttemptFailure::Connect(ConnectFailure::Overflow) => return false,
        AttemptFailure::Connect(_) => AttemptOutcome::ConnectFailure,
        AttemptFailure::ConnectionTermination { before_request } => AttemptOutcome::Reset {
            before_request: *before_request,
        },
        AttemptFailure::RemoteReset | AttemptFailure::Protocol => AttemptOutcome::Reset {
            before_request: false,
        },
        AttemptFailure::RefusedStream => AttemptOutcome::RefusedStream,
        AttemptFailure::PerTryTimeout => AttemptOutcome::PerTryTimeout,
    };
    should_retry(policy, &outcome)
}
