//! One HTTP rule → its routes.

use super::action::{self, Action};
use super::delegate::Rule;
use super::spec::HttpRoute;
use super::{fault, matching, mirror, retry};
use crate::dialect::findings::{Field, Findings};
use crate::dialect::istio::Scene;
use crate::dialect::quantity;
use crate::dialect::review::SubsetUse;
use crate::document::Spanned;
use crate::policy::{
    NoteKind, Origin, PathMatch, PathRewrite, RequestMatch, RetryPolicy, Route, RouteAction,
    ScopedRoute, Sourced,
};

/// What compiling a rule reads and writes.
pub(super) struct Work<'s, 'w, 'd> {
    pub(super) scene: &'s Scene<'s>,
    pub(super) uses: &'w mut Vec<SubsetUse>,
    pub(super) findings: &'w mut Findings<'d>,
}

/// The routes of a rule, one for each match block, with the field each comes from.
pub(super) fn compile(rule: &Rule, work: &mut Work<'_, '_, '_>) -> Vec<(ScopedRoute, Field)> {
    let blocks = blocks(rule, work);
    let Some(route) = shared(rule, work) else {
        return Vec::new();
    };
    blocks
        .into_iter()
        .map(|(name, block, origin, field)| {
            let mut route = route.clone();
            route.name = name;
            route.matcher = with_prefix_for_rewrite(block.matcher, &route.action);
            route.origin = origin;
            let scoped = ScopedRoute {
                source: block.source,
                port: block.port,
                route,
            };
            (scoped, field)
        })
        .collect()
}

fn blocks(
    rule: &Rule,
    work: &mut Work<'_, '_, '_>,
) -> Vec<(String, matching::Block, Origin, Field)> {
    let written = &rule.spec.matches;
    if written.is_empty() {
        let origin = with_action(Origin::Written(rule.at.clone()), &rule.spec);
        let all = matching::Block::default();
        return vec![(rule.label.clone(), all, origin, rule.field.clone())];
    }
    let mut blocks = Vec::new();
    for (index, one) in written.iter().enumerate() {
        let field = rule.field.child_item("match", index);
        let name = match (&one.value.name, written.len()) {
            (Some(name), _) => format!("{}#{name}", rule.label),
            (None, 1) => rule.label.clone(),
            (None, _) => format!("{}#{index}", rule.label),
        };
        if let Some(block) = matching::compile(one, &field, work.findings) {
            blocks.push((name, block, with_action(one.origin(), &rule.spec), field));
        }
    }
    blocks
}

/// Told with what was set by path of what a route does itself; other settings are told each with its own place.
fn with_action(origin: Origin, rule: &HttpRoute) -> Origin {
    let parts = [
        rule.redirect.as_ref().map(Spanned::origin),
        rule.direct_response.as_ref().map(Spanned::origin),
        rule.rewrite.as_ref().map(Spanned::origin),
        rule.headers.as_ref().map(Spanned::origin),
    ];
    let parts = parts.iter().flatten();
    parts.fold(origin, Origin::with)
}

/// Without a `uri` condition pilot writes the prefix `/`, and that is what a prefix rewrite replaces.
fn with_prefix_for_rewrite(mut matcher: RequestMatch, action: &RouteAction) -> RequestMatch {
    let rewrite = match action {
        RouteAction::Forward(forward) => forward.path_rewrite.as_ref(),
        RouteAction::Redirect(redirect) => redirect.path.as_ref(),
        RouteAction::Direct(_) | RouteAction::Delegate(_) => None,
    };
    if matcher.path == PathMatch::Any && matches!(rewrite, Some(PathRewrite::Matched(_))) {
        matcher.path = PathMatch::Prefix("/".into());
    }
    matcher
}

/// Everything the routes of a rule have in common.
fn shared(rule: &Rule, work: &mut Work<'_, '_, '_>) -> Option<Route> {
    let spec = &rule.spec;
    let action = action::compile(rule, work);
    let profile = work.scene.profile;
    let timeout = match &spec.timeout {
        Some(text) => {
            let timeout = quantity::duration_or_zero(text, work.findings)?;
            let timeout = Some(timeout).filter(|timeout| !timeout.is_zero());
            Sourced::new(timeout, text.origin())
        }
        None => profile.timeout.clone(),
    };
    let Action {
        action,
        headers,
        hashed,
    } = action?;
    let retries = rule.field.child("retries");
    let retry = retry::compile(
        spec.retries.as_ref(),
        hashed,
        &retries,
        profile,
        work.findings,
    )?;
    note_long_try(rule, &timeout, &retry, work.findings);
    let fault = match &spec.fault {
        Some(written) => fault::compile(written, &rule.field.child("fault"), work.findings)?,
        None => None,
    };
    let mirrors = mirror::compile(spec, &rule.field, work)?;
    Some(Route {
        name: String::new(),
        matcher: RequestMatch::default(),
        action,
        request_headers: headers.request,
        response_headers: headers.response,
        fault,
        timeout,
        retry,
        mirrors,
        rate_limit: None,
        origin: Origin::Written(rule.at.clone()),
    })
}

