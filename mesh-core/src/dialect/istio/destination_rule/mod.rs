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
use crate::dialect::host::{self, Namespaces};
use crate::dialect::object::Object;
use crate::dialect::review::SubsetUse;
use crate::document::Spanned;
use crate::policy::{DestinationPolicy, DestinationRule, NoteKind, Profile, SubsetRule};
use spec::SCHEMA;

/// Compiles all DestinationRules, the older first.
pub(super) fn compile(
    objects: &[Object<'_>],
    profile: &Profile,
    namespaces: &Namespaces<'_>,
    findings: &mut Findings<'_>,
) -> Vec<DestinationRule> {
    let rules = objects
        .iter()
        .filter_map(|object| {
            let spec = object.read::<spec::DestinationRule>(&SCHEMA, findings)?;
            if let Some(host) = &spec.host {
                namespaces.note_half_name(host, &object.spec().child("host"), findings);
            }
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
        origin: written.origin(),
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
            let Some(at) = subset.origin.at().filter(|_| says_something && !used) else {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::dialect::testing::{destination_rule, notes, policy, refused};
    use crate::policy::{DestinationRule, HostPattern, LoadBalancer, NoteKind, UpstreamTls};

    fn rule(fields: &str) -> DestinationRule {
        policy(&destination_rule(fields)).destinations.remove(0)
    }

    #[test]
    fn a_rule_without_policy_says_nothing() {
        let rule = rule("  subsets: [{name: v1, labels: {version: v1}}]");
        assert_eq!(
            rule.host,
            HostPattern::Exact("v.default.svc.cluster.local".into())
        );
        assert_eq!(rule.policy, Default::default());
        assert_eq!(rule.subsets[0].labels["version"], "v1");
        assert_eq!(rule.subsets[0].origin.to_string(), "mesh.yaml:7:13");
        assert!(rule.visible_to.is_empty());
    }

    #[test]
    fn settings_of_a_port_inherit_nothing() {
        let rule = rule(
            "  trafficPolicy:\n    loadBalancer: {simple: RANDOM}\n    tls: {mode: ISTIO_MUTUAL}\n    portLevelSettings:\n    - port: {number: 80}\n      loadBalancer: {simple: ROUND_ROBIN}",
        );
        let port = &rule.ports[&80];
        assert_eq!(
            port.load_balancer.as_ref().unwrap().value,
            LoadBalancer::RoundRobin
        );
        assert_eq!(port.tls, None);
        assert!(rule.policy.tls.is_some());
    }

    #[test]
    fn a_subset_overrides_part_by_part() {
        let rule = rule(
            "  trafficPolicy: {loadBalancer: {simple: RANDOM}, tls: {mode: DISABLE}}\n  subsets:\n  - name: v1\n    labels: {version: v1}\n    trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}",
        );
        let merged = rule.subsets[0].policy.over(&rule.policy);
        assert_eq!(
            merged.load_balancer.unwrap().value,
            LoadBalancer::RoundRobin
        );
        assert_eq!(merged.tls.unwrap().value, UpstreamTls::Disable);
    }

    #[test]
    fn a_selector_keeps_a_rule_in_its_namespace() {
        let rule = rule("  workloadSelector: {matchLabels: {app: web}}\n  exportTo: ['*']");
        assert_eq!(rule.visible_to, ["default"]);
        assert_eq!(
            rule.workload_selector,
            BTreeMap::from([("app".into(), "web".into())])
        );
    }

    #[test]
    fn several_rules_for_one_host_are_one() {
        let rule = |name: &str, fields: &str| {
            destination_rule(fields).replace("name: d\n", &format!("name: {name}\n")) + "---\n"
        };
        let yaml = rule("a", "  subsets: [{name: v1}]")
            + &rule(
                "b",
                "  trafficPolicy: {tls: {mode: DISABLE}}\n  subsets: [{name: v1}, {name: v2}]",
            )
            + &rule("c", "  trafficPolicy: {tls: {mode: SIMPLE}}")
            + &rule("other", "  exportTo: ['.']");
        let policy = policy(&yaml);
        let names: Vec<_> = policy
            .destinations
            .iter()
            .map(|rule| rule.name.as_str())
            .collect();
        assert_eq!(names, ["default/a", "default/other"]);
        let merged = &policy.destinations[0];
        let subsets: Vec<_> = merged
            .subsets
            .iter()
            .map(|subset| subset.name.as_str())
            .collect();
        assert_eq!(subsets, ["v1", "v2"]);
        assert_eq!(
            merged.policy.tls.as_ref().unwrap().value,
            UpstreamTls::Disable
        );
        assert_eq!(
            notes(&yaml, NoteKind::NoEffect),
            [
                "16:13 spec.subsets: ignored: subset `v1` of this host is already defined at mesh.yaml:7:13",
                "18:1 spec.trafficPolicy: ignored: the older DestinationRule default/a at mesh.yaml:1:1 already has a policy for this host",
            ]
        );
    }

    #[test]
    fn a_policy_for_a_subset_no_route_names_is_noted() {
        let yaml = destination_rule(
            "  subsets: [{name: v1, trafficPolicy: {tls: {mode: DISABLE}}}, {name: v2}]",
        );
        assert_eq!(
            notes(&yaml, NoteKind::NoEffect),
            [
                "7:13 spec.subsets: no route names the subset `v1`, so its trafficPolicy governs no request"
            ]
        );
    }

    #[test]
    fn wrong_rules_are_refused() {
        assert_eq!(
            refused(&destination_rule("  subsets: [{name: v1}, {name: v1}]")),
            ["7:25 the subset `v1` is defined twice"]
        );
        assert_eq!(
            refused(&destination_rule("  subsets: [{labels: {version: 1}}]")),
            ["7:32 expected text, found the number 1"]
        );
        assert_eq!(
            refused(
                "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: d}\n"
            ),
            ["1:1 this DestinationRule has no `spec.host`"]
        );
    }
}
