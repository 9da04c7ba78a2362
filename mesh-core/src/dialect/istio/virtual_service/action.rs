//! What a rule does with a request.

use super::delegate::Rule;
use super::headers::Changes;
use super::route::Work;
use super::spec::RouteDestination;
use super::{body, destination, redirect, rewrite};
use crate::dialect::findings::{Field, Findings};
use crate::document::Spanned;
use crate::policy::{Forward, NoteKind, Position, RouteAction};

/// A compiled action, the header changes of its route, and whether its
/// only destination balances by consistent hashing.
pub(super) struct Action {
    pub(super) action: RouteAction,
    pub(super) headers: Changes,
    pub(super) hashed: bool,
}

/// Compiles the action; `None` when it is wrong.
pub(super) fn compile(rule: &Rule, work: &mut Work<'_, '_, '_>) -> Option<Action> {
    let spec = &rule.spec;
    only_one(rule, work.findings)?;
    let headers = Changes::read(spec.headers.as_ref());
    if let Some(written) = &spec.redirect {
        let action = RouteAction::Redirect(redirect::compile(written, work.findings)?);
        return Some(answer(action, headers));
    }
    if let Some(written) = &spec.direct_response {
        let action = RouteAction::Direct(body::compile(written, work.findings)?);
        return Some(answer(action, headers));
    }
    forward(rule, headers, work)
}

fn answer(action: RouteAction, headers: Changes) -> Action {
    Action {
        action,
        headers,
        hashed: false,
    }
}

