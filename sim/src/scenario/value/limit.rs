//! Demands on numbers: `>= 99%`, `< 250ms`.

use crate::plan::{Bound, Comparison};

use super::share::percent;
use super::{Text, Time, text};

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
}
