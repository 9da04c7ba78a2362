//! When a fault is in force.

use std::time::Duration;

use super::PodSelector;
use crate::plan::Distribution;

/// When a fault begins, how long it lasts, and whether it comes again. Times that are distributions are drawn from the
/// run's seed, from a stream of the fault's own.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// When it begins.
    pub start: Start,
    /// How long it lasts, drawn each time it begins; `None` is to the end of the run.
    pub lasts: Option<Distribution>,
    /// Whether it comes again.
    pub repeat: Option<Repeat>,
}

impl Schedule {
    /// Once, at this time, for this long (`None`: to the end of the run).
    pub fn once(at: Duration, lasts: Option<Duration>) -> Self {
        Self {
            start: Start::At(Distribution::Constant(at)),
            lasts: lasts.map(Distribution::Constant),
            repeat: None,
        }
    }

    /// When it first begins, if that is known before the run.
    pub const fn known_start(&self) -> Option<Duration> {
        match &self.start {
            Start::At(Distribution::Constant(at)) => Some(*at),
            _ => None,
        }
    }

    /// How long it lasts, if that is known before the run; `None` also when it lasts to its end.
    pub const fn known_length(&self) -> Option<Duration> {
        match &self.lasts {
            Some(Distribution::Constant(length)) => Some(*length),
            _ => None,
        }
    }
}

/// When a fault begins for the first time.
#[derive(Clone, Debug, PartialEq)]
pub enum Start {
    /// At this time of the run.
    At(Distribution),
    /// When something happens, and a while later. Only the first time counts, or the first ones if the fault
    /// [repeats](Repeat) with a number of times.
    On {
        /// What.
        trigger: Trigger,
        /// How much later.
        delay: Duration,
    },
}

/// A fault that comes again.
#[derive(Clone, Debug, PartialEq)]
pub struct Repeat {
    /// From one beginning to the next; the next waits until the one before has ended. `None` for a fault that begins
    /// on a trigger: it begins each time.
    pub every: Option<Distribution>,
    /// It begins so often at most.
    pub times: Option<u32>,
    /// It does not begin at or after this time, and ends there.
    pub until: Option<Duration>,
}

/// Something that happens in a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Trigger {
    /// A fault began: its place in the plan.
    Began(usize),
    /// A fault ended: its place in the plan.
    Healed(usize),
    /// Somebody's load balancer ejected one of these pods.
    Ejected(PodSelector),
    /// One of these pods came back from an ejection.
    Returned(PodSelector),
    /// One of these pods died.
    Crashed(PodSelector),
    /// One of these pods became ready (during the run, not while the mesh comes up).
    Ready(PodSelector),
    /// A sidecar of one of these pods refused a request because a breaker's limit was reached.
    Overflowed(PodSelector),
}
