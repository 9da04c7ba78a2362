//! What a rule does with a request.

use super::delegate::Rule;
use super::headers::Changes;
use super::route::Work;
use super::spec::{self, RegexRewrite, Rewrite, RouteDestination};
use super::{body, redirect};
use crate::dialect::findings::{Field, Findings};
use crate::dialect::review::SubsetUse;
use crate::dialect::{host, quantity};
use crate::document::Spanned;
use crate::policy::{
    Destination, Forward, NoteKind, Origin, PathRewrite, Pattern, Position, RouteAction,
    WeightedDestination,
};

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
        Some(written) => rewrite(written, work.findings)?,
        None => (None, None),
    };
    let mut destinations = Vec::new();
    let mut changes = route;
    let written = &rule.spec.route;
    let single = written.len() == 1;
    for (index, one) in written.iter().enumerate() {
        let field = rule.field.child_item("route", index);
        let own = Changes::read(one.value.headers.as_ref());
        let mut compiled = weighted(one, single, &field, work)?;
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
    note_no_weight(&destinations, rule, work.findings);
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

fn weighted(
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
        request_headers: Default::default(),
        response_headers: Default::default(),
        origin: Origin::Written(written.at.clone()),
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

fn note_no_weight(destinations: &[WeightedDestination], rule: &Rule, findings: &mut Findings<'_>) {
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

type Rewrites = (Option<PathRewrite>, Option<String>);

fn rewrite(written: &Spanned<Rewrite>, findings: &mut Findings<'_>) -> Option<Rewrites> {
    let rewrite = &written.value;
    let full = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let path = match (full(&rewrite.uri), &rewrite.uri_regex_rewrite) {
        (Some(_), Some(second)) => {
            findings.error(
                &second.at,
                "only one of `uri` and `uriRegexRewrite` can be given",
            );
            return None;
        }
        (Some(uri), None) => Some(PathRewrite::Matched(uri)),
        (None, Some(regex)) => Some(regex_rewrite(regex, findings)?),
        (None, None) => None,
    };
    let authority = full(&rewrite.authority);
    if path.is_none() && authority.is_none() {
        let message = "`rewrite` needs `uri`, `uriRegexRewrite` or `authority`";
        findings.error(&written.at, message);
        return None;
    }
    Some((path, authority))
}

fn regex_rewrite(
    written: &Spanned<RegexRewrite>,
    findings: &mut Findings<'_>,
) -> Option<PathRewrite> {
    let Some(source) = &written.value.pattern else {
        findings.error(&written.at, "`uriRegexRewrite` has no `match`");
        return None;
    };
    let pattern = quantity::regex(source, findings)?;
    let rewrite = written.value.rewrite.as_ref();
    if let Some(rewrite) = rewrite {
        references_exist(rewrite, &pattern, findings)?;
    }
    Some(PathRewrite::Regex {
        pattern,
        substitution: rewrite
            .map(|rewrite| rewrite.value.clone())
            .unwrap_or_default(),
    })
}

/// Envoy refuses a `\N` beyond the groups of the expression.
fn references_exist(
    rewrite: &Spanned<String>,
    pattern: &Pattern,
    findings: &mut Findings<'_>,
) -> Option<()> {
    // The whole match is group 0.
    let groups = regex::Regex::new(pattern.as_str()).map_or(0, |regex| regex.captures_len());
    let mut characters = rewrite.value.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            continue;
        }
        let next = characters.next();
        let missing = match next.and_then(|digit| digit.to_digit(10)) {
            Some(group) if (group as usize) < groups => continue,
            Some(group) => format!(
                "`\\{group}` refers to a group that `{}` lacks",
                pattern.as_str()
            ),
            None if next == Some('\\') => continue,
            None => "`\\` must be followed by a group's number, or by another `\\`".into(),
        };
        findings.error(&rewrite.at, missing);
        return None;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use crate::dialect::testing::{destinations, http, notes, refused, route, with};
    use crate::policy::{
        DirectResponse, Forward, NoteKind, PathMatch, PathRewrite, Route, RouteAction,
    };

    fn forward(route: &Route) -> &Forward {
        match &route.action {
            RouteAction::Forward(forward) => forward,
            other => panic!("{other:?}"),
        }
    }

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

    #[test]
    fn rewrites_of_path_and_authority() {
        let rewritten = route(&with(
            "match: [{uri: {prefix: /v1/}}], rewrite: {uri: /, authority: w.example}",
        ));
        assert_eq!(
            forward(&rewritten).path_rewrite,
            Some(PathRewrite::Matched("/".into()))
        );
        assert_eq!(
            forward(&rewritten).authority_rewrite.as_deref(),
            Some("w.example")
        );
        let regex = route(&with(
            r"rewrite: {uriRegexRewrite: {match: '^/s/([^/]+)(/.*)$', rewrite: '\2/i/\1'}}",
        ));
        let Some(PathRewrite::Regex {
            pattern,
            substitution,
        }) = &forward(&regex).path_rewrite
        else {
            panic!("a regex");
        };
        assert_eq!(pattern.as_str(), "^/s/([^/]+)(/.*)$");
        assert_eq!(substitution, r"\2/i/\1");
    }

    #[test]
    fn without_a_uri_a_rewrite_replaces_the_leading_slash() {
        let rewritten = route(&with("rewrite: {uri: /v2}"));
        assert_eq!(rewritten.matcher.path, PathMatch::Prefix("/".into()));
        assert_eq!(route(&with("timeout: 1s")).matcher.path, PathMatch::Any);
    }

    #[test]
    fn a_rewrite_must_name_groups_that_exist() {
        let rewrite = |text: &str| {
            refused(&with(&format!(
                "rewrite: {{uriRegexRewrite: {{match: '/(a)', rewrite: '{text}'}}}}"
            )))
        };
        assert_eq!(
            rewrite(r"\2"),
            [r"8:93 `\2` refers to a group that `/(a)` lacks"]
        );
        assert_eq!(rewrite(r"\x").len(), 1);
        assert!(rewrite(r"\0\1\\").is_empty());
        assert_eq!(
            refused(&with("rewrite: {}")),
            ["8:50 `rewrite` needs `uri`, `uriRegexRewrite` or `authority`"]
        );
    }

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
