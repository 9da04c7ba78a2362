//! The endpoints of one cluster, as they come and go.

use std::cell::{Cell, Ref, RefCell};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::{EndpointId, EndpointState};
use crate::control::{Cluster, ClusterName, LoadAssignment};
use crate::policy::LoadBalancer;
use crate::seam::Instant;

/// The endpoints of one cluster.
///
/// An endpoint is the same as long as its address and workload are the same:
/// then its requests in flight, latency estimate and ejection survive every
/// update. An address taken over by another workload is a new endpoint.
#[derive(Debug)]
pub struct EndpointSet {
    cluster: ClusterName,
    latency: Cell<Option<(Duration, Duration)>>,
    members: RefCell<Vec<Rc<EndpointState>>>,
    locality_weights: RefCell<BTreeMap<String, u32>>,
    generation: Cell<u64>,
    next_id: Cell<u32>,
}

impl EndpointSet {
    /// The endpoints of `assignment`, all new at `now`.
    pub fn new(cluster: &Cluster, assignment: &LoadAssignment, now: Instant) -> Rc<Self> {
        let set = Self {
            cluster: cluster.name.clone(),
            latency: Cell::new(latency_settings(cluster)),
            members: RefCell::default(),
            locality_weights: RefCell::default(),
            generation: Cell::new(0),
            next_id: Cell::new(0),
        };
        set.update(assignment, now);
        Rc::new(set)
    }

    /// Takes over a changed cluster policy: call it before making a new balancer.
    pub fn configure(&self, cluster: &Cluster, now: Instant) {
        self.latency.set(latency_settings(cluster));
        for member in self.members.borrow().iter() {
            member.latency.configure(self.latency.get(), now);
        }
    }

    /// Takes over `assignment` and returns the endpoints that left. Of several
    /// entries with one address, the first counts.
    pub fn update(&self, assignment: &LoadAssignment, now: Instant) -> Vec<Rc<EndpointState>> {
        let mut members = self.members.borrow_mut();
        let mut order_before = members.iter().map(|e| e.id()).collect::<Vec<_>>();
        let mut known: BTreeMap<(SocketAddr, Arc<str>), Rc<EndpointState>> = members
            .drain(..)
            .map(|e| ((e.address(), e.workload().clone()), e))
            .collect();
        let mut seen = std::collections::BTreeSet::new();
        let mut changed = self.take_locality_weights(assignment);
        for endpoint in &assignment.endpoints {
            if !seen.insert(endpoint.address) {
                continue;
            }
            let key = (endpoint.address, endpoint.workload.clone());
            members.push(match known.remove(&key) {
                Some(state) => {
                    changed |= state.update(endpoint, now);
                    state
                }
                None => Rc::new(EndpointState::new(
                    self.fresh_id(),
                    endpoint,
                    self.latency.get(),
                    now,
                )),
            });
        }
        order_before.retain(|id| !known.values().any(|gone| gone.id() == *id));
        changed |= !known.is_empty() || !members.iter().map(|e| e.id()).eq(order_before);
        if changed {
            self.touch();
        }
        let gone: Vec<_> = known.into_values().collect();
        gone.iter().for_each(|endpoint| endpoint.removed.set(true));
        gone
    }

    fn take_locality_weights(&self, assignment: &LoadAssignment) -> bool {
        let changed = *self.locality_weights.borrow() != assignment.locality_weights;
        if changed {
            self.locality_weights
                .replace(assignment.locality_weights.clone());
        }
        changed
    }

    fn fresh_id(&self) -> EndpointId {
        let id = self.next_id.get();
        self.next_id.set(id.wrapping_add(1));
        EndpointId(id)
    }

    fn touch(&self) {
        self.generation.set(self.generation.get() + 1);
    }

    /// The cluster's name.
    pub fn cluster(&self) -> &ClusterName {
        &self.cluster
    }

    /// The endpoints, in the order of the assignment. Do not hold it across an update.
    pub fn members(&self) -> Ref<'_, [Rc<EndpointState>]> {
        Ref::map(self.members.borrow(), Vec::as_slice)
    }

    /// The number of endpoints.
    pub fn len(&self) -> usize {
        self.members.borrow().len()
    }

    /// Whether there is no endpoint.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The endpoints that take traffic outside panic.
    pub fn available(&self) -> usize {
        self.members
            .borrow()
            .iter()
            .filter(|e| e.available())
            .count()
    }

    /// The endpoints that are ejected.
    pub fn ejected(&self) -> usize {
        self.members.borrow().iter().filter(|e| e.ejected()).count()
    }

    /// Grows with every change that can change a pick.
    pub fn generation(&self) -> u64 {
        self.generation.get()
    }

    pub(super) fn locality_weights(&self) -> Ref<'_, BTreeMap<String, u32>> {
        self.locality_weights.borrow()
    }

    /// Ejects an endpoint or takes it back; true when that changed something.
    pub fn set_ejected(&self, endpoint: &EndpointState, ejected: bool) -> bool {
        let changed = endpoint.ejected.replace(ejected) != ejected;
        if changed && !endpoint.removed() {
            self.touch();
        }
        changed
    }

    /// Takes all ejected endpoints back: for a cluster that stops detecting outliers.
    pub fn restore_all(&self) {
        for member in self.members.borrow().iter() {
            self.set_ejected(member, false);
        }
    }
}

fn latency_settings(cluster: &Cluster) -> Option<(Duration, Duration)> {
    match cluster.load_balancer.value {
        LoadBalancer::PeakEwma { decay, default_rtt } => {
            Some((decay.max(Duration::from_nanos(1)), default_rtt))
        }
        _ => None,
    }
}
