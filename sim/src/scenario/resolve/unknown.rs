//! Routes of hosts that are not there.
//!
//! A mesh takes them without a word: whoever mistypes a host finds out when requests are routed past the rule, or
//! into nothing. Hosts are known to the topology, not to a dialect, so they are looked up here.

use mesh_core::control::Service;
use mesh_core::policy::{
    HostPattern, MeshPolicy, Note, NoteKind, Origin, Position, RouteAction, RouteRule,
};

/// Notes on rules that govern no host, and on routes to hosts that nobody declares.
pub(super) fn notes(mesh: &MeshPolicy, services: &[Service]) -> Vec<Note> {
    let hosts = Hosts { mesh, services };
    mesh.routes
        .iter()
        .flat_map(|rule| {
            let idle = (!hosts.governed(rule)).then(|| idle(rule)).flatten();
            idle.into_iter().chain(lost(rule, &hosts))
        })
        .collect()
}

/// What the mesh knows.
struct Hosts<'a> {
    mesh: &'a MeshPolicy,
    services: &'a [Service],
}

impl Hosts<'_> {
    fn governed(&self, rule: &RouteRule) -> bool {
        rule.hosts.iter().any(|pattern| match pattern {
            HostPattern::Exact(host) => self.known(host),
            HostPattern::Suffix(_) | HostPattern::Any => true,
        })
    }

    fn known(&self, host: &str) -> bool {
        let external = self.mesh.external.iter().flat_map(|service| &service.hosts);
        self.services.iter().any(|service| *service.host == *host)
            || external.into_iter().any(|name| covers(name, host))
    }
}

/// Whether a declared name, perhaps a wildcard, is that of `host`.
fn covers(name: &str, host: &str) -> bool {
    match name.strip_prefix('*') {
        Some(suffix) => host.ends_with(suffix),
        None => name == host,
    }
}

/// A rule all of whose hosts are unknown.
fn idle(rule: &RouteRule) -> Option<Note> {
    let hosts = rule.hosts.iter().filter_map(|pattern| match pattern {
        HostPattern::Exact(host) => Some(format!("`{host}`")),
        HostPattern::Suffix(_) | HostPattern::Any => None,
    });
    let hosts: Vec<String> = hosts.collect();
    let message = format!(
        "there is no service {}: its routes take no requests",
        hosts.join(" or ")
    );
    note(rule, &rule.origin, NoteKind::NoEffect, message)
}

/// The routes of `rule` that lead to unknown hosts.
fn lost<'a>(rule: &'a RouteRule, hosts: &'a Hosts<'_>) -> impl Iterator<Item = Note> + 'a {
    let routes = rule.routes.iter().map(|scoped| &scoped.route);
    routes.flat_map(move |route| {
        let destinations = match &route.action {
            RouteAction::Forward(forward) => forward.destinations.as_slice(),
            RouteAction::Redirect(_) | RouteAction::Direct(_) | RouteAction::Delegate(_) => &[],
        };
        let unknown = destinations
            .iter()
            .filter(|weighted| weighted.weight > 0 && !hosts.known(&weighted.destination.host));
        unknown.filter_map(|weighted| {
            let host = &weighted.destination.host;
            let message =
                format!("there is no service `{host}`: requests routed there are answered 503");
            note(rule, &route.origin, NoteKind::Suspicious, message)
        })
    })
}

fn note(rule: &RouteRule, origin: &Origin, kind: NoteKind, message: String) -> Option<Note> {
    let at: Position = match (origin, &rule.origin) {
        (Origin::Written(at), _) | (Origin::Default(_), Origin::Written(at)) => at.clone(),
        (Origin::Default(_), Origin::Default(_)) => return None,
    };
    Some(Note {
        at,
        kind,
        object: format!("{} {}", rule.kind, rule.name),
        field: String::new(),
        message,
    })
}
