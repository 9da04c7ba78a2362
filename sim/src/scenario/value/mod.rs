//! Values written as text: every quantity carries its unit, every distribution its name.
//!
//! A type that implements [`Text`] is read from YAML, refused with the words a
//! person needs, and described to editors, all from the same few constants.

mod arrival;
mod bandwidth;
mod callee;
mod distribution;
mod edge_name;
mod errors;
mod keys;
mod limit;
mod measured;
mod moment;
mod name;
mod route_key;
mod share;
mod shift;
mod size;
mod status;
mod target;
mod time;
mod when;
mod window;

pub(crate) use arrival::{Arrival, PerSecond};
pub(crate) use bandwidth::Bandwidth;
pub(crate) use callee::Callee;
pub(crate) use distribution::Spread;
pub(crate) use edge_name::EdgeName;
pub(crate) use errors::Errors;
pub(crate) use keys::Keys;
pub(crate) use limit::{
    AmountLimit, BytesLimit, CountLimit, NumberLimit, RateLimit, ShareLimit, TimeLimit,
};
pub(crate) use measured::{FlagName, StatusName};
pub(crate) use moment::Moment;
pub(crate) use name::Name;
pub(crate) use route_key::{RouteKey, check_method};
pub(crate) use share::Share;
pub(crate) use shift::{Drift, Shift};
pub(crate) use size::Size;
pub(crate) use status::{Answer, Status};
pub(crate) use target::{Target, check_path};
pub(crate) use time::{Time, written};
pub(crate) use when::{Happening, When};
pub(crate) use window::{Boundary, During, FaultMoment, FaultName};

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, Error, Unexpected, Visitor};

/// A value written as text.
pub(crate) trait Text: Sized {
    /// Its name in the schema.
    const NAME: &'static str;
    /// What it is, with an example: fits "expected …".
    const EXPECTED: &'static str;
    /// What it means, for editors.
    const ABOUT: &'static str;
    /// A regular expression that every valid text matches.
    const PATTERN: &'static str;
    /// Valid texts.
    const EXAMPLES: &'static [&'static str];
    /// Which whole numbers may stand for it.
    const INTEGERS: Integers = Integers::None;

    /// Reads it; the error is a sentence without a full stop.
    fn parse(text: &str) -> Result<Self, String>;

    /// What a whole number means.
    fn from_integer(_number: u64) -> Option<Self> {
        None
    }
}

/// Which whole numbers may stand for a value that is normally text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Integers {
    /// None.
    None,
    /// Zero, which needs no unit.
    Zero,
    /// All from 0 on.
    All,
}

struct TextVisitor<T>(PhantomData<T>);

impl<T: Text> Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        T::parse(text).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        u64::try_from(number)
            .ok()
            .and_then(T::from_integer)
            .ok_or_else(|| E::invalid_type(Unexpected::Signed(number), &self))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        T::from_integer(number).ok_or_else(|| E::invalid_type(Unexpected::Unsigned(number), &self))
    }
}

/// Reads a [`Text`].
pub(super) fn deserialize<'de, T: Text, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    deserializer.deserialize_any(TextVisitor(PhantomData))
}

/// Describes a [`Text`] to editors.
pub(super) fn schema<T: Text>() -> schemars::Schema {
    let text = serde_json::json!({ "type": "string", "pattern": T::PATTERN });
    let integers = match T::INTEGERS {
        Integers::None => None,
        Integers::Zero => Some(serde_json::json!({ "const": 0 })),
        Integers::All => Some(serde_json::json!({ "type": "integer", "minimum": 0 })),
    };
    match integers {
        None => schemars::json_schema!({
            "type": "string",
            "pattern": T::PATTERN,
            "description": T::ABOUT,
            "examples": T::EXAMPLES,
        }),
        Some(integers) => schemars::json_schema!({
            "anyOf": [text, integers],
            "description": T::ABOUT,
            "examples": T::EXAMPLES,
        }),
    }
}

/// Implements `Deserialize` and `JsonSchema` for a [`Text`].
macro_rules! text {
    ($type:ty) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::scenario::value::deserialize(deserializer)
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                <Self as $crate::scenario::value::Text>::NAME.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $crate::scenario::value::schema::<Self>()
            }
        }
    };
}
pub(super) use text;

/// A number written in decimal, such as `1.5`: digits, at most one point, no sign.
fn decimal(text: &str) -> Option<f64> {
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    (plain && text.starts_with(|c: char| c.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
        .filter(|number: &f64| number.is_finite())
}

/// Where the unit begins: the first character that is neither digit nor point.
fn split_unit(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn laws<T: Text>() {
        let pattern = regex::Regex::new(T::PATTERN).unwrap();
        assert!(!T::EXAMPLES.is_empty(), "{}", T::NAME);
        for example in T::EXAMPLES {
            assert!(
                pattern.is_match(example),
                "{example} against {}",
                T::PATTERN
            );
            if let Err(error) = T::parse(example) {
                panic!("{example}: {error}");
            }
        }
        assert_eq!(T::INTEGERS != Integers::None, T::from_integer(0).is_some());
        assert_eq!(T::INTEGERS == Integers::All, T::from_integer(7).is_some());
    }

    /// What is read matches the pattern that editors are given.
    fn agrees<T: Text>(text: &str) {
        if T::parse(text).is_ok() {
            let pattern = regex::Regex::new(T::PATTERN).unwrap();
            assert!(pattern.is_match(text), "{}: {text:?}", T::NAME);
        }
    }

    macro_rules! every_text {
        ($law:ident $($argument:expr)?) => {
            $law::<Arrival>($($argument)?);
            $law::<PerSecond>($($argument)?);
            $law::<Bandwidth>($($argument)?);
            $law::<Callee>($($argument)?);
            $law::<Spread>($($argument)?);
            $law::<Errors>($($argument)?);
            $law::<ShareLimit>($($argument)?);
            $law::<TimeLimit>($($argument)?);
            $law::<Moment>($($argument)?);
            $law::<Name>($($argument)?);
            $law::<RouteKey>($($argument)?);
            $law::<Keys>($($argument)?);
            $law::<Share>($($argument)?);
            $law::<Shift>($($argument)?);
            $law::<Drift>($($argument)?);
            $law::<Size>($($argument)?);
            $law::<Target>($($argument)?);
            $law::<Time>($($argument)?);
            $law::<During>($($argument)?);
            $law::<Boundary>($($argument)?);
            $law::<EdgeName>($($argument)?);
            $law::<FlagName>($($argument)?);
            $law::<StatusName>($($argument)?);
            $law::<NumberLimit>($($argument)?);
            $law::<CountLimit>($($argument)?);
            $law::<RateLimit>($($argument)?);
            $law::<AmountLimit>($($argument)?);
            $law::<BytesLimit>($($argument)?);
        };
    }

    #[test]
    fn examples_are_valid_and_match_their_pattern() {
        every_text!(laws);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn texts_are_read_or_refused(text in "[ -~±µ]{0,24}") {
            every_text!(agrees &text);
        }

        #[test]
        fn likely_texts_are_read_or_refused(
            text in "(<|<=|>=|==)?[ ]?(poisson|constant|normal|uniform|pareto|every|http://a)?[ (]{0,2}(mean=|min=)?[0-9]{0,3}[.]?[0-9]{0,2}(ms|s|us|/s|%|KiB|B|Mbit/s|th| 5)?(, ?|\\.\\.| ?± ?)?(shape=)?[0-9]{0,20}(ms|s|d|T)?[)]?"
        ) {
            every_text!(agrees &text);
        }
    }
}
