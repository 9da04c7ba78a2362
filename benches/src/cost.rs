//! What a piece of work costs this thread.

use std::time::Duration;

/// A clock of the work done by this thread.
///
/// On Unix it is the processor time of the thread (`CLOCK_THREAD_CPUTIME_ID`), which other processes
/// disturb far less than wall time. Elsewhere it is wall time.
#[derive(Debug)]
pub struct Stopwatch {
    started: Reading,
}

impl Stopwatch {
    /// Starts now.
    pub fn start() -> Self {
        Self { started: read() }
    }

    /// What this thread has worked since.
    pub fn spent(&self) -> Duration {
        since(self.started)
    }
}

#[cfg(unix)]
type Reading = Duration;

#[cfg(unix)]
fn read() -> Reading {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let (seconds, nanos) = (now.tv_sec.cast_unsigned(), now.tv_nsec as u32);
    Duration::new(seconds, nanos)
}

#[cfg(unix)]
fn since(started: Reading) -> Duration {
    read() - started
}

#[cfg(not(unix))]
type Reading = std::time::Instant;

#[cfg(not(unix))]
#[expect(
    clippy::disallowed_methods,
    reason = "a bench reads the machine's clock"
)]
fn read() -> Reading {
    std::time::Instant::now()
}

#[cfg(not(unix))]
fn since(started: Reading) -> Duration {
    started.elapsed()
}

/// Costs of the same work, again and again, on a machine that others disturb.
///
/// Disturbance only ever adds, so the lowest tenth says what the work costs, the median what it costs here and now.
#[derive(Clone, Debug)]
pub struct Costs(Vec<f64>);

impl Costs {
    /// Costs, in any order; at least one.
    pub fn new(mut costs: Vec<f64>) -> Self {
        costs.sort_by(f64::total_cmp);
        Self(costs)
    }

    /// The cost that this share of them do not exceed.
    pub fn quantile(&self, share: f64) -> f64 {
        self.0[((self.0.len() - 1) as f64 * share).round() as usize]
    }

    /// The lowest tenth.
    pub fn low(&self) -> f64 {
        self.quantile(0.1)
    }

    /// The middle.
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }
}
