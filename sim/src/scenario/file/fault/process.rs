//! Faults of processes.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::Placed;
use super::select::with_pods;
use crate::scenario::value::Time;

with_pods! {
    /// Pods that die again and again.
    CrashLoopSpec {
        /// How long they live once they are ready; 1s when left out.
        lives: Option<Time>,
    }
}

with_pods! {
    /// Pods replaced one after the other.
    RolloutSpec {
        /// How many are away at once; 1 when left out.
        at_once: Option<Placed<u32>>,
        /// From a pod's end to the beginning of its successor; 1s when left out.
        pause: Option<Time>,
        /// Until the control plane hears that a pod is going; at once when left out.
        endpoint_removal: Option<Time>,
        /// Until its app is told to stop (the `preStop` hook); at once when left out.
        pre_stop: Option<Time>,
        /// Until its sidecar tells its connections to end after what is in flight; with `pre-stop` when left out.
        connection_close: Option<Time>,
        /// From then to the end of its processes; 5s when left out, for which a sidecar waits (Istio's `terminationDrainDuration`).
        grace: Option<Time>,
    }
}

/// Another number of replicas, for the time of the fault.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct ScaleSpec {
    /// The service.
    pub(crate) service: Placed<String>,
    /// Its version, when it has several.
    pub(crate) version: Option<Placed<String>>,
    /// Replicas meanwhile.
    pub(crate) to: Placed<u32>,
    /// Until the control plane hears that a pod is going; at once when left out.
    pub(crate) endpoint_removal: Option<Time>,
    /// Until its app is told to stop (the `preStop` hook); at once when left out.
    pub(crate) pre_stop: Option<Time>,
    /// Until its sidecar tells its connections to end after what is in flight; with `pre-stop` when left out.
    pub(crate) connection_close: Option<Time>,
    /// From then to the end of its processes; 5s when left out, for which a sidecar waits (Istio's `terminationDrainDuration`).
    pub(crate) grace: Option<Time>,
}
