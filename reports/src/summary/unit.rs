//! Numbers as a person says them: three significant digits, a unit, a thin hand with zeros.

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

/// A rate per second with three significant digits.
pub fn rate(per_second: f64) -> String {
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
    fn counts_have_commas() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(counted(1, "fault"), "1 fault");
        assert_eq!(counted(0, "fault"), "0 faults");
    }
}
