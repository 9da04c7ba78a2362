//! Shares: `5%`.

use mesh_core::policy::Fraction;

use super::{Text, decimal, text};

/// A share of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share(pub(crate) Fraction);

impl Text for Share {
    const NAME: &'static str = "Share";
    const EXPECTED: &'static str = "a share such as `5%`";
    const ABOUT: &'static str = "A share from `0%` to `100%`.";
    const PATTERN: &'static str = r"^[0-9]+\.?[0-9]* *%$";
    const EXAMPLES: &'static [&'static str] = &["5%", "99.9%", "100%"];

    fn parse(text: &str) -> Result<Self, String> {
        percent(text)
            .and_then(Fraction::from_percent)
            .map(Self)
            .ok_or_else(|| format!("`{text}` is not a share from `0%` to `100%`"))
    }
}

text!(Share);

/// The number before a `%`.
pub(super) fn percent(text: &str) -> Option<f64> {
    decimal(text.strip_suffix('%')?.trim_end_matches(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_percentages() {
        assert_eq!(Share::parse("2.5%").unwrap().0.ppm(), 25_000);
        assert!(Share::parse("101%").is_err());
        assert!(Share::parse("-1%").is_err());
        assert!(Share::parse("0.05").is_err());
    }
}
