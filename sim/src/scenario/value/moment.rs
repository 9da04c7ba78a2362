//! Points of calendar time: `2026-01-01`, `2026-01-01T09:30:00Z`, or seconds since 1970.

use std::time::Duration;

use super::{Integers, Text, text};

/// A point of calendar time, since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) Duration);

/// The last second of the year 9999.
const LAST: u64 = 253_402_300_799;

impl Text for Moment {
    const NAME: &'static str = "Moment";
    const EXPECTED: &'static str = "a date such as `2026-01-01`";
    const ABOUT: &'static str =
        "A point of calendar time in UTC: a date, a date and time of day, or seconds since 1970.";
    const PATTERN: &'static str =
        r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2})?Z?)?$";
    const EXAMPLES: &'static [&'static str] = &["2026-01-01", "2026-03-29T01:59:00Z"];
    const INTEGERS: Integers = Integers::All;

    fn parse(text: &str) -> Result<Self, String> {
        seconds(text)
            .filter(|seconds| *seconds <= LAST)
            .map(|seconds| Self(Duration::from_secs(seconds)))
            .ok_or_else(|| {
                format!("`{text}` is not a date from 1970 on, such as `2026-01-01` or `2026-01-01T09:30:00Z`")
            })
    }

    fn from_integer(number: u64) -> Option<Self> {
        (number <= LAST).then_some(Self(Duration::from_secs(number)))
    }
}

text!(Moment);

fn seconds(text: &str) -> Option<u64> {
    let (date, time) = match text.split_once(['T', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let days = days_since_1970(year, month, day)?;
    let time = match time {
        None => 0,
        Some(time) => {
            let time = time.strip_suffix('Z').unwrap_or(time);
            let [hour, minute, second] = match numbers(time, ':', [2, 2, 2]) {
                Some(parts) => parts,
                None => {
                    let [hour, minute] = numbers(time, ':', [2, 2])?;
                    [hour, minute, 0]
                }
            };
            (hour < 24 && minute < 60 && second < 60)
                .then_some(hour * 3600 + minute * 60 + second)?
        }
    };
    Some(days * 86_400 + time)
}

fn numbers<const N: usize>(text: &str, between: char, widths: [usize; N]) -> Option<[u64; N]> {
    let mut parts = text.split(between);
    let mut numbers = [0; N];
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = parts.next()?;
        let digits = part.len() == width && part.bytes().all(|byte| byte.is_ascii_digit());
        *number = digits.then(|| part.parse().ok()).flatten()?;
    }
    parts.next().is_none().then_some(numbers)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let february = if leap(year) { 29 } else { 28 };
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = *lengths.get(usize::try_from(month.checked_sub(1)?).ok()?)?;
    if year < 1970 || day == 0 || day > length {
        return None;
    }
    let years: u64 = (1970..year)
        .map(|year| if leap(year) { 366 } else { 365 })
        .sum();
    let months: u64 = lengths.iter().take(month as usize - 1).sum();
    Some(years + months + day - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_unix() {
        // Values of `date -u -d … +%s`.
        let seconds = |text| Moment::parse(text).map(|moment| moment.0.as_secs());
        assert_eq!(seconds("1970-01-01"), Ok(0));
        assert_eq!(seconds("2000-02-29"), Ok(951_782_400));
        assert_eq!(seconds("2026-01-01"), Ok(1_767_225_600));
        assert_eq!(seconds("2026-03-29T01:59:00Z"), Ok(1_774_749_540));
        assert_eq!(seconds("9999-12-31T23:59:59Z"), Ok(LAST));
        for text in [
            "2025-02-29",
            "2026-13-01",
            "2026-00-10",
            "1969-12-31",
            "2026-1-1",
            "2026-01-01T24:00",
            "x",
        ] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
