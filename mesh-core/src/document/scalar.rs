//! Plain scalars by the YAML 1.2 core schema (<https://yaml.org/spec/1.2.2/#1032-tag-resolution>).

use std::sync::Arc;

use super::Value;

/// What a plain (unquoted) scalar means.
pub(super) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => number(text).unwrap_or_else(|| Value::String(Arc::from(text))),
    }
}

/// A number of the core schema.
pub(super) fn number(text: &str) -> Option<Value> {
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    match unsigned {
        ".inf" | ".Inf" | ".INF" if text.starts_with('-') => {
            return Some(Value::Float(f64::NEG_INFINITY));
        }
        ".inf" | ".Inf" | ".INF" => return Some(Value::Float(f64::INFINITY)),
        _ => {}
    }
    if matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Some(Value::Float(f64::NAN));
    }
    if !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(integer(text));
    }
    is_float(unsigned)
        .then(|| text.parse().ok().map(Value::Float))
        .flatten()
}

fn integer(text: &str) -> Value {
    if let Ok(value) = text.parse() {
        Value::Integer(value)
    } else if let Ok(value) = text.parse() {
        Value::Unsigned(value)
    } else {
        Value::Float(text.parse().unwrap_or(f64::INFINITY))
    }
}

fn radix(digits: &str, base: u32) -> Option<Value> {
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let value = u64::from_str_radix(digits, base).ok()?;
    Some(i64::try_from(value).map_or(Value::Unsigned(value), Value::Integer))
}

/// `\. [0-9]+ | [0-9]+ ( \. [0-9]* )?`, then an optional exponent.
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa_holds = match mantissa.split_once('.') {
        Some((whole, fraction)) => {
            digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty())
        }
        None => !mantissa.is_empty() && digits(mantissa),
    };
    let exponent_holds = exponent.is_none_or(|exponent| {
        let power = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !power.is_empty() && digits(power)
    });
    mantissa_holds && exponent_holds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_specification() {
        // YAML 1.2.2, example 10.3 and the table of section 10.3.2.
        assert_eq!(resolve("0o7"), Value::Integer(7));
        assert_eq!(resolve("0x3A"), Value::Integer(58));
        assert_eq!(resolve("-19"), Value::Integer(-19));
        assert_eq!(resolve("0."), Value::Float(0.0));
        assert_eq!(resolve("-0.0"), Value::Float(-0.0));
        assert_eq!(resolve(".5"), Value::Float(0.5));
        assert_eq!(resolve("+12e03"), Value::Float(12000.0));
        assert_eq!(resolve("-2E+05"), Value::Float(-200_000.0));
        assert_eq!(resolve("-.Inf"), Value::Float(f64::NEG_INFINITY));
        assert!(matches!(resolve(".NAN"), Value::Float(value) if value.is_nan()));
        assert_eq!(resolve("TRUE"), Value::Bool(true));
        assert_eq!(resolve("~"), Value::Null);
    }

    #[test]
    fn what_only_looks_like_a_number_is_text() {
        for text in [
            "1.2.3", "yes", "0x", "0xg", "1_000", "e5", ".", "+", "250ms", "0x-1", "inf", "nan",
        ] {
            assert_eq!(resolve(text), Value::String(Arc::from(text)), "{text}");
        }
    }

    #[test]
    fn large_integers_keep_every_digit() {
        assert_eq!(resolve("18446744073709551615"), Value::Unsigned(u64::MAX));
        assert_eq!(
            resolve("18446744073709551616"),
            Value::Float(1.8446744073709552e19)
        );
    }
}
