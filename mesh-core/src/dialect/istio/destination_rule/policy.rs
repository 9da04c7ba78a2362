//! `trafficPolicy` and `portLevelSettings`.

use std::collections::BTreeMap;

use super::spec::{RetryBudget as WrittenBudget, TrafficPolicy};
use super::{balancer, outlier, pool, tls};
use crate::dialect::findings::{Field, Findings};
use crate::dialect::quantity;
use crate::document::Spanned;
use crate::policy::{DestinationPolicy, Fraction, NoteKind, Profile, RetryBudget, Sourced};

/// A policy, and its replacements by port.
pub(super) type Policies = (DestinationPolicy, BTreeMap<u16, DestinationPolicy>);

/// Compiles a policy; `host` is the policy a subset's lies over. `None` when it is wrong.
pub(super) fn compile(
    written: &Spanned<TrafficPolicy>,
    field: &Field,
    host: Option<&DestinationPolicy>,
    profile: &Profile,
    findings: &mut Findings<'_>,
) -> Option<Policies> {
    let policy = parts(&written.value, field, host, profile, findings)?;
    let mut ports = BTreeMap::new();
    for (index, settings) in written.value.port_level_settings.iter().enumerate() {
        let field = field.child_item("portLevelSettings", index);
        let number = settings
            .value
            .port
            .as_ref()
            .and_then(|port| port.number.as_ref());
        let Some(number) = number else {
            findings.error(&settings.at, "these settings have no `port.number`");
            return None;
        };
        let port = quantity::port(number, findings)?;
        let mut own = parts(&settings.value, &field, None, profile, findings)?;
        // Ports have no retry budget of their own; the one above stays in force.
        own.retry_budget.clone_from(&policy.retry_budget);
        if ports.insert(port, own).is_some() {
            findings.error(&number.at, format!("port {port} has settings already"));
            return None;
        }
    }
    Some((policy, ports))
}

fn parts(
    written: &TrafficPolicy,
    field: &Field,
    host: Option<&DestinationPolicy>,
    profile: &Profile,
    findings: &mut Findings<'_>,
) -> Option<DestinationPolicy> {
    let mut policy = DestinationPolicy::default();
    if let Some(written) = &written.outlier_detection {
        policy.outlier = Some(outlier::compile(
            written,
            &field.child("outlierDetection"),
            findings,
        )?);
    }
    if let Some(written) = &written.load_balancer {
        let field = field.child("loadBalancer");
        balancer::compile(written, &field, &mut policy, profile, findings)?;
        balancer::replace(&mut policy, host, &written.at);
        note_failover_without_ejection(&policy, host, &field, findings);
    }
    if let Some(written) = &written.connection_pool {
        policy.pool = Some(pool::compile(
            written,
            &field.child("connectionPool"),
            profile,
            findings,
        )?);
    }
    if let Some(written) = &written.tls {
        policy.tls = Some(tls::compile(written, &field.child("tls"), findings)?);
    }
    if let Some(written) = &written.retry_budget {
        policy.retry_budget = Some(budget(written, findings)?);
    }
    Some(policy)
}

/// Locality failover acts only on ejected endpoints (loadbalancer.go, `enableFailover`).
fn note_failover_without_ejection(
    policy: &DestinationPolicy,
    host: Option<&DestinationPolicy>,
    field: &Field,
    findings: &mut Findings<'_>,
) {
    let Some(locality) = &policy.locality else {
        return;
    };
    let fails_over =
        !locality.value.failover.is_empty() || !locality.value.failover_priority.is_empty();
    let ejects = policy.outlier.is_some() || host.is_some_and(|host| host.outlier.is_some());
    if let (true, false, Some(at)) = (fails_over, ejects, locality.origin.at()) {
        let message = "without `outlierDetection` traffic never fails over to another locality";
        findings.note(
            NoteKind::NoEffect,
            &field.child("localityLbSetting"),
            at,
            message,
        );
    }
}

/// Envoy's budget: 20 % of the requests in flight, and at least 3 retries (circuit_breaker.proto, `RetryBudget`).
fn budget(
    written: &Spanned<WrittenBudget>,
    findings: &mut Findings<'_>,
) -> Option<Sourced<RetryBudget>> {
    let fraction = match &written.value.percent {
        Some(percent) => quantity::percent(percent, findings)?,
        None => Fraction::from_ppm(200_000),
    };
    let retries_min = match &written.value.min_retry_concurrency {
        Some(number) => quantity::count(number, findings)?,
        None => 3,
    };
    let budget = RetryBudget {
        fraction,
        retries_min,
    };
    Some(Sourced::new(budget, written.origin()))
}

#[cfg(test)]
mod tests {
    use crate::dialect::testing::{destination_rule, notes, policy, refused};
    use crate::policy::{DestinationRule, NoteKind, RetryBudget};

    fn rule(fields: &str) -> DestinationRule {
        let yaml = destination_rule(&format!("  trafficPolicy: {{{fields}}}"));
        policy(&yaml).destinations.remove(0)
    }

    #[test]
    fn a_retry_budget_has_envoys_defaults_and_holds_for_ports_too() {
        let budget =
            |rule: &DestinationRule| rule.policy.retry_budget.as_ref().map(|budget| budget.value);
        let default = rule(
            "retryBudget: {}, portLevelSettings: [{port: {number: 80}, tls: {mode: DISABLE}}]",
        );
        let RetryBudget {
            fraction,
            retries_min,
        } = budget(&default).unwrap();
        assert_eq!((fraction.ppm(), retries_min), (200_000, 3));
        assert_eq!(default.ports[&80].retry_budget, default.policy.retry_budget);
        let RetryBudget {
            fraction,
            retries_min,
        } = budget(&rule(
            "retryBudget: {percent: 12.5, minRetryConcurrency: 10}",
        ))
        .unwrap();
        assert_eq!((fraction.ppm(), retries_min), (125_000, 10));
    }

    #[test]
    fn failover_without_ejection_is_noted() {
        let policy = |fields: &str| destination_rule(&format!("  trafficPolicy: {{{fields}}}"));
        let failover = "loadBalancer: {localityLbSetting: {failover: [{from: a, to: b}]}}";
        assert_eq!(
            notes(&policy(failover), NoteKind::NoEffect),
            [
                "7:53 spec.trafficPolicy.loadBalancer.localityLbSetting: without `outlierDetection` traffic never fails over to another locality"
            ]
        );
        assert!(
            notes(
                &policy(&format!("{failover}, outlierDetection: {{}}")),
                NoteKind::NoEffect
            )
            .is_empty()
        );
    }

    #[test]
    fn ports_are_named_by_number_once() {
        let ports = |settings: &str| {
            refused(&destination_rule(&format!(
                "  trafficPolicy: {{portLevelSettings: [{settings}]}}"
            )))
        };
        assert_eq!(
            ports("{tls: {mode: DISABLE}}"),
            ["7:39 these settings have no `port.number`"]
        );
        assert_eq!(
            ports("{port: {number: 80}}, {port: {number: 80}}"),
            ["7:77 port 80 has settings already"]
        );
    }
}
