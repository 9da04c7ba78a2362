//! Delegation: the rules of a delegate, merged under the matches of its root.
//!
//! As pilot/pkg/model/virtualservice.go merges them (`mergeVirtualServicesIfNeeded`):
//! a match block of the delegate counts when some block of the root allows it;
//! a rule with a block that no root block allows is dropped whole; settings the
//! delegate leaves out come from the root.

use std::collections::BTreeMap;

use super::overlap;
use super::spec::{HttpRoute, VirtualService};
use crate::dialect::findings::{Field, Findings};
use crate::dialect::host::{self, Visibility};
use crate::dialect::object::Object;
use crate::document::Spanned;
use crate::policy::{NoteKind, Position};

/// A VirtualService that was read.
pub(super) struct Service<'o, 'd> {
    pub(super) object: &'o Object<'d>,
    pub(super) spec: VirtualService,
}

/// One HTTP rule, its delegations resolved.
pub(super) struct Rule {
    /// `<VirtualService>/<rule name or index>`; a delegate's part follows its root's.
    pub(super) label: String,
    /// The field it was written in.
    pub(super) field: Field,
    /// Where it begins.
    pub(super) at: Position,
    /// What it says.
    pub(super) spec: HttpRoute,
}

/// The rules of a VirtualService in order, with those of its delegates in their places.
pub(super) fn expand(
    root: &Service<'_, '_>,
    delegates: &BTreeMap<String, &Service<'_, '_>>,
    findings: &mut Findings<'_>,
) -> Vec<Rule> {
    let mut rules = Vec::new();
    for (index, written) in root.spec.http.iter().enumerate() {
        let rule = Rule {
            label: format!("{}/{}", root.object.name, part(&written.value, index)),
            field: root.object.spec().child_item("http", index),
            at: written.at.clone(),
            spec: written.value.clone(),
        };
        if rule.spec.delegate.is_none() {
            rules.push(rule);
        } else {
            rules.extend(delegated(root, &rule, delegates, findings));
        }
    }
    rules
}

fn part(rule: &HttpRoute, index: usize) -> String {
    rule.name.clone().unwrap_or_else(|| index.to_string())
}

fn target(root: &Service<'_, '_>, rule: &HttpRoute) -> Option<String> {
    let delegate = &rule.delegate.as_ref()?.value;
    let namespace = delegate
        .namespace
        .as_deref()
        .filter(|name| !name.is_empty());
    let namespace = namespace.unwrap_or(&root.object.namespace);
    Some(format!("{namespace}/{}", delegate.name))
}

fn delegated(
    root: &Service<'_, '_>,
    rule: &Rule,
    delegates: &BTreeMap<String, &Service<'_, '_>>,
    findings: &mut Findings<'_>,
) -> Vec<Rule> {
    let (Some(delegate), Some(reference)) = (&rule.spec.delegate, target(root, &rule.spec)) else {
        return Vec::new();
    };
    if !rule.spec.route.is_empty() || rule.spec.redirect.is_some() {
        findings.error(
            &rule.at,
            "a rule with `delegate` cannot have `route` or `redirect`",
        );
        return Vec::new();
    }
    let field = rule.field.child("delegate");
    let Some(service) = delegates.get(&reference) else {
        findings.note(
            NoteKind::Suspicious,
            &field,
            &delegate.at,
            format!("no VirtualService `{reference}` without hosts exists: Istio drops this rule"),
        );
        return Vec::new();
    };
    if !seen_by(service, &root.object.namespace) {
        findings.note(
            NoteKind::Suspicious,
            &field,
            &delegate.at,
            format!("VirtualService `{reference}` is not exported here: Istio drops this rule"),
        );
        return Vec::new();
    }
    service
        .spec
        .http
        .iter()
        .enumerate()
        .filter_map(|(index, written)| merge(rule, service, index, written, findings))
        .collect()
}

fn seen_by(service: &Service<'_, '_>, namespace: &str) -> bool {
    match host::export_to(&service.spec.export_to, &service.object.namespace) {
        Visibility::All => true,
        Visibility::Nobody => false,
        Visibility::Namespaces(names) => names.iter().any(|name| name == namespace),
    }
}

