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
mod destination;
mod fault;
mod headers;
mod matching;
mod mirror;
mod overlap;
mod redirect;
mod retry;
mod rewrite;
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
    for name in spec.hosts.iter_mut() {
        complete(&mut name.value);
    }
    for rule in spec.http.iter_mut() {
        let rule = &mut rule.value;
        let routes = rule.route.iter_mut();
        let mirrors = rule.mirrors.iter_mut();
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
    for name in &spec.hosts {
        scene
            .namespaces
            .note_half_name(name, &field.child("hosts"), findings);
    }
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
            kind: object.kind.to_string(),
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

#[cfg(test)]
mod tests {
    use crate::dialect::testing::{notes, policy, refused};
    use crate::policy::{HostPattern, NoteKind};

    fn service(name: &str, fields: &str) -> String {
        format!(
            "---\napiVersion: networking.istio.io/v1beta1\nkind: VirtualService\nmetadata: {name}\nspec: {{{fields}, http: [{{route: [{{destination: {{host: v}}}}]}}]}}\n"
        )
    }

    #[test]
    fn hosts_are_completed_in_the_namespace_of_the_rule() {
        let policy = policy(&service(
            "{name: v, namespace: shop}",
            "hosts: [Reviews, '*.example.com', '*', ratings.prod.svc.cluster.local]",
        ));
        assert_eq!(policy.routes[0].name, "shop/v");
        assert_eq!(
            policy.routes[0].hosts,
            [
                HostPattern::Exact("reviews.shop.svc.cluster.local".into()),
                HostPattern::Suffix(".example.com".into()),
                HostPattern::Any,
                HostPattern::Exact("ratings.prod.svc.cluster.local".into()),
            ]
        );
        assert_eq!(
            refused(&service("{name: v}", "hosts: ['v:80', 'a.*']")),
            [
                "5:16 `v:80` is not a host: a host has no scheme, port or path",
                "5:24 `a.*` is not a host: `*` may only stand at its beginning"
            ]
        );
    }

    #[test]
    fn a_name_with_its_namespace_alone_is_suspicious() {
        let yaml = service(
            "{name: v, namespace: shop}",
            "hosts: [reviews.shop, example.com]",
        )
        .replace("host: v", "host: ratings.default");
        assert_eq!(
            notes(&yaml, NoteKind::Suspicious),
            [
                "5:16 spec.hosts: `reviews.shop` is taken as a full name, because it has a dot; the Service is called `reviews.shop.svc.cluster.local`",
                "5:81 spec.http[0].route[0].destination.host: `ratings.default` is taken as a full name, because it has a dot; the Service is called `ratings.default.svc.cluster.local`",
            ]
        );
    }

    #[test]
    fn rules_for_gateways_alone_are_noted() {
        let yaml = service("{name: v}", "hosts: [v], gateways: [front]");
        assert!(policy(&yaml).routes.is_empty());
        assert_eq!(
            notes(&yaml, NoteKind::NotHonoured),
            [
                "5:31 spec.gateways: these rules are for gateways, not for sidecars: the list lacks `mesh`"
            ]
        );
        let both = service("{name: v}", "hosts: [v], gateways: [front, mesh]");
        assert_eq!(policy(&both).routes.len(), 1);
    }

    #[test]
    fn export_to_says_who_sees_a_rule() {
        let visible = |export: &str| {
            let fields = format!("hosts: [v], exportTo: {export}");
            let mut policy = policy(&service("{name: v, namespace: shop}", &fields));
            policy.routes.pop().map(|rule| rule.visible_to)
        };
        assert_eq!(visible("[]"), Some(vec![]));
        assert_eq!(visible("['*']"), Some(vec![]));
        assert_eq!(
            visible("['.', web]"),
            Some(vec!["shop".to_owned(), "web".to_owned()])
        );
        assert_eq!(visible("['~']"), None);
    }

    #[test]
    fn for_one_host_the_older_rule_wins() {
        let yaml = service("{name: b}", "hosts: [v]")
            + &service("{name: a}", "hosts: [v, w]")
            + &service(
                "{name: old, creationTimestamp: '2024-05-01T00:00:00Z'}",
                "hosts: [v]",
            )
            + &service("{name: own}", "hosts: [v], exportTo: ['.']");
        let names: Vec<String> = policy(&yaml)
            .routes
            .into_iter()
            .map(|rule| rule.name)
            .collect();
        // What only this namespace sees comes first; then by age, files in the order read.
        assert_eq!(
            names,
            ["default/own", "default/old", "default/b", "default/a"]
        );
        assert_eq!(
            notes(&yaml, NoteKind::NoEffect),
            [
                "5:16 spec.hosts: VirtualService default/old at mesh.yaml:12:1 already has rules for this host; sidecars take the first and ignore this one",
                "10:16 spec.hosts: VirtualService default/old at mesh.yaml:12:1 already has rules for this host; sidecars take the first and ignore this one",
            ]
        );
    }

    #[test]
    fn routes_below_http_are_noted_and_leave_the_host_alone() {
        let yaml = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: v}\nspec:\n  hosts: [v]\n  tcp: [{route: [{destination: {host: v}}]}]\n  tls: []\n";
        assert!(policy(yaml).routes.is_empty());
        assert_eq!(
            notes(yaml, NoteKind::NotHonoured),
            [
                "6:3 spec.tcp: routes below HTTP are not simulated",
                "7:3 spec.tls: routes by TLS server name are not simulated"
            ]
        );
    }

    #[test]
    fn a_subset_nobody_defines_is_suspicious() {
        let yaml = "apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: v}
spec:
  hosts: [v]
  http:
  - route: [{destination: {host: v, subset: v1}}]
    mirror: {host: v, subset: v2}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: d}
spec: {host: v, subsets: [{name: v1, labels: {version: v1}}]}
";
        assert_eq!(
            notes(yaml, NoteKind::Suspicious),
            [
                "8:31 spec.http[0].mirror.subset: DestinationRule default/d at mesh.yaml:10:1 defines no subset `v2` of `v.default.svc.cluster.local`: requests sent here get 503"
            ]
        );
        let alone = yaml.split("---").next().unwrap();
        let notes = notes(alone, NoteKind::Suspicious);
        assert_eq!(notes.len(), 2);
        assert!(
            notes[0].starts_with(
                "7:45 spec.http[0].route[0].destination.subset: no DestinationRule for"
            )
        );
    }
}
