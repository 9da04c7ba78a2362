//! Retries (pilot/pkg/networking/core/route/retry/retry.go, `ConvertPolicy`).
//!
//! A `retries` block replaces the mesh's default; `retryOn` and the
//! preference for other endpoints keep their defaults when left out. Zero
//! attempts switch retries off.

use super::spec::Retries;
use crate::dialect::findings::{Field, Findings};
use crate::dialect::{quantity, retry};
use crate::document::{Spanned, nearest};
use crate::policy::{NoteKind, Profile, RetryBackoff, RetryOn, RetryPolicy, Sourced};

/// Envoy caps back-off at ten times its base (route_components.proto, `RetryBackOff.max_interval`).
const BACKOFF_CAP_FACTOR: u32 = 10;

/// Compiles the retries of a rule; `None` when they are wrong.
pub(super) fn compile(
    written: Option<&Spanned<Retries>>,
    hashed: bool,
    field: &Field,
    profile: &Profile,
    findings: &mut Findings<'_>,
) -> Option<Sourced<RetryPolicy>> {
    let default = retry::default_policy(hashed, profile);
    let Some(written) = written else {
        return Some(default);
    };
    let origin = written.origin();
    let retries = &written.value;
    let attempts = match &retries.attempts {
        Some(attempts) => quantity::count(attempts, findings)?,
        None => 0,
    };
    if attempts == 0 {
        refuse_settings_without_attempts(written, findings)?;
        return Some(Sourced::new(RetryPolicy::none(), origin));
    }
    let mut policy = default.value;
    policy.retries = attempts;
    if let Some(text) = &retries.per_try_timeout {
        policy.per_try_timeout = Some(quantity::duration(text, findings)?);
    }
    if let Some(text) = retries.retry_on.as_ref().filter(|on| !on.value.is_empty()) {
        policy.on = retry_on(text, &field.child("retryOn"), findings)?;
    }
    if let Some(text) = &retries.backoff {
        let base = quantity::duration(text, findings)?;
        policy.backoff = RetryBackoff {
            base,
            max: base.saturating_mul(BACKOFF_CAP_FACTOR),
        };
    }
    if let Some(avoid) = retries.retry_ignore_previous_hosts {
        policy.avoid_previous_endpoints = avoid;
    }
    policy.remote_localities = retries.retry_remote_localities.unwrap_or(false);
    Some(Sourced::new(policy, origin))
}

fn refuse_settings_without_attempts(
    written: &Spanned<Retries>,
    findings: &mut Findings<'_>,
) -> Option<()> {
    let retries = &written.value;
    let setting = if retries.per_try_timeout.is_some() {
        "perTryTimeout"
    } else if retries
        .retry_on
        .as_ref()
        .is_some_and(|on| !on.value.is_empty())
    {
        "retryOn"
    } else if retries.retry_remote_localities.is_some() {
        "retryRemoteLocalities"
    } else {
        return Some(());
    };
    let at = retries
        .attempts
        .as_ref()
        .map_or(&written.at, |attempts| &attempts.at);
    findings.error_with_help(
        at,
        format!("`retries` sets `{setting}`, and `attempts: 0` switches retries off"),
        "give `attempts`, or drop the other settings; Istio refuses both together",
    );
    None
}

/// Conditions that Istio accepts, `supportedRetryOnPolicies` in pkg/config/validation/validation.go.
const CONDITIONS: &[&str] = &[
    "5xx",
    "gateway-error",
    "reset",
    "reset-before-request",
    "connect-failure",
    "retriable-4xx",
    "refused-stream",
    "retriable-status-codes",
    "retriable-headers",
    "envoy-ratelimited",
    "http3-post-connect-failure",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
];

fn retry_on(text: &Spanned<String>, field: &Field, findings: &mut Findings<'_>) -> Option<RetryOn> {
    let mut on = RetryOn::default();
    let parts = text.value.split(',').map(str::trim);
    for part in parts.filter(|part| !part.is_empty()) {
        match part.parse::<u16>() {
            Ok(status) if is_registered(status) => push(&mut on.statuses, status),
            _ => condition(part, &mut on, text, field, findings)?,
        }
    }
    Some(on)
}

