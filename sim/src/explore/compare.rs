//! Two configurations on the same seeds, request by request.
//!
//! Every consumer of randomness has a stream of its own, keyed by the seed and
//! its name, so two runs of one seed draw the same arrivals and service times
//! whatever their policies do. The n-th request of a source is then the same
//! request in both, and is compared with itself.

mod requests;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use indexmap::IndexMap;
use meshquake_reports::comparison::{
    COMPARE_SCHEMA, ComparisonReport, EdgeChange, EdgeSide, ExpectationChange, MeasureChange,
    RequestChange, RequestChanges, SideReport,
};
use meshquake_reports::statistics::Paired;
use meshquake_reports::{RunReport, Verdict};

use super::measure::expectation_name;
use super::single::{self, Single};
use super::{measures, workers};
use crate::plan::Plan;
use requests::{Requests, Sink};

/// One of the two.
#[derive(Clone, Debug)]
pub enum Side {
    /// A scenario, to be run; what it is called.
    Scenario(String, Box<Scenario>),
    /// A run that was recorded, with its request log if there is one; what it is called.
    Recorded(String, Box<RunReport>, Option<PathBuf>),
}

/// A scenario of a comparison.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What runs.
    pub plan: Plan,
    /// The command that runs it, but for the seed.
    pub command: String,
}

/// How to compare.
pub struct CompareOptions {
    /// With which seeds; that of a recorded run, where there is one.
    pub seeds: Vec<u64>,
    /// How many seeds go on at once.
    pub jobs: usize,
    /// How many requests to show.
    pub samples: usize,
    /// Whether to record what a page draws of the first seed's runs.
    pub detail: bool,
    /// Set to end it early, with the seeds that are done.
    pub stop: Arc<AtomicBool>,
}

/// What came of it.
pub struct Compared {
    /// What all seeds said together.
    pub report: ComparisonReport,
    /// The runs of the first seed, A's and B's.
    pub first: (RunReport, RunReport),
}

/// What one seed said.
struct Pair {
    a: RunReport,
    b: RunReport,
    changes: Vec<RequestChanges>,
    sample: Vec<RequestChange>,
}

/// Compares; `None` when it was stopped before the first seed was done.
///
/// # Errors
/// A sentence, when Meshquake broke or a request log cannot be read.
pub fn compare(a: &Side, b: &Side, options: &CompareOptions) -> Result<Option<Compared>, String> {
    let pairs: Mutex<Vec<Option<Result<Pair, String>>>> =
        Mutex::new(options.seeds.iter().map(|_| None).collect());
    let next = AtomicUsize::new(0);
    workers::each(options.jobs.min(options.seeds.len()), || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let stopped = options.stop.load(Ordering::Relaxed);
            let Some(seed) = options.seeds.get(index).filter(|_| !stopped) else {
                return;
            };
            // Single requests are shown of the first seed only.
            let look = Look {
                samples: if index == 0 { options.samples } else { 0 },
                detail: index == 0 && options.detail,
            };
            let compared = pair(a, b, *seed, look, &options.stop).transpose();
            pairs.lock().unwrap_or_else(PoisonError::into_inner)[index] = compared;
        }
    })?;
    let pairs = pairs.into_inner().unwrap_or_else(PoisonError::into_inner);
    let done: Vec<Pair> = pairs.into_iter().flatten().collect::<Result<_, _>>()?;
    let report = match done.is_empty() {
        true => return Ok(None),
        false => told(a, b, &done),
    };
    let first = done.into_iter().next();
    Ok(first.map(|pair| Compared {
        report: ComparisonReport {
            sample: pair.sample,
            ..report
        },
        first: (pair.a, pair.b),
    }))
}

/// How closely to look at a pair of runs.
#[derive(Clone, Copy)]
struct Look {
    samples: usize,
    detail: bool,
}

/// Runs one seed under both; `None` when it was stopped.
fn pair(
    a: &Side,
    b: &Side,
    seed: u64,
    look: Look,
    stop: &Arc<AtomicBool>,
) -> Result<Option<Pair>, String> {
    let Some((a, mut before)) = side(a, seed, look.detail, stop)? else {
        return Ok(None);
    };
    let Some((b, after)) = side(b, seed, look.detail, stop)? else {
        return Ok(None);
    };
    let (changes, sample) = match (before.as_mut(), after) {
        (Some(before), Some(after)) => requests::compare(before, &after, look.samples),
        _ => (Vec::new(), Vec::new()),
    };
    Ok(Some(Pair {
        a,
        b,
        changes,
        sample,
    }))
}

fn side(
    side: &Side,
    seed: u64,
    detail: bool,
    stop: &Arc<AtomicBool>,
) -> Result<Option<(RunReport, Option<Requests>)>, String> {
    match side {
        Side::Scenario(_, scenario) => {
            let (sink, requests) = Sink::new();
            let stop = stop.clone();
            let ran = single::run(Single {
                plan: &scenario.plan,
                seed,
                reproduce: format!("{} --seed {seed}", scenario.command),
                requests: Some(Box::new(sink)),
                detail,
                wanted: Box::new(move || !stop.load(Ordering::Relaxed)),
            })?;
            Ok(ran.map(|report| (report, Some(requests.take()))))
        }
        Side::Recorded(_, report, log) => {
            let requests = log.as_deref().map(requests::read).transpose()?;
            Ok(Some((RunReport::clone(report), requests)))
        }
    }
}

