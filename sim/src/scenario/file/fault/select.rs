//! Which pods, and which packets.

use mesh_core::policy::Position;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::super::placed::Brief;
use super::super::{Named, Placed, Short};
use crate::scenario::value::Share;

/// Which pods: all that is given must hold. A text alone is a service, a pod, or a pattern of pod names.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct PodsSpec {
    /// Pods of this service, or traffic source; `istiod` is the control plane.
    pub(crate) service: Option<Placed<String>>,
    /// Pods whose `version` label is this.
    pub(crate) version: Option<Placed<String>>,
    /// Pods with such a name; `*` stands for anything.
    pub(crate) pod: Option<Placed<String>>,
    /// Pods in this zone.
    pub(crate) zone: Option<Placed<String>>,
    /// Pods in this region.
    pub(crate) region: Option<Placed<String>>,
    /// Pods in this namespace.
    pub(crate) namespace: Option<Placed<String>>,
    /// Pods on this node.
    pub(crate) node: Option<Placed<String>>,
    /// Pods with these labels.
    pub(crate) labels: Named<String, Placed<String>>,
    /// Only so many of them, drawn each time the fault begins.
    pub(crate) random: Option<Placed<u32>>,
    /// Only this share of them, drawn each time the fault begins; one at least.
    pub(crate) share: Option<Placed<Share>>,
}

impl Brief for PodsSpec {
    const EXPECTED: &'static str = "a service, a pod, a pattern of pod names,";

    fn text_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A service, a pod, or a pattern of pod names.",
            "examples": ["reviews", "reviews-v1-*"],
        })
    }

    fn from_text(text: &str, at: &Position) -> Result<Self, String> {
        let text = Placed::new(text.to_owned(), at.clone());
        let is_pattern = text.contains(['*', '?', '[']);
        Ok(Self {
            service: (!is_pattern).then(|| text.clone()),
            pod: is_pattern.then_some(text),
            ..Self::default()
        })
    }
}

impl PodsSpec {
    /// Whether nothing is demanded.
    pub(crate) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.parts().all(|(_, part)| part.is_none())
    }

    /// Whether anything is said: a demand, or how many.
    pub(crate) fn demands(&self) -> bool {
        !self.is_empty() || self.random.is_some() || self.share.is_some()
    }

    /// The demands, each with its key; labels apart.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&'static str, Option<&Placed<String>>)> {
        [
            ("service", self.service.as_ref()),
            ("version", self.version.as_ref()),
            ("pod", self.pod.as_ref()),
            ("zone", self.zone.as_ref()),
            ("region", self.region.as_ref()),
            ("namespace", self.namespace.as_ref()),
            ("node", self.node.as_ref()),
        ]
        .into_iter()
    }
}

/// Defines a fault's part with the keys that choose pods, a method `pods` that gathers them, and fields of its own.
macro_rules! with_pods {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, serde::Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields)]
        pub(crate) struct $name {
            $($(#[$field_meta])* pub(crate) $field: $type,)*
            /// Pods of this service, or traffic source.
            pub(crate) service: Option<$crate::scenario::file::Placed<String>>,
            /// Pods whose `version` label is this.
            pub(crate) version: Option<$crate::scenario::file::Placed<String>>,
            /// Pods with such a name; `*` stands for anything.
            pub(crate) pod: Option<$crate::scenario::file::Placed<String>>,
            /// Pods in this zone.
            pub(crate) zone: Option<$crate::scenario::file::Placed<String>>,
            /// Pods in this region.
            pub(crate) region: Option<$crate::scenario::file::Placed<String>>,
            /// Pods in this namespace.
            pub(crate) namespace: Option<$crate::scenario::file::Placed<String>>,
            /// Pods on this node.
            pub(crate) node: Option<$crate::scenario::file::Placed<String>>,
            /// Pods with these labels.
            #[serde(default)]
            pub(crate) labels: $crate::scenario::file::Named<String, $crate::scenario::file::Placed<String>>,
            /// Only so many of them, drawn each time the fault begins.
            pub(crate) random: Option<$crate::scenario::file::Placed<u32>>,
            /// Only this share of them, drawn each time the fault begins; one at least.
            pub(crate) share: Option<$crate::scenario::file::Placed<$crate::scenario::value::Share>>,
        }

        impl $name {
            /// Which pods.
            pub(crate) fn pods(&self) -> $crate::scenario::file::PodsSpec {
                $crate::scenario::file::PodsSpec {
                    service: self.service.clone(),
                    version: self.version.clone(),
                    pod: self.pod.clone(),
                    zone: self.zone.clone(),
                    region: self.region.clone(),
                    namespace: self.namespace.clone(),
                    node: self.node.clone(),
                    labels: self.labels.clone(),
                    random: self.random.clone(),
                    share: self.share.clone(),
                }
            }
        }
    };
}

/// Defines a fault's part with the keys that choose packets, a method `edge` that gathers them, and fields of its own.
macro_rules! with_edge {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $crate::scenario::file::fault::select::with_pods! {
            $(#[$meta])*
            $name {
                $($(#[$field_meta])* $field: $type,)*
                /// One end.
                from: Option<$crate::scenario::file::Placed<$crate::scenario::file::Short<$crate::scenario::file::PodsSpec>>>,
                /// The other end; everybody else when left out.
                to: Option<$crate::scenario::file::Placed<$crate::scenario::file::Short<$crate::scenario::file::PodsSpec>>>,
                /// Only packets that go from `from` to `to`.
                #[serde(default)]
                one_way: bool,
                /// Only connections to this port, as pods listen on it; all when left out.
                port: Option<$crate::scenario::file::Placed<u16>>,
            }
        }

        impl $name {
            /// Which packets.
            pub(crate) fn edge(&self) -> $crate::scenario::file::EdgeSpec {
                $crate::scenario::file::EdgeSpec {
                    direct: self.pods(),
                    from: self.from.clone(),
                    to: self.to.clone(),
                    one_way: self.one_way,
                    port: self.port.clone(),
                }
            }
        }
    };
}

pub(crate) use {with_edge, with_pods};

/// Packets between two sets of pods: `from` and `to`, or one set and everybody else.
#[derive(Clone, Debug, Default)]
pub(crate) struct EdgeSpec {
    /// In place of `from`.
    pub(crate) direct: PodsSpec,
    /// One end.
    pub(crate) from: Option<Placed<Short<PodsSpec>>>,
    /// The other end; everybody else when left out.
    pub(crate) to: Option<Placed<Short<PodsSpec>>>,
    /// Only packets that go from `from` to `to`.
    pub(crate) one_way: bool,
    /// Only connections to this port.
    pub(crate) port: Option<Placed<u16>>,
}

with_edge! {
    /// Packets between two sets of pods: `from` and `to`, or one set and everybody else. A text alone is a service, a pod, or a pattern of pod names.
    #[derive(Default)]
    PacketsSpec {}
}

impl Brief for PacketsSpec {
    const EXPECTED: &'static str = PodsSpec::EXPECTED;

    fn text_schema(generator: &mut SchemaGenerator) -> Schema {
        PodsSpec::text_schema(generator)
    }

    fn from_text(text: &str, at: &Position) -> Result<Self, String> {
        let pods = PodsSpec::from_text(text, at)?;
        Ok(Self {
            service: pods.service,
            pod: pods.pod,
            ..Self::default()
        })
    }
}
