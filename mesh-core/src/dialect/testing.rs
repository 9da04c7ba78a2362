//! Compiling small configurations in tests.

use crate::document::{Document, Source, parse};
use crate::policy::{Forward, MeshPolicy, NoteKind, Profile, Route, RouteAction};

/// The documents of a text.
pub(super) fn documents(yaml: &str) -> Vec<Document> {
    parse(&Source::new("mesh.yaml", yaml)).unwrap()
}

/// The policy of a valid configuration.
pub(super) fn policy(yaml: &str) -> MeshPolicy {
    match super::istio::compile(&documents(yaml), &Profile::istio()) {
        Ok(policy) => policy,
        Err(errors) => {
            let errors: Vec<_> = errors.iter().map(|error| error.render(false)).collect();
            panic!("{}", errors.join("\n"))
        }
    }
}

/// What is wrong with a configuration: `line:column message`.
pub(super) fn refused(yaml: &str) -> Vec<String> {
    match super::istio::compile(&documents(yaml), &Profile::istio()) {
        Ok(_) => Vec::new(),
        Err(errors) => errors
            .iter()
            .map(|error| {
                let at = error.position().expect("a place");
                format!("{}:{} {}", at.line, at.column, error.message())
            })
            .collect(),
    }
}

/// The notes of a kind: `line:column field: message`.
pub(super) fn notes(yaml: &str, kind: NoteKind) -> Vec<String> {
    policy(yaml)
        .notes
        .iter()
        .filter(|note| note.kind == kind)
        .map(|note| {
            format!(
                "{}:{} {}: {}",
                note.at.line, note.at.column, note.field, note.message
            )
        })
        .collect()
}

/// A VirtualService `default/v` for the host `v` with these HTTP rules, which begin in line 8.
pub(super) fn http(rules: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: v\nspec:\n  hosts: [v]\n  http:\n{rules}\n"
    )
}

/// A rule that sends everything to `v`, with more fields, in flow style.
pub(super) fn with(fields: &str) -> String {
    http(&format!(
        "  - {{route: [{{destination: {{host: v}}}}], {fields}}}"
    ))
}

/// A DestinationRule `default/d` for the host `v`; `fields` of `spec` begin in line 7.
pub(super) fn destination_rule(fields: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata:\n  name: d\nspec:\n  host: v\n{fields}\n"
    )
}

/// An HTTPRoute `default/r` of the Service `v`; `rules` begin in line 8.
pub(super) fn http_route(rules: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: r}}\nspec:\n  parentRefs:\n  - {{group: '', kind: Service, name: v}}\n  rules:\n{rules}\n"
    )
}

/// The routes of the only rule.
pub(super) fn routes(yaml: &str) -> Vec<Route> {
    let mut policy = policy(yaml);
    assert_eq!(policy.routes.len(), 1, "one rule");
    let rule = policy.routes.remove(0);
    rule.routes.into_iter().map(|scoped| scoped.route).collect()
}

/// The only route of the only rule.
pub(super) fn route(yaml: &str) -> Route {
    let mut routes = routes(yaml);
    assert_eq!(routes.len(), 1, "one route");
    routes.remove(0)
}

/// `host/subset:port=weight` of each destination of a route.
pub(super) fn destinations(route: &Route) -> Vec<String> {
    let RouteAction::Forward(forward) = &route.action else {
        panic!("not forwarded: {:?}", route.action);
    };
    forward
        .destinations
        .iter()
        .map(|one| {
            let destination = &one.destination;
            let subset = destination.subset.as_ref().map(|name| format!("/{name}"));
            let port = destination.port.map(|port| format!(":{port}"));
            format!(
                "{}{}{}={}",
                destination.host,
                subset.unwrap_or_default(),
                port.unwrap_or_default(),
                one.weight
            )
        })
        .collect()
}

/// What a route forwards to.
pub(crate) fn forward(route: &Route) -> &Forward {
    match &route.action {
        RouteAction::Forward(forward) => forward,
        other => panic!("{other:?}"),
    }
}
