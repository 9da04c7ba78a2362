//! Demands on numbers: `>= 99%`, `< 250ms`, `>= 270/s`, `== 0`.

use crate::plan::{Amount, Bound, Comparison};

use super::share::percent;
use super::{PerSecond, Size, Text, Time, decimal, text};

/// A demand on a share; its number is a ratio from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ShareLimit(pub(crate) Bound);

/// A demand on a time; its number is nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TimeLimit(pub(crate) Bound);

impl Text for ShareLimit {
    const NAME: &'static str = "ShareLimit";
    const EXPECTED: &'static str = "a demand such as `>= 99%`";
    const ABOUT: &'static str = "A comparison (`<`, `<=`, `>`, `>=`, `==`) and a share.";
    const PATTERN: &'static str = r"^(?:<=|>=|==|<|>) *[0-9]+\.?[0-9]* *%$";
    const EXAMPLES: &'static [&'static str] = &[">= 99.9%", "== 100%", "< 50%"];

    fn parse(text: &str) -> Result<Self, String> {
        let (comparison, rest) = comparison(text, Self::EXPECTED)?;
        let value = percent(rest)
            .filter(|percent| *percent <= 100.0)
            .ok_or_else(|| format!("`{rest}` is not a share from `0%` to `100%`"))?;
        let value = value / 100.0;
        Ok(Self(Bound { comparison, value }))
    }
}

text!(ShareLimit);

impl Text for TimeLimit {
    const NAME: &'static str = "TimeLimit";
    const EXPECTED: &'static str = "a demand such as `< 250ms`";
    const ABOUT: &'static str = "A comparison (`<`, `<=`, `>`, `>=`, `==`) and a time.";
    const PATTERN: &'static str = r"^(?:<=|>=|==|<|>) *[0-9.][0-9.a-zµμ]*$";
    const EXAMPLES: &'static [&'static str] = &["< 250ms", ">= 1s"];

    fn parse(text: &str) -> Result<Self, String> {
        let (comparison, rest) = comparison(text, Self::EXPECTED)?;
        let Time(time) = Time::parse(rest)?;
        let value = time.as_nanos() as f64;
        Ok(Self(Bound { comparison, value }))
    }
}

text!(TimeLimit);

/// A demand on a number without a unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct NumberLimit(pub(crate) Bound);

impl Text for NumberLimit {
    const NAME: &'static str = "NumberLimit";
    const EXPECTED: &'static str = "a demand such as `<= 1.2`";
    const ABOUT: &'static str = "A comparison (`<`, `<=`, `>`, `>=`, `==`) and a number.";
    const PATTERN: &'static str = r"^(?:<=|>=|==|<|>) *[0-9]+\.?[0-9]*$";
    const EXAMPLES: &'static [&'static str] = &["<= 1.2", "== 0", ">= 0.95"];

    fn parse(text: &str) -> Result<Self, String> {
        let (comparison, rest) = comparison(text, Self::EXPECTED)?;
        let value =
            decimal(rest).ok_or_else(|| format!("`{rest}` is not a number such as `1.2`"))?;
        Ok(Self(Bound { comparison, value }))
    }
}

text!(NumberLimit);

/// A demand on a whole number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CountLimit(pub(crate) Bound);

impl Text for CountLimit {
    const NAME: &'static str = "CountLimit";
    const EXPECTED: &'static str = "a demand such as `== 0`";
    const ABOUT: &'static str = "A comparison (`<`, `<=`, `>`, `>=`, `==`) and a whole number.";
    const PATTERN: &'static str = r"^(?:<=|>=|==|<|>) *[0-9]+$";
    const EXAMPLES: &'static [&'static str] = &["== 0", "<= 100"];

    fn parse(text: &str) -> Result<Self, String> {
        let (comparison, rest) = comparison(text, Self::EXPECTED)?;
        let value = whole(rest).ok_or_else(|| format!("`{rest}` is not a whole number"))?;
        Ok(Self(Bound { comparison, value }))
    }
}

text!(CountLimit);

/// A demand on a rate; its number is per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RateLimit(pub(crate) Bound);

impl Text for RateLimit {
    const NAME: &'static str = "RateLimit";
    const EXPECTED: &'static str = "a demand such as `>= 270/s`";
    const ABOUT: &'static str = "A comparison (`<`, `<=`, `>`, `>=`, `==`) and a rate.";
    const PATTERN: &'static str = r"^(?:<=|>=|==|<|>) *[0-9]+\.?[0-9]* *(?:/s|/m|/h)$";
    const EXAMPLES: &'static [&'static str] = &[">= 270/s", "< 1000/m"];

    fn parse(text: &str) -> Result<Self, String> {
        let (comparison, rest) = comparison(text, Self::EXPECTED)?;
        let value = PerSecond::parse(rest)?.0;
        Ok(Self(Bound { comparison, value }))
    }
}

text!(RateLimit);