fn merge(
    root: &Rule,
    service: &Service<'_, '_>,
    index: usize,
    written: &Spanned<HttpRoute>,
    findings: &mut Findings<'_>,
) -> Option<Rule> {
    let field = service.object.spec().child_item("http", index);
    if let Some(nested) = &written.value.delegate {
        findings.error(&nested.at, "a delegate cannot delegate further");
        return None;
    }
    let Some(matches) = overlap::merge(&root.spec.matches, &written.value.matches) else {
        findings.note(
            NoteKind::Suspicious,
            &field,
            &written.at,
            format!(
                "this matches what `{}` does not hand over: Istio drops it there",
                root.label
            ),
        );
        return None;
    };
    let mut spec = written.value.clone();
    spec.matches = matches;
    inherit(&mut spec, &root.spec);
    Some(Rule {
        label: format!("{}/{}", root.label, part(&written.value, index)),
        field,
        at: written.at.clone(),
        spec,
    })
}

/// Takes from the root what the delegate leaves out.
fn inherit(rule: &mut HttpRoute, root: &HttpRoute) {
    fn fill<T: Clone>(mine: &mut Option<T>, root: &Option<T>) {
        if mine.is_none() {
            mine.clone_from(root);
        }
    }
    fill(&mut rule.rewrite, &root.rewrite);
    fill(&mut rule.direct_response, &root.direct_response);
    fill(&mut rule.timeout, &root.timeout);
    fill(&mut rule.retries, &root.retries);
    fill(&mut rule.fault, &root.fault);
    fill(&mut rule.mirror, &root.mirror);
    fill(&mut rule.mirror_percent, &root.mirror_percent);
    fill(&mut rule.mirror_percentage, &root.mirror_percentage);
    fill(&mut rule.headers, &root.headers);
    if rule.mirrors.is_empty() {
        rule.mirrors = root.mirrors.clone();
    }
}

