//! Scripted responses: `[503, 503, 200]`.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, IntoDeserializer, MapAccess, Visitor};

use super::{Named, Placed};
use crate::scenario::value::{Size, Status, Time};

/// One scripted response.
#[derive(Clone, Debug)]
pub(crate) enum ResponseSpec {
    /// This status, after the script ran.
    Status(Status),
    /// A failure without an answer.
    Failure(Failure),
    /// Something that needs more words.
    Detailed(Box<DetailedResponse>),
}

/// A failure without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Failure {
    /// The connection is reset.
    Reset,
    /// No answer ever comes.
    Hang,
    /// The connection is closed without an answer.
    Close,
}

/// A scripted response in detail: exactly one of `status`, `refuse` and `slow-body`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct DetailedResponse {
    /// The status.
    pub(crate) status: Option<Status>,
    /// Waits this long before a `status`.
    pub(crate) delay: Option<Time>,
    /// Headers that go with a `status`.
    #[serde(default)]
    pub(crate) headers: Named<String, Placed<String>>,
    /// Size of the body that goes with a `status`.
    pub(crate) size: Option<Size>,
    /// From now on, and for this long, the app's port is closed.
    pub(crate) refuse: Option<Time>,
    /// Answers 200 and takes its time over the body.
    pub(crate) slow_body: Option<SlowBodySpec>,
}

/// A body that comes slowly.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct SlowBodySpec {
    /// Size of the body.
    pub(crate) size: Size,
    /// Time from its first byte to its last.
    pub(crate) over: Time,
}

impl<'de> Deserialize<'de> for ResponseSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ResponseVisitor;

        impl<'de> Visitor<'de> for ResponseVisitor {
            type Value = ResponseSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a status such as `503`, one of `reset`, `hang`, `close`, or a mapping")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<ResponseSpec, E> {
                Status::deserialize(number.into_deserializer()).map(ResponseSpec::Status)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<ResponseSpec, E> {
                Failure::deserialize(text.into_deserializer()).map(ResponseSpec::Failure)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ResponseSpec, A::Error> {
                let detailed = DetailedResponse::deserialize(MapAccessDeserializer::new(map))?;
                detailed.check().map_err(A::Error::custom)?;
                Ok(ResponseSpec::Detailed(Box::new(detailed)))
            }
        }

        deserializer.deserialize_any(ResponseVisitor)
    }
}

impl DetailedResponse {
    fn check(&self) -> Result<(), &'static str> {
        let kinds = [
            self.status.is_some(),
            self.refuse.is_some(),
            self.slow_body.is_some(),
        ];
        if kinds.iter().filter(|given| **given).count() != 1 {
            return Err("a response has exactly one of `status`, `refuse` and `slow-body`");
        }
        let with_status = self.delay.is_some() || self.size.is_some() || !self.headers.is_empty();
        if with_status && self.status.is_none() {
            return Err("`delay`, `headers` and `size` go with a `status`");
        }
        Ok(())
    }
}

impl JsonSchema for ResponseSpec {
    fn schema_name() -> Cow<'static, str> {
        "Response".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let status = generator.subschema_for::<Status>();
        let failure = generator.subschema_for::<Failure>();
        let detailed = generator.subschema_for::<DetailedResponse>();
        json_schema!({
            "description": "One scripted response. They are given in turn, the last one for ever.",
            "anyOf": [status, failure, detailed],
        })
    }
}
