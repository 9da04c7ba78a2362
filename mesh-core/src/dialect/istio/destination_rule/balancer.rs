//! `loadBalancer` (pilot/pkg/networking/core/cluster_traffic_policy.go, `applyLoadBalancer`).

use std::time::Duration;

use super::spec::{LoadBalancer as Written, Warmup as WrittenWarmup};
use super::{hash, locality};
use crate::dialect::findings::{Field, Findings};
use crate::dialect::quantity;
use crate::document::Spanned;
use crate::policy::{
    DestinationPolicy, Fraction, LoadBalancer, LocalityPolicy, NoteKind, Origin, Position, Profile,
    Sourced, Warmup,
};

/// Envoy's slow start begins at a tenth of the weight (cluster.proto, `min_weight_percent`).
const WARMUP_PERCENT_MIN: u32 = 10;

/// Compiles `loadBalancer` into its three parts; `None` when it is wrong.
pub(super) fn compile(
    written: &Spanned<Written>,
    field: &Field,
    policy: &mut DestinationPolicy,
    profile: &Profile,
    findings: &mut Findings<'_>,
) -> Option<()> {
    let balancer = &written.value;
    let algorithm = algorithm(written, field, profile, findings)?;
    if let Some(written) = &balancer.locality_lb_setting {
        policy.locality = Some(locality::compile(written, findings)?);
    }
    policy.warmup = warmup(balancer, findings)?;
    let warms = matches!(
        algorithm.value,
        LoadBalancer::RoundRobin
            | LoadBalancer::LeastRequest { .. }
            | LoadBalancer::PeakEwma { .. }
    );
    if let Some(at) = policy.warmup.as_ref().and_then(|warmup| warmup.origin.at())
        && !warms
    {
        let message = "only ROUND_ROBIN and LEAST_REQUEST warm endpoints up";
        findings.note(NoteKind::NoEffect, &field.child("warmup"), at, message);
    }
    policy.load_balancer = Some(algorithm);
    Some(())
}

/// A subset's `loadBalancer` replaces the host's as a whole: what it does not say is switched off here.
pub(super) fn replace(
    policy: &mut DestinationPolicy,
    host: Option<&DestinationPolicy>,
    at: &Position,
) {
    let Some(host) = host else { return };
    let here = || Origin::Written(at.clone());
    if policy.locality.is_none() && host.locality.is_some() {
        policy.locality = Some(Sourced::new(LocalityPolicy::default(), here()));
    }
    if policy.warmup.is_none() && host.warmup.is_some() {
        policy.warmup = Some(Sourced::new(
            Warmup {
                duration: Duration::ZERO,
                weight_min: Fraction::ONE,
                aggression_milli: 1000,
            },
            here(),
        ));
    }
}

fn algorithm(
    written: &Spanned<Written>,
    field: &Field,
    profile: &Profile,
    findings: &mut Findings<'_>,
) -> Option<Sourced<LoadBalancer>> {
    match (&written.value.simple, &written.value.consistent_hash) {
        (Some(_), Some(second)) => {
            let message = "only one of `simple` and `consistentHash` can be given";
            findings.error(&second.at, message);
            None
        }
        (None, Some(written)) => hash::compile(written, &field.child("consistentHash"), findings),
        (None, None) => Some(profile.load_balancer.clone()),
        (Some(name), None) => {
            let least_request = LoadBalancer::LeastRequest { choices: 2 };
            let algorithm = quantity::choice(
                name,
                &[
                    ("UNSPECIFIED", None),
                    ("LEAST_REQUEST", Some(least_request.clone())),
                    ("LEAST_CONN", Some(least_request)),
                    ("ROUND_ROBIN", Some(LoadBalancer::RoundRobin)),
                    ("RANDOM", Some(LoadBalancer::Random)),
                    ("PASSTHROUGH", Some(LoadBalancer::PassThrough)),
                ],
                findings,
            )?;
            Some(match algorithm {
                Some(algorithm) => Sourced::new(algorithm, name.origin()),
                None => profile.load_balancer.clone(),
            })
        }
    }
}

fn warmup(written: &Written, findings: &mut Findings<'_>) -> Option<Option<Sourced<Warmup>>> {
    if let Some(warmup) = &written.warmup {
        let compiled = full_warmup(warmup, findings)?;
        return Some(Some(Sourced::new(compiled, warmup.origin())));
    }
    let Some(text) = &written.warmup_duration_secs else {
        return Some(None);
    };
    let warmup = Warmup {
        duration: quantity::duration(text, findings)?,
        weight_min: Fraction::from_ppm(WARMUP_PERCENT_MIN * 10_000),
        aggression_milli: 1000,
    };
    Some(Some(Sourced::new(warmup, text.origin())))
}

