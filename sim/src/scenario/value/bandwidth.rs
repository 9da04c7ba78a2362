//! Bandwidths: `1Gbit/s`.

use super::{Text, decimal, split_unit, text};

/// Bits per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bandwidth(pub(crate) u64);

impl Text for Bandwidth {
    const NAME: &'static str = "Bandwidth";
    const EXPECTED: &'static str = "a bandwidth such as `100Mbit/s`";
    const ABOUT: &'static str = "Bits per second, in steps of 1000.";
    const PATTERN: &'static str = r"^[0-9]+\.?[0-9]* *(?:bit|kbit|Mbit|Gbit)/s$";
    const EXAMPLES: &'static [&'static str] = &["100Mbit/s", "1Gbit/s", "56kbit/s"];

    fn parse(text: &str) -> Result<Self, String> {
        let (number, unit) = split_unit(text);
        let unit = match unit {
            "bit/s" => 1.0,
            "kbit/s" => 1e3,
            "Mbit/s" => 1e6,
            "Gbit/s" => 1e9,
            _ => return Err(format!("`{text}` is not a bandwidth such as `100Mbit/s`")),
        };
        decimal(number)
            .map(|number| (number * unit).round())
            .filter(|bits| (1.0..=1e15).contains(bits))
            .map(|bits| Self(bits as u64))
            .ok_or_else(|| format!("`{text}` is not a bandwidth from `1bit/s` to `1000000Gbit/s`"))
    }
}

text!(Bandwidth);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bandwidths_are_bits_per_second() {
        assert_eq!(Bandwidth::parse("1.5Mbit/s"), Ok(Bandwidth(1_500_000)));
        assert!(Bandwidth::parse("0bit/s").is_err());
        assert!(Bandwidth::parse("10MB/s").is_err());
    }
}
