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
mod path;
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
use crate::policy::{HostPattern, NoteKind, Position, Profile, RouteRule, ScopedRoute};
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

/// Compiles all HTTPRoutes that are attached to Services.
pub(super) fn compile(
    routes: &[Object<'_>],
    grants: &[Object<'_>],
    profile: &Profile,
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
