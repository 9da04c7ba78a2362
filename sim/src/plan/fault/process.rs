//! Pods come and go.

use std::time::Duration;

use super::PodSelector;

/// What happens to the processes of pods.
#[derive(Clone, Debug, PartialEq)]
pub enum ProcessFault {
    /// Kills pods; peers see resets. When it ends they start again.
    Crash {
        /// Which pods.
        pods: PodSelector,
    },
    /// Cuts their power; peers see silence. When it ends they start again.
    PowerOff {
        /// Which pods.
        pods: PodSelector,
    },
    /// Kills pods and starts them again at once.
    Restart {
        /// Which pods.
        pods: PodSelector,
    },
    /// Kills pods again and again, each time some time after they are ready; Kubernetes starts them with a delay that
    /// doubles.
    CrashLoop {
        /// Which pods.
        pods: PodSelector,
        /// How long they live once they are ready.
        lives: Duration,
    },
    /// Stops their processes, as a garbage collector that stops the world: kernels still answer.
    Freeze {
        /// Which pods.
        pods: PodSelector,
    },
    /// Replaces pods one after the other, as a Deployment's rolling update.
    Rollout {
        /// Which pods.
        pods: PodSelector,
        /// How each goes.
        drain: Drain,
        /// How many are away at once.
        at_once: u32,
        /// From a pod's end to the beginning of its successor.
        pause: Duration,
    },
    /// Takes pods out of service in order; when it ends they start again.
    Remove {
        /// Which pods.
        pods: PodSelector,
        /// How each goes.
        drain: Drain,
    },
    /// Starts pods that were not running; when it ends they go in order.
    Add {
        /// Which pods.
        pods: PodSelector,
        /// How each goes at the end.
        drain: Drain,
    },
}

/// How a pod is taken out of service: things that go on side by side from the moment it is deleted
/// (Kubernetes, "Termination of Pods").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// Until the control plane hears that it is going.
    pub endpoint_removal: Duration,
    /// Until its app is sent SIGTERM (the `preStop` hook), and stops accepting connections.
    pub pre_stop: Duration,
    /// Until its sidecar tells its connections to end after what is in flight; `None` is never.
    pub connection_close: Option<Duration>,
    /// From SIGTERM to the end of its processes.
    pub grace: Duration,
}

impl ProcessFault {
    /// Which pods.
    pub const fn pods(&self) -> &PodSelector {
        match self {
            Self::Crash { pods }
            | Self::PowerOff { pods }
            | Self::Restart { pods }
            | Self::CrashLoop { pods, .. }
            | Self::Freeze { pods }
            | Self::Rollout { pods, .. }
            | Self::Remove { pods, .. }
            | Self::Add { pods, .. } => pods,
        }
    }
}
