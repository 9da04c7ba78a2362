//! Sizes, rates and times as isotope writes them.

use std::fmt;
use std::time::Duration;

use mesh_core::document::duration::parse_go;
use mesh_core::policy::Fraction;
use serde::de::{Deserialize, Deserializer, Error, Visitor};

use crate::plan::ErrorInjection;

/// Bytes of a body: a number, or text in docker's binary units, in which
/// `1 KB`, `1KiB` and `1024` are the same (docker/go-units, `RAMInBytes`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size(pub(super) u64);

impl Size {
    fn parse(text: &str) -> Option<Self> {
        let end = text.rfind(|c: char| c.is_ascii_digit() || c == '.' || c == ' ')? + 1;
        let (number, unit) = text.split_at(end);
        let number = number.strip_suffix(' ').unwrap_or(number);
        if !number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            return None; // Rust's numbers may say `inf` and `1e9`; a size may not
        }
        let number: f64 = number.parse().ok()?;
        let bytes = number * binary_unit(&unit.to_ascii_lowercase())?;
        (bytes <= MAX_BYTES).then_some(Self(bytes as u64))
    }
}

/// Larger sizes could not be told apart as Go's 64-bit floats.
const MAX_BYTES: f64 = 9_007_199_254_740_992.0;

fn binary_unit(unit: &str) -> Option<f64> {
    let prefix = match unit {
        "" | "b" => return Some(1.0),
        _ => unit
            .strip_suffix("ib")
            .or(unit.strip_suffix('b'))
            .unwrap_or(unit),
    };
    let power = ["k", "m", "g", "t", "p"]
        .iter()
        .position(|&p| p == prefix)?;
    Some((1u64 << (10 * (power + 1))) as f64)
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SizeVisitor;
        impl Visitor<'_> for SizeVisitor {
            type Value = Size;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size, such as `512` or `10 KB`")
            }

            fn visit_u64<E: Error>(self, bytes: u64) -> Result<Size, E> {
                Ok(Size(bytes))
            }

            fn visit_i64<E: Error>(self, bytes: i64) -> Result<Size, E> {
                u64::try_from(bytes)
                    .map(Size)
                    .map_err(|_| E::custom("a size cannot be negative"))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Size, E> {
                Size::parse(text).ok_or_else(|| {
                    E::custom(format!(
                        "`{text}` is not a size: a number, then at most one of `B`, `K`, `KB`, `KiB` (1024 bytes each), `M`, `G`, `T`, `P`"
                    ))
                })
            }
        }
        deserializer.deserialize_any(SizeVisitor)
    }
}

/// A share of requests that fail: text with `%`, or a number from 0 to 1.
///
/// isotope fails every k-th request, `k = 10000 / ⌊rate × 10000⌋` in whole
/// numbers (service/pkg/srv/handler.go), so rates are coarse: 30 % is every
/// third request, 60 % is every single one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ErrorRate(f64);

impl ErrorRate {
    fn new<E: Error>(rate: f64) -> Result<Self, E> {
        if !(0.0..=1.0).contains(&rate) {
            return Err(E::custom(
                "an error rate is from 0 to 1, or from 0% to 100%",
            ));
        }
        if rate > 0.0 && Self(rate).ten_thousandths() == 0 {
            return Err(E::custom(
                "isotope cannot fail fewer requests than 0.01%: it divides by zero",
            ));
        }
        Ok(Self(rate))
    }

    fn ten_thousandths(self) -> u32 {
        (self.0 * 10_000.0) as u32
    }

    /// Which requests fail.
    pub(super) fn injection(self) -> ErrorInjection {
        match 10_000u32.checked_div(self.ten_thousandths()) {
            Some(every) => ErrorInjection::EveryNth(every),
            None => ErrorInjection::None,
        }
    }

    /// How the share that really fails differs from the one asked for, if it does.
    pub(super) fn rounding(self) -> Option<String> {
        let ErrorInjection::EveryNth(every) = self.injection() else {
            return None;
        };
        let real = 1.0 / f64::from(every);
        ((real - self.0).abs() > self.0 / 100.0).then(|| {
            format!(
                "isotope fails every k-th request; {}% becomes k = {every}, which is {:.2}%",
                self.0 * 100.0,
                real * 100.0
            )
        })
    }
}

