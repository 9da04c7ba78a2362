//! Numbers for the names that a run tells.

use super::cast::{Cast, EdgeId, Part, PartId, PodId};
use crate::plan::Plan;
use crate::record::Teller;
use crate::record::quick::Map;
use crate::tui::text::Label;

/// Most parts, edges and kinds that are met on the way: a client that makes up hosts must not fill the memory.
const MET_MAX: usize = 5_000;
/// The callee that stands for all that found no room.
const OTHERS: &str = "(others)";

/// Numbers for names.
#[derive(Default)]
pub(super) struct Names {
    pods: Map<String, PodId>,
    parts: Map<String, PartId>,
    /// The number of the next part that is met: they come after those of the cast.
    next: PartId,
    sources: Map<String, u16>,
    /// Parts by the host that a cluster leads to.
    hosts: Map<String, PartId>,
    edges: Map<(PartId, PartId), EdgeId>,
    kinds: Map<String, u16>,
    clusters: Map<String, u32>,
}

impl Names {
    /// Of those who take part from the beginning.
    pub(super) fn of(plan: &Plan, cast: &Cast) -> Self {
        let mut names = Self::default();
        for (id, workload) in plan.workloads().enumerate() {
            names.pods.insert(workload.name.to_string(), id as PodId);
        }
        for (id, traffic) in plan.traffic.iter().enumerate() {
            names.sources.insert(traffic.name.clone(), id as u16);
        }
        for (pod, known) in plan.pods.iter().zip(&cast.pods) {
            names.parts.entry(pod.service.clone()).or_insert(known.part);
            names.hosts.insert(pod.workload.ip.to_string(), known.part);
        }
        for service in &plan.services {
            let known = names.parts.get(&*service.name).copied();
            let qualified = format!("{}.{}", service.name, service.namespace);
            let part = names.parts.get(&qualified).copied().or(known);
            if let Some(part) = part {
                names.hosts.insert(service.host.to_string(), part);
            }
        }
        for (name, part) in &names.parts {
            names.hosts.entry(name.clone()).or_insert(*part);
        }
        names.next = cast.parts.len() as PartId;
        names
    }

    pub(super) fn pod(&self, name: &str) -> Option<PodId> {
        self.pods.get(name).copied()
    }

    pub(super) fn source(&self, name: &str) -> Option<u16> {
        self.sources.get(name).copied()
    }

    /// The service or traffic source that somebody is of.
    pub(super) fn caller(&self, teller: Teller<'_>) -> Option<PartId> {
        let source = self.source(teller.service).map(PartId::from);
        source.or_else(|| self.parts.get(teller.service).copied())
    }

    /// The part that a host belongs to. What is met for the first time is added to `met`, here and below.
    pub(super) fn callee(&mut self, host: &str, met: &mut Vec<Part>) -> Option<PartId> {
        if host.is_empty() {
            return None;
        }
        if let Some(part) = self.hosts.get(host) {
            return Some(*part);
        }
        let host = if self.next as usize > MET_MAX {
            OTHERS
        } else {
            host
        };
        if let Some(part) = self.hosts.get(host) {
            return Some(*part);
        }
        let part = self.next;
        self.next += 1;
        self.hosts.insert(host.to_owned(), part);
        met.push(Part {
            name: Label::new(host),
            pods: Vec::new(),
        });
        Some(part)
    }

    /// The edge between two; `None` when there is no room for more.
    pub(super) fn edge(
        &mut self,
        ends: (PartId, PartId),
        met: &mut Vec<(PartId, PartId)>,
    ) -> Option<EdgeId> {
        if let Some(edge) = self.edges.get(&ends) {
            return Some(*edge);
        }
        let edge = self.edges.len();
        if edge >= MET_MAX {
            return None;
        }
        self.edges.insert(ends, edge as EdgeId);
        met.push(ends);
        Some(edge as EdgeId)
    }

    /// A way to fail; 0, which is none, when there is no room for more.
    pub(super) fn kind(&mut self, name: &str, met: &mut Vec<Label>) -> u16 {
        if let Some(kind) = self.kinds.get(name) {
            return *kind;
        }
        let kind = self.kinds.len() + 1;
        if kind > MET_MAX {
            return 0;
        }
        self.kinds.insert(name.to_owned(), kind as u16);
        met.push(Label::new(name));
        kind as u16
    }

    /// A cluster of anybody's.
    pub(super) fn cluster(&mut self, name: &str) -> u32 {
        let next = self.clusters.len() as u32;
        if let Some(known) = self.clusters.get(name) {
            return *known;
        }
        if self.clusters.len() < MET_MAX {
            self.clusters.insert(name.to_owned(), next);
        }
        next
    }
}
