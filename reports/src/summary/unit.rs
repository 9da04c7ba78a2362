//! Numbers as a person says them: three significant digits, a unit, a thin hand with zeros.

use crate::record::Unit;

/// A demanded number, as a person wrote it: `99.9%`, `250 ms`, `270/s`.
pub fn demanded(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Ratio => format!("{}%", trimmed(value * 100.0, 6)),
        Unit::Ms if value > 0.0 && value < 1.0 => format!("{} µs", trimmed(value * 1e3, 3)),
        Unit::Ms if value < 1e3 => format!("{} ms", trimmed(value, 3)),
        Unit::Ms => format!("{} s", trimmed(value / 1e3, 3)),
        Unit::S => span(value),
        Unit::PerSecond => format!("{}/s", trimmed(value, 6)),
        Unit::Count => count(value.round() as u64),
        Unit::Number => trimmed(value, 6),
        Unit::Bytes => bytes(value),
    }
}

/// A measured number: `99.95%`, `41.0 ms`, `280/s`.
pub fn measured(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Ratio => share(value),
        Unit::Ms => millis(value),
        Unit::S => span(value),
        Unit::PerSecond => per_second(value),
        Unit::Count => count(value.round() as u64),
        Unit::Number => three_digits(value),
        Unit::Bytes => bytes(value),
    }
}

/// A number of bytes with three significant digits: `512 B`, `1.50 MiB`.
pub fn bytes(value: f64) -> String {
    let units = [
        (1_073_741_824.0, "GiB"),
        (1_048_576.0, "MiB"),
        (1_024.0, "KiB"),
    ];
    match units.into_iter().find(|(size, _)| value >= *size) {
        Some((size, unit)) => format!("{} {unit}", three_digits(value / size)),
        None => format!("{} B", count(value.round() as u64)),
    }
}

/// A duration in milliseconds with three significant digits: `250 µs`, `1.24 ms`, `7.01 s`, `12.5 min`.
pub fn millis(ms: f64) -> String {
    // The bounds lie where the smaller unit would round up to four digits.
    let (value, unit) = match ms.abs() {
        0.0 => return "0 ms".into(),
        x if x < 0.000_999_5 => (ms * 1e6, "ns"),
        x if x < 0.999_5 => (ms * 1e3, "µs"),
        x if x < 999.5 => (ms, "ms"),
        x if x < 99_950.0 => (ms / 1e3, "s"),
        x if x < 5_999_500.0 => (ms / 6e4, "min"),
        _ => (ms / 3.6e6, "h"),
    };
    format!("{} {unit}", three_digits(value))
}

/// A point or span of a run in seconds, without idle zeros: `30 s`, `0.25 s`, `2 min 5 s`, `24 h`.
pub fn span(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "∞".into();
    }
    if seconds < 120.0 {
        return format!("{} s", trimmed(seconds, 3));
    }
    let whole = seconds.round() as u64;
    let parts = [
        (whole / 3600, "h"),
        (whole / 60 % 60, "min"),
        (whole % 60, "s"),
    ];
    let spoken: Vec<String> = parts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, unit)| format!("{n} {unit}"))
        .collect();
    spoken.join(" ")
}

/// A count with commas between thousands.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count and its noun: `1 fault`, `3 faults`.
pub fn counted(n: u64, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(n))
}

/// A rate with three significant digits: `280/s`, and where a second has next to nothing, by the hour or the day.
pub fn per_second(rate_per_s: f64) -> String {
    let (hour, day) = (rate_per_s * 3_600.0, rate_per_s * 86_400.0);
    match rate_per_s.abs() {
        x if x == 0.0 || x >= RATE_LEAST => format!("{}/s", rate(rate_per_s)),
        _ if hour.abs() >= 0.1 => format!("{}/h", three_digits(hour)),
        _ => format!("{}/d", three_digits(day)),
    }
}

/// A demand's message with its comparison as it is printed elsewhere: `not ≥ 95%` for `not >= 95%`.
pub fn with_signs(message: &str) -> String {
    let mut told = message.to_owned();
    for (written, sign) in [("<=", "≤"), (">=", "≥"), ("==", "=")] {
        told = told.replace(&format!(", not {written} "), &format!(", not {sign} "));
    }
    told
}

/// The least rate that has a digit other than 0 when it is told by the second.
const RATE_LEAST: f64 = 0.01;

/// A rate per second with three significant digits, where its unit is told elsewhere.
pub fn rate(per_second: f64) -> String {
    match per_second.abs() {
        0.0 => return "0".into(),
        x if x < RATE_LEAST => return "<0.01".into(),
        _ => {}
    }
    if per_second >= 999.5 {
        return count(per_second.round() as u64);
    }
    three_digits(per_second)
}

