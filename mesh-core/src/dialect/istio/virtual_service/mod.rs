//! VirtualService → routes.
//!
//! # Theory
//!
//! A VirtualService is an ordered list of HTTP rules; each rule has match
//! blocks (any of them, each a conjunction) and one action. Envoy knows only
//! conjunctions, so pilot writes one route per block, all with the same action
//! (pilot/pkg/networking/core/route/route.go); so do we, and the first route
//! that matches wins. Short host names belong to the object's namespace.
//! A *root* hands some of its paths to *delegates*, VirtualServices without
//! hosts, whose rules are merged under the root's matches.

mod action;
mod body;
mod delegate;
mod fault;
mod headers;
mod matching;
mod mirror;
mod redirect;
mod retry;
mod route;
mod spec;

use std::collections::BTreeMap;

use super::Scene;
use crate::dialect::findings::Findings;
use crate::dialect::host;
use crate::dialect::object::Object;
use crate::dialect::review::{Draft, Precedence, SubsetUse};
use crate::policy::{HostPattern, NoteKind, Position, RouteRule};
use delegate::Service;
use spec::{SCHEMA, VirtualService};

/// The gateway name that stands for all sidecars.
const MESH: &str = "mesh";

/// Compiles all VirtualServices. Destinations that name a subset are added to `uses`.
pub(super) fn compile(
    objects: &[Object<'_>],
    scene: &Scene<'_>,
    uses: &mut Vec<SubsetUse>,
    findings: &mut Findings<'_>,
) -> Vec<Draft> {
    let mut services = Vec::new();
    for object in objects {
        if let Some(mut spec) = object.read::<VirtualService>(&SCHEMA, findings) {
            resolve_hosts(&mut spec, object, scene);
            services.push(Service { object, spec });
        }
    }
    let delegates: BTreeMap<String, &Service<'_, '_>> = services
        .iter()
        .filter(|service| service.spec.hosts.is_empty())
        .map(|service| (service.object.reference(), service))
        .collect();
    delegate::note_orphans(&services, &delegates, findings);
    services
        .iter()
        .filter(|service| !service.spec.hosts.is_empty())
        .filter_map(|service| draft(service, &delegates, scene, uses, findings))
        .collect()
}

/// Completes short names in place, so that a rule may move to another object and keep their meaning.
fn resolve_hosts(spec: &mut VirtualService, object: &Object<'_>, scene: &Scene<'_>) {
    let complete = |name: &mut String| {
        *name = host::resolve(name, &object.namespace, &scene.profile.cluster_domain);
    };
    for name in spec.hosts.items_mut() {
        complete(&mut name.value);
    }
    for rule in spec.http.items_mut() {
        let rule = &mut rule.value;
        let routes = rule.route.items_mut().iter_mut();
        let mirrors = rule.mirrors.items_mut().iter_mut();
        routes
            .filter_map(|route| route.value.destination.as_mut())
            .chain(mirrors.filter_map(|mirror| mirror.value.destination.as_mut()))
            .chain(rule.mirror.as_mut())
            .filter_map(|destination| destination.value.host.as_mut())
            .for_each(|name| complete(&mut name.value));
    }
}

fn draft(
    service: &Service<'_, '_>,
    delegates: &BTreeMap<String, &Service<'_, '_>>,
    scene: &Scene<'_>,
    uses: &mut Vec<SubsetUse>,
    findings: &mut Findings<'_>,
) -> Option<Draft> {
    let (object, spec) = (service.object, &service.spec);
    let field = object.spec();
    if !for_sidecars(service, findings) {
        return None;
    }
    let visible_to = match host::export_to(&spec.export_to, &object.namespace).namespaces() {
        Some(names) => names,
        None => {
            host::note_unexported(&field, &object.at, findings);
            return None;
        }
    };
    let (hosts, places): (Vec<HostPattern>, Vec<Position>) = spec
        .hosts
        .iter()
        .filter_map(|name| Some((host::pattern(name, findings)?, name.at.clone())))
        .unzip();
    let mut routes = Vec::new();
    let mut fields = Vec::new();
    for rule in delegate::expand(service, delegates, findings) {
        let mut work = route::Work {
            scene,
            uses,
            findings,
        };
        for (route, field) in route::compile(&rule, &mut work) {
            routes.push(route);
            fields.push(field);
        }
    }
    // Without HTTP routes for sidecars Istio leaves the host to its default route.
    if routes.is_empty() || hosts.is_empty() {
        return None;
    }
    let precedence =
        Precedence::of_virtual_service(&object.namespace, &visible_to, object.age.clone());
    Some(Draft {
        rule: RouteRule {
            name: object.reference(),
            namespace: object.namespace.clone(),
            hosts,
            visible_to,
            routes,
            origin: object.origin(),
        },
        precedence,
        spec: field,
        hosts: places,
        fields,
    })
}

fn for_sidecars(service: &Service<'_, '_>, findings: &mut Findings<'_>) -> bool {
    let gateways = &service.spec.gateways;
    let Some(first) = gateways.first() else {
        return true;
    };
    if gateways.iter().any(|gateway| gateway.value == MESH) {
        return true;
    }
    findings.note(
        NoteKind::NotHonoured,
        &service.object.spec().child("gateways"),
        &first.at,
        "these rules are for gateways, not for sidecars: the list lacks `mesh`",
    );
    false
}
