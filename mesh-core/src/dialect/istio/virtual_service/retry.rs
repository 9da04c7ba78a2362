//! Retries (pilot/pkg/networking/core/route/retry/retry.go, `ConvertPolicy`).
//!
//! A `retries` block replaces the mesh's default; `retryOn` and the
//! preference for other endpoints keep their defaults when left out. Zero
//! attempts switch retries off. Under consistent hashing a retry may come back
//! to the same endpoint, because another one would break the affinity.

use super::spec::Retries;
use crate::dialect::findings::{Field, Findings};
use crate::dialect::quantity;
use crate::document::{Spanned, nearest};
use crate::policy::{NoteKind, Origin, Profile, RetryBackoff, RetryOn, RetryPolicy, Sourced};

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
    let default = default_policy(hashed, profile);
    let Some(written) = written else {
        return Some(default);
    };
    let origin = Origin::Written(written.at.clone());
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

fn default_policy(hashed: bool, profile: &Profile) -> Sourced<RetryPolicy> {
    let mut default = profile.retry.clone();
    if hashed && default.value.avoid_previous_endpoints {
        default.value.avoid_previous_endpoints = false;
        default.origin = Origin::Default(
            format!(
                "{}; under consistent hashing retries may return to the same endpoint",
                match &default.origin {
                    Origin::Default(what) => what.to_string(),
                    Origin::Written(at) => at.to_string(),
                }
            )
            .into(),
        );
    }
    default
}

fn refuse_settings_without_attempts(
    written: &Spanned<Retries>,
    findings: &mut Findings<'_>,
) -> Option<()> {
    let retries = &written.value;
    let setting = if retries.per_try_timeout.is_some() {
        "perTryTimeout"
    } else if retries.retry_on.as_ref().is_some_and(|on| !on.value.is_empty()) {
        "retryOn"
    } else if retries.retry_remote_localities.is_some() {
        "retryRemoteLocalities"
    } else {
        return Some(());
    };
    let at = retries.attempts.as_ref().map_or(&written.at, |attempts| &attempts.at);
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

fn retry_on(
    text: &Spanned<String>,
    field: &Field,
    findings: &mut Findings<'_>,
) -> Option<RetryOn> {
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
                    format!("it is a registered status code, or one of {}", CONDITIONS.join(", ")),
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
