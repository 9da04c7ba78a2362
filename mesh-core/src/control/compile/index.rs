//! What the registry and the configuration together know of services, indexed for lookups.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::control::{Registry, Workload};
use crate::policy::{ExternalPort, MeshPolicy};

/// What a compilation reads.
#[derive(Clone, Copy)]
pub(super) struct Inputs<'a> {
    pub(super) policy: &'a MeshPolicy,
    pub(super) registry: &'a Registry,
    pub(super) index: &'a Index,
}

/// A name that callers can use: a service of the registry, or one that configuration declares.
pub(super) struct Known {
    /// Fully qualified host; `*.suffix` for a declared wildcard.
    pub(super) host: Arc<str>,
    pub(super) namespace: Arc<str>,
    /// The service's short name, when its host has the cluster's form `name.namespace.svc.domain`.
    pub(super) short: Option<Arc<str>>,
    pub(super) ports: Vec<KnownPort>,
    /// Indices of the workloads it selects, ready or not.
    pub(super) members: Vec<usize>,
    /// SPIFFE ids of those workloads, sorted.
    pub(super) identities: Vec<Arc<str>>,
    /// Whether the mesh's own TLS applies to it.
    pub(super) in_mesh: bool,
    /// Index of the declaration, when it is not from the registry.
    pub(super) external: Option<usize>,
}

pub(super) struct KnownPort {
    pub(super) number: u16,
    /// The port at the workload.
    pub(super) target: u16,
    pub(super) name: String,
    pub(super) http2: bool,
}

impl Known {
    pub(super) fn port(&self, number: u16) -> Option<&KnownPort> {
        self.ports.iter().find(|port| port.number == number)
    }

    /// The names by which a caller in `namespace` may call it, the fully qualified one first
    /// (pilot `GenerateAltVirtualHosts`): only callers in its own namespace may leave the namespace out.
    pub(super) fn names(&self, namespace: &str) -> Vec<String> {
        let mut names = vec![self.host.to_ascii_lowercase()];
        if let Some(short) = &self.short {
            let own = &self.namespace;
            if **own == *namespace {
                names.push(short.to_ascii_lowercase());
            }
            names.push(format!("{short}.{own}.svc").to_ascii_lowercase());
            names.push(format!("{short}.{own}").to_ascii_lowercase());
        }
        names
    }
}

/// All known names. Of services with the same host the registry's counts, else the first declared
/// (pilot `initServiceRegistry`).
#[derive(Default)]
pub(super) struct Index {
    pub(super) services: Vec<Known>,
    by_host: BTreeMap<Arc<str>, usize>,
    by_port: BTreeMap<u16, Vec<usize>>,
    by_workload: BTreeMap<Arc<str>, Vec<usize>>,
}

impl Index {
    pub(super) fn new(policy: &MeshPolicy, registry: &Registry) -> Self {
        let mut index = Self::default();
        let labels = Labels::new(registry);
        for service in registry.services.values() {
            let domain = &policy.profile.cluster_domain;
            let (name, namespace) = (&service.name, &service.namespace);
            let standard = format!("{name}.{namespace}.svc.{domain}");
            let ports = service.ports.iter().map(|port| KnownPort {
                number: port.port,
                target: port.target,
                name: port.name.clone(),
                http2: port.http2,
            });
            index.add(Known {
                host: service.host.clone(),
                namespace: namespace.clone(),
                short: (*standard == *service.host).then(|| name.clone()),
                ports: ports.collect(),
                members: labels.select(namespace, &service.selector),
                identities: Vec::new(),
                in_mesh: true,
                external: None,
            });
        }
        for (place, external) in policy.external.iter().enumerate() {
            let selector = external.workload_selector.as_ref();
            let members = selector.map(|labels_of| labels.select(&external.namespace, labels_of));
            for host in &external.hosts {
                index.add(Known {
                    host: host.to_ascii_lowercase().into(),
                    namespace: external.namespace.as_str().into(),
                    short: None,
                    ports: external.ports.iter().map(KnownPort::from).collect(),
                    members: members.clone().unwrap_or_default(),
                    identities: Vec::new(),
                    in_mesh: external.in_mesh,
                    external: Some(place),
                });
            }
        }
        for known in &mut index.services {
            known.identities = identities(policy, registry, &known.members);
        }
        index.turn_around(registry);
        index
    }

    fn add(&mut self, known: Known) {
        if !self.by_host.contains_key(&known.host) {
            self.by_host.insert(known.host.clone(), self.services.len());
            self.services.push(known);
        }
    }

