//! One HTTP rule → its routes.

use super::action::{self, Action};
use super::delegate::Rule;
use super::{fault, matching, mirror, retry};
use crate::dialect::findings::{Field, Findings};
use crate::dialect::istio::Scene;
use crate::dialect::quantity;
use crate::dialect::review::SubsetUse;
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
        let origin = Origin::Written(rule.at.clone());
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
            blocks.push((name, block, Origin::Written(one.at.clone()), field));
        }
    }
    blocks
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
            Sourced::new(timeout, Origin::Written(text.at.clone()))
        }
        None => profile.timeout.clone(),
    };
    let Action {
        action,
        headers,
        hashed,
    } = action?;
    let retries = rule.field.child("retries");
    let retry = retry::compile(spec.retries.as_ref(), hashed, &retries, profile, work.findings)?;
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
