//! `faults:`

mod capacity;
mod clock;
mod control;
mod identity;
mod network;
mod process;
pub(in crate::scenario::file) mod select;
mod traffic;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Placed, Short};
use crate::scenario::value::{Spread, Time, When};

pub(crate) use capacity::{
    CpuSpec, ErrorsSpec, LeakSpec, MemoryFaultSpec, MemorySpec, SlowSpec, WarmUpSpec, WorkersSpec,
};
pub(crate) use clock::ClockSpec;
pub(crate) use control::{
    ConfigSpec, ControlPlaneDownSpec, EmptyEndpointsSpec, OutageSpec, ReorderedPushSpec,
    SlowPushSpec,
};
pub(crate) use identity::{
    CaAnswerSpec, CaDownSpec, CaRotationSpec, ExpiredLeafSpec, StolenIdentitySpec, TrustDomainSpec,
    WrongSanSpec,
};
pub(crate) use network::{BandwidthSpec, DnsAnswerSpec, DnsSpec, LatencySpec, LossSpec};
pub(crate) use process::{CrashLoopSpec, RolloutSpec, ScaleSpec};
pub(crate) use select::{EdgeSpec, PacketsSpec, PodsSpec};
pub(crate) use traffic::{
    ClientRetriesSpec, HerdSpec, HotKeySpec, LoadFaultSpec, MixFaultSpec, SlowLorisSpec, SpreadSpec,
};

