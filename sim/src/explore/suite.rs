//! Scenarios × seeds, judged seed by seed.
//!
//! Idle threads take the next run that is surely wanted, of whatever scenario,
//! and only when there is none of those one that may turn out not to be. A
//! scenario is decided in the order of its seeds, never in that in which its
//! runs ended, and runs beyond the decision are dropped: the result is a
//! function of the scenarios alone.
//!
//! When to stop is argued in [`SequentialTest`]: as soon as it accepts that all
//! seeds agree with each other. Once two of them differ the scenario is flaky,
//! that is a fact and no longer a question, and all its seeds are run to learn
//! how often.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indexmap::IndexMap;
use meshquake_reports::statistics::{Hypothesis, SequentialTest};
use meshquake_reports::suite::{ScenarioReport, SeedReport};
use meshquake_reports::{Failure, FailureKind};

use super::single::{self, Single};
use super::{RunId, measures, workers};
use crate::plan::Plan;

/// A scenario to run.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its file.
    pub file: String,
    /// What runs.
    pub plan: Plan,
    /// With which seeds, in order.
    pub seeds: Vec<u64>,
}

/// How to run a suite.
pub struct SuiteOptions<'a> {
    /// When to stop before the last seed; `None` runs them all.
    pub stops_early: Option<SequentialTest>,
    /// How many runs go on at once.
    pub jobs: usize,
    /// Set to end it early, with what has been done.
    pub stop: Arc<AtomicBool>,
    /// What the command line was given, for the command that runs a seed again.
    pub reproduce: &'a (dyn Fn(&RunId) -> String + Sync),
    /// Told whenever a run has ended.
    pub progress: &'a (dyn Fn(Progress) + Sync),
}

/// How far a suite has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Scenarios decided.
    pub decided: usize,
    /// Runs ended, those run in vain included.
    pub runs: usize,
    /// Runs still wanted for sure.
    pub wanted: usize,
}

/// Runs every case; their reports are in the order of the cases.
///
/// # Errors
/// When the machine has no thread left.
pub fn run(cases: &[Case], options: &SuiteOptions<'_>) -> Result<Vec<ScenarioReport>, String> {
    let schedule = Schedule {
        cases,
        options,
        tracks: Mutex::new(
            cases
                .iter()
                .map(|case| Track::new(case, options.stops_early))
                .collect(),
        ),
    };
    workers::each(options.jobs, || schedule.work())?;
    let tracks = schedule
        .tracks
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let judged = cases.iter().zip(tracks).map(|(case, track)| {
        let plan = &case.plan;
        let (file, name) = (case.file.clone(), plan.name.clone());
        ScenarioReport::judged(
            file,
            name,
            plan.declared,
            plan.fingerprint.clone(),
            track.conclude(),
        )
    });
    Ok(judged.collect())
}

struct Schedule<'a> {
    cases: &'a [Case],
    options: &'a SuiteOptions<'a>,
    tracks: Mutex<Vec<Track>>,
}

impl Schedule<'_> {
    /// Takes runs until there are none.
    fn work(&self) {
        while !self.options.stop.load(Ordering::Relaxed) {
            let Some((case, index)) = self.next() else {
                return;
            };
            let ended = self.seed(case, index);
            self.ended(case, index, ended);
        }
    }

    fn tracks(&self) -> MutexGuard<'_, Vec<Track>> {
        // Nothing panics while it holds the lock.
        self.tracks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next run: the scenario and the number of its seed.
    fn next(&self) -> Option<(usize, usize)> {
        let mut tracks = self.tracks();
        let sure = tracks.iter().position(|track| track.begun < track.wanted());
        let perhaps = || {
            let open = tracks
                .iter()
                .enumerate()
                .filter(|(_, track)| track.begun < track.limit());
            let least_ahead = open.min_by_key(|(_, track)| track.begun - track.prefix());
            least_ahead.map(|(case, _)| case)
        };
        let case = sure.or_else(perhaps)?;
        let index = tracks[case].begun;
        tracks[case].begun += 1;
        Some((case, index))
    }

    fn seed(&self, number: usize, index: usize) -> Option<SeedReport> {
        let case = self.cases.get(number)?;
        let seed = *case.seeds.get(index)?;
        let id = RunId {
            file: case.file.clone(),
            seed,
        };
        let (stop, limit) = (
            self.options.stop.clone(),
            self.tracks()[number].limit.clone(),
        );
        let ended = single::run(Single {
            plan: &case.plan,
            seed,
            reproduce: (self.options.reproduce)(&id),
            requests: None,
            detail: false,
            wanted: Box::new(move || {
                !stop.load(Ordering::Relaxed) && limit.load(Ordering::Relaxed) > index
            }),
        });
        match ended {
            Ok(None) => None,
            Ok(Some(report)) => Some(SeedReport {
                seed,
                run: id.to_string(),
                verdict: Some(report.verdict),
                as_declared: case.plan.declared.is(report.verdict),
                measures: measures(&report),
                digest: report.digest,
                failures: report.failures,
                mechanisms: report.mechanisms,
                wall_seconds: report.wall_seconds,
            }),
            Err(why) => Some(broken(&id, why)),
        }
    }

    fn ended(&self, case: usize, index: usize, ended: Option<SeedReport>) {
        let Some(report) = ended else {
            return;
        };
        let mut tracks = self.tracks();
        tracks[case].end(index, report);
        let progress = Progress {
            decided: tracks
                .iter()
                .filter(|track| track.decided.is_some())
                .count(),
            runs: tracks.iter().map(Track::runs).sum(),
            wanted: tracks
                .iter()
                .map(|track| track.wanted().saturating_sub(track.runs()))
                .sum(),
        };
        drop(tracks);
        (self.options.progress)(progress);
    }
}