fn only_one(rule: &Rule, findings: &mut Findings<'_>) -> Option<()> {
    let spec = &rule.spec;
    let actions: Vec<(&str, &Position)> = [
        spec.route.first().map(|route| ("route", &route.at)),
        spec.redirect
            .as_ref()
            .map(|redirect| ("redirect", &redirect.at)),
        spec.direct_response
            .as_ref()
            .map(|direct| ("directResponse", &direct.at)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let (first, at) = match actions.as_slice() {
        [] => {
            let message =
                "this rule does nothing: it needs `route`, `redirect` or `directResponse`";
            findings.error(&rule.at, message);
            return None;
        }
        [only] => *only,
        [(first, _), (second, at), ..] => {
            findings.error(
                at,
                format!("a rule cannot have both `{first}` and `{second}`"),
            );
            return None;
        }
    };
    if first == "route" {
        return Some(());
    }
    let barred = if spec.fault.is_some() {
        "fault"
    } else if spec.rewrite.is_some() {
        "rewrite"
    } else {
        return Some(());
    };
    findings.error(
        at,
        format!("a rule cannot have both `{barred}` and `{first}`"),
    );
    None
}

fn forward(rule: &Rule, route: Changes, work: &mut Work<'_, '_, '_>) -> Option<Action> {
    let (path_rewrite, authority) = match &rule.spec.rewrite {
        Some(written) => rewrite::compile(written, work.findings)?,
        None => (None, None),
    };
    let mut destinations = Vec::new();
    let mut changes = route;
    let written = &rule.spec.route;
    let single = written.len() == 1;
    for (index, one) in written.iter().enumerate() {
        let field = rule.field.child_item("route", index);
        let own = Changes::read(one.value.headers.as_ref());
        let mut compiled = destination::weighted(one, single, &field, work)?;
        if single {
            // pilot appends the headers of an only destination to those of the route (processDestination).
            changes = changes.then(own);
        } else {
            note_authority(&own, one, &field, work.findings);
            compiled.request_headers = own.request;
            compiled.response_headers = own.response;
        }
        destinations.push(compiled);
    }
    destination::note_no_weight(&destinations, rule, work.findings);
    let hashed = match destinations.as_slice() {
        [only] => work.scene.hashes(&only.destination),
        _ => false,
    };
    let authority_rewrite = authority.or(changes.authority.take());
    let action = RouteAction::Forward(Forward {
        destinations,
        path_rewrite,
        authority_rewrite,
    });
    Some(Action {
        action,
        headers: changes,
        hashed,
    })
}

fn note_authority(
    changes: &Changes,
    written: &Spanned<RouteDestination>,
    field: &Field,
    findings: &mut Findings<'_>,
) {
    if changes.authority.is_some() {
        let at = written
            .value
            .headers
            .as_ref()
            .map_or(&written.at, |headers| &headers.at);
        let message = "a `Host` of its own for one of several destinations is not simulated";
        let field = field.child("headers.request");
        findings.note(NoteKind::NotHonoured, &field, at, message);
    }
}

#[cfg(test)]
mod tests {
    use crate::dialect::testing::{forward, http, notes, refused, route, with};
    use crate::policy::{DirectResponse, NoteKind, RouteAction};

    #[test]
    fn headers_of_an_only_destination_join_those_of_the_route() {
        let route = route(&http(
            "  - headers: {request: {set: {X-A: route, X-B: route}, add: {X-C: route}, remove: [X-D]}}\n    route:\n    - destination: {host: v}\n      headers: {request: {set: {x-a: own}, add: {x-e: own}}, response: {remove: [Server]}}",
        ));
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            route.request_headers.set,
            [pair("x-b", "route"), pair("x-a", "own")]
        );
        assert_eq!(
            route.request_headers.add,
            [pair("x-c", "route"), pair("x-e", "own")]
        );
        assert_eq!(route.request_headers.remove, ["x-d"]);
        assert_eq!(route.response_headers.remove, ["server"]);
        assert!(forward(&route).destinations[0].request_headers.is_empty());
    }

    #[test]
    fn headers_of_one_of_several_destinations_stay_with_it() {
        let yaml = http(
            "  - route:\n    - {destination: {host: v}, weight: 1, headers: {request: {set: {x-a: v, Host: h}}}}\n    - {destination: {host: w}, weight: 1}",
        );
        let route = route(&yaml);
        assert_eq!(
            forward(&route).destinations[0].request_headers.set,
            [("x-a".into(), "v".into())]
        );
        assert!(route.request_headers.is_empty());
        assert_eq!(notes(&yaml, NoteKind::NotHonoured).len(), 1);
    }

    #[test]
    fn a_host_header_rewrites_the_authority() {
        let route = route(&with("headers: {request: {set: {Host: h.example, x: y}}}"));
        assert_eq!(
            forward(&route).authority_rewrite.as_deref(),
            Some("h.example")
        );
        assert_eq!(route.request_headers.set, [("x".into(), "y".into())]);
    }

    #[test]
    fn a_direct_response_answers_at_once() {
        let direct = |fields: &str| match route(&http(&format!("  - directResponse: {{{fields}}}")))
            .action
        {
            RouteAction::Direct(direct) => direct,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            direct("status: 418, body: {string: teapot}"),
            DirectResponse {
                status: 418,
                body: b"teapot".to_vec()
            }
        );
        assert_eq!(direct("status: 200, body: {bytes: aGk=}").body, b"hi");
        assert_eq!(direct("status: 204").body, b"");
    }

    #[test]
    fn a_rule_does_one_thing() {
        assert_eq!(
            refused(&http("  - timeout: 1s")),
            ["8:5 this rule does nothing: it needs `route`, `redirect` or `directResponse`"]
        );
        assert_eq!(
            refused(&with("redirect: {uri: /a}")),
            ["8:51 a rule cannot have both `route` and `redirect`"]
        );
        assert_eq!(
            refused(&http(
                "  - {redirect: {uri: /a}, fault: {delay: {fixedDelay: 1s}}}"
            )),
            ["8:16 a rule cannot have both `fault` and `redirect`"]
        );
        assert_eq!(
            refused(&http("  - route: [{destination: {host: '*'}}]")),
            ["8:34 `*` is not a host: `*` may only stand at its beginning"]
        );
        assert_eq!(
            refused(&http("  - route: [{weight: 1}]")),
            ["8:13 this route has no `destination`"]
        );
    }
}
