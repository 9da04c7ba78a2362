//! Clusters and endpoints for tests.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use super::{Balancer, EndpointSet, Pick, PickRequest};
use crate::control::{Cluster, ClusterName, Endpoint, EndpointHealth, LoadAssignment, Locality};
use crate::policy::{ConnectionPool, LoadBalancer, Sourced, UpstreamTls};
use crate::seam::{Instant, Rng};

pub(crate) fn pool(limit: u32) -> ConnectionPool {
    ConnectionPool {
        connections_max: limit,
        pending_max: limit,
        requests_max: limit,
        retries_max: limit,
        requests_per_connection_max: 0,
        streams_max: u32::MAX,
        connect_timeout: Duration::from_secs(5),
        idle_timeout: None,
        connection_age_max: None,
        http2_upgrade: false,
    }
}

pub(crate) fn cluster(load_balancer: LoadBalancer, panic_threshold_percent: u32) -> Cluster {
    fn sourced<T>(value: T) -> Sourced<T> {
        Sourced::default_of(value, "test")
    }
    Cluster {
        name: ClusterName::outbound(80, None, "u"),
        load_balancer: sourced(load_balancer),
        locality: None,
        warmup: None,
        pool: sourced(pool(u32::MAX)),
        outlier: None,
        tls: sourced(UpstreamTls::Disable),
        retry_budget: None,
        panic_threshold_percent,
        http2: false,
        identities: Vec::new(),
    }
}

pub(crate) fn endpoint(number: u8) -> Endpoint {
    Endpoint {
        address: SocketAddr::from(([10, 0, 0, number], 8080)),
        workload: format!("w{number}").into(),
        locality: Locality::default(),
        priority: 0,
        weight: 1,
        health: EndpointHealth::Healthy,
        meshed: true,
    }
}

pub(crate) fn assignment(endpoints: Vec<Endpoint>) -> LoadAssignment {
    LoadAssignment {
        cluster: ClusterName::outbound(80, None, "u"),
        endpoints,
        locality_weights: BTreeMap::new(),
    }
}

/// A balancer over endpoints 0, 1, 2… of the given weights.
pub(crate) struct Bench {
    pub(crate) set: Rc<EndpointSet>,
    pub(crate) balancer: Balancer,
    pub(crate) rng: Rng,
    pub(crate) now: Instant,
}

impl Bench {
    pub(crate) fn new(cluster: &Cluster, assignment: &LoadAssignment, seed: u64) -> Self {
        let mut rng = Rng::named(seed, "balance");
        let set = EndpointSet::new(cluster, assignment, Instant::ZERO);
        Self {
            balancer: Balancer::new(cluster, set.clone(), &mut rng),
            set,
            rng,
            now: Instant::ZERO,
        }
    }

    pub(crate) fn of(load_balancer: LoadBalancer, panic: u32, weights: &[u32]) -> Self {
        let endpoints = (0u8..).zip(weights).map(|(number, weight)| Endpoint {
            weight: *weight,
            ..endpoint(number)
        });
        let assignment = assignment(endpoints.collect());
        Self::new(&cluster(load_balancer, panic), &assignment, 7)
    }

    pub(crate) fn eject(&self, place: usize) {
        let endpoint = self.set.members()[place].clone();
        self.set.set_ejected(&endpoint, true);
    }

    pub(crate) fn pick_for(&mut self, request: &PickRequest<'_>) -> Option<Pick> {
        self.balancer.pick(self.now, &mut self.rng, request)
    }

    pub(crate) fn pick(&mut self) -> Option<Pick> {
        self.pick_for(&PickRequest::default())
    }

    /// How often each member comes up in `n` picks.
    pub(crate) fn counts(&mut self, n: usize) -> Vec<usize> {
        let ids: Vec<_> = self.set.members().iter().map(|e| e.id()).collect();
        let mut counts = vec![0; ids.len()];
        for _ in 0..n {
            let picked = self.pick().expect("an endpoint").endpoint.id();
            let place = ids.iter().position(|id| *id == picked);
            counts[place.expect("a member")] += 1;
        }
        counts
    }
}