    fn turn_around(&mut self, registry: &Registry) {
        for (place, known) in self.services.iter().enumerate() {
            for number in known
                .ports
                .iter()
                .map(|p| p.number)
                .collect::<BTreeSet<_>>()
            {
                self.by_port.entry(number).or_default().push(place);
            }
            for member in &known.members {
                if let Some((name, _)) = registry.workloads.get_index(*member) {
                    self.by_workload
                        .entry(name.clone())
                        .or_default()
                        .push(place);
                }
            }
        }
    }

    /// The service called `host`, and its place.
    pub(super) fn find(&self, host: &str) -> Option<(usize, &Known)> {
        let place = *self.by_host.get(host)?;
        Some((place, &self.services[place]))
    }

    /// Every port that a service has, ascending, with the services that have it.
    pub(super) fn ports(&self) -> impl Iterator<Item = (u16, Vec<&Known>)> {
        self.by_port.iter().map(|(port, places)| {
            let services = places.iter().map(|place| &self.services[*place]);
            (*port, services.collect())
        })
    }

    /// The ports that services send to `workload`, ascending.
    pub(super) fn targets_of(&self, workload: &Workload) -> BTreeSet<u16> {
        let services = self.by_workload.get(&workload.name);
        let services = services.into_iter().flatten().map(|p| &self.services[*p]);
        services
            .flat_map(|known| known.ports.iter().map(|p| p.target))
            .collect()
    }
}

impl From<&ExternalPort> for KnownPort {
    fn from(port: &ExternalPort) -> Self {
        Self {
            number: port.number,
            target: port.target.unwrap_or(port.number),
            name: port.name.clone(),
            http2: matches!(port.protocol.as_str(), "HTTP2" | "GRPC" | "GRPC-WEB"),
        }
    }
}

/// `spiffe://<trust domain>/ns/<namespace>/sa/<service account>` of each member, once.
fn identities(policy: &MeshPolicy, registry: &Registry, members: &[usize]) -> Vec<Arc<str>> {
    let trust_domain = &policy.profile.trust_domain;
    let accounts = members.iter().filter_map(|member| {
        let (_, workload) = registry.workloads.get_index(*member)?;
        Some((&workload.namespace, &workload.service_account))
    });
    let accounts: BTreeSet<_> = accounts.collect();
    let id = |(ns, sa)| Arc::from(format!("spiffe://{trust_domain}/ns/{ns}/sa/{sa}"));
    accounts.into_iter().map(id).collect()
}

/// Workloads by namespace and label, so that a selector looks only at those that share its rarest label.
struct Labels<'a> {
    registry: &'a Registry,
    /// By namespace, label and value.
    having: BTreeMap<&'a str, BTreeMap<&'a str, BTreeMap<&'a str, Vec<usize>>>>,
}

impl<'a> Labels<'a> {
    fn new(registry: &'a Registry) -> Self {
        let mut having: BTreeMap<_, BTreeMap<_, BTreeMap<_, Vec<usize>>>> = BTreeMap::new();
        for (place, workload) in registry.workloads.values().enumerate() {
            let labels = having.entry(&*workload.namespace).or_default();
            for (key, value) in &workload.labels {
                let values = labels.entry(key.as_str()).or_default();
                values.entry(value.as_str()).or_default().push(place);
            }
        }
        Self { registry, having }
    }

    fn having(&self, namespace: &str, key: &str, value: &str) -> &[usize] {
        let values = self
            .having
            .get(namespace)
            .and_then(|labels| labels.get(key));
        let places = values.and_then(|values| values.get(value));
        places.map_or(&[], Vec::as_slice)
    }

    /// Indices of the workloads in `namespace` with all labels of `selector`; an empty selector selects nothing.
    fn select(&self, namespace: &str, selector: &BTreeMap<String, String>) -> Vec<usize> {
        let lists = selector
            .iter()
            .map(|(key, value)| self.having(namespace, key, value));
        let Some(rarest) = lists.min_by_key(|places| places.len()) else {
            return Vec::new();
        };
        let has_all = |place: &&usize| {
            let workload = self.registry.workloads.get_index(**place);
            workload.is_some_and(|(_, w)| has_labels(&w.labels, selector))
        };
        rarest.iter().filter(has_all).copied().collect()
    }
}

/// Whether `labels` has every label of `selector`.
pub(super) fn has_labels(
    labels: &BTreeMap<String, String>,
    selector: &BTreeMap<String, String>,
) -> bool {
    selector
        .iter()
        .all(|(key, value)| labels.get(key) == Some(value))
}
