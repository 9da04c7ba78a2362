//! `outlierDetection` (cluster_traffic_policy.go, `applyOutlierDetection`).

use std::time::Duration;

use super::spec::OutlierDetection as Written;
use crate::dialect::findings::{Field, Findings};
use crate::dialect::quantity;
use crate::document::Spanned;
use crate::policy::{NoteKind, OutlierDetection, Sourced};

/// Envoy's default thresholds for consecutive failures (outlier_detection.proto).
const CONSECUTIVE: u32 = 5;
/// Envoy's default time between sweeps.
const INTERVAL: Duration = Duration::from_secs(10);
/// Envoy's default first ejection.
const EJECTION_BASE: Duration = Duration::from_secs(30);
/// Envoy's default longest ejection; a longer first ejection raises it.
const EJECTION_MAX: Duration = Duration::from_secs(300);
/// Envoy's default share of endpoints that may be out.
const EJECTED_PERCENT_MAX: u32 = 10;

/// Compiles `outlierDetection`; an empty one switches it on with Envoy's
/// defaults, except for success rates, which Istio always switches off.
/// `None` when it is wrong.
pub(super) fn compile(
    written: &Spanned<Written>,
    field: &Field,
    findings: &mut Findings<'_>,
) -> Option<Sourced<OutlierDetection>> {
    let outlier = &written.value;
    let consecutive_5xx = consecutive(&outlier.consecutive_5xx_errors, findings)?
        .map_or(Some(CONSECUTIVE), threshold);
    let consecutive_gateway =
        consecutive(&outlier.consecutive_gateway_errors, findings)?.and_then(threshold);
    let split_local_origin = outlier.split_external_local_origin_errors.unwrap_or(false);
    let ejection_base = duration(&outlier.base_ejection_time, EJECTION_BASE, findings)?;
    let detection = OutlierDetection {
        consecutive_5xx,
        consecutive_gateway,
        split_local_origin,
        consecutive_local: local(outlier, split_local_origin, findings)?,
        interval: duration(&outlier.interval, INTERVAL, findings)?,
        ejection_base,
        ejection_max: EJECTION_MAX.max(ejection_base),
        ejected_percent_max: match percent(&outlier.max_ejection_percent, findings)? {
            0 => EJECTED_PERCENT_MAX,
            percent => percent,
        },
        healthy_percent_min: percent(&outlier.min_health_percent, findings)?,
        success_rate: None,
        failure_percentage: None,
        always_eject_one: false,
    };
    if consecutive_5xx.is_none() && consecutive_gateway.is_none() && !split_local_origin {
        let message = "every threshold is 0, so nothing is ever ejected";
        findings.note(NoteKind::NoEffect, field, &written.at, message);
    }
    Some(Sourced::new(detection, written.origin()))
}

fn threshold(count: u32) -> Option<u32> {
    Some(count).filter(|count| *count > 0)
}

fn consecutive(written: &Option<Spanned<i64>>, findings: &mut Findings<'_>) -> Option<Option<u32>> {
    match written {
        Some(number) => quantity::between(number, 0, i64::from(u32::MAX), findings).map(Some),
        None => Some(None),
    }
}

fn local(written: &Written, split: bool, findings: &mut Findings<'_>) -> Option<Option<u32>> {
    let count = consecutive(&written.consecutive_local_origin_failures, findings)?;
    match (&written.consecutive_local_origin_failures, count) {
        (Some(number), Some(1..)) if !split => {
            findings.error_with_help(
                &number.at,
                "`consecutiveLocalOriginFailures` needs `splitExternalLocalOriginErrors: true`",
                "without the split, failures to connect count as 5xx; Istio refuses this rule",
            );
            None
        }
        // pilot leaves a zero to Envoy's default.
        _ if split => Some(Some(
            count.filter(|count| *count > 0).unwrap_or(CONSECUTIVE),
        )),
        _ => Some(None),
    }
}

fn duration(
    written: &Option<Spanned<String>>,
    default: Duration,
    findings: &mut Findings<'_>,
) -> Option<Duration> {
    match written {
        Some(text) => quantity::duration(text, findings),
        None => Some(default),
    }
}