fn told(a: &Side, b: &Side, pairs: &[Pair]) -> ComparisonReport {
    let mut requests: IndexMap<String, RequestChanges> = IndexMap::new();
    for changes in pairs.iter().flat_map(|pair| &pair.changes) {
        let of = requests
            .entry(changes.traffic.clone())
            .or_insert_with(|| RequestChanges {
                traffic: changes.traffic.clone(),
                ..RequestChanges::default()
            });
        of.add(changes);
    }
    let requests: Vec<RequestChanges> = requests.into_values().collect();
    ComparisonReport {
        schema: COMPARE_SCHEMA.into(),
        meshquake_version: env!("CARGO_PKG_VERSION").into(),
        a: side_report(a, pairs.iter().map(|pair| &pair.a)),
        b: side_report(b, pairs.iter().map(|pair| &pair.b)),
        seeds: pairs.iter().map(|pair| pair.a.seed).collect(),
        notes: notes(pairs, &requests),
        requests,
        measures: measure_changes(pairs),
        expectations: expectations(pairs),
        edges: edges(pairs),
        sample: Vec::new(),
    }
}

fn side_report<'a>(side: &Side, runs: impl Iterator<Item = &'a RunReport> + Clone) -> SideReport {
    let (Side::Scenario(what, _) | Side::Recorded(what, _, _)) = side;
    let first = runs.clone().next();
    SideReport {
        what: what.clone(),
        scenario: first.map_or_else(String::new, |run| run.scenario.clone()),
        fingerprint: first.map_or_else(String::new, |run| run.fingerprint.clone()),
        verdicts: runs.map(|run| run.verdict).collect::<Vec<Verdict>>(),
    }
}

fn notes(pairs: &[Pair], requests: &[RequestChanges]) -> Vec<String> {
    let mut notes = Vec::new();
    if requests.is_empty() {
        notes.push(
            "nothing is known of single requests: there is no request log beside a recorded run (`run --out` writes one)"
                .into(),
        );
    }
    if pairs.iter().any(|pair| pair.a.seed != pair.b.seed) {
        notes.push(
            "the two were recorded with different seeds: nothing is paired but the numbers".into(),
        );
    }
    let moved: u64 = requests.iter().map(|changes| changes.moved).sum();
    if moved > 0 {
        notes.push(format!(
            "{moved} requests were sent at another time in B: their arrivals were changed, or their users waited for other answers; requests are matched by number"
        ));
    }
    if pairs
        .iter()
        .any(|pair| pair.a.meshquake_version != pair.b.meshquake_version)
    {
        notes.push("the two were run by different versions of Meshquake".into());
    }
    notes
}

fn measure_changes(pairs: &[Pair]) -> Vec<MeasureChange> {
    let both: Vec<_> = pairs
        .iter()
        .map(|pair| (measures(&pair.a), measures(&pair.b)))
        .collect();
    let Some((first, _)) = both.first() else {
        return Vec::new();
    };
    let changes = first.iter().filter_map(|(name, measured)| {
        let values: Vec<(f64, f64)> = both
            .iter()
            .filter_map(|(a, b)| Some((a.get(name)?.value?, b.get(name)?.value?)))
            .collect();
        let differences: Vec<f64> = values.iter().map(|(a, b)| b - a).collect();
        let mean = |sum: f64| sum / values.len() as f64;
        Some(MeasureChange {
            name: name.clone(),
            unit: measured.unit,
            better: measured.better,
            difference: Paired::of(&differences)?,
            a: mean(values.iter().map(|(a, _)| a).sum()),
            b: mean(values.iter().map(|(_, b)| b).sum()),
        })
    });
    changes.collect()
}

fn expectations(pairs: &[Pair]) -> Vec<ExpectationChange> {
    let mut all: IndexMap<String, [Option<u64>; 2]> = IndexMap::new();
    for pair in pairs {
        for (side, run) in [&pair.a, &pair.b].into_iter().enumerate() {
            for expectation in &run.expectations {
                let demanded = &expectation.demanded;
                let name = format!(
                    "{} {} {}",
                    expectation_name(expectation),
                    demanded.comparison,
                    demanded.value
                );
                let met = &mut all.entry(name).or_default()[side];
                *met = Some(met.unwrap_or(0) + u64::from(expectation.held));
            }
        }
    }
    let changes = all
        .into_iter()
        .map(|(name, [a_met, b_met])| ExpectationChange { name, a_met, b_met });
    changes.collect()
}

fn edges(pairs: &[Pair]) -> Vec<EdgeChange> {
    let mut all: IndexMap<(String, String), [Sum; 2]> = IndexMap::new();
    for pair in pairs {
        for (side, run) in [&pair.a, &pair.b].into_iter().enumerate() {
            for edge in &run.edges {
                let key = (edge.from.clone(), edge.to.clone());
                let sum = &mut all.entry(key).or_default()[side];
                sum.edge.requests += edge.requests;
                sum.edge.failed += edge.failed;
                sum.edge.attempts += edge.attempts;
                sum.p99.extend(edge.latency_ms.map(|latency| latency.p99));
            }
        }
    }
    let changes = all.into_iter().map(|((from, to), [a, b])| EdgeChange {
        from,
        to,
        a: a.told(),
        b: b.told(),
    });
    changes.collect()
}

#[derive(Default)]
struct Sum {
    edge: EdgeSide,
    p99: Vec<f64>,
}

impl Sum {
    fn told(self) -> EdgeSide {
        let count = self.p99.len() as f64;
        let mean = (count > 0.0).then(|| self.p99.iter().sum::<f64>() / count);
        EdgeSide {
            p99_ms: mean,
            ..self.edge
        }
    }
}