fn full_warmup(written: &Spanned<WrittenWarmup>, findings: &mut Findings<'_>) -> Option<Warmup> {
    let Some(duration) = &written.value.duration else {
        findings.error(&written.at, "`warmup` has no `duration`");
        return None;
    };
    let weight_min = match &written.value.minimum_percent {
        Some(percent) => quantity::percent(percent, findings)?,
        None => Fraction::from_ppm(WARMUP_PERCENT_MIN * 10_000),
    };
    let aggression_milli = match &written.value.aggression {
        Some(aggression) if !(1.0..=1e6).contains(&aggression.value) => {
            let message = format!(
                "`{}` is not an aggression: it is at least 1",
                aggression.value
            );
            findings.error(&aggression.at, message);
            return None;
        }
        Some(aggression) => (aggression.value * 1000.0).round() as u32,
        None => 1000,
    };
    Some(Warmup {
        duration: quantity::duration(duration, findings)?,
        weight_min,
        aggression_milli,
    })
}

#[cfg(test)]
mod tests {
    use crate::dialect::testing::{destination_rule, notes, policy, refused};
    use crate::policy::{DestinationPolicy, Fraction, LoadBalancer, NoteKind, Profile, Warmup};
    use std::time::Duration;

    fn yaml(fields: &str) -> String {
        destination_rule(&format!("  trafficPolicy: {{loadBalancer: {{{fields}}}}}"))
    }

    fn compiled(fields: &str) -> DestinationPolicy {
        policy(&yaml(fields)).destinations.remove(0).policy
    }

    #[test]
    fn every_simple_algorithm() {
        let algorithm = |name: &str| {
            compiled(&format!("simple: {name}"))
                .load_balancer
                .unwrap()
                .value
        };
        let least_request = LoadBalancer::LeastRequest { choices: 2 };
        assert_eq!(algorithm("LEAST_REQUEST"), least_request);
        assert_eq!(algorithm("LEAST_CONN"), least_request);
        assert_eq!(algorithm("ROUND_ROBIN"), LoadBalancer::RoundRobin);
        assert_eq!(algorithm("RANDOM"), LoadBalancer::Random);
        assert_eq!(algorithm("PASSTHROUGH"), LoadBalancer::PassThrough);
        assert_eq!(
            compiled("simple: UNSPECIFIED").load_balancer.unwrap(),
            Profile::istio().load_balancer
        );
        assert_eq!(
            refused(&yaml("simple: LEAST_REQUST")),
            ["7:42 unknown value `LEAST_REQUST`"]
        );
        assert_eq!(
            refused(&yaml("simple: RANDOM, consistentHash: {useSourceIp: true}")),
            ["7:66 only one of `simple` and `consistentHash` can be given"]
        );
    }

    #[test]
    fn warmup_in_its_new_and_old_form() {
        let warmup = |fields: &str| compiled(fields).warmup.unwrap().value;
        let seconds = |seconds, percent: u32, aggression_milli| Warmup {
            duration: Duration::from_secs(seconds),
            weight_min: Fraction::from_ppm(percent * 10_000),
            aggression_milli,
        };
        assert_eq!(warmup("warmup: {duration: 30s}"), seconds(30, 10, 1000));
        assert_eq!(
            warmup(
                "simple: ROUND_ROBIN, warmup: {duration: 60s, minimumPercent: 20, aggression: 1.5}"
            ),
            seconds(60, 20, 1500)
        );
        assert_eq!(warmup("warmupDurationSecs: 45s"), seconds(45, 10, 1000));
        assert_eq!(
            notes(
                &yaml("simple: RANDOM, warmup: {duration: 30s}"),
                NoteKind::NoEffect
            )
            .len(),
            1
        );
        assert_eq!(
            refused(&yaml("warmup: {}")),
            ["7:42 `warmup` has no `duration`"]
        );
        assert_eq!(
            refused(&yaml("warmup: {duration: 1s, aggression: 0.5}")),
            ["7:69 `0.5` is not an aggression: it is at least 1"]
        );
    }

    #[test]
    fn a_subsets_balancer_replaces_the_hosts_as_a_whole() {
        let yaml = destination_rule(
            "  trafficPolicy: {loadBalancer: {simple: RANDOM, warmup: {duration: 30s}, localityLbSetting: {enabled: false}}}\n  subsets: [{name: v1, trafficPolicy: {loadBalancer: {}}}]",
        );
        let rule = policy(&yaml).destinations.remove(0);
        let merged = rule.subsets[0].policy.over(&rule.policy);
        assert_eq!(merged.load_balancer, Some(Profile::istio().load_balancer));
        assert_eq!(merged.warmup.unwrap().value.duration, Duration::ZERO);
        assert!(merged.locality.unwrap().value.enabled);
    }
}
