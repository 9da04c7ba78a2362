//! Deviations of clocks: `-10m`, `200ppm`.

use super::{Text, Time, decimal, text};

/// A time forwards or backwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shift(pub(crate) i64);

impl Text for Shift {
    const NAME: &'static str = "Shift";
    const EXPECTED: &'static str = "a time forwards or backwards such as `10m` or `-10m`";
    const ABOUT: &'static str = "A time forwards, or backwards with a `-` before it.";
    const PATTERN: &'static str =
        r"^-?(?:0|[0-9]+d|(?:[0-9]+d)?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+)$";
    const EXAMPLES: &'static [&'static str] = &["10m", "-10m", "25h"];

    fn parse(text: &str) -> Result<Self, String> {
        let (sign, length) = match text.strip_prefix('-') {
            Some(length) => (-1, length),
            None => (1, text),
        };
        let length = Time::parse(length)?;
        let nanos = i64::try_from(length.0.as_nanos()).unwrap_or(i64::MAX);
        Ok(Self(sign * nanos))
    }
}

text!(Shift);

/// The most that a clock may gain or lose, in parts per billion: half the time.
const DRIFT_MAX: f64 = 500_000_000.0;

/// How much faster than true time a clock goes, in parts per billion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Drift(pub(crate) i64);

impl Text for Drift {
    const NAME: &'static str = "Drift";
    const EXPECTED: &'static str = "a drift such as `200ppm` or `-50ppm`";
    const ABOUT: &'static str = "What a clock gains on true time, or loses with a `-` before it: parts per million (`ppm`), or a share (`%`). Quartz drifts by less than 100ppm.";
    const PATTERN: &'static str = r"^-?[0-9]+\.?[0-9]* *(?:ppm|%)$";
    const EXAMPLES: &'static [&'static str] = &["200ppm", "-50ppm", "10%"];

    fn parse(text: &str) -> Result<Self, String> {
        let fail = || format!("`{text}` is not a drift such as `200ppm` or `-50ppm`");
        let (sign, amount) = match text.strip_prefix('-') {
            Some(amount) => (-1, amount),
            None => (1, text),
        };
        let (number, unit) = match (amount.strip_suffix("ppm"), amount.strip_suffix('%')) {
            (Some(number), _) => (number, 1e3),
            (None, Some(number)) => (number, 1e7),
            (None, None) => return Err(fail()),
        };
        let ppb = decimal(number.trim_end_matches(' ')).ok_or_else(fail)? * unit;
        if ppb > DRIFT_MAX {
            return Err(format!("`{text}` is more than half the time"));
        }
        Ok(Self(sign * libm::round(ppb) as i64))
    }
}

text!(Drift);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_deviate_both_ways() {
        let shift = |text| Shift::parse(text).map(|shift| shift.0);
        assert_eq!(shift("-10m"), Ok(-600_000_000_000));
        assert_eq!(shift("1d"), Ok(86_400_000_000_000));
        assert!(shift("--1s").is_err() && shift("+1s").is_err() && shift("10").is_err());
        let drift = |text| Drift::parse(text).map(|drift| drift.0);
        assert_eq!(drift("200ppm"), Ok(200_000));
        assert_eq!(drift("-0.5ppm"), Ok(-500));
        assert_eq!(drift("10%"), Ok(100_000_000));
        assert_eq!(
            drift("60%").unwrap_err(),
            "`60%` is more than half the time"
        );
        assert!(drift("200").is_err() && drift("fast").is_err());
    }
}
