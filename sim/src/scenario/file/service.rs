//! `services:`

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};

use super::{MemorySpec, Named, OneOrMore, Placed, ResponseSpec, StepSpec, WarmUpSpec};
use crate::scenario::value::{Errors, Name, RouteKey, Size, Spread, Time};

/// Adds to a struct the fields that say how an app behaves, and a view of them.
macro_rules! with_behaviour {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
        pub(crate) struct $name {
            $($(#[$field_meta])* pub(crate) $field: $type,)*
            /// How many pods; 1 when left out.
            pub(crate) replicas: Option<Placed<u32>>,
            /// The zone its pods run in, or several to take turns; all of the topology's when left out.
            pub(crate) zone: Option<OneOrMore<Name>>,
            /// Labels of its pods, besides `app` and `version`.
            pub(crate) labels: Named<String, Placed<String>>,
            /// The service account its identity is made of; the service's name when left out.
            pub(crate) service_account: Option<Placed<Name>>,
            /// Whether its pods have a sidecar; they have when left out.
            pub(crate) sidecar: Option<bool>,
            /// Requests that a pod works on at once; unlimited when left out.
            pub(crate) workers: Option<Placed<u32>>,
            /// Requests that may wait for a worker, the rest is answered 503; unlimited when left out.
            pub(crate) queue: Option<u32>,
            /// Which waiting request goes next; `fifo` when left out.
            pub(crate) queue_order: Option<OrderSpec>,
            /// What happens to work whose caller has gone; `stop` when left out.
            pub(crate) cancel: Option<CancelSpec>,
            /// Time on a worker before the script begins; none when left out.
            pub(crate) service_time: Option<Spread>,
            /// Requests that the app answers with 500 by itself; none when left out.
            pub(crate) errors: Option<Errors>,
            /// Size of the body of a successful answer; none when left out.
            pub(crate) response_size: Option<Size>,
            /// What is done with requests that `handles` does not name; nothing, answered 200 at once, when left out.
            pub(crate) script: Option<Vec<StepSpec>>,
            /// Answers to requests that `handles` does not name, in turn, the last one for ever.
            pub(crate) responses: Option<Placed<Vec<ResponseSpec>>>,
            /// Its memory; unlimited when left out.
            pub(crate) memory: Option<Placed<MemorySpec>>,
            /// How it warms up after a start in the course of the run; it needs not when left out.
            pub(crate) warm_up: Option<Placed<WarmUpSpec>>,
            /// It closes connections that have been idle for so long; never when left out.
            pub(crate) idle_timeout: Option<Placed<Time>>,
            /// Connections that a pod keeps open at once, more wait to be accepted; unlimited when left out.
            pub(crate) connections: Option<Placed<u32>>,
            /// What is done with some requests: by path prefix, or method and path prefix. The longest prefix is used.
            pub(crate) handles: Named<RouteKey, HandlerSpec>,
        }

        impl $name {
            /// How its app behaves.
            pub(crate) fn behaviour(&self) -> Behaviour<'_> {
                Behaviour {
                    replicas: self.replicas.as_ref(),
                    zone: self.zone.as_ref(),
                    labels: &self.labels,
                    service_account: self.service_account.as_ref(),
                    sidecar: self.sidecar,
                    workers: self.workers.as_ref(),
                    queue: self.queue,
                    queue_order: self.queue_order,
                    cancel: self.cancel,
                    service_time: self.service_time.as_ref(),
                    errors: self.errors,
                    response_size: self.response_size,
                    script: self.script.as_deref(),
                    responses: self.responses.as_ref(),
                    memory: self.memory.as_ref(),
                    warm_up: self.warm_up.as_ref(),
                    idle_timeout: self.idle_timeout.as_ref(),
                    connections: self.connections.as_ref(),
                    handles: &self.handles,
                }
            }
        }
    };
}

with_behaviour! {
    /// A service: its pods and how their app behaves. Under the name of something imported it says only what differs.
    ServiceSpec {
        /// Ports, of a new service only; 8080 when left out. A number, or a mapping when more is to be said.
        ports: Vec<Placed<PortSpec>>,
        /// Versions by name. Each has pods of its own, labelled `version`, and says only what differs from the service.
        versions: Named<Name, VersionSpec>,
    }
}

with_behaviour! {
    /// One version of a service; it says only what differs from the service.
    VersionSpec {}
}

