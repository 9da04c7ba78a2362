//! Services, and the workloads they select.

use std::collections::{BTreeMap, BTreeSet};

use mesh_core::control::{Service, ServicePort};
use mesh_core::document::{Spanned, nearest};
use mesh_core::policy::{Note, NoteKind, Position};

use super::manifest::{self, ServiceSpec, TargetPort};
use super::object::Object;
use super::protocol::{Protocol, protocol};
use super::workload::DeclaredWorkload;
use super::{Identity, Importer};
use crate::topology::name::host;

/// A service as declared, before workloads are known.
pub(super) struct DeclaredService {
    identity: Identity,
    selector: BTreeMap<String, String>,
    ports: Vec<Spanned<manifest::ServicePort>>,
}

impl Importer<'_> {
    pub(super) fn service(&mut self, object: &Object<'_>) {
        let Some(manifest::Service { metadata, spec }) = self.read(object) else {
            return;
        };
        let Some(identity) = self.identity(object, &metadata) else {
            return;
        };
        let service = DeclaredService {
            selector: spec.selector.to_map(),
            identity,
            ports: Vec::new(),
        };
        if self.note_kind_of_service(&service, &spec) == Usable::No {
            return;
        }
        let ports = self.ports(object, &service, spec.ports);
        self.services.push(DeclaredService { ports, ..service });
    }

    fn note_kind_of_service(&mut self, service: &DeclaredService, spec: &ServiceSpec) -> Usable {
        let (object, at) = service.object();
        let not_honoured = NoteKind::NotHonoured;
        if spec.service_type.as_deref() == Some("ExternalName") {
            let name = spec.external_name.as_ref();
            let message = format!(
                "an alias for `{}` is not imported: names outside the cluster are declared by a ServiceEntry",
                name.map_or("", |name| name.as_str())
            );
            let at = name.map_or(at, |name| &name.at);
            self.note(at, not_honoured, &object, "spec.externalName", message);
            return Usable::No;
        }
        if let Some(ip) = &spec.cluster_ip
            && **ip == *"None"
        {
            let message = "a headless service is called like any other: its callers do not choose pods themselves";
            self.note(
                &ip.at,
                not_honoured,
                &object,
                "spec.clusterIP",
                message.to_owned(),
            );
        }
        if let Some(way) = &spec.traffic_distribution {
            let message = "localities are weighted by the mesh's own configuration alone";
            let field = "spec.trafficDistribution";
            self.note(&way.at, not_honoured, &object, field, message.to_owned());
        }
        if service.selector.is_empty() {
            let message = "without a selector it has no endpoints here".to_owned();
            self.note(at, not_honoured, &object, "spec.selector", message);
        }
        Usable::Yes
    }

    /// The TCP ports; a number may occur once.
    fn ports(
        &mut self,
        object: &Object<'_>,
        service: &DeclaredService,
        declared: Vec<Spanned<manifest::ServicePort>>,
    ) -> Vec<Spanned<manifest::ServicePort>> {
        let (name, _) = service.object();
        let mut numbers = BTreeSet::new();
        let mut kept = Vec::new();
        for (index, port) in declared.into_iter().enumerate() {
            let field = format!("spec.ports[{index}]");
            if !port.is_tcp() {
                let message = "only TCP ports are simulated".to_owned();
                self.note(&port.at, NoteKind::NotHonoured, &name, &field, message);
                continue;
            }
            if !numbers.insert(port.port.value.0) {
                let message = format!("{name} has the port {} twice", port.port.value.0);
                self.error_at(object, &port.port.at, message);
                continue;
            }
            if protocol(&port) == Protocol::Opaque {
                let message =
                    "traffic to this port is not HTTP in Kubernetes; here it is carried as HTTP";
                self.note(
                    &port.at,
                    NoteKind::NotHonoured,
                    &name,
                    &field,
                    message.to_owned(),
                );
            }
            kept.push(port);
        }
        kept
    }
}

#[derive(PartialEq, Eq)]
enum Usable {
    Yes,
    No,
}

