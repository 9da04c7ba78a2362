//! Times: `250ms`.

use std::time::Duration;

use mesh_core::document::duration;

use super::{Integers, Text, text};

/// Longer times are taken for mistakes, and would overflow nanosecond clocks when added up.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// A length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Time(pub(crate) Duration);

impl Text for Time {
    const NAME: &'static str = "Time";
    const EXPECTED: &'static str = "a time such as `250ms`";
    const ABOUT: &'static str = "A length of time: a number and its unit (`ns`, `us`, `ms`, `s`, `m`, `h`, `d`), or several of them from large to small.";
    const PATTERN: &'static str =
        r"^(?:0|[0-9]+d|(?:[0-9]+d)?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+)$";
    const EXAMPLES: &'static [&'static str] = &["250ms", "30s", "1m30s", "200us", "24h", "7d"];
    const INTEGERS: Integers = Integers::Zero;

    fn parse(text: &str) -> Result<Self, String> {
        let (days, rest) = match text.split_once('d') {
            Some((days, rest)) if !days.is_empty() && days.bytes().all(|b| b.is_ascii_digit()) => {
                (days.parse().unwrap_or(u64::MAX), rest)
            }
            _ => (0, text),
        };
        let rest = if rest.len() < text.len() && rest.is_empty() {
            Duration::ZERO
        } else if rest.starts_with('+') {
            return Err(format!("`{text}` is not a time such as `250ms`"));
        } else {
            duration::parse_go(rest).map_err(|error| error.to_string())?
        };
        days.checked_mul(24 * 3600)
            .and_then(|seconds| Duration::from_secs(seconds).checked_add(rest))
            .filter(|time| *time <= LONGEST)
            .map(Self)
            .ok_or_else(|| format!("`{text}` is longer than a year"))
    }

    fn from_integer(number: u64) -> Option<Self> {
        (number == 0).then_some(Self(Duration::ZERO))
    }
}

text!(Time);

/// A time as a person writes it: `1m30s`, `250ms`.
pub(crate) fn written(time: Duration) -> String {
    let mut nanos = time.as_nanos();
    if nanos == 0 {
        return "0s".into();
    }
    let mut text = String::new();
    for (unit, length) in [
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1_000),
        ("ns", 1),
    ] {
        let count = nanos / length;
        if count > 0 {
            text += &format!("{count}{unit}");
            nanos %= length;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_have_units() {
        let time = |text| Time::parse(text).map(|time| time.0);
        assert_eq!(time("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(time("2d"), Ok(Duration::from_secs(172_800)));
        assert_eq!(time("1d12h"), Ok(Duration::from_secs(129_600)));
        assert_eq!(time("0"), Ok(Duration::ZERO));
        assert_eq!(time("367d").unwrap_err(), "`367d` is longer than a year");
        assert!(time("99999999999999999999d").is_err());
        assert!(time("d").is_err() && time("").is_err() && time("1d-1s").is_err());
        assert_eq!(
            time("30").unwrap_err(),
            "`30` lacks a unit: `ns`, `us`, `ms`, `s`, `m` or `h`"
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(nanos in 0..1_000_000_000_000_000u64) {
            let time = Duration::from_nanos(nanos);
            prop_assert_eq!(Time::parse(&written(time)), Ok(Time(time)));
        }
    }
}