/// A demand on how many, or on which share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct AmountLimit(pub(crate) Amount, pub(crate) Bound);

impl Text for AmountLimit {
    const NAME: &'static str = "AmountLimit";
    const EXPECTED: &'static str = "a demand such as `== 0` or `< 1%`";
    const ABOUT: &'static str =
        "A comparison (`<`, `<=`, `>`, `>=`, `==`) and a whole number, or a share of all.";
    const PATTERN: &'static str = r"^(?:<=|>=|==|<|>) *(?:[0-9]+|[0-9]+\.?[0-9]* *%)$";
    const EXAMPLES: &'static [&'static str] = &["== 0", "< 1%"];

    fn parse(text: &str) -> Result<Self, String> {
        if text.ends_with('%') {
            return ShareLimit::parse(text).map(|share| Self(Amount::Share, share.0));
        }
        let (comparison, rest) = comparison(text, Self::EXPECTED)?;
        let value = whole(rest).ok_or_else(|| {
            format!("`{rest}` is neither a whole number nor a share such as `1%`")
        })?;
        Ok(Self(Amount::Count, Bound { comparison, value }))
    }
}

text!(AmountLimit);

/// A demand on bytes, or on a share of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct BytesLimit(pub(crate) Amount, pub(crate) Bound);

impl Text for BytesLimit {
    const NAME: &'static str = "BytesLimit";
    const EXPECTED: &'static str = "a demand such as `< 10MiB` or `< 20%`";
    const ABOUT: &'static str =
        "A comparison (`<`, `<=`, `>`, `>=`, `==`) and a size, `0`, or a share of all bytes.";
    const PATTERN: &'static str =
        r"^(?:<=|>=|==|<|>) *(?:0|[0-9]+\.?[0-9]* *(?:B|KiB|MiB|GiB|kB|KB|MB|GB|%))$";
    const EXAMPLES: &'static [&'static str] = &["< 10MiB", "== 0", "<= 20%"];

    fn parse(text: &str) -> Result<Self, String> {
        if text.ends_with('%') {
            return ShareLimit::parse(text).map(|share| Self(Amount::Share, share.0));
        }
        let (comparison, rest) = comparison(text, Self::EXPECTED)?;
        let value = if rest == "0" {
            0.0
        } else {
            Size::parse(rest)?.0 as f64
        };
        Ok(Self(Amount::Count, Bound { comparison, value }))
    }
}

text!(BytesLimit);

/// A whole number that binary fractions hold exactly.
fn whole(text: &str) -> Option<f64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = digits.then(|| text.parse::<u64>().ok()).flatten()?;
    (number < 1 << 53).then_some(number as f64)
}

fn comparison<'a>(text: &'a str, expected: &str) -> Result<(Comparison, &'a str), String> {
    let signs = [
        ("<=", Comparison::AtMost),
        (">=", Comparison::AtLeast),
        ("==", Comparison::Equal),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
    ];
    signs
        .iter()
        .find_map(|(sign, comparison)| {
            let rest = text.strip_prefix(sign)?;
            Some((*comparison, rest.trim_start_matches(' ')))
        })
        .ok_or_else(|| format!("`{text}` is not {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_compare_with_a_number() {
        let ShareLimit(bound) = ShareLimit::parse(">= 99.9%").unwrap();
        assert_eq!(bound.comparison, Comparison::AtLeast);
        assert!((bound.value - 0.999).abs() < 1e-12);
        let TimeLimit(bound) = TimeLimit::parse("<250ms").unwrap();
        assert_eq!((bound.comparison, bound.value), (Comparison::Less, 250e6));
        assert!(ShareLimit::parse("99%").is_err());
        assert!(ShareLimit::parse(">= 101%").is_err());
        assert!(TimeLimit::parse("< 250").is_err());
        assert!(TimeLimit::parse("=< 1s").is_err());
    }

    #[test]
    fn every_number_has_its_unit() {
        let NumberLimit(bound) = NumberLimit::parse("<= 1.2").unwrap();
        assert_eq!((bound.comparison, bound.value), (Comparison::AtMost, 1.2));
        assert_eq!(RateLimit::parse(">= 270/s").unwrap().0.value, 270.0);
        assert_eq!(CountLimit::parse("== 0").unwrap().0.value, 0.0);
        let AmountLimit(amount, bound) = AmountLimit::parse("< 1%").unwrap();
        assert_eq!((amount, bound.value), (Amount::Share, 0.01));
        let BytesLimit(amount, bound) = BytesLimit::parse("< 1KiB").unwrap();
        assert_eq!((amount, bound.value), (Amount::Count, 1024.0));
        assert!(RateLimit::parse(">= 270").is_err());
        assert!(CountLimit::parse("<= 1.5").is_err());
        assert!(AmountLimit::parse("< 1.5").is_err());
        assert!(BytesLimit::parse("< 10").is_err());
    }
}
