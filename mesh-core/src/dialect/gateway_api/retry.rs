//! Retries and timeouts of a rule (conversion.go, `convertHTTPRoute`).
//!
//! A `retry` stanza retries connection failures and the codes it names; the
//! rest is Istio's default policy. `backendRequest` bounds one attempt where
//! there is a stanza, and the whole request where there is none.

use std::time::Duration;

use super::spec::{Retry, Rule, Timeouts};
use crate::dialect::findings::Findings;
use crate::dialect::quantity;
use crate::dialect::retry::default_policy;
use crate::document::Spanned;
use crate::policy::{Profile, RetryBackoff, RetryOn, RetryPolicy, Sourced};

/// Istio's number of retries where the stanza gives none.
const ATTEMPTS: u32 = 2;

/// How long and how often to try.
pub(super) struct Patience {
    pub(super) timeout: Sourced<Option<Duration>>,
    pub(super) retry: Sourced<RetryPolicy>,
}

/// Compiles timeouts and retries; `None` when they are wrong.
pub(super) fn compile(
    rule: &Rule,
    hashed: bool,
    profile: &Profile,
    findings: &mut Findings<'_>,
) -> Option<Patience> {
    let nothing = Timeouts::default();
    let timeouts = rule.timeouts.as_ref().unwrap_or(&nothing);
    let request = duration(timeouts.request.as_ref(), findings)?;
    let attempt = duration(timeouts.backend_request.as_ref(), findings)?;
    let longest = |limit: &Limit<'_>| {
        limit
            .map(|(_, limit)| limit)
            .filter(|limit| !limit.is_zero())
    };
    if let (Some(whole), Some(one), Some((text, _))) =
        (longest(&request), longest(&attempt), attempt)
        && one > whole
    {
        findings.error(&text.at, "`backendRequest` cannot be longer than `request`");
        return None;
    }
    let mut retry = match &rule.retry {
        Some(written) => stanza(written, hashed, profile, findings)?,
        None => default_policy(hashed, profile),
    };
    // Zero switches a bound off.
    let bound = if rule.retry.is_some() {
        if retry.value.retries > 0 {
            retry.value.per_try_timeout = longest(&attempt);
            if let Some((text, _)) = attempt {
                retry.origin = retry.origin.with(&text.origin());
            }
        }
        request
    } else {
        attempt.filter(|(_, limit)| !limit.is_zero()).or(request)
    };
    let timeout = match bound {
        Some((text, limit)) => {
            Sourced::new(Some(limit).filter(|limit| !limit.is_zero()), text.origin())
        }
        None => profile.timeout.clone(),
    };
    Some(Patience { timeout, retry })
}

type Limit<'t> = Option<(&'t Spanned<String>, Duration)>;

fn duration<'t>(
    written: Option<&'t Spanned<String>>,
    findings: &mut Findings<'_>,
) -> Option<Limit<'t>> {
    let Some(text) = written else {
        return Some(None);
    };
    if !is_gep_2257(&text.value) {
        let message = format!("`{}` is not a duration of the Gateway API", text.value);
        let help = "up to four whole numbers with units, such as `500ms` or `1m30s` (GEP-2257)";
        findings.error_with_help(&text.at, message, help);
        return None;
    }
    quantity::duration_or_zero(text, findings).map(|duration| Some((text, duration)))
}