/// One thing that goes wrong. It begins `at` a time or `when` something happens, and is of exactly one kind: `latency`, `crash`…
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct FaultSpec {
    /// A name for reports and for other parts of this file; made up when left out.
    pub(crate) name: Option<Placed<String>>,
    /// When it begins. A distribution is drawn from the seed.
    pub(crate) at: Option<Placed<Spread>>,
    /// In place of `at`: when something happens, such as `ejected(reviews-v1-0)` or `healed(outage) + 5s`.
    pub(crate) when: Option<Placed<When>>,
    /// How long it lasts; to the end of the run when left out. A distribution is drawn each time.
    #[serde(rename = "for")]
    pub(crate) lasts: Option<Placed<Spread>>,
    /// In place of `for`: when it ends. With `every` or `when`: it does not begin again after this.
    pub(crate) until: Option<Placed<Time>>,
    /// It comes again, from one beginning to the next. A distribution is drawn each time.
    pub(crate) every: Option<Placed<Spread>>,
    /// How often it begins at most; with `every` without end, with `when` once when left out.
    pub(crate) times: Option<Placed<u32>>,
    /// Its strength grows evenly over this time; at once when left out.
    pub(crate) ramp: Option<Placed<Time>>,

    // Packets and names.
    /// Packets take longer.
    pub(crate) latency: Option<Placed<LatencySpec>>,
    /// Packets are lost; segments come late.
    pub(crate) loss: Option<Placed<LossSpec>>,
    /// Links are narrow.
    pub(crate) bandwidth: Option<Placed<BandwidthSpec>>,
    /// Packets do not arrive until it heals.
    pub(crate) partition: Option<Placed<Short<PacketsSpec>>>,
    /// Packets are swallowed, as by a firewall that drops them.
    pub(crate) blackhole: Option<Placed<Short<PacketsSpec>>>,
    /// Pods are cut off from everybody, also from each other.
    pub(crate) isolate: Option<Placed<Short<PodsSpec>>>,
    /// Packets are answered with a reset of their connection.
    pub(crate) reset: Option<Placed<Short<PacketsSpec>>>,
    /// Attempts to connect are answered with a reset; connections that stand are left alone.
    pub(crate) refuse: Option<Placed<Short<PacketsSpec>>>,
    /// The network forgets the connections that stand, and tells neither end.
    pub(crate) half_open: Option<Placed<Short<PacketsSpec>>>,
    /// Names are not answered as they should be.
    pub(crate) dns: Option<Placed<DnsSpec>>,

    // Processes.
    /// Pods die, and peers see resets; when the fault ends they start again.
    pub(crate) crash: Option<Placed<Short<PodsSpec>>>,
    /// Pods lose power, and peers see silence; when the fault ends they start again.
    pub(crate) power_off: Option<Placed<Short<PodsSpec>>>,
    /// Pods die and start again at once.
    pub(crate) restart: Option<Placed<Short<PodsSpec>>>,
    /// Pods die again and again, and are started with growing delays.
    pub(crate) crash_loop: Option<Placed<CrashLoopSpec>>,
    /// Pods stop running, as in a garbage collection that stops the world; their kernels still answer.
    pub(crate) freeze: Option<Placed<Short<PodsSpec>>>,
    /// Pods are replaced one after the other.
    pub(crate) rollout: Option<Placed<RolloutSpec>>,
    /// A service has another number of replicas.
    pub(crate) scale: Option<Placed<ScaleSpec>>,

    // Capacity.
    /// Apps take longer for their work.
    pub(crate) slow: Option<Placed<SlowSpec>>,
    /// Apps fail some requests.
    pub(crate) errors: Option<Placed<ErrorsSpec>>,
    /// Apps give out fewer workers; work that is being done goes on.
    pub(crate) workers: Option<Placed<WorkersSpec>>,
    /// Apps may run for a part of the time only.
    pub(crate) cpu: Option<Placed<CpuSpec>>,
    /// Apps lose workers.
    pub(crate) leak: Option<Placed<LeakSpec>>,
    /// Requests leave memory behind in apps.
    pub(crate) memory: Option<Placed<MemoryFaultSpec>>,
    /// The caches of apps are emptied.
    pub(crate) cache_flush: Option<Placed<Short<PodsSpec>>>,

    // Traffic.
    /// A traffic source sends another load.
    pub(crate) load: Option<Placed<LoadFaultSpec>>,
    /// Requests come all together, on top of a traffic source's load.
    pub(crate) herd: Option<Placed<HerdSpec>>,
    /// Many requests of a traffic source carry the same key.
    pub(crate) hot_key: Option<Placed<HotKeySpec>>,
    /// The client of a traffic source tries otherwise, by itself.
    pub(crate) client_retries: Option<Placed<ClientRetriesSpec>>,
    /// The parts of a traffic source's mix have other weights.
    pub(crate) mix: Option<Placed<MixFaultSpec>>,
    /// The pod of a traffic source opens connections on which requests come a byte at a time, and never end.
    pub(crate) slow_loris: Option<Placed<SlowLorisSpec>>,

    // Time.
    /// Clocks are wrong.
    pub(crate) clock: Option<Placed<ClockSpec>>,

    // Identity.
    /// The CA signs nothing: sidecars keep the certificates they have, and pods that start do not become ready.
    pub(crate) ca_down: Option<Placed<CaDownSpec>>,
    /// Certificates end early, and none follows until the fault heals.
    pub(crate) expired_leaf: Option<Placed<ExpiredLeafSpec>>,
    /// Pods do not renew their certificates.
    pub(crate) stuck_rotation: Option<Placed<Short<PodsSpec>>>,
    /// Another CA takes over, with a root of its own.
    pub(crate) ca_rotation: Option<Placed<CaRotationSpec>>,
    /// Pods show an identity of another trust domain.
    pub(crate) trust_domain: Option<Placed<TrustDomainSpec>>,
    /// Pods show the certificate of another workload.
    pub(crate) stolen_identity: Option<Placed<StolenIdentitySpec>>,
    /// Pods show a certificate for an identity they should not have.
    pub(crate) wrong_san: Option<Placed<WrongSanSpec>>,
    /// Pods or traffic sources go past their sidecar, in plain text.
    pub(crate) plaintext: Option<Placed<Short<PodsSpec>>>,

    // The control plane.
    /// The control plane is gone; it starts again when the fault heals.
    pub(crate) control_plane_down: Option<Placed<ControlPlaneDownSpec>>,
    /// Pushes to sidecars arrive late.
    pub(crate) slow_push: Option<Placed<SlowPushSpec>>,
    /// Sidecars get no pushes until the fault heals.
    pub(crate) partial_push: Option<Placed<Short<PodsSpec>>>,
    /// Routes are pushed before the clusters they refer to.
    pub(crate) reordered_push: Option<Placed<ReorderedPushSpec>>,
    /// What is pushed to sidecars cannot be read, and they reject it.
    pub(crate) rejected_push: Option<Placed<Short<PodsSpec>>>,
    /// The control plane does not hear of pods that become ready or cease to be, until the fault heals.
    pub(crate) stale_endpoints: Option<Placed<Short<PodsSpec>>>,
    /// Discovery answers no endpoint for a service.
    pub(crate) empty_endpoints: Option<Placed<Short<EmptyEndpointsSpec>>>,
    /// The mesh is given another configuration; the former one returns when the fault heals.
    pub(crate) config: Option<Placed<Short<ConfigSpec>>>,
}
