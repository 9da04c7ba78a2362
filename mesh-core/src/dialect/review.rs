//! What a careful reviewer would say of rules that are valid and perhaps not meant.

use super::findings::{Field, Findings};
use super::object::Age;
use crate::policy::{
    Destination, DestinationRule, NoteKind, PathMatch, Position, RequestMatch, RouteRule,
    ScopedRoute,
};

/// A compiled rule, and what is needed to speak about it.
pub(super) struct Draft {
    /// The rule.
    pub(super) rule: RouteRule,
    /// Its place among the rules for one host.
    pub(super) precedence: Precedence,
    /// The object's `spec`.
    pub(super) spec: Field,
    /// Where each of the rule's hosts is written.
    pub(super) hosts: Vec<Position>,
    /// The field each of the rule's routes comes from.
    pub(super) fields: Vec<Field>,
}

/// Order among rules for one host, as Istio gathers them for a sidecar:
/// those only its own namespace sees, those exported to it by name, then
/// Gateway API routes of its own namespace, then the public ones; the older
/// first within each (pilot/pkg/model/virtualservice.go, `SelectVirtualServices`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Precedence {
    class: u8,
    age: Age,
}

impl Precedence {
    /// Of a VirtualService in `namespace`, seen by these namespaces (none given: by all).
    pub(super) fn of_virtual_service(namespace: &str, visible_to: &[String], age: Age) -> Self {
        let class = match visible_to {
            [] => 3,
            [only] if only == namespace => 0,
            _ => 1,
        };
        Self { class, age }
    }

    /// Of an HTTPRoute; a consumer route governs callers of its own namespace only.
    pub(super) fn of_http_route(consumer: bool, age: Age) -> Self {
        Self {
            class: if consumer { 2 } else { 3 },
            age,
        }
    }
}

/// A destination that names a subset.
pub(super) struct SubsetUse {
    /// The destination.
    pub(super) destination: Destination,
    /// Where the subset is named.
    pub(super) at: Position,
    /// The field that names it.
    pub(super) field: Field,
}

/// Notes routes that an earlier route of the same rule leaves no request for.
pub(super) fn unreachable(draft: &Draft, findings: &mut Findings<'_>) {
    let routes = &draft.rule.routes;
    for (index, route) in routes.iter().enumerate() {
        let Some(earlier) = routes[..index]
            .iter()
            .find(|earlier| covers(earlier, route))
        else {
            continue;
        };
        let (Some(field), Some(at)) = (draft.fields.get(index), route.route.origin.at()) else {
            continue;
        };
        findings.note(
            NoteKind::NoEffect,
            field,
            at,
            format!(
                "never reached: `{}` above takes every request this matches",
                earlier.route.name
            ),
        );
    }
}

fn covers(earlier: &ScopedRoute, later: &ScopedRoute) -> bool {
    let (a, b) = (&earlier.route.matcher, &later.route.matcher);
    fn unless<T: PartialEq>(a: &Option<T>, b: &Option<T>) -> bool {
        a.is_none() || a == b
    }
    unless(&earlier.source, &later.source)
        && unless(&earlier.port, &later.port)
        && unless(&a.scheme, &b.scheme)
        && unless(&a.method, &b.method)
        && unless(&a.authority, &b.authority)
        && a.headers.iter().all(|header| b.headers.contains(header))
        && a.query.iter().all(|parameter| b.query.contains(parameter))
        && path_covers(a, b)
}

fn path_covers(a: &RequestMatch, b: &RequestMatch) -> bool {
    if takes_every_path(&a.path) {
        return true;
    }
    if a.ignore_path_case != b.ignore_path_case {
        return false;
    }
    match (&a.path, &b.path) {
        (PathMatch::Prefix(p), PathMatch::Prefix(q) | PathMatch::Exact(q)) => {
            q.starts_with(p.as_str())
        }
        (PathMatch::PathPrefix(p), PathMatch::PathPrefix(q) | PathMatch::Exact(q)) => q
            .strip_prefix(p.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        (a, b) => a == b,
    }
}

/// Whether a path matcher takes every path (every path begins with `/`).
pub(super) fn takes_every_path(path: &PathMatch) -> bool {
    match path {
        PathMatch::Any => true,
        PathMatch::Prefix(prefix) | PathMatch::PathPrefix(prefix) => {
            prefix.is_empty() || prefix == "/"
        }
        PathMatch::Regex(pattern) => pattern.as_str() == ".*",
        PathMatch::Exact(_) => false,
    }
}

/// Notes hosts for which an older rule already speaks. `drafts` are in order of precedence.
pub(super) fn shadowed(drafts: &[Draft], findings: &mut Findings<'_>) {
    for (index, draft) in drafts.iter().enumerate() {
        for (host, at) in draft.rule.hosts.iter().zip(&draft.hosts) {
            let first = drafts[..index].iter().find(|earlier| {
                earlier.rule.hosts.contains(host)
                    && sees_all(&earlier.rule.visible_to, &draft.rule.visible_to)
            });
            let Some(first) = first else { continue };
            findings.note(
                NoteKind::NoEffect,
                &draft.spec.child("hosts"),
                at,
                format!(
                    "{} at {} already has rules for this host; sidecars take the first and ignore this one",
                    first.spec.object(),
                    first.rule.origin
                ),
            );
        }
    }
}

fn sees_all(wide: &[String], narrow: &[String]) -> bool {
    wide.is_empty() || !narrow.is_empty() && narrow.iter().all(|name| wide.contains(name))
}

/// Notes destinations whose subset no DestinationRule defines: Envoy has no such cluster and answers 503.
pub(super) fn undefined_subsets(
    uses: &[SubsetUse],
    rules: &[DestinationRule],
    findings: &mut Findings<'_>,
) {
    for used in uses {
        let host = &used.destination.host;
        let Some(subset) = &used.destination.subset else {
            continue;
        };
        let mut of_host = rules
            .iter()
            .filter(|rule| rule.host.matches(host))
            .peekable();
        let message = match of_host.peek() {
            None => format!(
                "no DestinationRule for `{host}` exists, so subset `{subset}` is undefined: requests sent here get 503"
            ),
            Some(first) => {
                let place = format!("{} at {}", first.name, first.origin);
                if of_host.any(|rule| rule.subsets.iter().any(|known| known.name == *subset)) {
                    continue;
                }
                format!(
                    "DestinationRule {place} defines no subset `{subset}` of `{host}`: requests sent here get 503"
                )
            }
        };
        findings.note(NoteKind::Suspicious, &used.field, &used.at, message);
    }
}
