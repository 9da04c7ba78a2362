//! AuthorizationPolicy → who may call what.
//!
//! # Theory
//!
//! A policy is a list of rules, any of which may match; a rule is sources,
//! operations and conditions, all of which must hold. No rules match nothing
//! (`spec: {}` is "allow nothing"); an empty rule matches everything.
//!
//! No request in a run carries a token (JWT), so what asks for one never
//! holds, and what asks for none always does. That is how Envoy would judge,
//! and it matters that a demand is not simply dropped: a rule without it
//! would allow, or deny, more than its author wrote.

mod condition;
mod operation;
mod rule;
mod source;
mod spec;
mod text;
mod token;

use crate::dialect::findings::Findings;
use crate::dialect::object::Object;
use crate::dialect::quantity;
use crate::document::Spanned;
use crate::policy::{AuthorizationAction, AuthorizationPolicy, NoteKind, Profile};
use spec::SCHEMA;

use super::peer_authentication::selector;

/// The annotation that makes a policy only log.
const DRY_RUN: &str = "istio.io/dry-run";

/// Compiles all AuthorizationPolicies, the older first.
pub(super) fn compile(
    objects: &[Object<'_>],
    profile: &Profile,
    findings: &mut Findings<'_>,
) -> Vec<AuthorizationPolicy> {
    objects
        .iter()
        .filter_map(|object| policy(object, profile, findings))
        .collect()
}

fn policy(
    object: &Object<'_>,
    profile: &Profile,
    findings: &mut Findings<'_>,
) -> Option<AuthorizationPolicy> {
    let spec: spec::AuthorizationPolicy = object.read(&SCHEMA, findings)?;
    let field = object.spec();
    let action = action(spec.action.as_ref(), findings)?;
    let mut rules = Vec::new();
    for (index, written) in spec.rules.iter().enumerate() {
        let field = field.child_item("rules", index);
        rules.extend(rule::compile(written, &object.namespace, &field, findings)?);
    }
    let Some(action) = action else {
        let at = spec.action.as_ref().map_or(&object.at, |action| &action.at);
        let message = "external authorizers are not simulated: this CUSTOM policy denies nothing";
        findings.note(NoteKind::NotHonoured, &field.child("action"), at, message);
        return None;
    };
    if object.writes("targetRef") || object.writes("targetRefs") {
        // Sidecars ignore such policies; the field itself has its note.
        return None;
    }
    if let Some((_, at)) = object
        .annotation(DRY_RUN)
        .filter(|(value, _)| *value == "true")
    {
        let message = "a dry-run policy is not enforced, and its verdicts are not recorded";
        findings.note(NoteKind::NotHonoured, &field, &at, message);
        return None;
    }
    if action == AuthorizationAction::Deny && spec.rules.is_empty() {
        let message = "a DENY policy without rules denies nothing";
        findings.note(
            NoteKind::NoEffect,
            &field.child("rules"),
            &object.at,
            message,
        );
    }
    Some(AuthorizationPolicy {
        name: object.reference(),
        selector: selector(object, spec.selector.as_ref(), profile),
        action,
        rules,
        origin: object.origin(),
    })
}

/// The outer `None` means wrong, the inner CUSTOM.
fn action(
    written: Option<&Spanned<String>>,
    findings: &mut Findings<'_>,
) -> Option<Option<AuthorizationAction>> {
    match written {
        None => Some(Some(AuthorizationAction::Allow)),
        Some(name) => quantity::choice(
            name,
            &[
                ("ALLOW", Some(AuthorizationAction::Allow)),
                ("DENY", Some(AuthorizationAction::Deny)),
                ("AUDIT", Some(AuthorizationAction::Audit)),
                ("CUSTOM", None),
            ],
            findings,
        ),
    }
}

#[cfg(test)]
mod tests {
    use crate::dialect::testing::{notes, policy};
    use crate::policy::{AuthorizationAction, AuthorizationPolicy, AuthorizationRule, NoteKind};

    fn yaml(metadata: &str, spec: &str) -> String {
        format!(
            "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: a, {metadata}}}\nspec: {spec}\n"
        )
    }

    fn compiled(metadata: &str, spec: &str) -> AuthorizationPolicy {
        policy(&yaml(metadata, spec)).authorization.remove(0)
    }

    #[test]
    fn no_rules_match_nothing_and_an_empty_rule_everything() {
        for spec in ["{}", "", "{rules: []}"] {
            let nothing = compiled("namespace: shop", spec);
            assert_eq!(nothing.action, AuthorizationAction::Allow);
            assert_eq!(nothing.selector.namespace.as_deref(), Some("shop"));
            assert!(nothing.rules.is_empty());
        }
        let everything = compiled("namespace: istio-system", "{action: DENY, rules: [{}]}");
        assert_eq!(everything.action, AuthorizationAction::Deny);
        assert_eq!(everything.selector.namespace, None);
        assert_eq!(everything.rules, [AuthorizationRule::default()]);
    }

    #[test]
    fn actions_and_selectors() {
        let audit = compiled(
            "namespace: shop",
            "{action: AUDIT, selector: {matchLabels: {app: web}}}",
        );
        assert_eq!(audit.action, AuthorizationAction::Audit);
        assert_eq!(audit.selector.labels["app"], "web");
        let deny = yaml("namespace: shop", "{action: DENY}");
        assert_eq!(notes(&deny, NoteKind::NoEffect).len(), 1);
    }

    #[test]
    fn policies_that_are_not_simulated_are_left_out() {
        for (yaml, count) in [
            (
                yaml(
                    "namespace: a",
                    "{action: CUSTOM, provider: {name: x}, rules: [{}]}",
                ),
                2,
            ),
            (
                yaml(
                    "namespace: a",
                    "{targetRefs: [{kind: Gateway, name: g}], rules: [{}]}",
                ),
                1,
            ),
            (
                yaml("annotations: {istio.io/dry-run: 'true'}", "{rules: [{}]}"),
                1,
            ),
        ] {
            assert!(policy(&yaml).authorization.is_empty());
            assert_eq!(notes(&yaml, NoteKind::NotHonoured).len(), count, "{yaml}");
        }
    }
}
