//! One run among many: a plan with another seed, on whatever thread.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use meshquake_reports::{RunReport, Verdict};

use crate::plan::Plan;
use crate::world::{self, RunOptions};

/// What a run is given.
pub(super) struct Single<'a> {
    /// What runs.
    pub(super) plan: &'a Plan,
    /// With which seed.
    pub(super) seed: u64,
    /// The command that makes it again.
    pub(super) reproduce: String,
    /// Where to write one JSON line per request.
    pub(super) requests: Option<Box<dyn Write>>,
    /// Whether to record what a page draws.
    pub(super) detail: bool,
    /// Asked from time to time whether the run is still wanted.
    pub(super) wanted: Box<dyn Fn() -> bool>,
}

/// Runs it; `None` when it was not wanted to the end.
///
/// # Errors
/// A sentence, when Meshquake broke.
pub(super) fn run(single: Single<'_>) -> Result<Option<RunReport>, String> {
    let mut plan = single.plan.clone();
    plan.seed = single.seed;
    let stop = Arc::new(AtomicBool::new(false));
    let (flag, wanted) = (stop.clone(), single.wanted);
    let options = RunOptions {
        requests: single.requests,
        reproduce: single.reproduce,
        detail: single.detail,
        stop,
        progress: Box::new(move |_, _| {
            if !wanted() {
                flag.store(true, Ordering::Relaxed);
            }
        }),
        ..RunOptions::default()
    };
    // A panic is a defect of one run, and the others go on. Nothing of the run is looked at afterwards.
    let ended = catch_unwind(AssertUnwindSafe(|| world::run(&plan, options)));
    match ended {
        Ok(Ok(report)) if report.verdict == Verdict::Interrupted => Ok(None),
        Ok(Ok(report)) => Ok(Some(report)),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("it panicked; the message above says where".into()),
    }
}
