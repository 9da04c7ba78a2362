//! The plan: a scenario after loading, with every reference resolved and every
//! default filled in. What runs is the plan; what a person writes is the
//! [scenario](crate::scenario). Nothing here can dangle.

mod app;
mod cache;
mod client;
mod distribution;
mod fault;
mod link;
mod process;
mod traffic;
mod verdict;

pub use app::{
    AppPlan, CallPlan, CancelPolicy, EndpointPlan, ErrorInjection, QueueOrder, ScriptedResponse,
    Step,
};
pub use cache::{CacheHits, CacheKey, CachePlan};
pub use client::{ClientPlan, Jitter, KeyDraw, KeyPlan, MixPart, RetryPlan};
pub use distribution::Distribution;
pub use fault::{
    AppEffect, CapacityFault, ClockFault, ConfigChange, ControlFault, DnsAnswer, Drain,
    EdgeSelector, FarEnd, FaultKind, FaultPlan, IdentityFault, LoadChange, NetworkFault, Objects,
    Outage, PodSelector, ProcessFault, Repeat, RequestScope, Schedule, SourceEffect, Start, Take,
    TrafficFault, Trigger,
};
pub use link::{LinkPlan, LinkQuality};
pub use process::{MemoryPlan, ProcessPlan, WarmUp};
pub use traffic::{
    Arrivals, BurstPlan, ExpectedOutcome, Load, RatePoint, RateProfile, RequestPlan,
    ScriptedRequest, TrafficPlan,
};
pub use verdict::{
    Amount, Bound, Claim, Comparison, Demand, Expectation, FaultSet, FaultWindow, LatencyMeasure,
    Mark, Measure, Offset, StatusClass, Subject, SubjectKind, Turn, Window,
};

use std::sync::Arc;
use std::time::Duration;

use mesh_core::control::{Registry, Service, Workload};
use mesh_core::policy::MeshPolicy;
use meshquake_reports::Declared;

/// Everything one run needs, besides the seed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The scenario's name.
    pub name: String,
    /// What it is about, for people.
    pub about: String,
    /// The seed, unless the command line gives another.
    pub seed: u64,
    /// Virtual length of the run.
    pub duration: Duration,
    /// Wall time at the beginning of the world, since the Unix epoch.
    pub epoch: Duration,
    /// The mesh.
    pub mesh: MeshPolicy,
    /// Services.
    pub services: Vec<Service>,
    /// Pods that run an app, in a fixed order.
    pub pods: Vec<PodPlan>,
    /// The network.
    pub links: LinkPlan,
    /// Traffic sources, each with a pod of its own.
    pub traffic: Vec<TrafficPlan>,
    /// What goes wrong.
    pub faults: Vec<FaultPlan>,
    /// What must hold.
    pub expectations: Vec<Expectation>,
    /// Demands of the scenario that lie beyond the end of a run which the command line has cut.
    pub unjudged: u64,
    /// The verdict that it is written to come to.
    pub declared: Declared,
    /// BLAKE3 of every input file and override, hex: which scenario this was.
    pub fingerprint: String,
}

impl Plan {
    /// The workloads of pods, then those of traffic sources.
    pub fn workloads(&self) -> impl Iterator<Item = &Workload> {
        let pods = self.pods.iter().map(|pod| &pod.workload);
        pods.chain(self.traffic.iter().map(|traffic| &traffic.workload))
    }

    /// The bursts of all traffic sources, in their order, each with the number of its source.
    pub fn bursts(&self) -> impl Iterator<Item = (usize, &BurstPlan)> {
        let sources = self.traffic.iter().enumerate();
        sources.flat_map(|(index, source)| source.bursts.iter().map(move |burst| (index, burst)))
    }

    /// What exists, with every pod ready.
    pub fn registry(&self) -> Registry {
        let mut registry = Registry::default();
        for workload in self.workloads() {
            let name = workload.name.clone();
            registry.workloads.insert(name, workload.clone());
        }
        for service in &self.services {
            let host = service.host.clone();
            registry.services.insert(host, service.clone());
        }
        registry
    }
}

/// A pod and the app it runs.
#[derive(Clone, Debug)]
pub struct PodPlan {
    /// Name, address, labels, identity, zone.
    pub workload: Workload,
    /// The ports its app listens on.
    pub ports: Vec<u16>,
    /// Its app's behaviour, shared by all replicas.
    pub app: Arc<AppPlan>,
    /// The services it belongs to, short names, for reports; the first is its main one.
    pub service: String,
    /// The node it runs on.
    pub node: String,
    /// Whether it waits to be started by a fault that adds pods.
    pub waits: bool,
}