/// How an app behaves and how its pods are placed, wherever it was written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Behaviour<'a> {
    pub(crate) replicas: Option<&'a Placed<u32>>,
    pub(crate) zone: Option<&'a OneOrMore<Name>>,
    pub(crate) labels: &'a Named<String, Placed<String>>,
    pub(crate) service_account: Option<&'a Placed<Name>>,
    pub(crate) sidecar: Option<bool>,
    pub(crate) workers: Option<&'a Placed<u32>>,
    pub(crate) queue: Option<u32>,
    pub(crate) queue_order: Option<OrderSpec>,
    pub(crate) cancel: Option<CancelSpec>,
    pub(crate) service_time: Option<&'a Spread>,
    pub(crate) errors: Option<Errors>,
    pub(crate) response_size: Option<Size>,
    pub(crate) script: Option<&'a [StepSpec]>,
    pub(crate) responses: Option<&'a Placed<Vec<ResponseSpec>>>,
    pub(crate) memory: Option<&'a Placed<MemorySpec>>,
    pub(crate) warm_up: Option<&'a Placed<WarmUpSpec>>,
    pub(crate) idle_timeout: Option<&'a Placed<Time>>,
    pub(crate) connections: Option<&'a Placed<u32>>,
    pub(crate) handles: &'a Named<RouteKey, HandlerSpec>,
}

/// Which waiting request goes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OrderSpec {
    /// The oldest.
    Fifo,
    /// The newest.
    Lifo,
}

/// What happens to work whose caller has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CancelSpec {
    /// It stops, or never starts.
    Stop,
    /// It is done all the same.
    Finish,
}

/// A port of a service.
#[derive(Clone, Debug)]
pub(crate) struct PortSpec {
    pub(crate) port: u16,
    pub(crate) target_port: Option<u16>,
    pub(crate) name: Option<String>,
    pub(crate) http2: bool,
}

/// A port in detail.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct DetailedPort {
    /// The number that callers use.
    #[schemars(range(min = 1))]
    port: u16,
    /// The number that pods listen on; the same when left out.
    #[schemars(range(min = 1))]
    target_port: Option<u16>,
    /// Its name, such as `http`.
    name: Option<String>,
    /// Whether apps speak HTTP/2 without TLS on it.
    #[serde(default)]
    http2: bool,
}

impl<'de> Deserialize<'de> for PortSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PortVisitor;

        impl<'de> Visitor<'de> for PortVisitor {
            type Value = PortSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a port from 1 to 65535, or a mapping")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<PortSpec, E> {
                let port = u16::try_from(number).ok().filter(|port| *port > 0);
                Ok(PortSpec {
                    port: port
                        .ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))?,
                    target_port: None,
                    name: None,
                    http2: false,
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PortSpec, A::Error> {
                let port = DetailedPort::deserialize(MapAccessDeserializer::new(map))?;
                if port.port == 0 || port.target_port == Some(0) {
                    return Err(A::Error::invalid_value(Unexpected::Signed(0), &self));
                }
                Ok(PortSpec {
                    port: port.port,
                    target_port: port.target_port,
                    name: port.name,
                    http2: port.http2,
                })
            }
        }

        deserializer.deserialize_any(PortVisitor)
    }
}

impl JsonSchema for PortSpec {
    fn schema_name() -> Cow<'static, str> {
        "Port".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let detailed = generator.subschema_for::<DetailedPort>();
        json_schema!({
            "description": "A port of a service.",
            "anyOf": [{ "type": "integer", "minimum": 1, "maximum": 65535 }, detailed],
        })
    }
}

/// What is done with some requests; a script alone may stand for it.
#[derive(Clone, Debug)]
pub(crate) struct HandlerSpec(pub(crate) DetailedHandler);

/// What is done with some requests. What is left out is as the service has it, but for `script` and `responses`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct DetailedHandler {
    /// The steps, one after the other; the first that fails ends the request with a 500.
    pub(crate) script: Vec<StepSpec>,
    /// Time on a worker before the script begins.
    pub(crate) service_time: Option<Spread>,
    /// Requests that the app answers with 500 by itself.
    pub(crate) errors: Option<Errors>,
    /// Size of the body of a successful answer.
    pub(crate) response_size: Option<Size>,
    /// Answers in turn, the last one for ever.
    pub(crate) responses: Vec<ResponseSpec>,
}

impl<'de> Deserialize<'de> for HandlerSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct HandlerVisitor;

        impl<'de> Visitor<'de> for HandlerVisitor {
            type Value = HandlerSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a script, which is a list of steps, or a mapping")
            }

            fn visit_unit<E: Error>(self) -> Result<HandlerSpec, E> {
                Ok(HandlerSpec(DetailedHandler::default()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<HandlerSpec, A::Error> {
                let script = Vec::deserialize(SeqAccessDeserializer::new(seq))?;
                Ok(HandlerSpec(DetailedHandler {
                    script,
                    ..DetailedHandler::default()
                }))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<HandlerSpec, A::Error> {
                DetailedHandler::deserialize(MapAccessDeserializer::new(map)).map(HandlerSpec)
            }
        }

        deserializer.deserialize_any(HandlerVisitor)
    }
}

impl JsonSchema for HandlerSpec {
    fn schema_name() -> Cow<'static, str> {
        "Handler".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let step = generator.subschema_for::<StepSpec>();
        let detailed = generator.subschema_for::<DetailedHandler>();
        json_schema!({
            "description": "What is done with some requests: a script, or more.",
            "anyOf": [{ "type": "array", "items": step }, detailed],
        })
    }
}