impl DeclaredService {
    /// What it is called in notes, and where it is.
    pub(super) fn object(&self) -> (String, &Position) {
        let Identity {
            name,
            namespace,
            at,
            ..
        } = &self.identity;
        (format!("Service {namespace}/{name}"), at)
    }

    pub(super) fn at(&self) -> &Position {
        &self.identity.at
    }

    fn selects(&self, workload: &DeclaredWorkload) -> bool {
        !self.selector.is_empty()
            && workload.is_in(&self.identity.namespace)
            && self
                .selector
                .iter()
                .all(|(key, value)| workload.labels.get(key) == Some(value))
    }

    /// The service with its target ports resolved; the workloads it selects listen on them.
    pub(super) fn resolve(
        &self,
        workloads: &mut [DeclaredWorkload],
        notes: &mut Vec<Note>,
    ) -> Service {
        let mut selected: Vec<&mut DeclaredWorkload> = workloads
            .iter_mut()
            .filter(|one| self.selects(one))
            .collect();
        if selected.is_empty() && !self.selector.is_empty() {
            notes.push(self.suspicious(self.at(), "spec.selector", "no pod has these labels"));
        }
        let mut ports = Vec::new();
        for declared in &self.ports {
            let Some(target) = self.target(declared, &selected, notes) else {
                continue;
            };
            for workload in &mut selected {
                workload.listen(target);
            }
            ports.push(ServicePort {
                port: declared.port.value.0,
                target,
                name: declared.name.clone().unwrap_or_default(),
                http2: protocol(declared) == Protocol::Http2,
            });
        }
        Service {
            name: self.identity.name.as_str().into(),
            namespace: self.identity.namespace.as_str().into(),
            host: host(&self.identity.name, &self.identity.namespace),
            ports,
            selector: self.selector.clone(),
        }
    }

    /// The port of the pods; `None` when it is named and no pod has the name, for
    /// such a port has no endpoints.
    fn target(
        &self,
        declared: &manifest::ServicePort,
        selected: &[&mut DeclaredWorkload],
        notes: &mut Vec<Note>,
    ) -> Option<u16> {
        const FIELD: &str = "spec.ports.targetPort";
        let Some(written) = &declared.target_port else {
            return Some(declared.port.value.0);
        };
        match &written.value {
            TargetPort::Number(number) => Some(number.0),
            TargetPort::Quoted(number) => {
                let message =
                    "a number in quotes is a name to Kubernetes, and refused: leave the quotes out";
                notes.push(self.suspicious(&written.at, FIELD, message));
                Some(number.0)
            }
            TargetPort::Name(name) if selected.is_empty() => {
                let message = format!(
                    "no pod tells which port `{name}` is; {} is taken",
                    declared.port.value.0
                );
                notes.push(self.suspicious(&written.at, FIELD, &message));
                Some(declared.port.value.0)
            }
            TargetPort::Name(name) => {
                let numbers: BTreeSet<u16> = selected
                    .iter()
                    .filter_map(|one| one.port_named(name))
                    .collect();
                let first = selected.iter().find_map(|one| one.port_named(name));
                if numbers.len() > 1 {
                    let message = format!(
                        "`{name}` is another port in other pods; {} is taken for all",
                        first.unwrap_or_default()
                    );
                    notes.push(self.suspicious(&written.at, FIELD, &message));
                }
                if first.is_none() {
                    let names = selected.iter().flat_map(|one| one.port_names());
                    let hint = nearest(name, names)
                        .map_or_else(String::new, |close| format!("; did you mean `{close}`?"));
                    let message = format!(
                        "no container port is called `{name}`: the port has no endpoints and is left out{hint}"
                    );
                    notes.push(self.suspicious(&written.at, FIELD, &message));
                }
                first
            }
        }
    }

    fn suspicious(&self, at: &Position, field: &str, message: &str) -> Note {
        Note {
            at: at.clone(),
            kind: NoteKind::Suspicious,
            object: self.object().0,
            field: field.to_owned(),
            message: message.to_owned(),
        }
    }
}