/// `^([0-9]{1,5}(h|m|s|ms)){1,4}$` (GEP-2257).
fn is_gep_2257(text: &str) -> bool {
    let mut rest = text;
    for part in 0..5 {
        if rest.is_empty() {
            return part > 0;
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if !(1..=5).contains(&digits) {
            return false;
        }
        rest = &rest[digits..];
        let Some(unit) = ["ms", "h", "m", "s"]
            .iter()
            .find(|unit| rest.starts_with(**unit))
        else {
            return false;
        };
        rest = &rest[unit.len()..];
    }
    false
}

fn stanza(
    written: &Spanned<Retry>,
    hashed: bool,
    profile: &Profile,
    findings: &mut Findings<'_>,
) -> Option<Sourced<RetryPolicy>> {
    let origin = written.origin();
    let attempts = match &written.value.attempts {
        Some(attempts) => quantity::count(attempts, findings)?,
        None => ATTEMPTS,
    };
    let mut on = RetryOn {
        connect_failure: true,
        refused_stream: true,
        grpc: vec![14, 1],
        ..RetryOn::default()
    };
    for code in &written.value.codes {
        let code = quantity::between(code, 400, 599, findings)? as u16;
        if !on.statuses.contains(&code) {
            on.statuses.push(code);
        }
    }
    let mut policy = default_policy(hashed, profile).value;
    policy.retries = attempts;
    policy.on = on;
    if let Some(base) = duration(written.value.backoff.as_ref(), findings)? {
        policy.backoff = RetryBackoff {
            base: base.1,
            max: base.1.saturating_mul(10),
        };
    }
    Some(match attempts {
        0 => Sourced::new(RetryPolicy::none(), origin),
        _ => Sourced::new(policy, origin),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::is_gep_2257;
    use crate::dialect::testing::{http_route, refused, route};
    use crate::policy::{Profile, RetryPolicy, Route};

    fn yaml(fields: &str) -> String {
        http_route(&format!(
            "  - {{{fields}, backendRefs: [{{name: b, port: 80}}]}}"
        ))
    }

    fn compiled(fields: &str) -> Route {
        route(&yaml(fields))
    }

    #[test]
    fn without_a_stanza_both_bounds_are_of_the_request() {
        let both = compiled("timeouts: {request: 10s, backendRequest: 2s}");
        assert_eq!(both.timeout.value, Some(Duration::from_secs(2)));
        assert_eq!(both.timeout.origin.to_string(), "mesh.yaml:8:47");
        assert_eq!(both.retry, Profile::istio().retry);
        assert_eq!(
            compiled("timeouts: {request: 10s}").timeout.value,
            Some(Duration::from_secs(10))
        );
        let off = compiled("timeouts: {request: 0s}");
        assert_eq!(off.timeout.value, None);
        assert_eq!(off.timeout.origin.to_string(), "mesh.yaml:8:26");
        assert_eq!(compiled("timeouts: {}").timeout, Profile::istio().timeout);
    }

    #[test]
    fn a_stanza_bounds_each_attempt() {
        let route = compiled(
            "timeouts: {request: 10s, backendRequest: 2s}, retry: {attempts: 4, codes: [500, 503, 500], backoff: 100ms}",
        );
        assert_eq!(route.timeout.value, Some(Duration::from_secs(10)));
        let retry = route.retry.value;
        assert_eq!(
            (retry.retries, retry.per_try_timeout),
            (4, Some(Duration::from_secs(2)))
        );
        assert_eq!(retry.on.statuses, [500, 503]);
        assert!(retry.on.connect_failure && retry.on.refused_stream);
        assert_eq!(retry.on.grpc, [14, 1]);
        assert_eq!(retry.backoff.base, Duration::from_millis(100));
        assert!(retry.avoid_previous_endpoints);
        assert_eq!(compiled("retry: {}").retry.value.retries, 2);
        let none = compiled("retry: {attempts: 0}, timeouts: {backendRequest: 2s}");
        assert_eq!(none.retry.value, RetryPolicy::none());
        assert_eq!(none.timeout.value, None);
    }

    #[test]
    fn wrong_values_are_refused() {
        let message = |fields: &str| refused(&yaml(fields)).join("|");
        assert_eq!(
            message("timeouts: {request: 1.5s}"),
            "8:26 `1.5s` is not a duration of the Gateway API"
        );
        assert_eq!(
            message("timeouts: {request: 1s, backendRequest: 2s}"),
            "8:46 `backendRequest` cannot be longer than `request`"
        );
        assert_eq!(
            message("retry: {codes: [200]}"),
            "8:22 `200` is not between 400 and 599"
        );
    }

    #[test]
    fn the_examples_of_gep_2257() {
        for valid in [
            "0h",
            "0s",
            "1h",
            "30m",
            "10s",
            "500ms",
            "2h30m",
            "150m",
            "7230s",
            "1h30m10s",
            "10s30m1h",
            "100ms200ms300ms",
        ] {
            assert!(is_gep_2257(valid), "{valid}");
        }
        for invalid in [
            "1",
            "1m1",
            "1h30m10s20ms50h",
            "999999h",
            "1.5h",
            "-15m",
            "",
            "1d",
            "1us",
        ] {
            assert!(!is_gep_2257(invalid), "{invalid}");
        }
    }
}
