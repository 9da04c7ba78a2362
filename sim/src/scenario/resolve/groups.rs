//! Services and groups of alike pods: imported ones, changed by the scenario, and new ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_core::control::{Locality, Service, ServicePort};
use mesh_core::document::{Diagnostic, nearest};
use mesh_core::policy::{Note, Position};

use super::layout::Layout;
use crate::plan::AppPlan;
use crate::scenario::file::{Behaviour, Placed, Scenario, ServiceKey, ServiceSpec, VersionSpec};
use crate::scenario::problems::Problems;
use crate::scenario::value::Name;
use crate::topology::{ImportedDeployment, ImportedTopology, WorkloadKind};

/// Most groups.
const GROUPS_MAX: usize = 10_000;

/// Most replicas of one group.
const REPLICAS_MAX: u32 = 10_000;

/// Most ports of one service, and most labels of one pod.
const LISTED_MAX: usize = 100;

/// The port of a new service that names none, as in isotope.
const PORT: u16 = 8080;

/// What all imported files declare together.
#[derive(Debug, Default)]
pub(super) struct Imported {
    pub(super) services: Vec<(Service, Position)>,
    pub(super) deployments: Vec<ImportedDeployment>,
    pub(super) notes: Vec<Note>,
}

impl Imported {
    pub(super) fn add(&mut self, topology: ImportedTopology) {
        self.services
            .extend(topology.services.into_iter().zip(topology.service_places));
        self.deployments.extend(topology.deployments);
        self.notes.extend(topology.notes);
    }
}

/// A group of alike pods.
pub(super) struct Group<'a> {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) service_account: String,
    pub(super) replicas: u32,
    pub(super) ports: Vec<u16>,
    pub(super) meshed: bool,
    /// Zones its pods take in turn; never empty.
    pub(super) places: Vec<Locality>,
    /// The behaviour that an import gave it.
    pub(super) imported: Option<AppPlan>,
    /// Behaviours written for it, the later over the earlier.
    pub(super) layers: Vec<Behaviour<'a>>,
    /// Its pod bears its name without a number.
    pub(super) single: bool,
    /// Where it was declared.
    pub(super) place: Position,
}

impl Group<'_> {
    /// Whether a service selects its pods.
    pub(super) fn belongs_to(&self, service: &Service) -> bool {
        *service.namespace == *self.namespace
            && !service.selector.is_empty()
            && service
                .selector
                .iter()
                .all(|(key, value)| self.labels.get(key) == Some(value))
    }

    /// The value of its `version` label.
    pub(super) fn version(&self) -> Option<&str> {
        self.labels.get("version").map(String::as_str)
    }
}

/// All services and groups.
pub(super) struct Groups<'a> {
    /// Services and where each was declared.
    pub(super) services: Vec<(Service, Position)>,
    pub(super) groups: Vec<Group<'a>>,
}

impl<'a> Groups<'a> {
    pub(super) fn new(
        scenario: &'a Scenario,
        imported: &Imported,
        layout: &Layout,
        cluster_domain: &str,
        problems: &mut Problems,
    ) -> Self {
        let mut builder = Builder {
            layout,
            cluster_domain,
            problems,
            services: Vec::new(),
            drafts: Vec::new(),
            hosts: BTreeMap::new(),
            names: BTreeMap::new(),
        };
        builder.take_imports(imported);
        let imported_services = builder.services.len();
        let imported_drafts = builder.drafts.len();
        for (key, spec) in scenario.services.iter() {
            builder.entry(key, spec, imported_services, imported_drafts);
        }
        builder.finish()
    }

    /// The services alone.
    pub(super) fn services(&self) -> Vec<Service> {
        self.services
            .iter()
            .map(|(service, _)| service.clone())
            .collect()
    }

    /// The groups a service selects, with their indices.
    pub(super) fn of<'b>(
        &'b self,
        service: &'b Service,
    ) -> impl Iterator<Item = (usize, &'b Group<'a>)> {
        self.groups
            .iter()
            .enumerate()
            .filter(|(_, group)| group.belongs_to(service))
    }
}

/// A group whose layers are still being gathered, by how specific they are.
struct Draft<'a> {
    group: Group<'a>,
    service_layers: Vec<Behaviour<'a>>,
    version_layers: Vec<Behaviour<'a>>,
    own_layers: Vec<Behaviour<'a>>,
    pin: Option<Locality>,
}

