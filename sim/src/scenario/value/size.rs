//! Sizes: `1MiB`.

use super::{Integers, Text, decimal, split_unit, text};

/// Larger bodies are taken for mistakes.
const LARGEST: f64 = (1u64 << 40) as f64;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

impl Text for Size {
    const NAME: &'static str = "Size";
    const EXPECTED: &'static str = "a size such as `10KiB`";
    const ABOUT: &'static str = "A number of bytes: `B`, `KiB` (1024), `MiB`, `GiB`, or `kB` (1000), `MB`, `GB`; a bare number is bytes.";
    const PATTERN: &'static str = r"^[0-9]+\.?[0-9]* *(?:B|KiB|MiB|GiB|kB|KB|MB|GB)$";
    const EXAMPLES: &'static [&'static str] = &["512B", "10KiB", "1.5MiB"];
    const INTEGERS: Integers = Integers::All;

    fn parse(text: &str) -> Result<Self, String> {
        let (number, unit) = split_unit(text);
        let unit = match unit {
            "B" => 1.0,
            "KiB" => 1024.0,
            "MiB" => 1_048_576.0,
            "GiB" => 1_073_741_824.0,
            "kB" | "KB" => 1e3,
            "MB" => 1e6,
            "GB" => 1e9,
            "" => return Err(format!("`{text}` lacks a unit: `B`, `KiB`, `MiB` or `GiB`")),
            _ => {
                return Err(format!(
                    "`{unit}` is not a unit of size: `B`, `KiB`, `MiB` or `GiB`"
                ));
            }
        };
        let bytes = decimal(number)
            .ok_or_else(|| format!("`{text}` is not a size such as `10KiB`"))?
            * unit;
        if bytes > LARGEST {
            return Err(format!("`{text}` is larger than 1024 GiB"));
        }
        Ok(Self(bytes.round() as u64))
    }

    fn from_integer(number: u64) -> Option<Self> {
        (number as f64 <= LARGEST).then_some(Self(number))
    }
}

text!(Size);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        let size = |text| Size::parse(text).map(|size| size.0);
        assert_eq!(size("1.5KiB"), Ok(1536));
        assert_eq!(size("2 MB"), Ok(2_000_000));
        assert_eq!(size("0B"), Ok(0));
        assert_eq!(
            size("10").unwrap_err(),
            "`10` lacks a unit: `B`, `KiB`, `MiB` or `GiB`"
        );
        assert_eq!(
            size("10KIB").unwrap_err(),
            "`KIB` is not a unit of size: `B`, `KiB`, `MiB` or `GiB`"
        );
        assert!(size("9999999GiB").is_err());
    }
}
