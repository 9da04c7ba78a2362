//! The file as it is written (isotope/convert/pkg/graph).

use std::collections::BTreeMap;
use std::fmt;

use indexmap::IndexMap;
use mesh_core::document::Spanned;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::amount::{CallProbability, ErrorRate, Size, SleepTime};

/// Fields isotope reads, for "did you mean".
pub(super) const FIELDS: &[&str] = &[
    "defaults",
    "services",
    "name",
    "namespace",
    "cluster",
    "type",
    "numReplicas",
    "isEntrypoint",
    "errorRate",
    "requestSize",
    "responseSize",
    "script",
    "labels",
    "service",
    "size",
    "hostname",
    "extra-header",
    "probability",
];

/// A service graph.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Graph {
    #[serde(rename = "apiVersion")]
    _api_version: Option<String>,
    #[serde(rename = "kind")]
    _kind: Option<String>,
    #[serde(default)]
    pub(super) defaults: Defaults,
    pub(super) services: Vec<Spanned<GraphService>>,
}

/// What services and calls that say nothing get.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Defaults {
    #[serde(rename = "type")]
    pub(super) service_type: Option<ServiceType>,
    pub(super) error_rate: Option<Spanned<ErrorRate>>,
    #[serde(default)]
    pub(super) request_size: Size,
    #[serde(default)]
    pub(super) response_size: Size,
    #[serde(default)]
    pub(super) script: Vec<Step>,
    pub(super) num_replicas: Option<u32>,
    pub(super) num_rbac_policies: Option<Spanned<u32>>,
}

/// One service.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GraphService {
    pub(super) name: Spanned<String>,
    pub(super) namespace: Option<Spanned<String>>,
    pub(super) cluster: Option<Spanned<String>>,
    #[serde(rename = "type")]
    pub(super) service_type: Option<ServiceType>,
    pub(super) num_replicas: Option<u32>,
    #[serde(default)]
    pub(super) is_entrypoint: bool,
    pub(super) error_rate: Option<Spanned<ErrorRate>>,
    pub(super) response_size: Option<Size>,
    pub(super) script: Option<Vec<Step>>,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    pub(super) num_rbac_policies: Option<Spanned<u32>>,
}

/// What a service speaks. isotope's own services speak HTTP/1.1 whatever it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ServiceType {
    Http,
    Grpc,
}

/// One step of a script: a command, or several at once.
#[derive(Clone, Debug)]
pub(super) enum Step {
    One(Command),
    Concurrent(Vec<Command>),
}

/// One command.
#[derive(Clone, Debug)]
pub(super) enum Command {
    Sleep(SleepTime),
    Call(Call),
}

/// A call, with its service as a name alone or in full.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) service: Spanned<String>,
    /// The default size when absent.
    pub(super) size: Option<Size>,
    pub(super) hostname: Option<String>,
    pub(super) extra_headers: IndexMap<String, String>,
    pub(super) probability: CallProbability,
}

impl Step {
    /// Every command in it.
    pub(super) fn commands(&self) -> &[Command] {
        match self {
            Self::One(command) => std::slice::from_ref(command),
            Self::Concurrent(commands) => commands,
        }
    }
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StepVisitor;
        impl<'de> Visitor<'de> for StepVisitor {
            type Value = Step;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a command (`sleep: 10ms`, `call: name`) or a list of commands")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Step, A::Error> {
                CommandVisitor.visit_map(map).map(Step::One)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Step, A::Error> {
                let mut commands = Vec::new();
                while let Some(command) = items.next_element()? {
                    commands.push(command);
                }
                Ok(Step::Concurrent(commands))
            }
        }
        deserializer.deserialize_any(StepVisitor)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum CommandName {
    Sleep,
    Call,
}

struct CommandVisitor;

impl<'de> Visitor<'de> for CommandVisitor {
    type Value = Command;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a command: `sleep: 10ms` or `call: name`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Command, A::Error> {
        let command = match map.next_key()? {
            Some(CommandName::Sleep) => Command::Sleep(map.next_value()?),
            Some(CommandName::Call) => Command::Call(map.next_value()?),
            None => return Err(A::Error::custom("a command is missing: `sleep` or `call`")),
        };
        if map.next_key::<IgnoredAny>()?.is_some() {
            return Err(A::Error::custom(
                "two commands in one step: write each as a list item of its own",
            ));
        }
        Ok(command)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Command, A::Error> {
        Err(A::Error::custom("concurrent commands may not be nested"))
    }
}

impl<'de> Deserialize<'de> for Command {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CommandVisitor)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct FullCall {
    service: Spanned<String>,
    size: Option<Size>,
    hostname: Option<String>,
    #[serde(default)]
    extra_header: IndexMap<String, String>,
    #[serde(default)]
    probability: CallProbability,
}

enum CallForm {
    Name(String),
    Full(FullCall),
}

impl<'de> Deserialize<'de> for CallForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FormVisitor;
        impl<'de> Visitor<'de> for FormVisitor {
            type Value = CallForm;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a service's name, or a mapping with `service`")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<CallForm, E> {
                Ok(CallForm::Name(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<CallForm, A::Error> {
                FullCall::deserialize(MapAccessDeserializer::new(map)).map(CallForm::Full)
            }
        }
        deserializer.deserialize_any(FormVisitor)
    }
}

impl<'de> Deserialize<'de> for Call {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = Spanned::<CallForm>::deserialize(deserializer)?;
        Ok(match form.value {
            CallForm::Name(value) => Self {
                service: Spanned {
                    value,
                    at: form.at,
                    amended_by: form.amended_by,
                },
                size: None,
                hostname: None,
                extra_headers: IndexMap::new(),
                probability: CallProbability::default(),
            },
            CallForm::Full(full) => Self {
                service: full.service,
                size: full.size,
                hostname: full.hostname,
                extra_headers: full.extra_header,
                probability: full.probability,
            },
        })
    }
}
