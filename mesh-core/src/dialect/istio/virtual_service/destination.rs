//! Destinations and their weights.

use super::delegate::Rule;
use super::route::Work;
use super::spec::{self, RouteDestination};
use crate::dialect::findings::{Field, Findings};
use crate::dialect::review::SubsetUse;
use crate::dialect::{host, quantity};
use crate::document::Spanned;
use crate::policy::{Destination, HeaderMutations, NoteKind, WeightedDestination};

/// Compiles an item of `route`; an only one gets everything.
pub(super) fn weighted(
    written: &Spanned<RouteDestination>,
    single: bool,
    field: &Field,
    work: &mut Work<'_, '_, '_>,
) -> Option<WeightedDestination> {
    let Some(target) = &written.value.destination else {
        work.findings
            .error(&written.at, "this route has no `destination`");
        return None;
    };
    let destination = destination(target, &field.child("destination"), work)?;
    let weight = match &written.value.weight {
        Some(weight) => quantity::count(weight, work.findings)?,
        None if single => 100,
        None => 0,
    };
    Some(WeightedDestination {
        destination,
        // pilot writes no weights for an only destination: it gets everything.
        weight: if single && weight == 0 { 100 } else { weight },
        request_headers: HeaderMutations::default(),
        response_headers: HeaderMutations::default(),
        origin: written.origin(),
    })
}

/// Compiles a destination and remembers the subset it names.
pub(super) fn destination(
    written: &Spanned<spec::Destination>,
    field: &Field,
    work: &mut Work<'_, '_, '_>,
) -> Option<Destination> {
    let Some(name) = &written.value.host else {
        work.findings
            .error(&written.at, "this destination has no `host`");
        return None;
    };
    let namespaces = work.scene.namespaces;
    namespaces.note_half_name(name, &field.child("host"), work.findings);
    let host = host::exact(name, work.findings)?;
    let number = written
        .value
        .port
        .as_ref()
        .and_then(|port| port.number.as_ref());
    let port = match number {
        Some(number) => Some(quantity::port(number, work.findings)?),
        None => None,
    };
    let subset = written
        .value
        .subset
        .as_ref()
        .filter(|name| !name.value.is_empty());
    let destination = Destination {
        host,
        subset: subset.map(|name| name.value.clone()),
        port,
    };
    if let Some(subset) = subset {
        work.uses.push(SubsetUse {
            destination: destination.clone(),
            at: subset.at.clone(),
            field: field.child("subset"),
        });
    }
    Some(destination)
}

/// Notes that no destination gets a request.
pub(super) fn note_no_weight(
    destinations: &[WeightedDestination],
    rule: &Rule,
    findings: &mut Findings<'_>,
) {
    if destinations
        .iter()
        .any(|destination| destination.weight > 0)
    {
        return;
    }
    let missing = rule
        .spec
        .route
        .iter()
        .any(|route| route.value.weight.is_none());
    let why = if missing {
        "without `weight` a destination among several has weight 0"
    } else {
        "all weights are 0"
    };
    let message = format!("{why}, so no destination gets a request; Istio refuses such a rule");
    let at = rule.spec.route.first().map_or(&rule.at, |route| &route.at);
    findings.note(
        NoteKind::Suspicious,
        &rule.field.child("route"),
        at,
        message,
    );
}

#[cfg(test)]
mod tests {
    use crate::dialect::testing::{destinations, http, notes, refused, route};
    use crate::policy::NoteKind;

    #[test]
    fn an_only_destination_gets_everything() {
        let only = |fields: &str| {
            destinations(&route(&http(&format!(
                "  - route: [{{destination: {{host: v}}{fields}}}]"
            ))))
        };
        assert_eq!(only(""), ["v.default.svc.cluster.local=100"]);
        assert_eq!(only(", weight: 0"), ["v.default.svc.cluster.local=100"]);
        assert_eq!(only(", weight: 7"), ["v.default.svc.cluster.local=7"]);
    }

    #[test]
    fn weights_are_shares_of_their_sum() {
        let yaml = http(
            "  - route:\n    - destination: {host: V, subset: v1, port: {number: 9080}}\n      weight: 3\n    - destination: {host: w.prod.svc.cluster.local}\n      weight: 1\n    - destination: {host: x}",
        );
        assert_eq!(
            destinations(&route(&yaml)),
            [
                "v.default.svc.cluster.local/v1:9080=3",
                "w.prod.svc.cluster.local=1",
                "x.default.svc.cluster.local=0"
            ]
        );
    }

    #[test]
    fn no_weight_at_all_is_suspicious() {
        let two = |weight: &str| {
            http(&format!(
                "  - route: [{{destination: {{host: v}}{weight}}}, {{destination: {{host: w}}{weight}}}]"
            ))
        };
        let notes = |weight| notes(&two(weight), NoteKind::Suspicious);
        assert!(notes(", weight: 0")[0].starts_with("8:13 spec.http[0].route: all weights are 0"));
        assert!(notes("")[0].contains("without `weight` a destination among several has weight 0"));
        assert!(notes(", weight: 50").is_empty());
    }

    #[test]
    fn wrong_weights_are_refused_where_they_stand() {
        let weight = |weight: &str| {
            refused(&http(&format!(
                "  - route:\n    - destination: {{host: v}}\n      weight: {weight}"
            )))
        };
        assert_eq!(weight("a"), ["10:15 expected a whole number, found `a`"]);
        assert_eq!(
            weight("'80'"),
            ["10:15 expected a whole number, found `80`"]
        );
        assert_eq!(weight("-1"), ["10:15 `-1` is negative"]);
    }
}
