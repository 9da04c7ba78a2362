//! The scenario file as written: one type per part, each field documented once,
//! for readers of the code and, through the schema, for editors.

mod expect;
mod fault;
mod mesh;
mod placed;
mod response;
mod script;
mod service;
mod topology;
mod traffic;

pub(crate) use expect::ExpectSpec;
pub(crate) use fault::{
    CaAnswerSpec, CaRotationSpec, ClientRetriesSpec, ClockSpec, ConfigSpec, DnsAnswerSpec, DnsSpec,
    EdgeSpec, EmptyEndpointsSpec, ErrorsSpec, FaultSpec, HerdSpec, HotKeySpec, LoadFaultSpec,
    MemorySpec, MixFaultSpec, OutageSpec, PacketsSpec, PodsSpec, ScaleSpec, SlowLorisSpec,
    SlowSpec, SpreadSpec, StolenIdentitySpec, WarmUpSpec,
};
pub(crate) use mesh::{
    BalanceSpec, DefaultsSpec, MeshSpec, MtlsSpec, OutboundTrafficPolicy, ProfileName,
};
pub(crate) use placed::{Each, Named, OneOrMore, Placed, Short};
pub(crate) use response::{Failure, ResponseSpec};
pub(crate) use script::{CacheSpec, CallSpec, Command, StepSpec};
pub(crate) use service::{Behaviour, CancelSpec, HandlerSpec, OrderSpec, ServiceSpec, VersionSpec};
pub(crate) use topology::{LinkSpec, TopologySpec};
pub(crate) use traffic::{BurstSpec, JitterSpec, OutcomeSpec, RequestSpec, TrafficSpec};

use schemars::JsonSchema;
use serde::Deserialize;

use super::value::{Moment, Name, Text, Time, text};

/// A Meshquake scenario: a mesh, what runs in it, who calls it, what goes wrong, and what must hold.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(title = "Meshquake scenario")]
pub(crate) struct Scenario {
    /// The version of this format.
    #[serde(rename = "meshquake")]
    #[expect(dead_code, reason = "reading it is the check")]
    pub(crate) version: Version,
    /// A short name; the file's name when left out.
    pub(crate) name: Option<String>,
    /// What it is about, in a sentence or two.
    pub(crate) about: Option<String>,
    /// The seed of everything random; 1 when left out.
    pub(crate) seed: Option<u64>,
    /// The verdict it is written to come to; `held` when left out. A scenario that shows how a mesh breaks says so here, and `meshquake test` holds it to that.
    pub(crate) verdict: Option<VerdictSpec>,
    /// How long the run lasts, in virtual time.
    pub(crate) duration: Placed<Time>,
    /// The calendar time at which the run begins; 2026-01-01 when left out. Certificates and logs see it.
    pub(crate) epoch: Option<Moment>,
    /// The mesh: which one, and what it was told.
    #[serde(default)]
    pub(crate) mesh: MeshSpec,
    /// Where things run: imported manifests, zones, links.
    #[serde(default)]
    pub(crate) topology: TopologySpec,
    /// What runs, by name. A name that an import declares (a service, or a Deployment) adds behaviour to it; any other name defines a new service. Write `name.namespace` outside the default namespace.
    #[serde(default)]
    pub(crate) services: Named<ServiceKey, ServiceSpec>,
    /// Who calls, by name.
    #[serde(default)]
    pub(crate) traffic: Named<Name, TrafficSpec>,
    /// What goes wrong, and when.
    #[serde(default)]
    pub(crate) faults: Each<FaultSpec>,
    /// What must hold.
    #[serde(default)]
    pub(crate) expect: Each<ExpectSpec>,
}

/// A verdict.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum VerdictSpec {
    /// Everything demanded comes true.
    #[default]
    Held,
    /// Something demanded does not.
    Failed,
    /// It stays broken after its faults have healed.
    Metastable,
}

impl From<VerdictSpec> for meshquake_reports::Declared {
    fn from(spec: VerdictSpec) -> Self {
        match spec {
            VerdictSpec::Held => Self::Held,
            VerdictSpec::Failed => Self::Failed,
            VerdictSpec::Metastable => Self::Metastable,
        }
    }
}

/// The version of the format.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(crate) enum Version {
    /// The first.
    #[serde(rename = "v1")]
    V1,
}

/// The name of an entry under `services`: `reviews` or `reviews.prod`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ServiceKey {
    /// The service or Deployment.
    pub(crate) name: String,
    /// Its namespace; `None` is the default one.
    pub(crate) namespace: Option<String>,
}

impl Text for ServiceKey {
    const NAME: &'static str = "ServiceName";
    const EXPECTED: &'static str = "a name such as `reviews`";
    const ABOUT: &'static str =
        "A service, or an imported Deployment, and its namespace when it is not the default one.";
    const PATTERN: &'static str =
        r"^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)?$";
    const EXAMPLES: &'static [&'static str] = &["reviews", "reviews-v2", "reviews.prod"];

    fn parse(text: &str) -> Result<Self, String> {
        let (name, namespace) = match text.split_once('.') {
            Some((name, namespace)) => (name, Some(Name::parse(namespace)?.0)),
            None => (text, None),
        };
        let Name(name) = Name::parse(name)?;
        Ok(Self { name, namespace })
    }
}

text!(ServiceKey);
