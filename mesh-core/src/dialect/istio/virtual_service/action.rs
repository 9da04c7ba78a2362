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
        spec.redirect.as_ref().map(|redirect| ("redirect", &redirect.at)),
        spec.direct_response.as_ref().map(|direct| ("directResponse", &direct.at)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let (first, at) = match actions.as_slice() {
        [] => {
            let message = "this rule does nothing: it needs `route`, `redirect` or `directResponse`";
            findings.error(&rule.at, message);
            return None;
        }
        [only] => *only,
        [(first, _), (second, at), ..] => {
            findings.error(at, format!("a rule cannot have both `{first}` and `{second}`"));
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
    findings.error(at, format!("a rule cannot have both `{barred}` and `{first}`"));
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
        work.findings.error(&written.at, "this route has no `destination`");
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
        work.findings.error(&written.at, "this destination has no `host`");
        return None;
    };
    let host = host::exact(name, work.findings)?;
    let number = written.value.port.as_ref().and_then(|port| port.number.as_ref());
    let port = match number {
        Some(number) => Some(quantity::port(number, work.findings)?),
        None => None,
    };
    let subset = written.value.subset.as_ref().filter(|name| !name.value.is_empty());
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
        let at = written.value.headers.as_ref().map_or(&written.at, |headers| &headers.at);
        let message = "a `Host` of its own for one of several destinations is not simulated";
        let field = field.child("headers.request");
        findings.note(NoteKind::NotHonoured, &field, at, message);
    }
}

fn note_no_weight(destinations: &[WeightedDestination], rule: &Rule, findings: &mut Findings<'_>) {
    if destinations.iter().any(|destination| destination.weight > 0) {
        return;
    }
    let missing = rule.spec.route.iter().any(|route| route.value.weight.is_none());
    let why = if missing {
        "without `weight` a destination among several has weight 0"
    } else {
        "all weights are 0"
    };
    let message = format!("{why}, so no destination gets a request; Istio refuses such a rule");
    let at = rule.spec.route.first().map_or(&rule.at, |route| &route.at);
    findings.note(NoteKind::Suspicious, &rule.field.child("route"), at, message);
}

type Rewrites = (Option<PathRewrite>, Option<String>);

fn rewrite(written: &Spanned<Rewrite>, findings: &mut Findings<'_>) -> Option<Rewrites> {
    let rewrite = &written.value;
    let full = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let path = match (full(&rewrite.uri), &rewrite.uri_regex_rewrite) {
        (Some(_), Some(second)) => {
            findings.error(&second.at, "only one of `uri` and `uriRegexRewrite` can be given");
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

fn regex_rewrite(written: &Spanned<RegexRewrite>, findings: &mut Findings<'_>) -> Option<PathRewrite> {
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
        substitution: rewrite.map(|rewrite| rewrite.value.clone()).unwrap_or_default(),
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
            Some(group) => format!("`\\{group}` refers to a group that `{}` lacks", pattern.as_str()),
            None if next == Some('\\') => continue,
            None => "`\\` must be followed by a group's number, or by another `\\`".into(),
        };
        findings.error(&rewrite.at, missing);
        return None;
    }
    Some(())
}
