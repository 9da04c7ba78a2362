//! Keys of measures: response flags and statuses.

use std::borrow::Cow;
use std::fmt;

use mesh_core::document::nearest;
use mesh_core::telemetry::ResponseFlag;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserialize, Deserializer, Error, Visitor};

use super::{Text, schema, text};
use crate::plan::StatusClass;

/// A response flag in Envoy's letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlagName(pub(crate) ResponseFlag);

impl Text for FlagName {
    const NAME: &'static str = "ResponseFlag";
    const EXPECTED: &'static str = "a response flag such as `UO`";
    const ABOUT: &'static str = "One of Envoy's response flags, in its letters.";
    const PATTERN: &'static str = r"^[A-Z]+$";
    const EXAMPLES: &'static [&'static str] = &["UO", "UH", "URX"];

    fn parse(text: &str) -> Result<Self, String> {
        let known = || ResponseFlag::ALL.iter().map(|flag| flag.as_str());
        let found = ResponseFlag::ALL.iter().find(|flag| flag.as_str() == text);
        found.copied().map(Self).ok_or_else(|| {
            let meant = nearest(text, known());
            let meant = meant.map_or_else(String::new, |flag| format!(": did you mean `{flag}`?"));
            let all: Vec<&str> = known().collect();
            match meant.as_str() {
                "" => format!(
                    "`{text}` is not a response flag; there are {}",
                    all.join(", ")
                ),
                meant => format!("`{text}` is not a response flag{meant}"),
            }
        })
    }
}

text!(FlagName);

/// A status, or all with one first digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StatusName(pub(crate) StatusClass);

impl Text for StatusName {
    const NAME: &'static str = "StatusClass";
    const EXPECTED: &'static str = "a status such as `503`, `5xx` or `none`";
    const ABOUT: &'static str =
        "An HTTP status, all with one first digit (`5xx`), or `none` for no answer.";
    const PATTERN: &'static str = r"^(?:none|[1-5]xx|[1-5][0-9][0-9])$";
    const EXAMPLES: &'static [&'static str] = &["503", "5xx", "none"];

    fn parse(text: &str) -> Result<Self, String> {
        let fail = || format!("`{text}` is not {}", Self::EXPECTED);
        if text == "none" {
            return Ok(Self(StatusClass::None));
        }
        let digits = |text: &str| match text.parse::<u16>() {
            Ok(number) if text.bytes().all(|b| b.is_ascii_digit()) => Some(number),
            _ => None,
        };
        let class = match text.strip_suffix("xx") {
            Some(digit) => digits(digit)
                .filter(|digit| (1..=5).contains(digit) && text.len() == 3)
                .map(StatusClass::Hundred),
            None => digits(text)
                .filter(|status| (100..600).contains(status) && text.len() == 3)
                .map(StatusClass::Exactly),
        };
        class.map(Self).ok_or_else(fail)
    }
}

impl<'de> Deserialize<'de> for StatusName {
    /// A status alone is a number to YAML.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StatusVisitor;

        impl Visitor<'_> for StatusVisitor {
            type Value = StatusName;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(StatusName::EXPECTED)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<StatusName, E> {
                StatusName::parse(text).map_err(E::custom)
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<StatusName, E> {
                self.visit_str(&number.to_string())
            }
        }

        deserializer.deserialize_any(StatusVisitor)
    }
}

impl JsonSchema for StatusName {
    fn schema_name() -> Cow<'static, str> {
        Self::NAME.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema::<Self>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_and_flags_have_names() {
        assert_eq!(StatusName::parse("5xx").unwrap().0, StatusClass::Hundred(5));
        assert_eq!(
            StatusName::parse("404").unwrap().0,
            StatusClass::Exactly(404)
        );
        for wrong in ["6xx", "99", "0503", "5XX", ""] {
            assert!(StatusName::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            FlagName::parse("UO").unwrap().0,
            ResponseFlag::UpstreamOverflow
        );
        assert_eq!(
            FlagName::parse("URXX").unwrap_err(),
            "`URXX` is not a response flag: did you mean `URX`?"
        );
    }
}
