//! `mesh:`

use schemars::JsonSchema;
use serde::Deserialize;

use super::Placed;
use crate::scenario::value::{Share, Spread, Time};

/// The mesh: which one, and what it was told.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct MeshSpec {
    /// Whose defaults and whose configuration language; `istio` when left out.
    pub(crate) profile: Option<ProfileName>,
    /// The mesh's own configuration, unchanged: files, or patterns such as `mesh/*.yaml`, relative to this file.
    pub(crate) config: Vec<Placed<String>>,
    /// The trust domain of SPIFFE identities; the profile's when left out.
    pub(crate) trust_domain: Option<Placed<String>>,
    /// Virtual time that one pass through a proxy takes: a constant or a `lognormal(…)`; nothing when left out.
    pub(crate) proxy_latency: Option<Placed<Spread>>,
    /// Changes to the profile's defaults, as a mesh-wide setting would make them.
    pub(crate) defaults: DefaultsSpec,
}

/// Which mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ProfileName {
    /// Istio with sidecars, 1.24 and later.
    Istio,
}

/// Changes to the profile's defaults. What is left out stays as the mesh has it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct DefaultsSpec {
    /// Retries after the first attempt on routes that say nothing; 0 turns them off.
    pub(crate) retries: Option<Placed<u32>>,
    /// Bound on a request on routes that say nothing.
    pub(crate) timeout: Option<Placed<Time>>,
    /// Load balancing of destinations that say nothing.
    pub(crate) load_balancer: Option<Placed<BalanceSpec>>,
    /// Inbound authentication where no policy says otherwise.
    pub(crate) mtls: Option<Placed<MtlsSpec>>,
    /// Below this share of healthy endpoints all are used.
    pub(crate) panic_threshold: Option<Share>,
    /// What happens to requests for hosts that the mesh does not know (Istio's `outboundTrafficPolicy`).
    pub(crate) outbound_traffic_policy: Option<OutboundTrafficPolicy>,
    /// Lifetime of a workload's certificate.
    pub(crate) certificate_lifetime: Option<Placed<Time>>,
    /// How long the control plane waits after a change for more changes before it pushes.
    pub(crate) push_debounce: Option<Time>,
}

/// A load-balancing algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum BalanceSpec {
    /// In turn.
    RoundRobin,
    /// At random.
    Random,
    /// The less loaded of two at random.
    LeastRequest,
}

/// Whether inbound connections must be mutually authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum MtlsSpec {
    /// Plain text only.
    Disable,
    /// Both.
    Permissive,
    /// Mutual TLS only.
    Strict,
}

/// What happens to requests for hosts that the mesh does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OutboundTrafficPolicy {
    /// They are passed through.
    AllowAny,
    /// They are refused.
    RegistryOnly,
}
