//! What Istio's labels say of a pod.

use std::collections::BTreeMap;

use mesh_core::control::Workload;

use crate::plan::Plan;

/// What Istio says where it does not know.
pub(super) const UNKNOWN: &str = "unknown";

/// Every pod by name, and by identity where no two deployments share it.
#[derive(Default)]
pub(super) struct Pods {
    by_name: BTreeMap<String, PodFacts>,
    /// A pod of each identity; `None` for one that several deployments have.
    by_principal: BTreeMap<String, Option<String>>,
    services: Vec<ServiceFacts>,
    unknown: PodFacts,
}

/// One pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PodFacts {
    /// Its deployment.
    pub(super) workload: String,
    pub(super) namespace: String,
    pub(super) app: String,
    pub(super) version: String,
    pub(super) principal: String,
    /// The first service that selects it, by its place.
    service: Option<usize>,
}

impl Default for PodFacts {
    fn default() -> Self {
        let unknown = || UNKNOWN.to_owned();
        Self {
            workload: unknown(),
            namespace: unknown(),
            app: unknown(),
            version: unknown(),
            principal: unknown(),
            service: None,
        }
    }
}

/// A service as labels name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServiceFacts {
    /// Fully qualified.
    pub(super) host: String,
    pub(super) name: String,
    pub(super) namespace: String,
}

impl Pods {
    pub(super) fn of(plan: &Plan) -> Self {
        let mut this = Self::default();
        let services = plan.services.iter();
        this.services = services
            .map(|service| ServiceFacts {
                host: service.host.to_string(),
                name: service.name.to_string(),
                namespace: service.namespace.to_string(),
            })
            .collect();
        let registry = plan.registry();
        let mut first: BTreeMap<&str, usize> = BTreeMap::new();
        for (place, service) in plan.services.iter().enumerate() {
            for pod in registry.selected(service) {
                first.entry(&pod.name).or_insert(place);
            }
        }
        for pod in &plan.pods {
            let name = &*pod.workload.name;
            let service = first.get(name).copied();
            this.add(plan, &pod.workload, deployment(name), service);
        }
        for traffic in &plan.traffic {
            this.add(plan, &traffic.workload, &traffic.name, None);
        }
        this
    }

    fn add(&mut self, plan: &Plan, workload: &Workload, deployment: &str, service: Option<usize>) {
        let label = |key: &str| {
            let value = workload.labels.get(key).cloned();
            value.unwrap_or_else(|| UNKNOWN.to_owned())
        };
        let principal = format!(
            "spiffe://{}/ns/{}/sa/{}",
            plan.mesh.profile.trust_domain, workload.namespace, workload.service_account
        );
        let name = workload.name.to_string();
        let facts = PodFacts {
            workload: deployment.to_owned(),
            namespace: workload.namespace.to_string(),
            app: label("app"),
            version: label("version"),
            principal: principal.clone(),
            service,
        };
        let other = self.by_principal.get(&principal).cloned().flatten();
        let shared = other.is_some_and(|other| self.named(&other).workload != facts.workload);
        let known = self
            .by_principal
            .entry(principal)
            .or_insert_with(|| Some(name.clone()));
        if shared {
            *known = None;
        }
        self.by_name.insert(name, facts);
    }

    /// The pod of this name.
    pub(super) fn named(&self, pod: &str) -> &PodFacts {
        self.by_name.get(pod).unwrap_or(&self.unknown)
    }

    /// A pod with this identity, if it says which deployment that is. A real sidecar is told by its peer.
    pub(super) fn with_principal(&self, principal: &str) -> &PodFacts {
        let pod = self.by_principal.get(principal).and_then(Option::as_deref);
        pod.map_or(&self.unknown, |pod| self.named(pod))
    }

    /// The service that a request to `pod` is for, if any.
    pub(super) fn service_of(&self, pod: &PodFacts) -> Option<&ServiceFacts> {
        self.services.get(pod.service?)
    }

    /// The service of a fully qualified host.
    pub(super) fn service_at(&self, host: &str) -> Option<&ServiceFacts> {
        self.services.iter().find(|service| service.host == host)
    }
}

/// A pod's deployment: its name without its number.
fn deployment(pod: &str) -> &str {
    match pod.rsplit_once('-') {
        Some((deployment, number)) if number.bytes().all(|b| b.is_ascii_digit()) => deployment,
        _ => pod,
    }
}