struct Builder<'a, 'b> {
    layout: &'b Layout,
    cluster_domain: &'b str,
    problems: &'b mut Problems,
    services: Vec<(Service, Position)>,
    drafts: Vec<Draft<'a>>,
    /// Services by host.
    hosts: BTreeMap<Arc<str>, usize>,
    /// Drafts by namespace and name.
    names: BTreeMap<(String, String), usize>,
}

impl<'a> Builder<'a, '_> {
    fn take_imports(&mut self, imported: &Imported) {
        for (service, at) in &imported.services {
            self.add_service(service.clone(), at);
        }
        for deployment in &imported.deployments {
            let group = Group {
                name: deployment.name.clone(),
                namespace: deployment.namespace.clone(),
                labels: deployment.labels.clone(),
                service_account: deployment.service_account.clone(),
                replicas: deployment.replicas,
                ports: deployment.ports.clone(),
                meshed: deployment.meshed.unwrap_or(true),
                places: Vec::new(),
                imported: deployment.app.clone(),
                layers: Vec::new(),
                single: deployment.kind == WorkloadKind::Pod,
                place: deployment.place.clone(),
            };
            let pin = Some(deployment.locality.clone());
            self.add_group(group, pin);
        }
    }

    fn add_service(&mut self, service: Service, at: &Position) {
        let next = self.services.len();
        let index = *self.hosts.entry(service.host.clone()).or_insert(next);
        if index < next {
            let message = format!("service `{}` is declared twice", service.name);
            let error = self.problems.error(at, message).label("again here");
            let error = self
                .problems
                .also(error, &self.services[index].1, "first here");
            return self.problems.push(error);
        }
        self.services.push((service, at.clone()));
    }

    /// Adds a group, unless its pods' names are taken; its index.
    fn add_group(&mut self, group: Group<'a>, pin: Option<Locality>) -> Option<usize> {
        let next = self.drafts.len();
        if next >= GROUPS_MAX {
            let message = format!("more than {GROUPS_MAX} deployments");
            self.problems.push(Diagnostic::error(message));
            return None;
        }
        let name = (group.namespace.clone(), group.name.clone());
        let index = *self.names.entry(name).or_insert(next);
        if index < next {
            let first = &self.drafts[index].group.place;
            let message = format!("two deployments are called `{}`", group.name);
            let error = self
                .problems
                .error(&group.place, message)
                .label("again here");
            let error = self.problems.also(error, first, "first here");
            self.problems.push(error);
            return None;
        }
        self.drafts.push(Draft {
            group,
            service_layers: Vec::new(),
            version_layers: Vec::new(),
            own_layers: Vec::new(),
            pin,
        });
        Some(next)
    }

    fn entry(
        &mut self,
        key: &Placed<ServiceKey>,
        spec: &'a ServiceSpec,
        imported_services: usize,
        imported_drafts: usize,
    ) {
        let namespace = key
            .namespace
            .clone()
            .unwrap_or_else(|| self.layout.namespace.clone());
        let host = format!("{}.{namespace}.svc.{}", key.name, self.cluster_domain);
        let service = self
            .hosts
            .get(host.as_str())
            .filter(|index| **index < imported_services)
            .map(|index| self.services[*index].0.clone());
        if let Some(service) = service {
            return self.extend_service(key, spec, &service);
        }
        let name = (namespace.clone(), key.name.clone());
        let draft = self.names.get(&name).copied();
        if let Some(draft) = draft.filter(|index| *index < imported_drafts) {
            self.drafts[draft].own_layers.push(spec.behaviour());
            return self.refuse_service_fields(key, spec, "an imported Deployment");
        }
        self.warn_of_typo(key, imported_services, imported_drafts);
        self.new_service(key, spec, &namespace, host.into());
    }

    /// An entry for an imported service: it adds to the pods the service selects.
    fn extend_service(
        &mut self,
        key: &Placed<ServiceKey>,
        spec: &'a ServiceSpec,
        service: &Service,
    ) {
        self.refuse_ports(key, spec, "an imported service");
        let selected: Vec<usize> = (0..self.drafts.len())
            .filter(|index| self.drafts[*index].group.belongs_to(service))
            .collect();
        if selected.is_empty() && spec.versions.is_empty() && !service.selector.is_empty() {
            // A Service whose Deployment lives elsewhere: the scenario supplies the pods.
            let ports = service.ports.iter().map(|port| port.target).collect();
            let group = self.group(key, &service.namespace, service.selector.clone(), ports);
            if let Some(index) = self.add_group(group, None) {
                self.drafts[index].service_layers.push(spec.behaviour());
            }
            return;
        }
        for index in &selected {
            self.drafts[*index].service_layers.push(spec.behaviour());
        }
        for (version, version_spec) in spec.versions.iter() {
            self.extend_version(version, version_spec, &selected, &service.name);
        }
    }

    fn extend_version(
        &mut self,
        version: &Placed<Name>,
        spec: &'a VersionSpec,
        selected: &[usize],
        service: &str,
    ) {
        let matching: Vec<usize> = selected
            .iter()
            .copied()
            .filter(|index| self.drafts[*index].group.version() == Some(version.0.as_str()))
            .collect();
        if matching.is_empty() {
            let known: Vec<&str> = selected
                .iter()
                .filter_map(|index| self.drafts[*index].group.version())
                .collect();
            let error = self
                .problems
                .error(
                    version.at(),
                    format!("no version `{}` of `{service}`", version.0),
                )
                .did_you_mean(&version.0, known.iter().copied())
                .note(if known.is_empty() {
                    format!("no pod of `{service}` has a label `version`")
                } else {
                    format!("its pods have the versions {}", known.join(", "))
                });
            self.problems.push(error);
        }
        for index in matching {
            self.drafts[index].version_layers.push(spec.behaviour());
        }
    }

    fn refuse_ports(&mut self, key: &Placed<ServiceKey>, spec: &ServiceSpec, what: &str) {
        if let Some(port) = spec.ports.first() {
            let message = format!("`{}` is {what}: its ports are in its manifest", key.name);
            let error = self.problems.error(port.at(), message);
            self.problems.push(error);
        }
    }

    fn refuse_service_fields(&mut self, key: &Placed<ServiceKey>, spec: &ServiceSpec, what: &str) {
        self.refuse_ports(key, spec, what);
        if let Some((version, _)) = spec.versions.iter().next() {
            let message = format!("`{}` is {what}: it has no versions of its own", key.name);
            let error = self.problems.error(version.at(), message);
            self.problems.push(error);
        }
    }

    /// A new service whose name is almost that of an imported one is probably a slip.
    fn warn_of_typo(&mut self, key: &Placed<ServiceKey>, services: usize, drafts: usize) {
        let names = self.services[..services]
            .iter()
            .map(|(service, _)| &*service.name)
            .chain(
                self.drafts[..drafts]
                    .iter()
                    .map(|draft| draft.group.name.as_str()),
            );
        let close = nearest(&key.name, names);
        // What is set on the command line changes what is there: a service that only it knows is a slip.
        if key.at().is_set() {
            let declared = self.services.iter().map(|(service, _)| &*service.name);
            let close = close.or_else(|| nearest(&key.name, declared));
            let message = format!("there is no service `{}`", key.name);
            let mut error = self.problems.error(key.at(), message);
            if let Some(close) = close {
                error = error.help(format!("did you mean `{close}`?"));
            }
            self.problems.push(error);
        } else if let Some(close) = close {
            let warning = self
                .problems
                .warning(key.at(), format!("`{}` defines a new service", key.name))
                .help(format!("did you mean the imported `{close}`?"));
            self.problems.push(warning);
        }
    }

    fn new_service(
        &mut self,
        key: &Placed<ServiceKey>,
        spec: &'a ServiceSpec,
        namespace: &str,
        host: Arc<str>,
    ) {
        let ports = service_ports(spec, self.problems);
        let selector = BTreeMap::from([("app".to_owned(), key.name.clone())]);
        let targets: Vec<u16> = ports.iter().map(|port| port.target).collect();
        let service = Service {
            name: Arc::from(key.name.as_str()),
            namespace: Arc::from(namespace),
            host,
            ports,
            selector: selector.clone(),
        };
        self.add_service(service, key.at());
        if spec.versions.is_empty() {
            let group = self.group(key, namespace, selector, targets);
            if let Some(index) = self.add_group(group, None) {
                self.drafts[index].service_layers.push(spec.behaviour());
            }
            return;
        }
        for (version, version_spec) in spec.versions.iter() {
            let mut labels = selector.clone();
            labels.insert("version".to_owned(), version.0.clone());
            let mut group = self.group(key, namespace, labels, targets.clone());
            group.name = format!("{}-{}", key.name, version.0);
            group.place = version.at().clone();
            if let Some(index) = self.add_group(group, None) {
                let draft = &mut self.drafts[index];
                draft.service_layers.push(spec.behaviour());
                draft.version_layers.push(version_spec.behaviour());
            }
        }
    }

    fn group(
        &self,
        key: &Placed<ServiceKey>,
        namespace: &str,
        labels: BTreeMap<String, String>,
        mut ports: Vec<u16>,
    ) -> Group<'a> {
        ports.sort_unstable();
        ports.dedup();
        Group {
            name: key.name.clone(),
            namespace: namespace.to_owned(),
            labels,
            service_account: key.name.clone(),
            replicas: 1,
            ports,
            meshed: true,
            places: Vec::new(),
            imported: None,
            layers: Vec::new(),
            single: false,
            place: key.at().clone(),
        }
    }

    fn finish(self) -> Groups<'a> {
        let (layout, problems) = (self.layout, self.problems);
        let groups = self
            .drafts
            .into_iter()
            .map(|draft| settle(draft, layout, problems))
            .collect();
        Groups {
            services: self.services,
            groups,
        }
    }
}

