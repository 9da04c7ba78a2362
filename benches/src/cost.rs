//! What a piece of work costs this thread.

use std::time::{Duration, Instant};

/// A clock of the work done by this thread.
///
/// On Linux it is the time the thread was on a processor
/// (`/proc/thread-self/schedstat`, first field, nanoseconds: "time spent on the
/// cpu", the kernel's `sched-stats.rst`), which other processes disturb far
/// less than wall time. Elsewhere it is wall time.
#[derive(Debug)]
pub struct Stopwatch {
    wall: Instant,
    cpu: Option<Duration>,
}

impl Stopwatch {
    /// Starts now.
    #[expect(
        clippy::disallowed_methods,
        reason = "a bench reads the machine's clock"
    )]
    pub fn start() -> Self {
        Self {
            wall: Instant::now(),
            cpu: on_cpu(),
        }
    }

    /// What this thread has worked since.
    pub fn spent(&self) -> Duration {
        match (self.cpu, on_cpu()) {
            (Some(before), Some(now)) => now - before,
            _ => self.wall.elapsed(),
        }
    }
}

fn on_cpu() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos = stat.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}
