//! DestinationRule → how to talk to a host and its subsets.
//!
//! # Theory
//!
//! A policy has parts: `loadBalancer`, `connectionPool`, `outlierDetection`,
//! `tls`. A subset's part replaces the host's part as a whole, and a port's
//! settings replace all four: what they leave out falls back to the mesh's
//! default, not to the host's policy (pilot/pkg/networking/util,
//! `MergeTrafficPolicy`). Several rules of one namespace for one host and the
//! same callers are one rule: subsets add up, the oldest top-level policy counts
//! (pilot/pkg/model/destination_rule.go, `mergeDestinationRule`).

mod balancer;
mod hash;
mod locality;
mod merge;
mod outlier;
mod policy;
mod pool;
mod spec;
mod tls;

use std::collections::BTreeMap;

use crate::dialect::findings::{Field, Findings};
use crate::dialect::host;
use crate::dialect::object::Object;
use crate::dialect::review::SubsetUse;
use crate::document::Spanned;
use crate::policy::{
    DestinationPolicy, DestinationRule, NoteKind, Origin, Position, Profile, SubsetRule,
};
use spec::SCHEMA;

/// Compiles all DestinationRules, the older first.
pub(super) fn compile(
    objects: &[Object<'_>],
    profile: &Profile,
    findings: &mut Findings<'_>,
) -> Vec<DestinationRule> {
    let rules = objects
        .iter()
        .filter_map(|object| {
            let spec = object.read::<spec::DestinationRule>(&SCHEMA, findings)?;
            rule(object, &spec, profile, findings)
        })
        .collect();
    merge::merge(rules, findings)
}

fn rule(
    object: &Object<'_>,
    spec: &spec::DestinationRule,
    profile: &Profile,
    findings: &mut Findings<'_>,
) -> Option<DestinationRule> {
    let field = object.spec();
    let Some(written) = &spec.host else {
        findings.error(&object.at, "this DestinationRule has no `spec.host`");
        return None;
    };
    let mut name = written.clone();
    name.value = host::resolve(&name.value, &object.namespace, &profile.cluster_domain);
    let host = host::pattern(&name, findings)?;
    let Some(mut visible_to) = host::export_to(&spec.export_to, &object.namespace).namespaces()
    else {
        host::note_unexported(&field, &object.at, findings);
        return None;
    };
    let workload_selector: BTreeMap<_, _> = spec
        .workload_selector
        .iter()
        .flat_map(|selector| selector.match_labels.clone())
        .collect();
    if !workload_selector.is_empty() {
        // With a selector a rule stays in its namespace (destination_rule.proto, workload_selector).
        visible_to = vec![object.namespace.clone()];
    }
    let top = field.child("trafficPolicy");
    let (policy, ports) = match &spec.traffic_policy {
        Some(written) => policy::compile(written, &top, None, profile, findings)?,
        None => Default::default(),
    };
    let mut rule = DestinationRule {
        name: object.reference(),
        namespace: object.namespace.clone(),
        host,
        visible_to,
        workload_selector,
        policy,
        ports,
        subsets: Vec::new(),
        origin: object.origin(),
    };
    for (index, written) in spec.subsets.iter().enumerate() {
        let field = field.child_item("subsets", index);
        let subset = subset(written, &field, &rule.policy, profile, findings)?;
        if rule.subsets.iter().any(|known| known.name == subset.name) {
            let message = format!("the subset `{}` is defined twice", subset.name);
            findings.error(&written.at, message);
            return None;
        }
        rule.subsets.push(subset);
    }
    Some(rule)
}

fn subset(
    written: &Spanned<spec::Subset>,
    field: &Field,
    host: &DestinationPolicy,
    profile: &Profile,
    findings: &mut Findings<'_>,
) -> Option<SubsetRule> {
    let Some(name) = written
        .value
        .name
        .as_ref()
        .filter(|name| !name.value.is_empty())
    else {
        findings.error(&written.at, "this subset has no `name`");
        return None;
    };
    let below = field.child("trafficPolicy");
    let (policy, ports) = match &written.value.traffic_policy {
        Some(written) => policy::compile(written, &below, Some(host), profile, findings)?,
        None => Default::default(),
    };
    Some(SubsetRule {
        name: name.value.clone(),
        labels: written
            .value
            .labels
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        policy,
        ports,
        origin: Origin::Written(written.at.clone()),
    })
}

/// Notes subsets with a policy of their own that no route names: the policy governs no request.
pub(super) fn note_idle_subsets(
    rules: &[DestinationRule],
    uses: &[SubsetUse],
    findings: &mut Findings<'_>,
) {
    for rule in rules {
        for subset in &rule.subsets {
            let says_something =
                subset.policy != DestinationPolicy::default() || !subset.ports.is_empty();
            let used = uses.iter().any(|used| {
                used.destination.subset.as_ref() == Some(&subset.name)
                    && rule.host.matches(&used.destination.host)
            });
            let Some(at) = written(&subset.origin).filter(|_| says_something && !used) else {
                continue;
            };
            findings.note(
                NoteKind::NoEffect,
                &Field::spec(&format!("DestinationRule {}", rule.name)).child("subsets"),
                at,
                format!(
                    "no route names the subset `{}`, so its trafficPolicy governs no request",
                    subset.name
                ),
            );
        }
    }
}

fn written(origin: &Origin) -> Option<&Position> {
    match origin {
        Origin::Written(at) => Some(at),
        Origin::Default(_) => None,
    }
}