/// A ratio with two decimals.
pub fn ratio(value: f64) -> String {
    format!("{value:.2}")
}

/// A share in percent. It is cut, not rounded, and given as many decimals as it takes to show that it is not all:
/// `100%` means every one, and `0%` none.
pub fn share(share: f64) -> String {
    if share >= 1.0 {
        return "100%".into();
    }
    if share <= 0.0 {
        return "0%".into();
    }
    if share < 0.0001 {
        return "<0.01%".into();
    }
    // Beyond the first digit of what is missing, digits say nothing new.
    let missing = (1.0 - share) * 100.0;
    for (decimals, scale) in [(2, 1e2), (3, 1e3), (4, 1e4), (5, 1e5), (6, 1e6)] {
        if missing * scale > 1.0 - 1e-6 {
            // A hair is added because 99.95 × 100 is 9994.999… in binary.
            let cut = (share * 100.0 * scale + 1e-6).floor() / scale;
            return format!("{cut:.decimals$}%");
        }
    }
    "<100%".into()
}

fn three_digits(value: f64) -> String {
    let decimals = match value.abs() {
        x if x < 9.995 => 2,
        x if x < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

/// At most `decimals` decimals, without zeros at the end.
pub fn trimmed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits_and_their_unit() {
        let told = [
            (0.0, "0 ms"),
            (0.000_25, "250 ns"),
            (0.25, "250 µs"),
            (0.999_6, "1.00 ms"),
            (1.237, "1.24 ms"),
            (9.996, "10.0 ms"),
            (101.9, "102 ms"),
            (7_012.0, "7.01 s"),
            (750_000.0, "12.5 min"),
            (36_000_000.0, "10.0 h"),
        ];
        for (ms, text) in told {
            assert_eq!(millis(ms), text);
        }
    }

    #[test]
    fn spans_drop_idle_zeros() {
        assert_eq!(span(30.0), "30 s");
        assert_eq!(span(0.25), "0.25 s");
        assert_eq!(span(100.0), "100 s");
        assert_eq!(span(125.0), "2 min 5 s");
        assert_eq!(span(86_400.0), "24 h");
        assert_eq!(span(f64::INFINITY), "∞");
    }

    #[test]
    fn a_share_is_never_rounded_to_all_or_none() {
        let told = [
            (1.0, "100%"),
            (0.9995, "99.95%"),
            (0.999_999, "99.9999%"),
            (0.99995, "99.995%"),
            (0.999_999_99, "99.999999%"),
            (0.999_999_999, "<100%"),
            (0.123_456, "12.34%"),
            (0.5, "50.00%"),
            (0.000_01, "<0.01%"),
            (0.0, "0%"),
        ];
        for (value, text) in told {
            assert_eq!(share(value), text);
        }
    }

    #[test]
    fn every_unit_is_told() {
        assert_eq!(demanded(0.999_000_000_000_1, Unit::Ratio), "99.9%");
        assert_eq!(demanded(270.0, Unit::PerSecond), "270/s");
        assert_eq!(demanded(1.2, Unit::Number), "1.2");
        assert_eq!(demanded(1_572_864.0, Unit::Bytes), "1.50 MiB");
        assert_eq!(measured(279.96, Unit::PerSecond), "280/s");
        assert_eq!(measured(2.004, Unit::Number), "2.00");
        assert_eq!(measured(4.2, Unit::S), "4.2 s");
        assert_eq!(measured(1_234.0, Unit::Count), "1,234");
        assert_eq!(measured(1_000.0, Unit::Bytes), "1,000 B");
    }

    #[test]
    fn rare_traffic_has_a_rate_too() {
        let told = [
            (280.0, "280/s"),
            (0.066_7, "0.07/s"),
            (0.0, "0/s"),
            (0.005, "18.0/h"),
            (0.000_25, "0.90/h"),
            (0.000_02, "1.73/d"),
        ];
        for (rate, text) in told {
            assert_eq!(per_second(rate), text);
        }
        assert_eq!((rate(0.004), rate(0.0)), ("<0.01".into(), "0".into()));
    }

    #[test]
    fn comparisons_are_written_one_way() {
        assert_eq!(
            with_signs("success was 0%, not >= 95%"),
            "success was 0%, not ≥ 95%"
        );
        assert_eq!(with_signs("it was 2, not == 1"), "it was 2, not = 1");
        assert_eq!(
            with_signs("`a >= b` was 2 s, not < 1 s"),
            "`a >= b` was 2 s, not < 1 s"
        );
    }

    #[test]
    fn counts_have_commas() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(counted(1, "fault"), "1 fault");
        assert_eq!(counted(0, "fault"), "0 faults");
    }
}
