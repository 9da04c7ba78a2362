//! What a proxy knows about one endpoint while it runs.
//!
//! The state is shared: the balancer reads it, outlier detection flips its
//! ejection, each request in flight holds it. It outlives its membership in the
//! [set](super::EndpointSet), so a request may end after its endpoint has gone.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::peak_ewma::PeakEwma;
use crate::control::{Endpoint, EndpointHealth, Locality};
use crate::seam::Instant;

/// An endpoint within its [set](super::EndpointSet). Never used twice: an
/// endpoint that goes and comes back is a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointId(pub(super) u32);

/// The run-time state of one endpoint.
#[derive(Debug)]
#[repr(C)] // What every request asks for comes first, in as few cache lines as may be.
pub struct EndpointState {
    active: Cell<u32>,
    id: EndpointId,
    workload: Arc<str>,
    pub(super) latency: PeakEwma,
    address: SocketAddr,
    added_at: Instant,
    healthy_since: Cell<Option<Instant>>,
    locality: RefCell<Locality>,
    priority: Cell<u32>,
    weight: Cell<u32>,
    health: Cell<EndpointHealth>,
    meshed: Cell<bool>,
    pub(super) ejected: Cell<bool>,
    pub(super) removed: Cell<bool>,
}

impl EndpointState {
    pub(super) fn new(
        id: EndpointId,
        endpoint: &Endpoint,
        latency: Option<(Duration, Duration)>,
        now: Instant,
    ) -> Self {
        let state = Self {
            id,
            address: endpoint.address,
            workload: endpoint.workload.clone(),
            added_at: now,
            healthy_since: Cell::new(None),
            locality: RefCell::new(endpoint.locality.clone()),
            priority: Cell::new(endpoint.priority),
            weight: Cell::new(endpoint.weight),
            health: Cell::new(endpoint.health),
            meshed: Cell::new(endpoint.meshed),
            ejected: Cell::new(false),
            removed: Cell::new(false),
            active: Cell::new(0),
            latency: PeakEwma::new(latency, now),
        };
        state.note_health(now);
        state
    }

    /// Takes over what the control plane now says; true when a pick could come out differently.
    pub(super) fn update(&self, endpoint: &Endpoint, now: Instant) -> bool {
        let changed = (self.priority.replace(endpoint.priority) != endpoint.priority)
            | (self.weight.replace(endpoint.weight) != endpoint.weight)
            | (self.health.replace(endpoint.health) != endpoint.health)
            | (*self.locality.borrow() != endpoint.locality);
        if changed {
            self.locality.replace(endpoint.locality.clone());
        }
        self.meshed.set(endpoint.meshed);
        self.note_health(now);
        changed
    }

    /// Slow start counts from the first time an endpoint is healthy (Envoy's `lastHcPassTime`).
    fn note_health(&self, now: Instant) {
        if self.health.get() == EndpointHealth::Healthy && self.healthy_since.get().is_none() {
            self.healthy_since.set(Some(now));
        }
    }

    /// Its identity within the set.
    pub fn id(&self) -> EndpointId {
        self.id
    }

    /// Where to connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The workload's name.
    pub fn workload(&self) -> &Arc<str> {
        &self.workload
    }

    /// Where it runs.
    pub fn locality(&self) -> Locality {
        self.locality.borrow().clone()
    }

    /// When it joined the set.
    pub fn added_at(&self) -> Instant {
        self.added_at
    }

    /// When it was first healthy.
    pub fn healthy_since(&self) -> Option<Instant> {
        self.healthy_since.get()
    }

    /// Locality priority, 0 first.
    pub fn priority(&self) -> u32 {
        self.priority.get()
    }

    /// Load-balancing weight, at least 1.
    pub fn weight(&self) -> u32 {
        self.weight.get().max(1)
    }

    /// What the control plane says of it.
    pub fn health(&self) -> EndpointHealth {
        self.health.get()
    }

    /// Whether it has a sidecar.
    pub fn meshed(&self) -> bool {
        self.meshed.get()
    }

    /// Whether outlier detection has taken it out.
    pub fn ejected(&self) -> bool {
        self.ejected.get()
    }

    /// Whether it has left the set; nothing new is sent to it, and its idle connections can be closed.
    pub fn removed(&self) -> bool {
        self.removed.get()
    }

    /// Whether it takes traffic outside panic.
    pub fn available(&self) -> bool {
        self.health.get() == EndpointHealth::Healthy && !self.ejected.get()
    }

    /// Requests in flight from this proxy.
    pub fn active(&self) -> u32 {
        self.active.get()
    }

    /// Counts a request in flight until the guard is dropped. To be called right
    /// after the pick, so that picks at the same instant see each other.
    pub fn begin(self: &Rc<Self>, now: Instant) -> ActiveRequest {
        self.active.set(self.active.get().saturating_add(1));
        ActiveRequest {
            endpoint: self.clone(),
            began: now,
            measured: false,
        }
    }

    /// Peak-EWMA cost: the latency to expect times the requests then in flight.
    pub(super) fn latency_cost(&self, now: Instant) -> f64 {
        self.latency.estimate_ns(now) * (f64::from(self.active.get()) + 1.0)
    }
}

/// A request in flight on an endpoint.
#[derive(Debug)]
pub struct ActiveRequest {
    endpoint: Rc<EndpointState>,
    began: Instant,
    measured: bool,
}

impl ActiveRequest {
    /// The endpoint.
    pub fn endpoint(&self) -> &Rc<EndpointState> {
        &self.endpoint
    }

    /// Measures the latency so far, once: call it at the answer's headers, and at
    /// a failure or timeout, where the peak matters most.
    pub fn measure(&mut self, now: Instant) {
        if !std::mem::replace(&mut self.measured, true) {
            self.endpoint.latency.record(now.since(self.began), now);
        }
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        let active = &self.endpoint.active;
        active.set(active.get().saturating_sub(1));
    }
}
