//! Threads that take work until there is none.

use std::num::NonZero;
use std::thread;

/// A run recurses as deep on a thread as in a process of its own.
const STACK_BYTES: usize = 8 << 20;

/// As many as the machine has cores for this process.
pub fn jobs_by_default() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Runs `work` on `jobs` threads, and returns when all have returned.
///
/// # Errors
/// A sentence, when the machine has no thread left.
pub(super) fn each(jobs: usize, work: impl Fn() + Sync) -> Result<(), String> {
    let work = &work;
    thread::scope(|scope| {
        for number in 0..jobs.max(1) {
            let builder = thread::Builder::new()
                .name(format!("run-{number}"))
                .stack_size(STACK_BYTES);
            let spawned = builder.spawn_scoped(scope, work);
            // Fewer do the same, only later.
            if let Err(error) = spawned
                && number == 0
            {
                return Err(format!("cannot start a thread: {error}"));
            }
        }
        Ok(())
    })
}
