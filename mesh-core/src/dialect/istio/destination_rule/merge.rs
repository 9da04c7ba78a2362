//! Several rules for one host.

use crate::dialect::findings::{Field, Findings};
use crate::policy::{DestinationPolicy, DestinationRule, NoteKind};

/// Joins rules of one namespace for one host and the same callers into the oldest of them.
pub(super) fn merge(
    rules: Vec<DestinationRule>,
    findings: &mut Findings<'_>,
) -> Vec<DestinationRule> {
    let mut merged: Vec<DestinationRule> = Vec::new();
    for rule in rules {
        match merged.iter_mut().find(|older| same_scope(older, &rule)) {
            Some(older) => join(older, rule, findings),
            None => merged.push(rule),
        }
    }
    merged
}

fn same_scope(a: &DestinationRule, b: &DestinationRule) -> bool {
    a.namespace == b.namespace
        && a.host == b.host
        && a.visible_to == b.visible_to
        && a.workload_selector == b.workload_selector
}

fn join(older: &mut DestinationRule, younger: DestinationRule, findings: &mut Findings<'_>) {
    let field = Field::spec(&format!("DestinationRule {}", younger.name));
    let silent = |rule: &DestinationRule| {
        rule.policy == DestinationPolicy::default() && rule.ports.is_empty()
    };
    if silent(older) {
        older.policy = younger.policy;
        older.ports = younger.ports;
    } else if let Some(at) = younger.origin.at().filter(|_| !silent(&younger)) {
        let message = format!(
            "ignored: the older DestinationRule {} at {} already has a policy for this host",
            older.name, older.origin
        );
        findings.note(
            NoteKind::NoEffect,
            &field.child("trafficPolicy"),
            at,
            message,
        );
    }
    for subset in younger.subsets {
        let known = older.subsets.iter().find(|known| known.name == subset.name);
        match (known, subset.origin.at()) {
            (None, _) => older.subsets.push(subset),
            (Some(known), Some(at)) => {
                let message = format!(
                    "ignored: subset `{}` of this host is already defined at {}",
                    subset.name, known.origin
                );
                findings.note(NoteKind::NoEffect, &field.child("subsets"), at, message);
            }
            (Some(_), None) => {}
        }
    }
}
