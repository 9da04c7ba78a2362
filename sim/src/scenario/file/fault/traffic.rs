//! Faults of callers.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::Placed;
use crate::scenario::value::PerSecond;

/// Another load of a traffic source: `times` what it would be, or a `rate` in its place.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct LoadFaultSpec {
    /// The traffic source.
    pub(crate) traffic: Placed<String>,
    /// So many times the requests, or the users.
    pub(crate) times: Option<Placed<f64>>,
    /// So many requests instead.
    pub(crate) rate: Option<Placed<PerSecond>>,
}
