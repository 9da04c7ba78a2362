//! Callers that call otherwise.

use std::time::Duration;

use mesh_core::policy::Fraction;

use crate::plan::RetryPlan;

/// What happens to a traffic source.
#[derive(Clone, Debug, PartialEq)]
pub struct TrafficFault {
    /// Its place in the plan.
    pub source: usize,
    /// What happens.
    pub effect: SourceEffect,
}

/// What a fault does to a traffic source.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceEffect {
    /// It sends another load.
    Load(LoadChange),
    /// It sends requests on top of its load.
    Herd {
        /// How many.
        requests: u64,
        /// Over this time; zero is all at once.
        over: Duration,
        /// At random within that time; else evenly.
        random: bool,
    },
    /// Some of its requests carry one and the same key.
    HotKey {
        /// With this probability.
        rate: Fraction,
        /// The key.
        key: String,
    },
    /// Its client tries otherwise.
    Retries(RetryPlan),
    /// The parts of its mix have other weights.
    Mix(Vec<u32>),
    /// Its pod opens connections on which requests come a byte at a time, and never end.
    SlowLoris {
        /// Where to: `host:port`.
        authority: String,
        /// How many connections.
        connections: u32,
        /// From one byte to the next, on each connection.
        pause: Duration,
    },
}

/// Another load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LoadChange {
    /// So many times what it would be.
    Times(f64),
    /// So many requests per second.
    PerSecond(f64),
}

impl TrafficFault {
    /// Whether it has a strength that can grow.
    pub const fn has_strength(&self) -> bool {
        matches!(self.effect, SourceEffect::Load(_))
    }
}