impl<'de> Deserialize<'de> for ErrorRate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RateVisitor;
        impl Visitor<'_> for RateVisitor {
            type Value = ErrorRate;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an error rate, such as `0.5%` or `0.005`")
            }

            fn visit_f64<E: Error>(self, rate: f64) -> Result<ErrorRate, E> {
                ErrorRate::new(rate)
            }

            fn visit_i64<E: Error>(self, rate: i64) -> Result<ErrorRate, E> {
                ErrorRate::new(rate as f64)
            }

            fn visit_u64<E: Error>(self, rate: u64) -> Result<ErrorRate, E> {
                ErrorRate::new(rate as f64)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<ErrorRate, E> {
                let Some(number) = text.strip_suffix('%') else {
                    return Err(E::custom(format!("`{text}` lacks its `%`")));
                };
                let percent: f64 = number
                    .parse()
                    .map_err(|_| E::custom(format!("`{text}` is not a percentage")))?;
                ErrorRate::new(percent / 100.0)
            }
        }
        deserializer.deserialize_any(RateVisitor)
    }
}

/// The probability of a call: a whole percentage, in which 0 means always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CallProbability(pub(super) Fraction);

impl Default for CallProbability {
    fn default() -> Self {
        Self(Fraction::ONE)
    }
}

impl<'de> Deserialize<'de> for CallProbability {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let percent = i64::deserialize(deserializer)?;
        match u32::try_from(percent) {
            Ok(0) => Ok(Self::default()),
            Ok(percent @ 1..=100) => Ok(Self(Fraction::from_ppm(percent * 10_000))),
            _ => Err(D::Error::custom("a probability is from 0 to 100")),
        }
    }
}

/// A time to sleep, in Go's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SleepTime(pub(super) Duration);

impl<'de> Deserialize<'de> for SleepTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TimeVisitor;
        impl Visitor<'_> for TimeVisitor {
            type Value = SleepTime;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time with a unit, such as `10ms`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<SleepTime, E> {
                parse_go(text).map(SleepTime).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(TimeVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_binary_in_every_spelling() {
        // docker/go-units, size_test.go, TestRAMInBytes.
        for (text, bytes) in [
            ("32", 32),
            ("32b", 32),
            ("32B", 32),
            ("32k", 32 << 10),
            ("32K", 32 << 10),
            ("32kb", 32 << 10),
            ("32Kib", 32 << 10),
            ("32 kb", 32 << 10),
            ("32.5kB", 33_280),
            ("1.5mb", 3 << 19),
            ("32Mb", 32 << 20),
            ("32Gb", 32 << 30),
            ("32Tb", 32 << 40),
            ("3Pb", 3 << 50),
            ("1 KB", 1024),
            (".5 kB", 512),
            ("0", 0),
        ] {
            assert_eq!(Size::parse(text), Some(Size(bytes)), "{text}");
        }
        for text in [
            "", "hello", "-32", " 32 ", "32m b", "32bm", "32 mib ", "1e3", "inf", "1 KBB", "1Kb2",
            "9999P", "..", ".",
        ] {
            assert_eq!(Size::parse(text), None, "{text}");
        }
    }

    #[test]
    fn error_rates_fail_every_kth() {
        let every = |rate: f64| ErrorRate::new::<serde::de::value::Error>(rate).unwrap();
        for (rate, k) in [
            (1.0, 1),
            (0.6, 1),
            (0.5, 2),
            (0.3, 3),
            (0.01, 100),
            (0.0001, 10_000),
        ] {
            assert_eq!(
                every(rate).injection(),
                ErrorInjection::EveryNth(k),
                "{rate}"
            );
        }
        assert_eq!(every(0.0).injection(), ErrorInjection::None);
        assert_eq!(every(0.01).rounding(), None);
        assert_eq!(
            every(0.6).rounding().unwrap(),
            "isotope fails every k-th request; 60% becomes k = 1, which is 100.00%"
        );
        for rate in [-0.1, 1.1, f64::NAN, 0.000_09] {
            assert!(
                ErrorRate::new::<serde::de::value::Error>(rate).is_err(),
                "{rate}"
            );
        }
    }
}
