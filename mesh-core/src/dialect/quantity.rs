//! The small values of mesh configuration, checked as the meshes check them.

use std::time::Duration;

use super::findings::Findings;
use crate::document::{Spanned, duration::parse_go, nearest};
use crate::policy::{Fraction, Pattern};

/// The shortest duration Istio takes, and its grain (pkg/config/validation/agent/validation.go, `ValidateDuration`).
const MILLISECOND: Duration = Duration::from_millis(1);

/// A duration of whole milliseconds, at least one.
pub(super) fn duration(text: &Spanned<String>, findings: &mut Findings<'_>) -> Option<Duration> {
    let duration = duration_or_zero(text, findings)?;
    if duration.is_zero() {
        findings.error(&text.at, format!("`{}` must be at least 1ms", text.value));
        return None;
    }
    Some(duration)
}

/// As [`duration`], but zero is taken where it means "none".
pub(super) fn duration_or_zero(
    text: &Spanned<String>,
    findings: &mut Findings<'_>,
) -> Option<Duration> {
    match parse_go(&text.value) {
        Err(error) => {
            findings.error(&text.at, error.to_string());
            None
        }
        Ok(duration) if duration.subsec_nanos() % MILLISECOND.subsec_nanos() != 0 => {
            let message = format!("`{}` is not a whole number of milliseconds", text.value);
            findings.error(&text.at, message);
            None
        }
        Ok(duration) => Some(duration),
    }
}

/// A number from 0 to 2³¹ − 1 (protobuf's `int32`, not negative).
pub(super) fn count(number: &Spanned<i64>, findings: &mut Findings<'_>) -> Option<u32> {
    between(number, 0, i64::from(i32::MAX), findings)
}

/// A number in a range within `u32`.
pub(super) fn between(
    number: &Spanned<i64>,
    least: i64,
    most: i64,
    findings: &mut Findings<'_>,
) -> Option<u32> {
    let value = u32::try_from(number.value)
        .ok()
        .filter(|_| (least..=most).contains(&number.value));
    if value.is_none() {
        let message = if number.value < least && least == 0 {
            format!("`{}` is negative", number.value)
        } else {
            format!("`{}` is not between {least} and {most}", number.value)
        };
        findings.error(&number.at, message);
    }
    value
}

/// A TCP port.
pub(super) fn port(number: &Spanned<i64>, findings: &mut Findings<'_>) -> Option<u16> {
    let port = u16::try_from(number.value).ok().filter(|port| *port != 0);
    if port.is_none() {
        let message = format!("`{}` is not a port: ports go from 1 to 65535", number.value);
        findings.error(&number.at, message);
    }
    port
}

/// A percentage from 0 to 100.
pub(super) fn percent(number: &Spanned<f64>, findings: &mut Findings<'_>) -> Option<Fraction> {
    let fraction = Fraction::from_percent(number.value);
    if fraction.is_none() {
        let message = format!("`{}` is not a percentage from 0 to 100", number.value);
        findings.error(&number.at, message);
    }
    fraction
}

/// A whole percentage from 0 to 100.
pub(super) fn whole_percent(number: &Spanned<i64>, findings: &mut Findings<'_>) -> Option<u32> {
    let value = u32::try_from(number.value)
        .ok()
        .filter(|value| *value <= 100);
    if value.is_none() {
        let message = format!("`{}` is not a percentage from 0 to 100", number.value);
        findings.error(&number.at, message);
    }
    value
}

/// A regular expression that must match whole strings.
pub(super) fn regex(text: &Spanned<String>, findings: &mut Findings<'_>) -> Option<Pattern> {
    if text.value.is_empty() {
        findings.error(&text.at, "the regular expression is empty");
        return None;
    }
    match Pattern::new(&text.value) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            // The crate draws the expression with a caret under it; the last line says what is wrong.
            let why = error.to_string();
            let why = why.lines().last().unwrap_or_default();
            let why = why.strip_prefix("error: ").unwrap_or(why);
            let message = format!("`{}` is not a regular expression (RE2): {why}", text.value);
            findings.error(&text.at, message);
            None
        }
    }
}

/// One of the named values.
pub(super) fn choice<T: Clone>(
    text: &Spanned<String>,
    choices: &[(&str, T)],
    findings: &mut Findings<'_>,
) -> Option<T> {
    let found = choices.iter().find(|(name, _)| *name == text.value);
    if let Some((_, value)) = found {
        return Some(value.clone());
    }
    let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
    let help = match nearest(&text.value, names.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("it is one of {}", names.join(", ")),
    };
    findings.error_with_help(&text.at, format!("unknown value `{}`", text.value), help);
    None
}

/// An HTTP status code a response can have.
pub(super) fn status(number: &Spanned<i64>, findings: &mut Findings<'_>) -> Option<u16> {
    between(number, 200, 599, findings).map(|code| code as u16)
}
