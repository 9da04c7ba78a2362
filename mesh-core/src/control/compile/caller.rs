//! What about a caller changes what it is sent.
//!
//! Sidecars are many and their outbound configurations few: routes and
//! clusters follow from the caller's namespace and from which of the label
//! conditions in the configuration (a route's `sourceLabels`, a
//! DestinationRule's `workloadSelector`) its labels meet. Endpoints follow
//! besides from its locality and from the labels that `failoverPriority` names.
//! Equal answers to these questions mean equal resources, computed once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::index::has_labels;
use super::locality::label_of;
use crate::control::{Locality, Workload};
use crate::policy::{DestinationPolicy, DestinationRule, MeshPolicy};

/// The calling workload.
#[derive(Clone, Copy)]
pub(super) struct Caller<'a> {
    pub(super) namespace: &'a str,
    pub(super) labels: &'a BTreeMap<String, String>,
    pub(super) locality: &'a Locality,
}

impl<'a> Caller<'a> {
    pub(super) fn of(workload: &'a Workload) -> Self {
        Self {
            namespace: &workload.namespace,
            labels: &workload.labels,
            locality: &workload.locality,
        }
    }

    /// Whether something visible to `namespaces` (empty: to all) is visible to this caller.
    pub(super) fn sees(&self, namespaces: &[String]) -> bool {
        namespaces.is_empty() || namespaces.iter().any(|ns| ns == self.namespace)
    }
}

/// Callers with equal classes get equal routes and clusters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Class {
    namespace: Arc<str>,
    holds: Vec<bool>,
}

/// Callers of one class in equal places get equal endpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    locality: Locality,
    labels: Vec<String>,
}

/// The questions a policy asks about callers.
#[derive(Debug, Default)]
pub(super) struct Questions {
    conditions: BTreeSet<BTreeMap<String, String>>,
    failover_labels: BTreeSet<String>,
}

impl Questions {
    pub(super) fn of(policy: &MeshPolicy) -> Self {
        let scoped = policy.routes.iter().flat_map(|rule| &rule.routes);
        let sources = scoped.filter_map(|route| Some(&route.source.as_ref()?.labels));
        let selectors = policy
            .destinations
            .iter()
            .map(|rule| &rule.workload_selector);
        let settings = policy.destinations.iter().flat_map(policies);
        let settings = settings.filter_map(|policy| policy.locality.as_ref());
        let labels = settings.flat_map(|setting| &setting.value.failover_priority);
        Self {
            conditions: sources
                .chain(selectors)
                .filter(|c| !c.is_empty())
                .cloned()
                .collect(),
            failover_labels: labels
                .map(|label| label.split('=').next().unwrap_or_default().to_owned())
                .collect(),
        }
    }

    pub(super) fn class(&self, workload: &Workload) -> Class {
        let holds = |condition| has_labels(&workload.labels, condition);
        Class {
            namespace: workload.namespace.clone(),
            holds: self.conditions.iter().map(holds).collect(),
        }
    }

    pub(super) fn place(&self, workload: &Workload) -> Place {
        let value =
            |label: &String| label_of(&workload.labels, &workload.locality, label).to_owned();
        Place {
            locality: workload.locality.clone(),
            labels: self.failover_labels.iter().map(value).collect(),
        }
    }
}

/// Every policy a rule holds.
fn policies(rule: &DestinationRule) -> impl Iterator<Item = &DestinationPolicy> {
    let of_subsets = rule.subsets.iter();
    let of_subsets = of_subsets.flat_map(|s| std::iter::once(&s.policy).chain(s.ports.values()));
    std::iter::once(&rule.policy)
        .chain(rule.ports.values())
        .chain(of_subsets)
}