fn note_long_try(
    rule: &Rule,
    timeout: &Sourced<Option<std::time::Duration>>,
    retry: &Sourced<RetryPolicy>,
    findings: &mut Findings<'_>,
) {
    let written = rule.spec.retries.as_ref();
    let text = written.and_then(|retries| retries.value.per_try_timeout.as_ref());
    let (Some(text), Some(per_try), Some(timeout)) =
        (text, retry.value.per_try_timeout, timeout.value)
    else {
        return;
    };
    if per_try > timeout {
        let message = format!(
            "an attempt may take {per_try:?}, and the whole request only {timeout:?}: the first slow attempt uses up the time of all"
        );
        let field = rule.field.child("retries").child("perTryTimeout");
        findings.note(NoteKind::Suspicious, &field, &text.at, message);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::dialect::testing::{http, notes, policy, refused, route, routes, with};
    use crate::policy::{NoteKind, Origin};

    #[test]
    fn each_match_block_is_a_route_in_order_with_the_same_action() {
        let routes = routes(&http(
            "  - name: api\n    match: [{uri: {exact: /a}}, {uri: {exact: /b}, name: second}]\n    route: [{destination: {host: x}}]\n    timeout: 2s\n  - route: [{destination: {host: y}}]\n  - match: [{uri: {exact: /z}}]\n    route: [{destination: {host: z}}]",
        ));
        let names: Vec<&str> = routes.iter().map(|route| route.name.as_str()).collect();
        assert_eq!(names, ["v/api#0", "v/api#second", "v/1", "v/2"]);
        assert_eq!(routes[0].action, routes[1].action);
        assert_eq!(routes[0].timeout, routes[1].timeout);
        assert_eq!(routes[1].origin.to_string(), "mesh.yaml:9:33");
        assert_eq!(routes[2].origin.to_string(), "mesh.yaml:12:5");
    }

    #[test]
    fn a_timeout_of_zero_is_none_and_so_is_the_default() {
        let timeout = |fields: &str| route(&with(fields)).timeout;
        assert_eq!(
            timeout("timeout: 1.5s").value,
            Some(Duration::from_millis(1500))
        );
        let zero = timeout("timeout: 0s");
        assert_eq!(zero.value, None);
        assert_eq!(zero.origin.to_string(), "mesh.yaml:8:50");
        let absent = timeout("name: x");
        assert_eq!(absent.value, None);
        assert!(matches!(absent.origin, Origin::Default(_)));
        assert_eq!(refused(&with("timeout: -1s")), ["8:50 `-1s` is negative"]);
        assert_eq!(
            refused(&with("timeout: 5")),
            ["8:50 expected text, found the number 5"]
        );
    }

    #[test]
    fn an_attempt_longer_than_the_whole_is_suspicious() {
        let yaml = with("timeout: 1s, retries: {attempts: 2, perTryTimeout: 2s}");
        assert_eq!(
            notes(&yaml, NoteKind::Suspicious),
            [
                "8:92 spec.http[0].retries.perTryTimeout: an attempt may take 2s, and the whole request only 1s: the first slow attempt uses up the time of all"
            ]
        );
        assert!(
            notes(
                &with("timeout: 2s, retries: {attempts: 2, perTryTimeout: 2s}"),
                NoteKind::Suspicious
            )
            .is_empty()
        );
    }

    #[test]
    fn a_route_below_one_that_takes_everything_is_never_reached() {
        let yaml = http(
            "  - match: [{uri: {prefix: /api}}]\n    route: [{destination: {host: x}}]\n  - match: [{uri: {exact: /apiary}, headers: {a: {}}}]\n    route: [{destination: {host: x}}]\n  - match: [{headers: {a: {}}}]\n    route: [{destination: {host: x}}]\n  - route: [{destination: {host: x}}]\n  - match: [{uri: {prefix: /x}, port: 80}]\n    route: [{destination: {host: y}}]",
        );
        assert_eq!(
            notes(&yaml, NoteKind::NoEffect),
            [
                "10:13 spec.http[1].match[0]: never reached: `v/0` above takes every request this matches",
                "15:13 spec.http[4].match[0]: never reached: `v/3` above takes every request this matches",
            ]
        );
        // They are compiled all the same: first match wins.
        assert_eq!(policy(&yaml).routes[0].routes.len(), 5);
    }

    #[test]
    fn narrower_callers_do_not_hide_a_route() {
        let yaml = http(
            "  - match: [{sourceLabels: {app: web}}]\n    route: [{destination: {host: x}}]\n  - match: [{port: 80}]\n    route: [{destination: {host: x}}]\n  - route: [{destination: {host: x}}]",
        );
        assert!(notes(&yaml, NoteKind::NoEffect).is_empty());
    }
}