/// Notes delegates that no root names.
pub(super) fn note_orphans(
    services: &[Service<'_, '_>],
    delegates: &BTreeMap<String, &Service<'_, '_>>,
    findings: &mut Findings<'_>,
) {
    for (reference, delegate) in delegates {
        let named = services.iter().any(|root| {
            let mut rules = root.spec.http.iter();
            rules.any(|rule| target(root, &rule.value).as_ref() == Some(reference))
        });
        if !named {
            findings.note(
                NoteKind::NoEffect,
                &delegate.object.spec(),
                &delegate.object.at,
                "without `hosts` this is a delegate, and no VirtualService delegates to it",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::dialect::testing::{destinations, notes, policy, refused};
    use crate::policy::{NoteKind, PathMatch, Route, RouteAction, ScopedRoute};

    /// A root `default/shop` with this first rule, and a delegate `team/reviews` with these rules.
    fn delegation(root: &str, rules: &str) -> String {
        format!(
            "apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: shop}}
spec:
  hosts: [shop]
  http:
  - {{{root}, delegate: {{name: reviews, namespace: team}}}}
  - route: [{{destination: {{host: rest}}}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: reviews, namespace: team}}
spec:
  http:
{rules}
"
        )
    }

    fn routes(yaml: &str) -> Vec<Route> {
        let policy = policy(yaml);
        assert_eq!(policy.routes.len(), 1, "a delegate is no rule of its own");
        let routes: Vec<ScopedRoute> = policy.routes[0].routes.clone();
        routes.into_iter().map(|scoped| scoped.route).collect()
    }

    #[test]
    fn the_rules_of_a_delegate_stand_in_place_of_the_roots() {
        let routes = routes(&delegation(
            "name: api, timeout: 5s, match: [{uri: {prefix: /reviews}}]",
            "  - {match: [{uri: {exact: /reviews/1}}], route: [{destination: {host: one}}], timeout: 1s}\n  - {name: all, route: [{destination: {host: all}}]}",
        ));
        let names: Vec<&str> = routes.iter().map(|route| route.name.as_str()).collect();
        assert_eq!(names, ["shop/api/0", "shop/api/all", "shop/1"]);
        assert_eq!(
            routes[0].matcher.path,
            PathMatch::Exact("/reviews/1".into())
        );
        assert_eq!(routes[1].matcher.path, PathMatch::Prefix("/reviews".into()));
        // Short names belong to the delegate's namespace.
        assert_eq!(destinations(&routes[0]), ["one.team.svc.cluster.local=100"]);
        assert_eq!(routes[0].timeout.origin.to_string(), "mesh.yaml:15:89");
        assert_eq!(routes[1].timeout.origin.to_string(), "mesh.yaml:7:26");
        assert!(
            routes
                .iter()
                .all(|route| !matches!(route.action, RouteAction::Delegate(_)))
        );
    }

    #[test]
    fn a_rule_beyond_what_is_handed_over_is_dropped() {
        let yaml = delegation(
            "match: [{uri: {prefix: /reviews}, headers: {x: {exact: a}}}]",
            "  - {match: [{uri: {prefix: /ratings}}], route: [{destination: {host: one}}]}\n  - {match: [{headers: {x: {exact: b}}}], route: [{destination: {host: two}}]}\n  - {match: [{headers: {y: {exact: b}}}], route: [{destination: {host: three}}]}",
        );
        let routes = routes(&yaml);
        assert_eq!(routes.len(), 2);
        assert_eq!(
            destinations(&routes[0]),
            ["three.team.svc.cluster.local=100"]
        );
        assert_eq!(routes[0].matcher.headers.len(), 2);
        let notes = notes(&yaml, NoteKind::Suspicious);
        assert_eq!(notes.len(), 2);
        assert!(
            notes[0]
                .starts_with("15:5 spec.http[0]: this matches what `shop/0` does not hand over")
        );
    }

    #[test]
    fn every_block_of_the_root_meets_every_block_of_the_delegate() {
        let routes = routes(&delegation(
            "match: [{uri: {prefix: /a}}, {uri: {prefix: /b}}]",
            "  - {match: [{headers: {x: {exact: '1'}}}, {headers: {x: {exact: '2'}}}], route: [{destination: {host: one}}]}",
        ));
        let paths: Vec<_> = routes
            .iter()
            .take(4)
            .map(|route| route.matcher.path.clone())
            .collect();
        let prefix = |path: &str| PathMatch::Prefix(path.into());
        assert_eq!(
            paths,
            [prefix("/a"), prefix("/b"), prefix("/a"), prefix("/b")]
        );
        assert_eq!(routes[3].name, "shop/0/0#3");
    }

    #[test]
    fn delegates_that_are_missing_or_hidden_or_unused_are_noted() {
        let yaml = delegation("timeout: 1s", "  - {route: [{destination: {host: one}}]}");
        let missing = yaml.replace(
            "name: reviews, namespace: team}}\n  - route",
            "name: nobody}}\n  - route",
        );
        assert_eq!(
            notes(&missing, NoteKind::Suspicious),
            [
                "7:29 spec.http[0].delegate: no VirtualService `default/nobody` without hosts exists: Istio drops this rule"
            ]
        );
        assert_eq!(
            notes(&missing, NoteKind::NoEffect),
            [
                "10:1 spec: without `hosts` this is a delegate, and no VirtualService delegates to it"
            ]
        );
        let hidden = yaml.replace("spec:\n  http:", "spec:\n  exportTo: ['.']\n  http:");
        assert_eq!(routes(&hidden).len(), 1);
        assert!(notes(&hidden, NoteKind::Suspicious)[0].contains("not exported here"));
    }

    #[test]
    fn a_delegation_is_one_level_deep_and_does_nothing_else() {
        let nested = delegation("timeout: 1s", "  - {delegate: {name: x}}");
        assert_eq!(
            refused(&nested),
            ["15:16 a delegate cannot delegate further"]
        );
        let both = delegation(
            "route: [{destination: {host: v}}]",
            "  - {route: [{destination: {host: one}}]}",
        );
        assert_eq!(
            refused(&both),
            ["7:5 a rule with `delegate` cannot have `route` or `redirect`"]
        );
    }
}
