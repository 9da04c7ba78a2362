//! What a process needs and bears.

use std::time::Duration;

/// The process that an app runs in. The default needs nothing and bears everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProcessPlan {
    /// Its memory; `None` is no limit.
    pub memory: Option<MemoryPlan>,
    /// How it warms up after it has started.
    pub warm_up: Option<WarmUp>,
    /// It closes connections that have been idle for so long; `None` is never.
    pub idle_timeout: Option<Duration>,
    /// Connections it keeps open at once; more wait to be accepted. `None` is no limit.
    pub connections_max: Option<u32>,
}

/// Memory: in use is `base + per_request × (queued and running) + leak × (requests so far)`. Above the limit the kernel
/// kills the pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryPlan {
    /// Bytes at which the pod is killed if it uses more.
    pub limit: u64,
    /// Bytes of a process that does nothing.
    pub base: u64,
    /// Bytes of a request that waits or is worked on.
    pub per_request: u64,
    /// Bytes that each request leaves behind.
    pub leak: u64,
}

/// A process that has just started works slowly at first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WarmUp {
    /// For so long, ever less.
    pub lasts: Duration,
    /// Service times at the very beginning are so many times as long.
    pub times: f64,
}

impl WarmUp {
    /// How many times as long work takes that begins so long after the start: from `times` in a straight line to 1.
    pub fn factor(&self, age: Duration) -> f64 {
        if age >= self.lasts {
            return 1.0;
        }
        let left = 1.0 - age.as_secs_f64() / self.lasts.as_secs_f64();
        1.0 + (self.times - 1.0) * left
    }
}