fn push<T: PartialEq>(list: &mut Vec<T>, value: T) {
    if !list.contains(&value) {
        list.push(value);
    }
}

fn condition(
    name: &str,
    on: &mut RetryOn,
    text: &Spanned<String>,
    field: &Field,
    findings: &mut Findings<'_>,
) -> Option<()> {
    match name {
        "5xx" => on.any_5xx = true,
        "gateway-error" => on.gateway_error = true,
        "reset" => on.reset = true,
        "reset-before-request" => on.reset_before_request = true,
        "connect-failure" => on.connect_failure = true,
        "retriable-4xx" => on.retriable_4xx = true,
        "refused-stream" => on.refused_stream = true,
        "cancelled" => push(&mut on.grpc, 1),
        "deadline-exceeded" => push(&mut on.grpc, 4),
        "resource-exhausted" => push(&mut on.grpc, 8),
        "internal" => push(&mut on.grpc, 13),
        "unavailable" => push(&mut on.grpc, 14),
        // The codes themselves are the bare numbers.
        "retriable-status-codes" => {}
        "retriable-headers" => findings.note(
            NoteKind::NoEffect,
            field,
            &text.at,
            "`retriable-headers` matches nothing: a VirtualService cannot name the headers",
        ),
        "envoy-ratelimited" | "http3-post-connect-failure" => findings.note(
            NoteKind::NotHonoured,
            field,
            &text.at,
            format!("the retry condition `{name}` is not simulated"),
        ),
        _ => {
            let message = format!("`{name}` is not a retry condition");
            match nearest(name, CONDITIONS.iter().copied()) {
                Some(meant) => {
                    let help = format!("did you mean `{meant}`?");
                    findings.error_with_help(&text.at, message, help);
                }
                None => findings.error_with_help(
                    &text.at,
                    message,
                    format!(
                        "it is a registered status code, or one of {}",
                        CONDITIONS.join(", ")
                    ),
                ),
            }
            return None;
        }
    }
    Some(())
}