fn percent(written: &Option<Spanned<i64>>, findings: &mut Findings<'_>) -> Option<u32> {
    match written {
        Some(number) => quantity::whole_percent(number, findings),
        None => Some(0),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::dialect::testing::{destination_rule, notes, policy, refused};
    use crate::policy::{NoteKind, OutlierDetection};

    fn yaml(fields: &str) -> String {
        destination_rule(&format!(
            "  trafficPolicy: {{outlierDetection: {{{fields}}}}}"
        ))
    }

    fn outlier(fields: &str) -> OutlierDetection {
        policy(&yaml(fields))
            .destinations
            .remove(0)
            .policy
            .outlier
            .unwrap()
            .value
    }

    #[test]
    fn an_empty_one_has_envoys_defaults() {
        assert_eq!(
            outlier(""),
            OutlierDetection {
                consecutive_5xx: Some(5),
                consecutive_gateway: None,
                split_local_origin: false,
                consecutive_local: None,
                interval: Duration::from_secs(10),
                ejection_base: Duration::from_secs(30),
                ejection_max: Duration::from_secs(300),
                ejected_percent_max: 10,
                healthy_percent_min: 0,
                success_rate: None,
                failure_percentage: None,
                always_eject_one: false,
            }
        );
    }

    #[test]
    fn every_field_is_read() {
        let outlier = outlier(
            "consecutive5xxErrors: 3, consecutiveGatewayErrors: 2, interval: 200ms, baseEjectionTime: 10m, maxEjectionPercent: 100, minHealthPercent: 40, splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 7",
        );
        assert_eq!(outlier.consecutive_5xx, Some(3));
        assert_eq!(outlier.consecutive_gateway, Some(2));
        assert_eq!(outlier.interval, Duration::from_millis(200));
        assert_eq!(outlier.ejection_base, Duration::from_secs(600));
        assert_eq!(outlier.ejection_max, Duration::from_secs(600));
        assert_eq!(outlier.ejected_percent_max, 100);
        assert_eq!(outlier.healthy_percent_min, 40);
        assert_eq!(outlier.consecutive_local, Some(7));
    }

    #[test]
    fn a_zero_threshold_is_off_and_a_zero_percentage_the_default() {
        let off = "consecutive5xxErrors: 0, maxEjectionPercent: 0";
        assert_eq!(outlier(off).consecutive_5xx, None);
        assert_eq!(outlier(off).ejected_percent_max, 10);
        assert_eq!(notes(&yaml(off), NoteKind::NoEffect).len(), 1);
        assert_eq!(
            outlier("splitExternalLocalOriginErrors: true").consecutive_local,
            Some(5)
        );
        assert_eq!(
            outlier("splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 0")
                .consecutive_local,
            Some(5)
        );
    }

    #[test]
    fn wrong_and_old_fields() {
        assert_eq!(
            refused(&yaml("consecutiveLocalOriginFailures: 3")),
            ["7:70 `consecutiveLocalOriginFailures` needs `splitExternalLocalOriginErrors: true`"]
        );
        assert_eq!(
            refused(&yaml("maxEjectionPercent: 101")),
            ["7:58 `101` is not a percentage from 0 to 100"]
        );
        assert_eq!(
            refused(&yaml("interval: 0s")),
            ["7:48 `0s` must be at least 1ms"]
        );
        assert_eq!(
            notes(&yaml("consecutiveErrors: 7"), NoteKind::NotHonoured),
            [
                "7:38 spec.trafficPolicy.outlierDetection.consecutiveErrors: Istio has not acted on `consecutiveErrors` since 1.7: use `consecutive5xxErrors`"
            ]
        );
        assert_eq!(
            notes(&yaml("consecutive5xxError: 7"), NoteKind::UnknownField),
            [
                "7:38 spec.trafficPolicy.outlierDetection.consecutive5xxError: Istio has no field `consecutive5xxError` here; did you mean `consecutive5xxErrors`?"
            ]
        );
    }
}
