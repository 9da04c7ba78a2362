//! `topology:`

use mesh_core::policy::Position;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::placed::Brief;
use super::{Named, Placed, Short};
use crate::scenario::value::{Bandwidth, Name, Share, Size, Spread, Text};

/// Where things run: imported manifests, zones, links.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct TopologySpec {
    /// Kubernetes manifests and isotope service graphs: files, or patterns such as `k8s/*.yaml`, relative to this file. Mesh configuration found in them counts too.
    pub(crate) import: Vec<Placed<String>>,
    /// The namespace of whatever names none; `default` when left out.
    pub(crate) namespace: Option<Placed<Name>>,
    /// Availability zones of one region. Replicas are spread over them in turn, deployment by deployment.
    pub(crate) zones: Vec<Placed<Name>>,
    /// Regions and their zones, in place of `zones`, when there are several.
    pub(crate) regions: Named<Name, Vec<Placed<Name>>>,
    /// Nodes of each zone, called `<zone>-0`, `<zone>-1`… (`node-0`… without zones); 1 when left out. Pods take them in turn.
    pub(crate) nodes: Option<Placed<u32>>,
    /// How good the network is, by how far apart two pods are.
    pub(crate) links: LinksSpec,
}

/// The network between two pods, by how far apart they are; each direction alike.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct LinksSpec {
    /// Within a zone; 250us when left out.
    pub(crate) same_zone: Option<Placed<Short<LinkSpec>>>,
    /// Between zones of a region; 1ms when left out.
    pub(crate) cross_zone: Option<Placed<Short<LinkSpec>>>,
    /// Between regions; 30ms when left out.
    pub(crate) cross_region: Option<Placed<Short<LinkSpec>>>,
}

/// One direction of a link; its latency alone may stand for it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct LinkSpec {
    /// Time a packet travels, one way.
    pub(crate) latency: Spread,
    /// Share of packets lost; they arrive late, by TCP's retransmission.
    pub(crate) loss: Option<Share>,
    /// Bits per second; unlimited when left out.
    pub(crate) bandwidth: Option<Bandwidth>,
    /// Bytes that may wait for the link; unlimited when left out.
    pub(crate) queue: Option<Size>,
}

impl Brief for LinkSpec {
    const EXPECTED: &'static str = "a latency such as `1ms`";

    fn text_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<Spread>()
    }

    fn from_text(text: &str, _: &Position) -> Result<Self, String> {
        Ok(Self {
            latency: Spread::parse(text)?,
            loss: None,
            bandwidth: None,
            queue: None,
        })
    }
}
