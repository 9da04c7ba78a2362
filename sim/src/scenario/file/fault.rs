//! `faults:`

use mesh_core::policy::Position;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::placed::Brief;
use super::{Placed, Short};
use crate::scenario::value::{Spread, Time};

/// One thing that goes wrong: exactly one of `latency`, `partition`, `crash` and `restart`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct FaultSpec {
    /// A name for reports; made up when left out.
    pub(crate) name: Option<String>,
    /// When it begins.
    pub(crate) at: Placed<Time>,
    /// How long it lasts; to the end of the run when left out.
    #[serde(rename = "for")]
    pub(crate) lasts: Option<Placed<Time>>,
    /// Packets take longer.
    pub(crate) latency: Option<Placed<LatencySpec>>,
    /// Packets do not arrive until it heals.
    pub(crate) partition: Option<Placed<Short<EdgeSpec>>>,
    /// Pods die; when the fault ends they start again.
    pub(crate) crash: Option<Placed<Short<PodsSpec>>>,
    /// Pods die and start again at once.
    pub(crate) restart: Option<Placed<Short<PodsSpec>>>,
}

/// Which pods: all that is given must hold. A text alone is a service, or a pattern of pod names.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct PodsSpec {
    /// Pods of this service, or traffic source.
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
}

impl Brief for PodsSpec {
    const EXPECTED: &'static str = "a service, a pattern of pod names,";

    fn text_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A service, or a pattern of pod names.",
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

/// Packets between two sets of pods: `from` and `to`, or one set and everybody else. A text alone is a service, or a pattern of pod names.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct EdgeSpec {
    /// One end.
    pub(crate) from: Option<Placed<Short<PodsSpec>>>,
    /// The other end; everybody else when left out.
    pub(crate) to: Option<Placed<Short<PodsSpec>>>,
    /// Only packets that go from `from` to `to`.
    pub(crate) one_way: bool,
    /// In place of `from`: pods of this service, or traffic source.
    pub(crate) service: Option<Placed<String>>,
    /// In place of `from`: pods whose `version` label is this.
    pub(crate) version: Option<Placed<String>>,
    /// In place of `from`: pods with such a name.
    pub(crate) pod: Option<Placed<String>>,
    /// In place of `from`: pods in this zone.
    pub(crate) zone: Option<Placed<String>>,
    /// In place of `from`: pods in this region.
    pub(crate) region: Option<Placed<String>>,
    /// In place of `from`: pods in this namespace.
    pub(crate) namespace: Option<Placed<String>>,
}

impl Brief for EdgeSpec {
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

/// Latency added to packets, chosen as for a partition.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct LatencySpec {
    /// How much, drawn for each packet.
    pub(crate) add: Spread,
    /// One end.
    pub(crate) from: Option<Placed<Short<PodsSpec>>>,
    /// The other end; everybody else when left out.
    pub(crate) to: Option<Placed<Short<PodsSpec>>>,
    /// Only packets that go from `from` to `to`.
    #[serde(default)]
    pub(crate) one_way: bool,
    /// In place of `from`: pods of this service, or traffic source.
    pub(crate) service: Option<Placed<String>>,
    /// In place of `from`: pods whose `version` label is this.
    pub(crate) version: Option<Placed<String>>,
    /// In place of `from`: pods with such a name.
    pub(crate) pod: Option<Placed<String>>,
    /// In place of `from`: pods in this zone.
    pub(crate) zone: Option<Placed<String>>,
    /// In place of `from`: pods in this region.
    pub(crate) region: Option<Placed<String>>,
    /// In place of `from`: pods in this namespace.
    pub(crate) namespace: Option<Placed<String>>,
}

impl LatencySpec {
    /// Which packets.
    pub(crate) fn edge(&self) -> EdgeSpec {
        EdgeSpec {
            from: self.from.clone(),
            to: self.to.clone(),
            one_way: self.one_way,
            service: self.service.clone(),
            version: self.version.clone(),
            pod: self.pod.clone(),
            zone: self.zone.clone(),
            region: self.region.clone(),
            namespace: self.namespace.clone(),
        }
    }
}

impl EdgeSpec {
    /// The pods written in place of `from`, if any are.
    pub(crate) fn direct(&self) -> Option<PodsSpec> {
        let pods = PodsSpec {
            service: self.service.clone(),
            version: self.version.clone(),
            pod: self.pod.clone(),
            zone: self.zone.clone(),
            region: self.region.clone(),
            namespace: self.namespace.clone(),
        };
        (!pods.is_empty()).then_some(pods)
    }
}

impl PodsSpec {
    /// Whether nothing is demanded.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts().all(|(_, part)| part.is_none())
    }

    /// The demands, each with its key.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&'static str, Option<&Placed<String>>)> {
        [
            ("service", self.service.as_ref()),
            ("version", self.version.as_ref()),
            ("pod", self.pod.as_ref()),
            ("zone", self.zone.as_ref()),
            ("region", self.region.as_ref()),
            ("namespace", self.namespace.as_ref()),
        ]
        .into_iter()
    }
}
