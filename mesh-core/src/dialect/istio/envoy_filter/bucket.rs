//! The token bucket of Envoy's local rate limit.

use std::time::Duration;

use serde::Deserialize;

use crate::dialect::findings::{Field, Findings};
use crate::dialect::object::Object;
use crate::dialect::quantity;
use crate::document::{Node, Spanned, read_lenient};
use crate::policy::{LocalRateLimit, NoteKind, Sourced};

/// Envoy's LocalRateLimit (extensions/filters/http/local_ratelimit/v3/local_rate_limit.proto), as far as it is simulated.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Limit {
    #[serde(alias = "tokenBucket")]
    token_bucket: Option<Spanned<Bucket>>,
    #[serde(alias = "filterEnabled")]
    filter_enabled: Option<Spanned<Share>>,
    #[serde(alias = "filterEnforced")]
    filter_enforced: Option<Spanned<Share>>,
    status: Option<Status>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Bucket {
    #[serde(alias = "maxTokens")]
    max_tokens: Option<Spanned<i64>>,
    #[serde(alias = "tokensPerFill")]
    tokens_per_fill: Option<Spanned<i64>>,
    #[serde(alias = "fillInterval")]
    fill_interval: Option<Spanned<String>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Share {
    #[serde(alias = "defaultValue")]
    default_value: Fractional,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Fractional {
    numerator: f64,
    denominator: Option<Spanned<String>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    code: Option<Spanned<i64>>,
}

/// Compiles a rate limit; `None` when it is wrong or limits nothing.
pub(super) fn compile(
    object: &Object<'_>,
    config: &Node,
    field: &Field,
    findings: &mut Findings<'_>,
) -> Option<Sourced<LocalRateLimit>> {
    let (limit, ignored) = match read_lenient::<Limit>(object.document(), config) {
        Ok(read) => read,
        Err(diagnostic) => {
            findings.refuse(diagnostic);
            return None;
        }
    };
    for ignored in &ignored {
        if !matches!(
            ignored.path.as_str(),
            "stat_prefix" | "statPrefix" | "@type" | "type_url"
        ) && !ignored.path.ends_with("runtime_key")
        {
            let message = "this part of the rate limit is not simulated";
            findings.note(
                NoteKind::NotHonoured,
                &field.child(&ignored.path),
                &ignored.at,
                message,
            );
        }
    }
    let written = limit.token_bucket.as_ref()?;
    let tokens = |number: &Option<Spanned<i64>>, default, findings: &mut Findings<'_>| match number
    {
        Some(number) => quantity::between(number, 1, i64::from(u32::MAX), findings),
        None => Some(default),
    };
    let Some(interval) = &written.value.fill_interval else {
        findings.error(&written.at, "`token_bucket` has no `fill_interval`");
        return None;
    };
    let bucket = LocalRateLimit {
        tokens_max: tokens(&written.value.max_tokens, 1, findings)?,
        tokens_per_fill: tokens(&written.value.tokens_per_fill, 1, findings)?,
        fill_interval: fill_interval(interval, findings)?,
        status: status(&limit, findings)?,
    };
    enforced(&limit, written, field, findings).then(|| Sourced::new(bucket, written.origin()))
}

/// Envoy fills no faster than every 50 ms (local_rate_limit.proto).
fn fill_interval(text: &Spanned<String>, findings: &mut Findings<'_>) -> Option<Duration> {
    let interval = quantity::duration(text, findings)?;
    if interval < Duration::from_millis(50) {
        let message = format!("`{}` is below 50ms, the least Envoy takes", text.value);
        findings.error(&text.at, message);
        return None;
    }
    Some(interval)
}

fn status(limit: &Limit, findings: &mut Findings<'_>) -> Option<u16> {
    match limit
        .status
        .as_ref()
        .and_then(|status| status.code.as_ref())
    {
        // Envoy answers 429 for codes below 400.
        Some(code) => quantity::between(code, 0, 599, findings).map(|code| code as u16),
        None => Some(429),
    }
    .map(|code| if code < 400 { 429 } else { code })
}

/// Whether all requests are counted and all that exceed the bucket refused; Envoy's default for both is none.
fn enforced(
    limit: &Limit,
    written: &Spanned<Bucket>,
    field: &Field,
    findings: &mut Findings<'_>,
) -> bool {
    for (name, share) in [
        ("filter_enabled", &limit.filter_enabled),
        ("filter_enforced", &limit.filter_enforced),
    ] {
        let ratio = share
            .as_ref()
            .map_or(0.0, |share| ratio(&share.value.default_value));
        let at = share.as_ref().map_or(&written.at, |share| &share.at);
        if ratio <= 0.0 {
            let message =
                format!("`{name}` is 0 %, or absent, which means 0 %: nothing is limited");
            findings.note(NoteKind::NoEffect, &field.child(name), at, message);
            return false;
        }
        if ratio < 1.0 {
            let message = format!(
                "`{name}` is {} %: limits for a share of the requests are not simulated",
                ratio * 100.0
            );
            findings.note(NoteKind::NotHonoured, &field.child(name), at, message);
            return false;
        }
    }
    true
}

fn ratio(share: &Fractional) -> f64 {
    let whole = match share.denominator.as_ref().map(|name| name.value.as_str()) {
        Some("TEN_THOUSAND") => 1e4,
        Some("MILLION") => 1e6,
        _ => 1e2,
    };
    share.numerator / whole
}
