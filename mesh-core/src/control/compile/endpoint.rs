//! The endpoints of a cluster, as one caller is to see them.
//!
//! Only ready workloads are sent: until 1.31 Istio leaves the others out of
//! EDS (pilot `filterIstioEndpoint`), and after that it sends them as
//! unhealthy with panic off, which routes the same.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::LazyLock;

use super::caller::Caller;
use super::inbound::mtls_mode;
use super::index::{Inputs, Known, KnownPort, has_labels};
use super::locality;
use crate::control::{
    ClusterName, Endpoint, EndpointHealth, LoadAssignment, Locality, Workload, WorkloadState,
};
use crate::policy::{DestinationPolicy, ExternalEndpoint, MtlsMode};

/// An endpoint and the labels that subsets and failover look at.
pub(super) struct Candidate<'a> {
    pub(super) endpoint: Endpoint,
    pub(super) labels: &'a BTreeMap<String, String>,
}

/// The endpoints of `cluster`: those of `known`'s `port` that have the subset's labels.
pub(super) fn assignment(
    inputs: Inputs<'_>,
    caller: &Caller<'_>,
    known: &Known,
    port: &KnownPort,
    subset: &BTreeMap<String, String>,
    policy: &DestinationPolicy,
    cluster: ClusterName,
) -> LoadAssignment {
    let mut candidates = of_members(inputs, known, port);
    if let Some(place) = known.external {
        candidates.extend(declared(inputs, place, port));
    }
    candidates.retain(|candidate| has_labels(candidate.labels, subset));
    // EDS groups endpoints by locality, in the order of their names (pilot endpoint_builder.go generate).
    candidates.sort_by(|a, b| a.endpoint.locality.cmp(&b.endpoint.locality));
    let locality_weights = locality::arrange(caller, policy, &mut candidates);
    LoadAssignment {
        cluster,
        endpoints: candidates
            .into_iter()
            .map(|candidate| candidate.endpoint)
            .collect(),
        locality_weights,
    }
}

fn of_members<'a>(inputs: Inputs<'a>, known: &Known, port: &KnownPort) -> Vec<Candidate<'a>> {
    let members = known.members.iter();
    let members = members.filter_map(|member| inputs.registry.workloads.get_index(*member));
    let ready = members.filter(|(_, workload)| workload.state == WorkloadState::Ready);
    ready
        .map(|(_, workload)| of_workload(inputs, workload, port.target))
        .collect()
}

fn of_workload<'a>(inputs: Inputs<'a>, workload: &'a Workload, port: u16) -> Candidate<'a> {
    Candidate {
        labels: &workload.labels,
        endpoint: Endpoint {
            address: SocketAddr::new(workload.ip, port),
            workload: workload.name.clone(),
            locality: workload.locality.clone(),
            priority: 0,
            weight: 1,
            health: EndpointHealth::Healthy,
            meshed: takes_mtls(inputs, workload, port),
        },
    }
}

/// Whether automatic mutual TLS is used towards a workload's port: it has a sidecar, and that takes more than
/// plain text (pilot `mtlsChecker.checkMtlsEnabled`).
fn takes_mtls(inputs: Inputs<'_>, workload: &Workload, port: u16) -> bool {
    let mode = || mtls_mode(inputs.policy, &workload.namespace, &workload.labels, port);
    workload.meshed && mode().value != MtlsMode::Disable
}

/// The static endpoints of a declared service. A name stands for the service or workload of that name in the
/// registry; an address that nothing knows is used as it is.
fn declared<'a>(inputs: Inputs<'a>, external: usize, port: &KnownPort) -> Vec<Candidate<'a>> {
    let endpoints = inputs.policy.external.get(external);
    let endpoints = endpoints
        .into_iter()
        .flat_map(|external| &external.endpoints);
    let mut candidates = Vec::new();
    for endpoint in endpoints {
        let number = endpoint
            .ports
            .get(&port.name)
            .copied()
            .unwrap_or(port.target);
        candidates.extend(resolved(inputs, endpoint, number));
    }
    candidates
}

fn resolved<'a>(
    inputs: Inputs<'a>,
    declared: &'a ExternalEndpoint,
    port: u16,
) -> Vec<Candidate<'a>> {
    let name = declared.address.as_str();
    let workloads = &inputs.registry.workloads;
    let mut found = match (
        name.parse::<IpAddr>(),
        workloads.get(name),
        inputs.index.find(name),
    ) {
        (Ok(ip), ..) => match workloads.values().find(|workload| workload.ip == ip) {
            Some(workload) => vec![of_workload(inputs, workload, port)],
            None => vec![of_address(ip, declared, port)],
        },
        (_, Some(workload), _) => vec![of_workload(inputs, workload, port)],
        (_, _, Some((_, known))) => match known.port(port) {
            Some(port) => of_members(inputs, known, port),
            None => Vec::new(),
        },
        _ => Vec::new(),
    };
    for candidate in &mut found {
        candidate.endpoint.weight = declared.weight;
        if let Some(at) = &declared.locality {
            candidate.endpoint.locality = parse_locality(at);
        }
        if !declared.labels.is_empty() {
            candidate.labels = &declared.labels;
        }
    }
    found
}

fn of_address<'a>(ip: IpAddr, declared: &'a ExternalEndpoint, port: u16) -> Candidate<'a> {
    static NONE: LazyLock<BTreeMap<String, String>> = LazyLock::new(BTreeMap::new);
    // The label by which an endpoint says that it has a sidecar (pilot model.IstioMutualTLSModeLabel).
    let tls = declared.labels.get("security.istio.io/tlsMode");
    Candidate {
        labels: &NONE,
        endpoint: Endpoint {
            address: SocketAddr::new(ip, port),
            workload: declared.address.as_str().into(),
            locality: Locality::default(),
            priority: 0,
            weight: declared.weight,
            health: EndpointHealth::Healthy,
            meshed: tls.is_some_and(|mode| mode == "istio"),
        },
    }
}

fn parse_locality(text: &str) -> Locality {
    let mut parts = text.splitn(3, '/').map(Into::into);
    Locality {
        region: parts.next().unwrap_or_default(),
        zone: parts.next().unwrap_or_default(),
        subzone: parts.next().unwrap_or_default(),
    }
}
