//! The Gateway API's HTTPRoute in its mesh form (GAMMA, GEP-1426).
//!
//! # Theory
//!
//! In a mesh a route's parent is a Service: the route governs calls to that
//! Service. A *producer* route, in the Service's own namespace, governs all
//! callers; a *consumer* route, in another namespace, only the callers of that
//! namespace, and for them it comes first. Routes of one namespace for one
//! Service are one list, ordered by how specific their matches are and not
//! by who wrote them first (apis/v1/httproute_types.go, `HTTPRouteRule.Matches`).
//! Where the API leaves a choice, Istio's is taken
//! (pilot/pkg/config/kube/gateway/conversion.go).

mod backend;
mod filter;
mod grant;
mod matching;
mod mirror;
mod path;
mod redirect;
mod retry;
mod rule;
mod spec;

use std::cmp::Reverse;

use indexmap::IndexMap;

use super::findings::Findings;
use super::object::Object;
use super::review::{Draft, Precedence};
use super::{host, quantity};
use crate::document::Spanned;
use crate::policy::{
    Destination, HostPattern, NoteKind, Position, Profile, RouteRule, ScopedRoute,
};
use grant::Grants;
use rule::Compiled;
use spec::{HttpRoute, ParentRef, SCHEMA};

/// A Service that a route is attached to.
struct Parent {
    host: String,
    consumer: bool,
    port: Option<u16>,
    at: Position,
}

/// The routes of one namespace for one Service.
struct List<'o, 'd> {
    oldest: &'o Object<'d>,
    consumer: bool,
    at: Position,
    routes: Vec<(Option<u16>, Compiled)>,
}

