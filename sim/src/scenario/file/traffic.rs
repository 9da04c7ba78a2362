//! `traffic:`

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Each, Named, Placed};
use crate::scenario::value::{Answer, Arrival, Keys, Name, PerSecond, Size, Spread, Target, Time};

/// A traffic source: a pod that only calls. It has a `rate` (with `stages` and `bursts` if it changes), or `users`, or `requests`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct TrafficSpec {
    /// The URL that is called.
    pub(crate) to: Option<Placed<Target>>,
    /// How often requests begin, whatever the answers.
    pub(crate) rate: Option<Placed<Arrival>>,
    /// How the rate changes over time.
    pub(crate) stages: Each<StageSpec>,
    /// Short times of another rate.
    pub(crate) bursts: Each<BurstSpec>,
    /// Users who each wait for their answer, think, and go on.
    pub(crate) users: Option<Placed<u32>>,
    /// Time between a user's answer and the next request; none when left out.
    pub(crate) think: Option<Placed<Spread>>,
    /// These requests, one by one.
    pub(crate) requests: Each<RequestSpec>,
    /// Method; `GET` when left out.
    pub(crate) method: Option<Placed<String>>,
    /// Headers to send.
    pub(crate) headers: Named<String, Placed<String>>,
    /// Size of the request's body; none when left out.
    pub(crate) request_size: Option<Size>,
    /// The client gives up after this; never when left out.
    pub(crate) timeout: Option<Time>,
    /// When it starts; at once when left out.
    pub(crate) start: Option<Placed<Time>>,
    /// When it stops sending; at the end of the run when left out.
    pub(crate) stop: Option<Placed<Time>>,
    /// The zone its pod runs in; outside all zones when left out, so that no zone fault touches it.
    pub(crate) zone: Option<Placed<Name>>,
    /// Whether its pod has a sidecar; it has when left out.
    pub(crate) sidecar: Option<bool>,
    /// Its namespace; the topology's when left out.
    pub(crate) namespace: Option<Placed<Name>>,
    /// Labels of its pod, besides `app`, which is its name.
    pub(crate) labels: Named<String, Placed<String>>,
    /// Its service account; its name when left out.
    pub(crate) service_account: Option<Placed<Name>>,
    /// A key that each request carries in a header.
    pub(crate) keys: Option<Placed<KeysSpec>>,
    /// What is sent: one of these each time, drawn by weight.
    pub(crate) mix: Each<MixSpec>,
    /// How often its client tries by itself, after no answer or a status from 500 on; once when left out.
    pub(crate) tries: Option<Placed<u32>>,
    /// The client's wait before its second try, doubled with each further one; none when left out.
    pub(crate) backoff: Option<Placed<Time>>,
    /// No wait of the client is longer; ten times the first when left out.
    pub(crate) backoff_max: Option<Placed<Time>>,
    /// How the client's waits vary; not at all when left out.
    pub(crate) jitter: Option<Placed<JitterSpec>>,
}

/// A key that each request carries.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct KeysSpec {
    /// The header that carries it.
    pub(crate) header: Placed<String>,
    /// How it is drawn.
    pub(crate) draw: Placed<Keys>,
}

/// A part of a mix. What is left out is as the traffic source has it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct MixSpec {
    /// How often it is sent, against the weights of the others; 1 when left out.
    pub(crate) weight: Option<u32>,
    /// The URL that is called.
    pub(crate) to: Option<Placed<Target>>,
    /// Path and query, in place of those of the URL.
    pub(crate) path: Option<Placed<String>>,
    /// Method.
    pub(crate) method: Option<Placed<String>>,
    /// Headers, besides those of the traffic source.
    #[serde(default)]
    pub(crate) headers: Named<String, Placed<String>>,
    /// Size of the body.
    pub(crate) request_size: Option<Size>,
}

/// How waits vary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum JitterSpec {
    /// Not at all.
    None,
    /// Between zero and the wait.
    Full,
    /// Between half the wait and the wait.
    Equal,
    /// Between the first wait and three times the one before.
    Decorrelated,
}

/// A change of the rate: a step, or a ramp when it goes `over` some time.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct StageSpec {
    /// When it begins.
    pub(crate) at: Time,
    /// The rate it leads to.
    pub(crate) rate: PerSecond,
    /// How long it takes, evenly; a step when left out.
    pub(crate) over: Option<Time>,
}

/// A short time of another rate: exactly one of `rate` and `times`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct BurstSpec {
    /// When it begins.
    pub(crate) at: Time,
    /// How long it lasts.
    #[serde(rename = "for")]
    pub(crate) lasts: Time,
    /// The rate meanwhile.
    pub(crate) rate: Option<PerSecond>,
    /// Meanwhile the rate is this many times what it would be.
    pub(crate) times: Option<f64>,
    /// It comes again after each such time; only once when left out.
    pub(crate) every: Option<Time>,
}

/// One scripted request. What is left out is as the traffic source has it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct RequestSpec {
    /// When it is sent.
    pub(crate) at: Time,
    /// The URL that is called.
    pub(crate) to: Option<Placed<Target>>,
    /// Path and query, in place of those of the URL.
    pub(crate) path: Option<Placed<String>>,
    /// Method.
    pub(crate) method: Option<Placed<String>>,
    /// Headers, besides those of the traffic source.
    #[serde(default)]
    pub(crate) headers: Named<String, Placed<String>>,
    /// Size of the body.
    pub(crate) request_size: Option<Size>,
    /// Sent this many times; once when left out.
    pub(crate) count: Option<Placed<u32>>,
    /// Time between the times; none when left out.
    pub(crate) every: Option<Time>,
    /// What must come back; a miss fails the run.
    #[serde(default)]
    pub(crate) expect: OutcomeSpec,
}

/// What a scripted request must come back with. What is left out may be anything.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct OutcomeSpec {
    /// The status, or `none` for no answer at all.
    pub(crate) status: Option<Answer>,
    /// The pod that answered, or the beginning of its name.
    pub(crate) upstream: Option<Placed<String>>,
    /// The response flags of the caller's sidecar, such as `UO` or `URX,UF`.
    pub(crate) flags: Option<String>,
    /// It takes this long at least.
    pub(crate) at_least: Option<Time>,
    /// It takes this long at most.
    pub(crate) at_most: Option<Time>,
    /// Response headers.
    pub(crate) headers: Named<String, Placed<String>>,
}
