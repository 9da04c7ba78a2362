//! Faults of the control plane.

use mesh_core::policy::Position;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::super::placed::Brief;
use super::super::{OneOrMore, Placed, Short};
use super::select::{PodsSpec, with_pods};
use crate::scenario::value::Time;

/// A control plane that is gone until the fault heals.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct ControlPlaneDownSpec {
    /// How it is gone; `crash` when left out.
    pub(crate) how: Option<OutageSpec>,
}

/// How a control plane is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OutageSpec {
    /// Killed: its connections are reset.
    #[default]
    Crash,
    /// Its machine is gone: silence.
    PowerOff,
    /// Its process stands still; its kernel still answers.
    Freeze,
}

with_pods! {
    /// Pushes that arrive late.
    SlowPushSpec {
        /// How much later.
        delay: Placed<Time>,
    }
}

with_pods! {
    /// Pushes whose routes arrive before what they refer to.
    ReorderedPushSpec {
        /// How long before; 1s when left out.
        gap: Option<Placed<Time>>,
    }
}

/// A service for which discovery answers no endpoint. A text alone is the service.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct EmptyEndpointsSpec {
    /// The service.
    pub(crate) service: Placed<String>,
}

impl Brief for EmptyEndpointsSpec {
    const EXPECTED: &'static str = "a service,";

    fn text_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "A service.", "examples": ["reviews"] })
    }

    fn from_text(text: &str, at: &Position) -> Result<Self, String> {
        let service = Placed::new(text.to_owned(), at.clone());
        Ok(Self { service })
    }
}

/// Another configuration of the mesh, until the fault heals. A text alone is a file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct ConfigSpec {
    /// The mesh's own configuration: files, or patterns, relative to this file. An object takes the place of the one of its kind and name.
    pub(crate) files: OneOrMore<String>,
    /// Nothing else stays in force.
    #[serde(default)]
    pub(crate) replace: bool,
    /// Only the sidecars of these pods get it; all when left out.
    pub(crate) to: Option<Placed<Short<PodsSpec>>>,
    /// After this long the others get it too.
    pub(crate) then_all_after: Option<Placed<Time>>,
}

impl Brief for ConfigSpec {
    const EXPECTED: &'static str = "a file";

    fn text_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "A file.", "examples": ["mesh/new.yaml"] })
    }

    fn from_text(text: &str, at: &Position) -> Result<Self, String> {
        let file = Placed::new(text.to_owned(), at.clone());
        Ok(Self {
            files: OneOrMore(vec![file]),
            replace: false,
            to: None,
            then_all_after: None,
        })
    }
}
