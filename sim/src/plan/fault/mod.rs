//! What goes wrong, where and when.

mod capacity;
mod clock;
mod control;
mod identity;
mod network;
mod process;
mod schedule;
mod strength;
mod traffic;

use std::time::Duration;

use mesh_core::policy::Fraction;

pub use capacity::{AppEffect, CapacityFault, RequestScope};
pub use clock::ClockFault;
pub use control::{ConfigChange, ControlFault, Objects, Outage};
pub use identity::IdentityFault;
pub use network::{DnsAnswer, NetworkFault};
pub use process::{Drain, ProcessFault};
pub use schedule::{Repeat, Schedule, Start, Trigger};
pub use traffic::{LoadChange, SourceEffect, TrafficFault};

/// One fault.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultPlan {
    /// A name for reports, such as `crash reviews-v1-*`.
    pub name: String,
    /// What it does and to whom, whatever its name: `errors api-3 (40%, 503)`.
    pub what: String,
    /// When it is in force.
    pub schedule: Schedule,
    /// Its strength grows evenly from nothing over this time, each time it begins; zero is at once.
    pub ramp: Duration,
    /// What it does.
    pub kind: FaultKind,
    /// `file:line` where it was written.
    pub place: String,
}

/// The kinds of fault, by family.
#[derive(Clone, Debug, PartialEq)]
pub enum FaultKind {
    /// Packets and names.
    Network(NetworkFault),
    /// Pods come and go.
    Process(ProcessFault),
    /// Apps do less than they should.
    Capacity(CapacityFault),
    /// Callers call otherwise.
    Traffic(TrafficFault),
    /// Clocks are wrong.
    Clock(ClockFault),
    /// Certificates, roots, and who one takes the other for.
    Identity(IdentityFault),
    /// The control plane, what it knows, and what it tells.
    Control(ControlFault),
}

/// A fault of a family is a fault.
macro_rules! families {
    ($($family:ident($fault:ident)),*) => {
        $(impl From<$fault> for FaultKind {
            fn from(fault: $fault) -> Self {
                Self::$family(fault)
            }
        })*
    };
}

families!(
    Network(NetworkFault),
    Process(ProcessFault),
    Capacity(CapacityFault),
    Traffic(TrafficFault),
    Clock(ClockFault),
    Identity(IdentityFault),
    Control(ControlFault)
);

impl FaultKind {
    /// Whether it has a strength that can grow.
    pub const fn has_strength(&self) -> bool {
        match self {
            Self::Network(fault) => fault.has_strength(),
            Self::Process(_) | Self::Identity(_) | Self::Control(_) | Self::Clock(_) => false,
            Self::Capacity(fault) => fault.has_strength(),
            Self::Traffic(fault) => fault.has_strength(),
        }
    }
}

/// Pods by name, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodSelector {
    /// Names of the selected pods, in plan order. Never empty.
    pub pods: Vec<String>,
    /// How many of them it touches, drawn anew each time a fault begins.
    pub take: Take,
    /// How it was written, for reports.
    pub text: String,
}

/// How many of some pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// All.
    All,
    /// So many, at random.
    Count(u32),
    /// This share of them, at random, rounded to the nearest number, but one at least.
    Share(Fraction),
}

/// Packets between two sets of pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeSelector {
    /// One end.
    pub from: PodSelector,
    /// The other end.
    pub to: FarEnd,
    /// Also from the other end to the first.
    pub both_ways: bool,
    /// Only connections to this port; `None` is all.
    pub port: Option<u16>,
}

/// The other end of an [`EdgeSelector`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FarEnd {
    /// Everybody but the pods of the first end.
    Others,
    /// Everybody, the pods of the first end among themselves included.
    Everybody,
    /// These.
    Pods(PodSelector),
}
