//! Workloads: Deployments and their kin.

use std::collections::BTreeMap;

use mesh_core::control::Locality;
use mesh_core::document::Spanned;
use mesh_core::policy::{NoteKind, Position};

use super::injection::{meshed, pod_says};
use super::manifest::{Controller, ControllerSpec, Labels, Metadata, Pod, PodSpec, Transport};
use super::object::Object;
use super::{Identity, Importer};
use crate::topology::{ImportedDeployment, WorkloadKind};

/// Where a node is, on its labels (kubernetes.io, "Well-Known Labels"); the second of each is the old name.
const ZONE: [&str; 2] = [
    "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/zone",
];
const REGION: [&str; 2] = [
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/region",
];

/// A workload as declared, before services and namespaces are known.
pub(super) struct DeclaredWorkload {
    kind: WorkloadKind,
    identity: Identity,
    replicas: u32,
    pub(super) labels: BTreeMap<String, String>,
    /// What it says about injection itself.
    inject: Option<bool>,
    host_network: bool,
    service_account: Option<Spanned<String>>,
    locality: Locality,
    /// TCP ports of its containers, by name where they have one.
    container_ports: Vec<(Option<String>, u16)>,
    /// Ports its app listens on.
    ports: Vec<u16>,
}

impl DeclaredWorkload {
    /// What it is called in notes, and where it is.
    pub(super) fn object(&self) -> (String, &Position) {
        let Identity {
            name,
            namespace,
            at,
            ..
        } = &self.identity;
        (format!("{} {namespace}/{name}", self.kind.as_str()), at)
    }

    pub(super) fn is_in(&self, namespace: &str) -> bool {
        self.identity.namespace == namespace
    }

    /// The container port of this name.
    pub(super) fn port_named(&self, wanted: &str) -> Option<u16> {
        self.container_ports
            .iter()
            .find(|(name, _)| name.as_deref() == Some(wanted))
            .map(|(_, number)| *number)
    }

    /// Names of container ports.
    pub(super) fn port_names(&self) -> impl Iterator<Item = &str> {
        self.container_ports
            .iter()
            .filter_map(|(name, _)| name.as_deref())
    }

    /// Listens on `port` too: what containers declare is for information only,
    /// and services send to other ports just as well.
    pub(super) fn listen(&mut self, port: u16) {
        if !self.ports.contains(&port) {
            self.ports.push(port);
        }
    }
}

impl Importer<'_> {
    pub(super) fn controller(&mut self, object: &Object<'_>, kind: WorkloadKind) {
        let Some(Controller { metadata, spec }) = self.read(object) else {
            return;
        };
        let Some(identity) = self.identity(object, &metadata) else {
            return;
        };
        let ControllerSpec {
            replicas,
            selector,
            template,
        } = spec;
        let labels = template.metadata.labels.to_map();
        if let Some(selector) = selector {
            let wanted = selector.match_labels.to_map();
            if let Some((key, value)) = wanted.iter().find(|(k, v)| labels.get(*k) != Some(v)) {
                let message = format!(
                    "the selector does not match the pod template: it has no label `{key}: {value}`"
                );
                self.error_at(object, &selector.at, message);
            }
        }
        let replicas = match kind {
            WorkloadKind::DaemonSet => 1,
            _ => replicas.unwrap_or(1),
        };
        self.workload(kind, identity, replicas, &template.metadata, template.spec);
    }

    pub(super) fn pod(&mut self, object: &Object<'_>) {
        let Some(Pod { metadata, spec }) = self.read(object) else {
            return;
        };
        if let Some(identity) = self.identity(object, &metadata) {
            self.workload(WorkloadKind::Pod, identity, 1, &metadata, spec);
        }
    }

    fn workload(
        &mut self,
        kind: WorkloadKind,
        identity: Identity,
        replicas: u32,
        pod: &Metadata,
        spec: PodSpec,
    ) {
        let container_ports: Vec<(Option<String>, u16)> = spec
            .containers
            .into_iter()
            .flat_map(|container| container.ports)
            .filter(|port| port.protocol == Transport::Tcp)
            .map(|port| (port.name, port.container_port.0))
            .collect();
        let mut workload = DeclaredWorkload {
            kind,
            identity,
            replicas,
            labels: pod.labels.to_map(),
            inject: None,
            host_network: spec.host_network,
            service_account: spec.service_account_name.or(spec.service_account),
            locality: locality(&spec.node_selector),
            ports: Vec::new(),
            container_ports: Vec::new(),
        };
        for (_, number) in &container_ports {
            workload.listen(*number);
        }
        workload.container_ports = container_ports;
        let (object, at) = workload.object();
        let at = at.clone();
        workload.inject = match pod_says(&pod.labels, &pod.annotations) {
            Ok(says) => says,
            Err(value) => {
                let message = format!("`{value}` is neither `true` nor `false`; Istio ignores it");
                let field = "sidecar.istio.io/inject";
                self.note(&at, NoteKind::Suspicious, &object, field, message);
                None
            }
        };
        if kind == WorkloadKind::DaemonSet {
            let message = "one pod stands for one on every node".to_owned();
            self.note(&at, NoteKind::NotHonoured, &object, "", message);
        }
        self.workloads.push(workload);
    }

    /// What a workload comes to, now that all namespaces and accounts are known.
    pub(super) fn deployment(&mut self, workload: DeclaredWorkload) -> ImportedDeployment {
        self.note_missing_account(&workload);
        let Identity {
            name,
            namespace,
            at,
        } = workload.identity;
        let namespace_says = self.namespaces.get(&namespace).copied().flatten();
        ImportedDeployment {
            kind: workload.kind,
            meshed: meshed(namespace_says, workload.inject, workload.host_network),
            name,
            namespace,
            labels: workload.labels,
            service_account: workload
                .service_account
                .map_or_else(|| "default".to_owned(), |account| account.value),
            replicas: workload.replicas,
            ports: workload.ports,
            app: None,
            locality: workload.locality,
            place: at,
        }
    }

    /// Kubernetes makes no pod whose account does not exist. An import that
    /// declares no account at all leaves them to somebody else.
    fn note_missing_account(&mut self, workload: &DeclaredWorkload) {
        let namespace = &workload.identity.namespace;
        let Some(account) = &workload.service_account else {
            return;
        };
        let is_declared = |name: &str| {
            self.service_accounts
                .contains(&(namespace.clone(), name.to_owned()))
        };
        let declares_some = self
            .service_accounts
            .iter()
            .any(|(own, _)| own == namespace);
        if **account != *"default" && declares_some && !is_declared(account) {
            let (object, _) = workload.object();
            let message = format!("no ServiceAccount `{account}` is declared in `{namespace}`");
            let field = "serviceAccountName";
            self.note(&account.at, NoteKind::Suspicious, &object, field, message);
        }
    }
}

fn locality(node_selector: &Labels) -> Locality {
    let first = |keys: [&str; 2]| {
        let value = keys.iter().find_map(|key| node_selector.get(key));
        value.unwrap_or_default().into()
    };
    Locality {
        region: first(REGION),
        zone: first(ZONE),
        subzone: "".into(),
    }
}
