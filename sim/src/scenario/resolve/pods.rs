//! Pods: replicas of groups, and one for each traffic source.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use mesh_core::control::{Workload, WorkloadState};
use mesh_core::document::Diagnostic;

use super::apps::Apps;
use super::groups::{Group, Groups};
use crate::plan::{PodPlan, TrafficPlan};
use crate::scenario::problems::Problems;

/// Most pods of one run.
const PODS_MAX: usize = 10_000;

/// The pods that run apps, numbered later.
pub(super) fn plans(
    groups: &Groups<'_>,
    apps: &Apps,
    spares: &[u32],
    nodes: u32,
    problems: &mut Problems,
) -> Vec<PodPlan> {
    let total: u64 = groups
        .groups
        .iter()
        .zip(spares)
        .map(|(group, spare)| u64::from(group.replicas) + u64::from(*spare))
        .sum();
    if total > PODS_MAX as u64 {
        problems.push(Diagnostic::error(format!(
            "the scenario has {total} pods; {PODS_MAX} can run"
        )));
        return Vec::new();
    }
    let mut pods = Vec::new();
    let mut placed = BTreeMap::new();
    for ((group, app), spare) in groups.groups.iter().zip(&apps.plans).zip(spares) {
        let service = main_service(group, groups);
        for replica in 0..group.replicas + spare {
            let workload = workload(group, replica);
            let node = node(&workload.locality.zone, nodes, &mut placed);
            pods.push(PodPlan {
                workload,
                node,
                waits: replica >= group.replicas,
                ports: group.ports.clone(),
                app: app.clone(),
                service: service.clone(),
            });
        }
    }
    pods
}

/// The next node of a zone: pods take them in turn.
fn node(zone: &Arc<str>, nodes: u32, placed: &mut BTreeMap<Arc<str>, u32>) -> String {
    let next = placed.entry(zone.clone()).or_default();
    let number = *next % nodes.max(1);
    *next += 1;
    match zone.is_empty() {
        true => format!("node-{number}"),
        false => format!("{zone}-{number}"),
    }
}

fn main_service(group: &Group<'_>, groups: &Groups<'_>) -> String {
    groups
        .services
        .iter()
        .find(|(service, _)| group.belongs_to(service))
        .map_or_else(
            || group.name.clone(),
            |(service, _)| service.name.to_string(),
        )
}

fn workload(group: &Group<'_>, replica: u32) -> Workload {
    let name = if group.single {
        group.name.clone()
    } else {
        format!("{}-{replica}", group.name)
    };
    let place = replica as usize % group.places.len().max(1);
    Workload {
        name: name.into(),
        namespace: Arc::from(group.namespace.as_str()),
        ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        labels: group.labels.clone(),
        service_account: Arc::from(group.service_account.as_str()),
        meshed: group.meshed,
        locality: group.places.get(place).cloned().unwrap_or_default(),
        state: WorkloadState::Ready,
    }
}

/// Gives every pod its address, and refuses names that two pods bear: pods of
/// different namespaces may share a name in Kubernetes, but a report may not.
pub(super) fn number(pods: &mut [PodPlan], traffic: &mut [TrafficPlan], problems: &mut Problems) {
    let mut names = std::collections::BTreeSet::new();
    let workloads = pods
        .iter_mut()
        .map(|pod| &mut pod.workload)
        .chain(traffic.iter_mut().map(|source| &mut source.workload));
    for (index, workload) in workloads.enumerate() {
        workload.ip = address(index);
        if !names.insert(workload.name.clone()) {
            problems.push(
                Diagnostic::error(format!("two pods are called `{}`", workload.name))
                    .help("rename one: deployments of all namespaces and traffic sources share one set of names"),
            );
        }
    }
}

/// The n-th address of 10.0.0.0/8 whose last number is from 1 to 250.
fn address(index: usize) -> IpAddr {
    let (rest, last) = (index / 250, index % 250 + 1);
    let (high, low) = (rest / 256 % 256, rest % 256);
    IpAddr::V4(Ipv4Addr::new(10, high as u8, low as u8, last as u8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_differ() {
        let all: std::collections::BTreeSet<IpAddr> = (0..PODS_MAX * 2).map(address).collect();
        assert_eq!(all.len(), PODS_MAX * 2);
        assert_eq!(address(0).to_string(), "10.0.0.1");
        assert_eq!(address(250).to_string(), "10.0.1.1");
    }
}