/// Whether Go's `http.StatusText` knows the code; Istio takes no other number.
fn is_registered(status: u16) -> bool {
    matches!(
        status,
        100..=103 | 200..=208 | 226 | 300..=305 | 307 | 308 | 400..=418 | 421..=426 | 428 | 429
            | 431 | 451 | 500..=508 | 510 | 511
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::dialect::testing::{destination_rule, http, notes, policy, refused, route, with};
    use crate::policy::{NoteKind, Origin, Profile, RetryBackoff, RetryOn, RetryPolicy};

    fn retry(fields: &str) -> RetryPolicy {
        route(&with(&format!("retries: {{{fields}}}"))).retry.value
    }

    #[test]
    fn without_a_block_the_default_of_the_mesh_holds() {
        let retry = route(&http("  - route: [{destination: {host: v}}]")).retry;
        assert_eq!(retry, Profile::istio().retry);
        assert!(matches!(retry.origin, Origin::Default(_)));
    }

    #[test]
    fn what_a_block_leaves_out_stays_at_the_default() {
        let default = Profile::istio().retry.value;
        assert_eq!(
            retry("attempts: 5"),
            RetryPolicy {
                retries: 5,
                ..default.clone()
            }
        );
        assert_eq!(
            retry(
                "attempts: 3, perTryTimeout: 250ms, retryRemoteLocalities: true, retryIgnorePreviousHosts: false, backoff: 40ms"
            ),
            RetryPolicy {
                retries: 3,
                per_try_timeout: Some(Duration::from_millis(250)),
                remote_localities: true,
                avoid_previous_endpoints: false,
                backoff: RetryBackoff {
                    base: Duration::from_millis(40),
                    max: Duration::from_millis(400),
                },
                ..default
            }
        );
    }

    #[test]
    fn zero_attempts_switch_retries_off() {
        let retry = route(&with("retries: {attempts: 0}")).retry;
        assert_eq!(retry.value, RetryPolicy::none());
        assert_eq!(retry.origin.to_string(), "mesh.yaml:8:50");
        assert_eq!(
            refused(&with("retries: {attempts: 0, retryOn: 5xx}")),
            ["8:61 `retries` sets `retryOn`, and `attempts: 0` switches retries off"]
        );
    }

    #[test]
    fn retry_on_replaces_the_conditions_and_numbers_are_status_codes() {
        assert_eq!(
            retry("attempts: 1, retryOn: '5xx, gateway-error,reset,reset-before-request,connect-failure,retriable-4xx,refused-stream,503,429,503'").on,
            RetryOn {
                any_5xx: true,
                gateway_error: true,
                reset: true,
                reset_before_request: true,
                connect_failure: true,
                retriable_4xx: true,
                refused_stream: true,
                statuses: vec![503, 429],
                ..RetryOn::default()
            }
        );
        assert_eq!(
            retry("attempts: 1, retryOn: 'cancelled,deadline-exceeded,internal,resource-exhausted,unavailable'").on.grpc,
            [1, 4, 13, 8, 14]
        );
        assert_eq!(
            retry("attempts: 1, retryOn: ''").on,
            Profile::istio().retry.value.on
        );
        assert_eq!(
            retry("attempts: 1, retryOn: retriable-status-codes").on,
            RetryOn::default()
        );
    }

    #[test]
    fn unknown_conditions_are_refused_and_unsimulated_ones_noted() {
        let on = |on: &str| with(&format!("retries: {{attempts: 1, retryOn: '{on}'}}"));
        assert_eq!(
            refused(&on("5xx,conect-failure")),
            ["8:73 `conect-failure` is not a retry condition"]
        );
        // Go knows no text for 599, so Istio takes it for a condition.
        assert_eq!(refused(&on("599")), ["8:73 `599` is not a retry condition"]);
        assert_eq!(
            notes(&on("envoy-ratelimited,5xx"), NoteKind::NotHonoured).len(),
            1
        );
        assert_eq!(notes(&on("retriable-headers"), NoteKind::NoEffect).len(), 1);
    }

    #[test]
    fn wrong_values_are_refused() {
        assert_eq!(
            refused(&with("retries: {attempts: -1}")),
            ["8:61 `-1` is negative"]
        );
        assert_eq!(
            refused(&with("retries: {attempts: 1, perTryTimeout: 2}")),
            ["8:79 expected text, found the number 2"]
        );
        assert_eq!(
            refused(&with("retries: {attempts: 1, perTryTimeout: 2 seconds}")),
            ["8:79 ` seconds` is not a unit of time: `ns`, `us`, `ms`, `s`, `m` or `h`"]
        );
        assert_eq!(
            refused(&with("retries: {attempts: 1, backoff: 1500us}")),
            ["8:73 `1500us` is not a whole number of milliseconds"]
        );
        assert_eq!(
            refused(&with("retries: {attempts: 1, backoff: 0s}")),
            ["8:73 `0s` must be at least 1ms"]
        );
    }

    #[test]
    fn under_consistent_hashing_the_default_does_not_avoid_endpoints() {
        let hash = destination_rule(
            "  trafficPolicy: {loadBalancer: {consistentHash: {useSourceIp: true}}}",
        );
        let compiled = |rule: String| {
            let policy = policy(&format!("{hash}---\n{rule}"));
            policy.routes[0].routes[0].route.retry.clone()
        };
        let silent = compiled(http("  - route: [{destination: {host: v}}]"));
        assert!(!silent.value.avoid_previous_endpoints);
        assert!(silent.origin.to_string().contains("consistent hashing"));
        assert!(
            !compiled(with("retries: {attempts: 4}"))
                .value
                .avoid_previous_endpoints
        );
        let explicit = with("retries: {attempts: 4, retryIgnorePreviousHosts: true}");
        assert!(compiled(explicit).value.avoid_previous_endpoints);
        let weighted = http(
            "  - route: [{destination: {host: v}, weight: 1}, {destination: {host: w}, weight: 1}]",
        );
        assert!(compiled(weighted).value.avoid_previous_endpoints);
    }
}
