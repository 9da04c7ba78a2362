//! Routes of hosts that are not there.
//!
//! A mesh takes them without a word: whoever mistypes a host finds out when requests are routed past the rule, or
//! into nothing. Hosts are known to the topology, not to a dialect, so they are looked up here.

use mesh_core::policy::{
    Destination, DestinationRule, HostPattern, Note, NoteKind, Origin, Route, RouteAction,
    RouteRule,
};

use super::directory::Directory;
use crate::plan::PodPlan;

/// Notes on rules that govern no host, and on routes to hosts that nobody declares.
pub(super) fn notes(rules: &[RouteRule], directory: &Directory<'_>) -> Vec<Note> {
    let of_rule = |rule| {
        let mut notes = Vec::from_iter(idle(rule, directory));
        for scoped in &rule.routes {
            notes.extend(lost(rule, &scoped.route, directory));
        }
        notes
    };
    rules.iter().flat_map(of_rule).collect()
}

/// A rule all of whose hosts are unknown.
fn idle(rule: &RouteRule, directory: &Directory<'_>) -> Option<Note> {
    let unknown = |pattern: &HostPattern| match pattern {
        HostPattern::Exact(host) if !directory.declares(host) => Some(format!("`{host}`")),
        HostPattern::Exact(_) | HostPattern::Suffix(_) | HostPattern::Any => None,
    };
    let hosts: Vec<String> = rule.hosts.iter().map(unknown).collect::<Option<_>>()?;
    let message = format!(
        "there is no service {}: its routes take no requests",
        hosts.join(" or ")
    );
    note(rule, &rule.origin, NoteKind::NoEffect, message)
}

/// The unknown hosts that `route` leads to.
fn lost(rule: &RouteRule, route: &Route, directory: &Directory<'_>) -> Vec<Note> {
    let RouteAction::Forward(forward) = &route.action else {
        return Vec::new();
    };
    let weighted = forward.destinations.iter().filter(|place| place.weight > 0);
    let missing = weighted.filter_map(|place| missing(&place.destination, rule, directory));
    let told = |what| {
        let message = format!("{what}: requests routed there are answered 503");
        note(rule, &route.origin, NoteKind::Suspicious, message)
    };
    missing.filter_map(told).collect()
}

/// What of a destination is not there.
fn missing(to: &Destination, rule: &RouteRule, directory: &Directory<'_>) -> Option<String> {
    let host = &to.host;
    if !directory.declares(host) {
        return Some(format!("there is no service `{host}`"));
    }
    let service = directory.service(directory.find(host, &rule.namespace)?);
    let wanted = to.port?;
    if service.ports.iter().any(|port| port.port == wanted) {
        return None;
    }
    let ports: Vec<String> = service.ports.iter().map(|p| p.port.to_string()).collect();
    Some(format!(
        "`{host}` has no port {wanted}, only {}",
        ports.join(", ")
    ))
}

/// Notes on traffic policies of hosts that nobody declares, and on subsets without a pod.
pub(super) fn clusters(
    rules: &[DestinationRule],
    directory: &Directory<'_>,
    pods: &[PodPlan],
) -> Vec<Note> {
    let mut notes = Vec::new();
    for rule in rules {
        let HostPattern::Exact(host) = &rule.host else {
            continue;
        };
        let object = format!("DestinationRule {}", rule.name);
        if !directory.declares(host) {
            let message = format!("there is no service `{host}`: this policy governs nothing");
            notes.extend(written(&object, &rule.origin, NoteKind::NoEffect, message));
            continue;
        }
        let Some(service) = directory.find(host, &rule.namespace) else {
            continue;
        };
        let selector = &directory.service(service).selector;
        for subset in &rule.subsets {
            let empty = !selector.is_empty()
                && !pods.iter().any(|pod| {
                    let labels = &pod.workload.labels;
                    let mut wanted = selector.iter().chain(&subset.labels);
                    wanted.all(|(key, value)| labels.get(key) == Some(value))
                });
            if empty {
                let labels: Vec<String> = subset
                    .labels
                    .iter()
                    .map(|(key, value)| format!("{key}: {value}"))
                    .collect();
                let message = format!(
                    "no pod of `{host}` has the labels of subset `{}` ({}): requests sent there are answered 503",
                    subset.name,
                    labels.join(", "),
                );
                notes.extend(written(
                    &object,
                    &subset.origin,
                    NoteKind::Suspicious,
                    message,
                ));
            }
        }
    }
    notes
}

fn note(rule: &RouteRule, origin: &Origin, kind: NoteKind, message: String) -> Option<Note> {
    written(
        &format!("{} {}", rule.kind, rule.name),
        origin,
        kind,
        message,
    )
}

/// Nobody is told of what nobody wrote.
fn written(object: &str, origin: &Origin, kind: NoteKind, message: String) -> Option<Note> {
    let at = origin.at()?;
    Some(Note {
        at: at.clone(),
        kind,
        object: object.to_owned(),
        field: String::new(),
        message,
    })
}