/// Compiles all HTTPRoutes that are attached to Services. `hashes` tells whether a
/// destination is balanced by consistent hashing.
pub(super) fn compile(
    routes: &[Object<'_>],
    grants: &[Object<'_>],
    profile: &Profile,
    hashes: &dyn Fn(&Destination) -> bool,
    findings: &mut Findings<'_>,
) -> Vec<Draft> {
    let grants = Grants::read(grants, findings);
    let mut lists: IndexMap<(&str, String), List<'_, '_>> = IndexMap::new();
    for object in routes {
        let Some(spec) = object.read::<HttpRoute>(&SCHEMA, findings) else {
            continue;
        };
        let parents = parents(object, &spec, profile, findings);
        if parents.is_empty() {
            continue;
        }
        note_hostnames(object, &spec, findings);
        let scene = rule::Scene {
            object,
            grants: &grants,
            profile,
            hashes,
        };
        let compiled = rule::compile_all(&spec, &scene, findings);
        for parent in parents {
            let list = lists
                .entry((&object.namespace, parent.host))
                .or_insert_with(|| List {
                    oldest: object,
                    consumer: parent.consumer,
                    at: parent.at,
                    routes: Vec::new(),
                });
            let attached = compiled.iter().map(|one| (parent.port, one.clone()));
            list.routes.extend(attached);
        }
    }
    lists
        .into_iter()
        .map(|((namespace, host), list)| draft(namespace, host, list))
        .collect()
}

fn draft(namespace: &str, host: String, mut list: List<'_, '_>) -> Draft {
    list.routes.sort_by_key(|(_, route)| Reverse(route.rank));
    let (routes, fields) = list
        .routes
        .into_iter()
        .map(|(port, compiled)| {
            let scoped = ScopedRoute {
                source: None,
                port,
                route: compiled.route,
            };
            (scoped, compiled.field)
        })
        .unzip();
    let visible_to = match list.consumer {
        true => vec![namespace.to_owned()],
        false => Vec::new(),
    };
    Draft {
        rule: RouteRule {
            kind: list.oldest.kind.to_string(),
            name: list.oldest.reference(),
            namespace: namespace.to_owned(),
            hosts: vec![HostPattern::Exact(host)],
            visible_to,
            routes,
            origin: list.oldest.origin(),
        },
        precedence: Precedence::of_http_route(list.consumer, list.oldest.age.clone()),
        spec: list.oldest.spec(),
        hosts: vec![list.at],
        fields,
    }
}

fn parents(
    object: &Object<'_>,
    spec: &HttpRoute,
    profile: &Profile,
    findings: &mut Findings<'_>,
) -> Vec<Parent> {
    if spec.parent_refs.is_empty() {
        let field = object.spec().child("parentRefs");
        let message = "without `parentRefs` this route is attached to nothing";
        findings.note(NoteKind::NoEffect, &field, &object.at, message);
    }
    spec.parent_refs
        .iter()
        .enumerate()
        .filter_map(|(index, written)| parent(object, index, written, profile, findings))
        .collect()
}

fn parent(
    object: &Object<'_>,
    index: usize,
    written: &Spanned<ParentRef>,
    profile: &Profile,
    findings: &mut Findings<'_>,
) -> Option<Parent> {
    let field = object.spec().child_item("parentRefs", index);
    let reference = &written.value;
    let group = reference
        .group
        .as_deref()
        .unwrap_or("gateway.networking.k8s.io");
    let kind = reference.kind.as_deref().unwrap_or("Gateway");
    if (group, kind) != ("", "Service") && (group, kind) != ("core", "Service") {
        if kind == "Service" {
            findings.note(
                NoteKind::Suspicious,
                &field,
                &written.at,
                "a Service is of the group \"\": without `group: \"\"` this names nothing, and the route is attached to nothing",
            );
            return None;
        }
        let message = match kind {
            "Gateway" => {
                "this route is for a gateway; those of a mesh have a parent of kind Service".into()
            }
            _ => format!("routes attached to a {kind} are not simulated"),
        };
        findings.note(NoteKind::NotHonoured, &field, &written.at, message);
        return None;
    }
    let Some(name) = &reference.name else {
        findings.error(&written.at, "this parent has no `name`");
        return None;
    };
    if let Some(section) = &reference.section_name {
        findings.note(
            NoteKind::NotHonoured,
            &field.child("sectionName"),
            &section.at,
            "a port of a parent is found by `port`, not by its name: this route governs them all",
        );
    }
    let port = match &reference.port {
        Some(port) => Some(quantity::port(port, findings)?),
        None => None,
    };
    let namespace = reference.namespace.as_deref().unwrap_or(&object.namespace);
    Some(Parent {
        host: host::service(&name.value, namespace, &profile.cluster_domain),
        consumer: namespace != object.namespace,
        port,
        at: written.at.clone(),
    })
}

/// In a mesh the parent is the host (GEP-1426).
fn note_hostnames(object: &Object<'_>, spec: &HttpRoute, findings: &mut Findings<'_>) {
    if let Some(first) = spec.hostnames.first() {
        let field = object.spec().child("hostnames");
        let message = "hostnames do not count in a mesh: the route governs its parent Service";
        findings.note(NoteKind::NoEffect, &field, &first.at, message);
    }
}

#[cfg(test)]
mod tests {
    use crate::dialect::testing::{destinations, http_route, notes, policy, refused, route};
    use crate::policy::{HostPattern, NoteKind, RouteAction};

    const RULES: &str = "  - backendRefs: [{name: b, port: 80}]";

    #[test]
    fn the_parent_service_is_the_host() {
        let yaml = http_route(
            "  - backendRefs:\n    - {name: reviews-v1, port: 9080, weight: 90}\n    - {name: reviews-v2, port: 9080, weight: 10}\n    - {name: none, port: 9080, weight: 0}",
        );
        let policy = policy(&yaml);
        let rule = &policy.routes[0];
        assert_eq!(rule.name, "default/r");
        assert_eq!(
            rule.hosts,
            [HostPattern::Exact("v.default.svc.cluster.local".into())]
        );
        assert!(rule.visible_to.is_empty());
        assert_eq!(rule.routes[0].route.name, "r/0");
        assert_eq!(
            destinations(&rule.routes[0].route),
            [
                "reviews-v1.default.svc.cluster.local:9080=90",
                "reviews-v2.default.svc.cluster.local:9080=10"
            ]
        );
    }

    #[test]
    fn a_consumer_route_governs_its_own_namespace_and_comes_first() {
        let consumer = http_route(RULES)
            .replace("{name: r}", "{name: c, namespace: shop}")
            .replace("name: v}", "name: v, namespace: default, port: 8080}");
        let policy = policy(&(http_route(RULES) + "---\n" + &consumer));
        let names: Vec<_> = policy
            .routes
            .iter()
            .map(|rule| rule.name.as_str())
            .collect();
        assert_eq!(names, ["shop/c", "default/r"]);
        assert_eq!(policy.routes[0].visible_to, ["shop"]);
        assert_eq!(policy.routes[0].hosts, policy.routes[1].hosts);
        assert_eq!(policy.routes[0].routes[0].port, Some(8080));
    }

    #[test]
    fn routes_for_one_service_are_one_list() {
        let second =
            http_route("  - {matches: [{path: {value: /x}}], backendRefs: [{name: b, port: 80}]}")
                .replace("{name: r}", "{name: second}");
        let policy = policy(&(http_route(RULES) + "---\n" + &second));
        assert_eq!(policy.routes.len(), 1);
        let names: Vec<_> = policy.routes[0]
            .routes
            .iter()
            .map(|scoped| scoped.route.name.as_str())
            .collect();
        assert_eq!(names, ["second/0", "r/0"]);
    }

    #[test]
    fn routes_of_gateways_are_noted() {
        let gateway =
            http_route(RULES).replace("{group: '', kind: Service, name: v}", "{name: front}");
        assert!(policy(&gateway).routes.is_empty());
        assert_eq!(
            notes(&gateway, NoteKind::NotHonoured),
            [
                "6:5 spec.parentRefs[0]: this route is for a gateway; those of a mesh have a parent of kind Service"
            ]
        );
        let nothing = http_route(RULES).replace("  - {group: '', kind: Service, name: v}\n", "");
        assert_eq!(notes(&nothing, NoteKind::NoEffect).len(), 1);
        let hostnames = http_route(RULES).replace("  rules", "  hostnames: [a.example]\n  rules");
        assert_eq!(notes(&hostnames, NoteKind::NoEffect).len(), 1);
    }

    #[test]
    fn a_service_without_its_group_is_nothing() {
        let yaml = http_route(RULES).replace("group: '', ", "");
        assert!(policy(&yaml).routes.is_empty());
        assert_eq!(notes(&yaml, NoteKind::Suspicious).len(), 1);
    }

    #[test]
    fn an_only_backend_that_hashes_may_be_tried_again() {
        let hash = "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: b}\nspec: {host: b, trafficPolicy: {loadBalancer: {consistentHash: {useSourceIp: true}}}}\n";
        let avoids = |rules: &str| {
            let yaml = http_route(rules) + hash;
            route(&yaml).retry.value.avoid_previous_endpoints
        };
        assert!(!avoids(RULES));
        assert!(!avoids(&format!("{RULES}\n    retry: {{attempts: 1}}")));
        assert!(avoids(
            "  - backendRefs: [{name: b, port: 80}, {name: c, port: 80}]"
        ));
    }

    #[test]
    fn without_a_backend_every_request_gets_500() {
        for rules in [
            "  - {}",
            "  - backendRefs: [{name: b, port: 80, weight: 0}]",
        ] {
            let yaml = http_route(rules);
            match route(&yaml).action {
                RouteAction::Direct(direct) => {
                    assert_eq!((direct.status, direct.body.len()), (500, 0))
                }
                other => panic!("{other:?}"),
            }
            assert_eq!(notes(&yaml, NoteKind::Suspicious).len(), 1);
        }
    }

    #[test]
    fn a_backend_elsewhere_wants_a_grant() {
        let yaml = http_route("  - backendRefs: [{name: b, namespace: other, port: 80}]");
        assert_eq!(
            destinations(&route(&yaml)),
            ["b.other.svc.cluster.local:80=1"]
        );
        assert_eq!(notes(&yaml, NoteKind::Suspicious).len(), 1);
        let grant = |name: &str| {
            format!(
                "{yaml}---\napiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\nmetadata: {{name: g, namespace: other}}\nspec:\n  from: [{{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default}}]\n  to: [{{group: '', kind: Service{name}}}]\n"
            )
        };
        assert!(notes(&grant(""), NoteKind::Suspicious).is_empty());
        assert!(notes(&grant(", name: b"), NoteKind::Suspicious).is_empty());
        assert_eq!(notes(&grant(", name: c"), NoteKind::Suspicious).len(), 1);
    }

    #[test]
    fn wrong_backends_are_refused() {
        let message = |backend: &str| {
            refused(&http_route(&format!("  - backendRefs: [{{{backend}}}]"))).join("|")
        };
        assert_eq!(
            message("name: b"),
            "8:19 this backend has no `port`, which a Service needs"
        );
        assert_eq!(message("port: 80"), "8:19 this backend has no `name`");
        assert_eq!(
            message("name: b.c, port: 80"),
            "8:26 `b.c` is not the name of a Service: give the name, not the host"
        );
        assert_eq!(
            message("name: b, port: 80, weight: -1"),
            "8:47 `-1` is negative"
        );
    }
}
