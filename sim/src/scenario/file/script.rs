//! Scripts: what an app does with a request, in isotope's vocabulary.

use std::borrow::Cow;
use std::fmt;

use mesh_core::policy::Position;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::placed::Brief;
use super::{Named, Placed, Short};
use crate::scenario::value::{Callee, Keys, Share, Size, Spread, Text, Time};

/// One step of a script.
#[derive(Clone, Debug)]
pub(crate) enum StepSpec {
    /// One thing.
    Single(Command),
    /// Several things at once.
    Concurrent(Vec<Command>),
}

/// One thing an app does.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    /// Waits.
    Sleep(Spread),
    /// Calls a service.
    Call(Box<Placed<Short<CallSpec>>>),
    /// Looks something up in a cache.
    Cache(Box<Placed<CacheSpec>>),
}

/// A look-up in a cache of the pod's own: a hit takes no time, a miss takes its steps and then fills the cache, if they succeed. By `keys`, or with a fixed share of hits.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct CacheSpec {
    /// What is looked up.
    pub(crate) keys: Option<Placed<Keys>>,
    /// In place of `keys`: this share of look-ups hits.
    pub(crate) hit: Option<Placed<Share>>,
    /// Entries kept, the least recently used go first; all when left out.
    pub(crate) capacity: Option<Placed<u64>>,
    /// How long an entry is good; for ever when left out.
    pub(crate) ttl: Option<Placed<Time>>,
    /// Requests that miss a key which another is fetching wait for that one, and share its result. They do not when left out.
    pub(crate) coalesce: Option<Placed<bool>>,
    /// What a miss does.
    #[serde(default)]
    pub(crate) miss: Vec<StepSpec>,
}

/// A call to another service; the service alone may stand for it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct CallSpec {
    /// Which service.
    pub(crate) service: Placed<Callee>,
    /// Path and query; `/` when left out.
    pub(crate) path: Option<Placed<String>>,
    /// Method; `GET` when left out.
    pub(crate) method: Option<Placed<String>>,
    /// Size of the request's body; none when left out.
    pub(crate) request_size: Option<Size>,
    /// Headers to send.
    #[serde(default)]
    pub(crate) headers: Named<String, Placed<String>>,
    /// Headers of the incoming request to pass on, besides those of tracing.
    #[serde(default)]
    pub(crate) forward: Vec<Placed<String>>,
    /// How likely the call is made; always when left out.
    pub(crate) probability: Option<Share>,
    /// The app gives up a try after this; never when left out.
    pub(crate) timeout: Option<Time>,
    /// How often the app itself tries; once when left out.
    pub(crate) tries: Option<Placed<u32>>,
    /// A failed call does not fail the request.
    #[serde(default)]
    pub(crate) optional: bool,
}

impl Brief for CallSpec {
    const EXPECTED: &'static str = "a service such as `reviews`";

    fn text_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<Callee>()
    }

    fn from_text(text: &str, at: &Position) -> Result<Self, String> {
        Ok(Self {
            service: Placed::new(Callee::parse(text)?, at.clone()),
            path: None,
            method: None,
            request_size: None,
            headers: Named::default(),
            forward: Vec::new(),
            probability: None,
            timeout: None,
            tries: None,
            optional: false,
        })
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Verb {
    Sleep,
    Call,
    Cache,
}

impl<'de> Deserialize<'de> for Command {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CommandVisitor;

        impl<'de> Visitor<'de> for CommandVisitor {
            type Value = Command;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`sleep: …`, `call: …` or `cache: …`")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Command, A::Error> {
                command(map)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Command, A::Error> {
                Err(A::Error::custom("concurrent steps may not be nested"))
            }
        }

        deserializer.deserialize_any(CommandVisitor)
    }
}

fn command<'de, A: MapAccess<'de>>(mut map: A) -> Result<Command, A::Error> {
    let command = match map.next_key()? {
        Some(Verb::Sleep) => Command::Sleep(map.next_value()?),
        Some(Verb::Call) => Command::Call(map.next_value()?),
        Some(Verb::Cache) => Command::Cache(map.next_value()?),
        None => {
            return Err(A::Error::custom(
                "expected `sleep: …`, `call: …` or `cache: …`",
            ));
        }
    };
    match map.next_key::<String>()? {
        None => Ok(command),
        Some(key) => Err(A::Error::custom(format!(
            "a step does one thing: begin a new step for `{key}`"
        ))),
    }
}

impl<'de> Deserialize<'de> for StepSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StepVisitor;

        impl<'de> Visitor<'de> for StepVisitor {
            type Value = StepSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`sleep: …`, `call: …`, `cache: …`, or a list of them to do at once")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<StepSpec, A::Error> {
                command(map).map(StepSpec::Single)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<StepSpec, A::Error> {
                let mut commands = Vec::new();
                while let Some(command) = seq.next_element()? {
                    commands.push(command);
                }
                Ok(StepSpec::Concurrent(commands))
            }
        }

        deserializer.deserialize_any(StepVisitor)
    }
}

impl JsonSchema for Command {
    fn schema_name() -> Cow<'static, str> {
        "Command".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let sleep = generator.subschema_for::<Spread>();
        let call = generator.subschema_for::<Short<CallSpec>>();
        let cache = generator.subschema_for::<CacheSpec>();
        json_schema!({
            "type": "object",
            "description": "One thing an app does: `sleep: 10ms`, `call: reviews` or `cache: { … }`.",
            "properties": {
                "sleep": { "description": "Waits.", "allOf": [sleep] },
                "call": { "description": "Calls a service and waits for its answer.", "allOf": [call] },
                "cache": { "description": "Looks something up in a cache, and does more if it is not there.", "allOf": [cache] },
            },
            "additionalProperties": false,
            "minProperties": 1,
            "maxProperties": 1,
        })
    }
}

impl JsonSchema for StepSpec {
    fn schema_name() -> Cow<'static, str> {
        "Step".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let command = generator.subschema_for::<Command>();
        json_schema!({
            "description": "One step of a script; a list is done all at once and waits for the last.",
            "anyOf": [command, { "type": "array", "items": command }],
        })
    }
}
