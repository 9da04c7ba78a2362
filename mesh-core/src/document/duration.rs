//! Durations as Go writes them, which is how Kubernetes and every Envoy-based mesh take them.

use std::fmt;
use std::time::Duration;

/// Why a text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseDurationError(String);

impl fmt::Display for ParseDurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ParseDurationError {}

/// Reads `1.5s`, `100ms`, `1h2m`, `0`: numbers with units `ns`, `us`/`µs`, `ms`,
/// `s`, `m`, `h`, one after the other (Go's `time.ParseDuration`). Digits below
/// a nanosecond are lost, as Go loses them.
///
/// # Errors
/// When a number or unit is missing or unknown, it is negative, or it exceeds
/// Go's 2⁶³ − 1 nanoseconds (292 years).
pub fn parse_go(text: &str) -> Result<Duration, ParseDurationError> {
    let fail = |why: String| Err(ParseDurationError(why));
    if text.starts_with('-') {
        return fail(format!("`{text}` is negative"));
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return fail("a duration is missing, such as `250ms`".into());
    }
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let number = digits_and_point(rest);
        if number.is_empty() || number == "." {
            return fail(format!(
                "`{text}` is not a duration, such as `250ms` or `1.5s`"
            ));
        }
        rest = &rest[number.len()..];
        let end = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        let (unit, after) = rest.split_at(end);
        let Some(unit_nanos) = unit_nanos(unit) else {
            return fail(if unit.is_empty() {
                format!("`{text}` lacks a unit: `ns`, `us`, `ms`, `s`, `m` or `h`")
            } else {
                format!("`{unit}` is not a unit of time: `ns`, `us`, `ms`, `s`, `m` or `h`")
            });
        };
        total = match nanos(number, unit_nanos).and_then(|part| total.checked_add(part)) {
            Some(total) if total <= i64::MAX as u128 => total,
            _ => return fail(format!("`{text}` is too long")),
        };
        rest = after;
    }
    let nanos = u64::try_from(total).unwrap_or(u64::MAX);
    Ok(Duration::from_nanos(nanos))
}

fn digits_and_point(text: &str) -> &str {
    let mut points = 0;
    let end = text
        .find(|c: char| {
            points += usize::from(c == '.');
            !(c.is_ascii_digit() || c == '.' && points <= 1)
        })
        .unwrap_or(text.len());
    &text[..end]
}

fn unit_nanos(unit: &str) -> Option<u128> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

fn nanos(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u128 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    // In floating point, digit for digit as Go's leadingFraction does it, so that the last nanosecond agrees.
    let (mut digits, mut scale) = (0u64, 1.0);
    for digit in fraction.bytes() {
        if digits > (i64::MAX as u64) / 10 {
            break;
        }
        digits = digits * 10 + u64::from(digit - b'0');
        scale *= 10.0;
    }
    let part = (digits as f64 * (unit as f64 / scale)) as u128;
    whole.checked_mul(unit)?.checked_add(part)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_cases_of_go() {
        // From Go's time_test.go, parseDurationTests.
        for (text, nanos) in [
            ("0", 0),
            ("5s", 5_000_000_000),
            ("1478s", 1_478_000_000_000),
            ("+5s", 5_000_000_000),
            ("5.0s", 5_000_000_000),
            ("5.s", 5_000_000_000),
            (".5s", 500_000_000),
            ("1.004s", 1_004_000_000),
            ("100.00100s", 100_001_000_000),
            ("10ns", 10),
            ("11us", 11_000),
            ("12µs", 12_000),
            ("12μs", 12_000),
            ("3h30m", 12_600_000_000_000),
            ("10.5s4m", 250_500_000_000),
            ("1h2m3s4ms5us6ns", 3_723_004_005_006),
            ("52763797000ns", 52_763_797_000),
            ("0.3333333333333333333h", 1_200_000_000_000),
            ("9223372036854775807ns", i64::MAX as u64),
        ] {
            assert_eq!(parse_go(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
        for text in [
            "",
            "3",
            "-",
            "s",
            ".",
            "-.",
            ".s",
            "+.s",
            "1d",
            "3000000h",
            "9223372036854775808ns",
            "-1s",
            "1..5s",
            " 1s",
            "1s ",
            "1 s",
            "99999999999999999999999999999999999999999h",
        ] {
            assert!(parse_go(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_missing_unit_is_named() {
        let error = parse_go("250").unwrap_err().to_string();
        assert_eq!(
            error,
            "`250` lacks a unit: `ns`, `us`, `ms`, `s`, `m` or `h`"
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,24}") {
            let _ = parse_go(&text);
        }

        #[test]
        fn whole_nanoseconds_survive(nanos in 0..=i64::MAX as u64) {
            prop_assert_eq!(parse_go(&format!("{nanos}ns")), Ok(Duration::from_nanos(nanos)));
        }
    }
}
