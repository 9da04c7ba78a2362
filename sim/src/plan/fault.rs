//! What goes wrong, where and when.

use std::time::Duration;

use super::Distribution;

/// One fault.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultPlan {
    /// A name for reports, such as `crash reviews-v1-*`.
    pub name: String,
    /// When it begins.
    pub at: Duration,
    /// How long it lasts; `None` is to the end of the run.
    pub duration: Option<Duration>,
    /// What it does.
    pub kind: FaultKind,
    /// `file:line` where it was written.
    pub place: String,
}

/// The kinds of fault.
#[derive(Clone, Debug, PartialEq)]
pub enum FaultKind {
    /// Adds latency to packets.
    Latency {
        /// Which packets.
        on: EdgeSelector,
        /// How much, drawn per packet.
        add: Distribution,
    },
    /// Parks packets until it heals.
    Partition {
        /// Which packets.
        on: EdgeSelector,
    },
    /// Kills pods; after `duration` they start again.
    Crash {
        /// Indices into the plan's pods.
        pods: PodSelector,
    },
    /// Kills pods and starts them again at once.
    Restart {
        /// Which pods.
        pods: PodSelector,
    },
}

/// Pods by name, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodSelector {
    /// Names of the selected pods, in plan order. Never empty.
    pub pods: Vec<String>,
    /// How it was written, for reports.
    pub text: String,
}

/// Packets between two sets of pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeSelector {
    /// One end.
    pub from: PodSelector,
    /// The other end; `None` is everybody else.
    pub to: Option<PodSelector>,
    /// Also from the other end to the first.
    pub both_ways: bool,
}
