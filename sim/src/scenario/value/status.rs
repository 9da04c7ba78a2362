//! HTTP status codes.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

/// The status of a final answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status(pub(crate) u16);

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_u16(StatusVisitor)
    }
}

struct StatusVisitor;

impl Visitor<'_> for StatusVisitor {
    type Value = Status;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an HTTP status from 200 to 599")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Status, E> {
        u16::try_from(number)
            .ok()
            .filter(|status| (200..=599).contains(status))
            .map(Status)
            .ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
    }
}

impl JsonSchema for Status {
    fn schema_name() -> Cow<'static, str> {
        "Status".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "integer",
            "minimum": 200,
            "maximum": 599,
            "description": "An HTTP status.",
            "examples": [200, 503],
        })
    }
}

/// What a request came back with: a status, or `none` when no answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer(pub(crate) Option<Status>);

impl<'de> Deserialize<'de> for Answer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnswerVisitor)
    }
}

struct AnswerVisitor;

impl Visitor<'_> for AnswerVisitor {
    type Value = Answer;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an HTTP status from 200 to 599, or `none`")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Answer, E> {
        StatusVisitor.visit_i64(number).map(Some).map(Answer)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Answer, E> {
        match text {
            "none" => Ok(Answer(None)),
            _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }
}

impl JsonSchema for Answer {
    fn schema_name() -> Cow<'static, str> {
        "Answer".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [{ "type": "integer", "minimum": 200, "maximum": 599 }, { "const": "none" }],
            "description": "An HTTP status, or `none` when no answer came.",
            "examples": [200, 503, "none"],
        })
    }
}
