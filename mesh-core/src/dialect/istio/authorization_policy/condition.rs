//! Conditions.

use super::spec::Condition;
use super::text;
use super::token::note_token;
use crate::dialect::findings::{Field, Findings};
use crate::document::{Spanned, nearest};
use crate::policy::{AuthorizationCondition, NoteKind};

/// Attributes of conditions that are simulated
/// (security/v1beta1/authorization_policy.proto; `request.headers[…]` is apart).
const ATTRIBUTES: &[&str] = &[
    "source.ip",
    "remote.ip",
    "source.namespace",
    "source.principal",
    "source.serviceAccount",
    "destination.ip",
    "destination.port",
    "connection.sni",
];

/// Attributes of a token.
const TOKEN_ATTRIBUTES: &[&str] = &[
    "request.auth.principal",
    "request.auth.audiences",
    "request.auth.presenter",
    "request.auth.claims",
];

/// What a condition comes to.
pub(super) enum Demand {
    /// Always met.
    Holds,
    /// Never met.
    Fails,
    /// Depends on the request.
    Asks(AuthorizationCondition),
}

/// Compiles a condition; `None` when it is wrong.
pub(super) fn compile(
    written: &Spanned<Condition>,
    field: &Field,
    findings: &mut Findings<'_>,
) -> Option<Demand> {
    let condition = &written.value;
    let Some(key) = &condition.key else {
        findings.error(&written.at, "this condition has no `key`");
        return None;
    };
    if condition.values.is_empty() && condition.not_values.is_empty() {
        findings.error(&written.at, "this condition needs `values` or `notValues`");
        return None;
    }
    let name = key.value.as_str();
    let attribute = name
        .split_once('[')
        .map_or(name, |(attribute, _)| attribute);
    if TOKEN_ATTRIBUTES.contains(&attribute) {
        note_token(&condition.values, &field.child("values"), findings, "never");
        note_token(
            &condition.not_values,
            &field.child("notValues"),
            findings,
            "always",
        );
        return Some(if condition.values.is_empty() {
            Demand::Holds
        } else {
            Demand::Fails
        });
    }
    if name.starts_with("experimental.envoy.filters.") {
        let message = "metadata of Envoy filters is not simulated, so this never holds";
        findings.note(NoteKind::NotHonoured, &field.child("key"), &key.at, message);
        return Some(Demand::Fails);
    }
    let header = name
        .strip_prefix("request.headers[")
        .and_then(|rest| rest.strip_suffix(']'))
        .filter(|header| !header.is_empty());
    if header.is_none() && !ATTRIBUTES.contains(&name) {
        let known = ATTRIBUTES.iter().chain(TOKEN_ATTRIBUTES).copied();
        let message = format!("`{name}` is not an attribute of a request");
        match nearest(attribute, known.chain(["request.headers"])) {
            Some("request.headers") => findings.error_with_help(
                &key.at,
                message,
                "a header is written `request.headers[name]`",
            ),
            Some(meant) => {
                findings.error_with_help(&key.at, message, format!("did you mean `{meant}`?"));
            }
            None => findings.error(&key.at, message),
        }
        return None;
    }
    Some(Demand::Asks(AuthorizationCondition {
        key: match header {
            Some(header) => format!("request.headers[{}]", header.to_ascii_lowercase()),
            None => name.to_owned(),
        },
        values: text::matches(&condition.values),
        not_values: text::matches(&condition.not_values),
        origin: written.origin(),
    }))
}
