//! Runs of a suite once more, looked at as closely as a page wants it.
//!
//! A suite judges by the verdict, and records what that takes. Of most runs nobody looks at more; of the few that are
//! shown the rest is recorded when they are run again, which by the same seed is the same run. That it was is checked.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use meshquake_reports::RunReport;
use meshquake_reports::suite::{ScenarioReport, SeedReport};

use super::single::{self, Single};
use super::suite::Case;
use super::{RunId, workers};

/// Runs shown of a scenario that did not come out as declared.
const SHOWN_MAX: usize = 3;

/// A run of a suite, to be made again.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// Its scenario.
    pub case: &'a Case,
    /// What the suite knows of it.
    pub told: &'a SeedReport,
}

/// The runs worth a page: of each scenario the first few that did not come out as declared, or else its first.
pub fn worth_a_page<'a>(cases: &'a [Case], scenarios: &'a [ScenarioReport]) -> Vec<Shown<'a>> {
    let mut shown = Vec::new();
    for scenario in scenarios {
        let Some(case) = cases.iter().find(|case| case.file == scenario.file) else {
            continue;
        };
        let ended = || scenario.runs.iter().filter(|run| run.verdict.is_some());
        let astray = ended().filter(|run| !run.as_declared).take(SHOWN_MAX);
        let before = shown.len();
        shown.extend(astray.map(|told| Shown { case, told }));
        if shown.len() == before {
            shown.extend(ended().next().map(|told| Shown { case, told }));
        }
    }
    shown
}

/// Makes `runs` again, `jobs` at once, and hands each to `took`; fewer when `stop` is set.
///
/// # Errors
/// The first that came up: a run that broke or is not the same, or what `took` says.
pub fn each(
    runs: &[Shown<'_>],
    jobs: usize,
    stop: &Arc<AtomicBool>,
    reproduce: &(dyn Fn(&RunId) -> String + Sync),
    took: &(dyn Fn(&SeedReport, &RunReport) -> Result<(), String> + Sync),
) -> Result<(), String> {
    let next = AtomicUsize::new(0);
    let failure = Mutex::new(None);
    let fails = |why: String| {
        let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert(why);
        next.store(runs.len(), Ordering::Relaxed);
    };
    workers::each(jobs, || {
        while !stop.load(Ordering::Relaxed)
            && let Some(shown) = runs.get(next.fetch_add(1, Ordering::Relaxed))
        {
            let made = make(*shown, stop, reproduce);
            let ended =
                made.and_then(|made| made.map_or(Ok(()), |report| took(shown.told, &report)));
            if let Err(why) = ended {
                fails(why);
            }
        }
    })?;
    let failure = failure.into_inner().unwrap_or_else(PoisonError::into_inner);
    failure.map_or(Ok(()), Err)
}

fn make(
    shown: Shown<'_>,
    stop: &Arc<AtomicBool>,
    reproduce: &(dyn Fn(&RunId) -> String + Sync),
) -> Result<Option<RunReport>, String> {
    let (told, stop) = (shown.told, stop.clone());
    let id = RunId {
        file: shown.case.file.clone(),
        seed: told.seed,
    };
    let made = single::run(Single {
        plan: &shown.case.plan,
        seed: told.seed,
        reproduce: reproduce(&id),
        requests: None,
        detail: true,
        wanted: Box::new(move || !stop.load(Ordering::Relaxed)),
    });
    let made = made.map_err(|why| format!("{id} broke: {why}"))?;
    match made {
        Some(report) if report.digest != told.digest => Err(format!(
            "{id} is not deterministic: {} then {}",
            told.digest, report.digest
        )),
        made => Ok(made),
    }
}