fn broken(id: &RunId, why: String) -> SeedReport {
    SeedReport {
        seed: id.seed,
        run: id.to_string(),
        verdict: None,
        as_declared: false,
        digest: String::new(),
        failures: vec![Failure {
            kind: FailureKind::Invariant,
            message: why,
            place: String::new(),
        }],
        measures: IndexMap::new(),
        mechanisms: BTreeMap::new(),
        wall_seconds: 0.0,
    }
}

/// The seeds of one scenario.
struct Track {
    stops_early: Option<SequentialTest>,
    runs: Vec<Option<SeedReport>>,
    /// How many have been taken by a thread, from the first on.
    begun: usize,
    /// How many count, once that is known.
    decided: Option<usize>,
    /// How many may count: runs that go on ask whether they still do.
    limit: Arc<AtomicUsize>,
}

impl Track {
    fn new(case: &Case, stops_early: Option<SequentialTest>) -> Self {
        Self::of(case.seeds.len(), stops_early)
    }

    fn of(seeds: usize, stops_early: Option<SequentialTest>) -> Self {
        Self {
            stops_early,
            runs: vec![None; seeds],
            begun: 0,
            decided: None,
            limit: Arc::new(AtomicUsize::new(seeds)),
        }
    }

    /// How many have ended.
    fn runs(&self) -> usize {
        self.runs.iter().flatten().count()
    }

    /// How many have ended without a gap, from the first on.
    fn prefix(&self) -> usize {
        self.runs.iter().take_while(|run| run.is_some()).count()
    }

    /// How many may count.
    fn limit(&self) -> usize {
        self.decided.unwrap_or(self.runs.len())
    }

    /// How many will count at least, by what is known.
    fn wanted(&self) -> usize {
        match (self.decided, self.stops_early) {
            (Some(decided), _) => decided,
            (None, Some(test)) if self.agreed(self.prefix()).is_some() => {
                let least = usize::try_from(test.runs_when_steady()).unwrap_or(usize::MAX);
                least.min(self.runs.len())
            }
            (None, _) => self.runs.len(),
        }
    }

    /// What the first `count` runs agree on; `None` when they differ. No runs agree on anything.
    fn agreed(&self, count: usize) -> Option<bool> {
        let mut came = self.runs[..count]
            .iter()
            .flatten()
            .map(|run| run.as_declared);
        let first = came.next().unwrap_or(true);
        came.all(|other| other == first).then_some(first)
    }

    fn end(&mut self, index: usize, report: SeedReport) {
        if let Some(place) = self.runs.get_mut(index) {
            *place = Some(report);
        }
        if self.decided.is_none() {
            let prefix = self.prefix();
            self.decided = (1..=prefix).find(|count| self.is_enough(*count));
            self.limit.store(self.limit(), Ordering::Relaxed);
        }
    }

    fn is_enough(&self, count: usize) -> bool {
        let steady = |test: SequentialTest| {
            test.decide(count as u64, 0) == Some(Hypothesis::Steady) && self.agreed(count).is_some()
        };
        count == self.runs.len() || self.stops_early.is_some_and(steady)
    }

