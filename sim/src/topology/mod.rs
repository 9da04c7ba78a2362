//! Topologies from other people's files: Kubernetes manifests, isotope service graphs.
//!
//! A topology is what runs and how it is reached: workloads with their
//! replicas, labels and identities, and the services that select them. A
//! Kubernetes manifest tells nothing about what an app does with a request, so
//! its workloads come without a behaviour and the scenario adds one; an isotope
//! graph tells everything, so its workloads come complete.

pub mod isotope;
pub mod kubernetes;
mod name;

use std::collections::BTreeMap;

use mesh_core::control::{Locality, Service};
use mesh_core::policy::{Note, Position};

use crate::plan::AppPlan;

/// What an imported file declares.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImportedTopology {
    /// Services, in file order.
    pub services: Vec<Service>,
    /// Where each of `services` was declared, index by index.
    pub service_places: Vec<Position>,
    /// What runs, in file order.
    pub deployments: Vec<ImportedDeployment>,
    /// Services meant to be called from outside, as callers dial them (`d`, or `d.namespace` outside
    /// the default namespace). Only isotope graphs name them.
    pub entrypoints: Vec<String>,
    /// What was read and does not do what a reader may think it does, by file and line.
    pub notes: Vec<Note>,
}

/// The Kubernetes kind that a workload was declared as; it decides how its pods are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WorkloadKind {
    /// Interchangeable replicas.
    Deployment,
    /// Numbered replicas, `name-0` onwards.
    StatefulSet,
    /// One replica on each node; imported as a single one.
    DaemonSet,
    /// Interchangeable replicas without a Deployment.
    ReplicaSet,
    /// One pod that bears exactly this name.
    Pod,
}

impl WorkloadKind {
    /// As manifests spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::ReplicaSet => "ReplicaSet",
            Self::Pod => "Pod",
        }
    }
}

/// A set of alike pods.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportedDeployment {
    /// What it was declared as.
    pub kind: WorkloadKind,
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Labels of its pods (not of the Deployment itself).
    pub labels: BTreeMap<String, String>,
    /// Service account of its pods; `default` when none is named.
    pub service_account: String,
    /// How many pods.
    pub replicas: u32,
    /// Ports its app listens on: those its containers declare, then those that services send to.
    pub ports: Vec<u16>,
    /// What it does with a request; `None` when the file does not tell.
    pub app: Option<AppPlan>,
    /// Whether it has a sidecar, when the file says so (`sidecar.istio.io/inject`).
    pub meshed: Option<bool>,
    /// Where it is pinned to (`nodeSelector` on `topology.kubernetes.io/zone` and `region`); empty parts are free.
    pub locality: Locality,
    /// Where it was declared.
    pub place: Position,
}