/// Applies to a group what its layers say about its pods.
fn settle<'a>(draft: Draft<'a>, layout: &Layout, problems: &mut Problems) -> Group<'a> {
    let mut group = draft.group;
    group.layers = draft.service_layers;
    group.layers.extend(draft.version_layers);
    group.layers.extend(draft.own_layers);
    group.places = match &draft.pin {
        Some(pin) => layout.pinned(pin),
        None => layout.places(None, problems),
    };
    let written_labels = group.labels.clone();
    for layer in &group.layers {
        if let Some(replicas) = layer.replicas {
            if *replicas.value() > REPLICAS_MAX {
                let message = format!("more than {REPLICAS_MAX} replicas");
                let error = problems.error(replicas.at(), message);
                problems.push(error);
            } else {
                group.replicas = *replicas.value();
            }
        }
        if layer.zone.is_some() {
            group.places = layout.places(layer.zone, problems);
        }
        if let Some(account) = layer.service_account {
            group.service_account.clone_from(&account.0);
        }
        group.meshed = layer.sidecar.unwrap_or(group.meshed);
        if layer.labels.len() > LISTED_MAX {
            let message = format!("`{}` has more than {LISTED_MAX} labels", group.name);
            let error = problems.error(&group.place, message);
            problems.push(error);
            continue;
        }
        for (label, value) in layer.labels.iter() {
            if written_labels.contains_key(label.value()) {
                let message = format!(
                    "the pods of `{}` have a label `{}` already",
                    group.name,
                    label.value()
                );
                let error = problems
                    .error(label.at(), message)
                    .help("services select pods by it: leave it as it is");
                problems.push(error);
            } else {
                group
                    .labels
                    .insert(label.value().clone(), value.value().clone());
            }
        }
    }
    if group.single {
        group.replicas = group.replicas.min(1);
    }
    group
}

fn service_ports(spec: &ServiceSpec, problems: &mut Problems) -> Vec<ServicePort> {
    if spec.ports.is_empty() {
        return vec![ServicePort {
            port: PORT,
            target: PORT,
            name: "http".into(),
            http2: false,
        }];
    }
    let mut ports: Vec<ServicePort> = Vec::new();
    for port in &spec.ports {
        if ports.len() >= LISTED_MAX {
            let error = problems.error(port.at(), format!("more than {LISTED_MAX} ports"));
            problems.push(error);
            break;
        }
        if ports.iter().any(|known| known.port == port.port) {
            let error = problems.error(port.at(), format!("port {} is given twice", port.port));
            problems.push(error);
            continue;
        }
        ports.push(ServicePort {
            port: port.port,
            target: port.target_port.unwrap_or(port.port),
            name: port.name.clone().unwrap_or_else(|| "http".into()),
            http2: port.http2,
        });
    }
    ports
}