    /// The runs that count; of a scenario that was not decided, those there are.
    fn conclude(self) -> Vec<SeedReport> {
        let limit = self.limit();
        self.runs.into_iter().take(limit).flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshquake_reports::statistics::Interval;
    use proptest::prelude::*;

    fn track(seeds: usize, stops: bool) -> Track {
        Track::of(seeds, stops.then(SequentialTest::default))
    }

    fn report(seed: usize, as_declared: bool) -> SeedReport {
        let id = RunId {
            file: "a".into(),
            seed: seed as u64,
        };
        SeedReport {
            as_declared,
            ..broken(&id, String::new())
        }
    }

    fn counted(outcomes: &[bool], stops: bool) -> usize {
        let mut track = track(outcomes.len(), stops);
        for (seed, outcome) in outcomes.iter().enumerate() {
            track.end(seed, report(seed, *outcome));
        }
        track.conclude().len()
    }

    #[test]
    fn agreeing_seeds_stop_after_five_and_others_never() {
        assert_eq!(counted(&[true; 20], true), 5);
        assert_eq!(counted(&[false; 20], true), 5);
        assert_eq!(counted(&[true; 20], false), 20);
        assert_eq!(counted(&[true; 3], true), 3);
        let mut one = [true; 20];
        one[4] = false;
        assert_eq!(counted(&one, true), 20);
        one[4] = true;
        one[5] = false;
        assert_eq!(counted(&one, true), 5, "it had been decided");
    }

    #[test]
    fn what_is_wanted_grows_when_seeds_differ() {
        let mut track = track(20, true);
        assert_eq!(track.wanted(), 5);
        track.end(0, report(0, true));
        track.end(2, report(2, false));
        assert_eq!(track.wanted(), 5, "seed 1 is not known yet");
        track.end(1, report(1, true));
        assert_eq!(track.wanted(), 20);
    }

    /// An interval is exact for a number of runs fixed beforehand, and here it is not. Counted out for every share
    /// of agreeing seeds: it covers as well as that of twenty runs, which covers 95.3 % on average and 85 % at worst.
    #[test]
    fn stopping_early_does_not_spoil_the_interval() {
        let steps = |probability: f64, from: Vec<f64>| -> Vec<f64> {
            let mut to = vec![0.0; from.len() + 1];
            for (agreed, weight) in from.iter().enumerate() {
                to[agreed] += weight * (1.0 - probability);
                to[agreed + 1] += weight * probability;
            }
            to
        };
        let covers = |agreed: usize, of: usize, share: f64| {
            let interval = Interval::wilson(agreed as u64, of as u64);
            interval.low <= share && share <= interval.high
        };
        let coverage = |share: f64| -> f64 {
            let (mut weights, mut covered) = (vec![1.0], 0.0);
            for runs in 1..=20 {
                weights = steps(share, weights);
                let stops: Vec<usize> = match runs {
                    5 => vec![0, 5],
                    20 => (0..=20).collect(),
                    _ => Vec::new(),
                };
                for agreed in stops {
                    covered += if covers(agreed, runs, share) {
                        weights[agreed]
                    } else {
                        0.0
                    };
                    weights[agreed] = 0.0;
                }
            }
            covered
        };
        let all: Vec<f64> = (1..1000)
            .map(|share| coverage(f64::from(share) / 1000.0))
            .collect();
        let (mean, least) = (
            all.iter().sum::<f64>() / 999.0,
            all.iter().fold(1.0_f64, |a, b| a.min(*b)),
        );
        assert!((mean - 0.9555).abs() < 1e-3, "{mean}");
        assert!((least - 0.8785).abs() < 1e-3, "{least}");
    }

    proptest! {
        /// Whatever the order in which runs end, the same ones count.
        #[test]
        fn the_order_of_the_ends_is_no_matter(
            outcomes in prop::collection::vec(prop::bool::weighted(0.9), 1..25),
            order in Just((0..25).collect::<Vec<usize>>()).prop_shuffle(),
        ) {
            let mut track = track(outcomes.len(), true);
            for seed in order.into_iter().filter(|seed| *seed < outcomes.len()) {
                track.end(seed, report(seed, outcomes[seed]));
            }
            let told: Vec<u64> = track.conclude().iter().map(|run| run.seed).collect();
            let expected: Vec<u64> = (0..counted(&outcomes, true) as u64).collect();
            prop_assert_eq!(told, expected);
        }
    }
}
