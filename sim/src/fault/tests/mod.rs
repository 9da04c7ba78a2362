//! Faults on whole worlds: what they do inside their selector and their window, and nothing outside.

mod capacity;
mod clock;
mod logged;
mod network;
mod process;
mod schedule;
mod traffic;

use std::path::Path;

use mesh_core::document::Source;
use meshquake_reports::{FaultReport, RunReport};

use crate::plan::Plan;
use crate::scenario::{Overrides, load_source};
use crate::world::{self, RunOptions};

/// The plan of a scenario of this length.
pub(super) fn plan(duration: &str, body: &str) -> Plan {
    let yaml = format!("meshquake: v1\nseed: 4\nduration: {duration}\n{body}");
    let source = Source::new("fault.yaml", &yaml);
    let loaded = load_source(&source, Path::new("."), "fault", &Overrides::default());
    let show = |errors: Vec<mesh_core::document::Diagnostic>| -> String {
        errors.iter().map(|error| error.render(false)).collect()
    };
    loaded
        .unwrap_or_else(|errors| panic!("{}", show(errors)))
        .plan
}

/// The report of a run of such a scenario.
pub(super) fn run(duration: &str, body: &str) -> RunReport {
    let plan = plan(duration, body);
    world::run(&plan, RunOptions::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// Requests that failed, by second of the run in which they were meant to start.
pub(super) fn failed(report: &RunReport, traffic: &str) -> Vec<u64> {
    by_second(&report.traffic[traffic].series.failed, report, traffic)
}

fn by_second(counts: &[u64], report: &RunReport, traffic: &str) -> Vec<u64> {
    let window = report.traffic[traffic].series.window_s;
    let per_second = (1.0 / window).round() as usize;
    counts
        .chunks(per_second)
        .map(|chunk| chunk.iter().sum())
        .collect()
}

/// The largest median latency of any window that begins in these seconds, in milliseconds.
pub(super) fn slowest(report: &RunReport, traffic: &str, from: f64, to: f64) -> f64 {
    medians(report, traffic, from, to).fold(0.0, f64::max)
}

/// The least one.
pub(super) fn fastest(report: &RunReport, traffic: &str, from: f64, to: f64) -> f64 {
    medians(report, traffic, from, to).fold(f64::INFINITY, f64::min)
}

fn medians<'a>(
    report: &'a RunReport,
    traffic: &str,
    from: f64,
    to: f64,
) -> impl Iterator<Item = f64> + 'a {
    let series = &report.traffic[traffic].series;
    let window = series.window_s;
    let timely = move |i: usize| {
        let at = i as f64 * window;
        from <= at && at < to
    };
    let all = series.p50_ms.iter().enumerate();
    all.filter_map(move |(i, p50)| timely(i).then_some(*p50)?)
}

/// What a fault is reported to have done.
pub(super) fn fault<'a>(report: &'a RunReport, name: &str) -> &'a FaultReport {
    let found = report.faults.iter().find(|fault| fault.name == name);
    found.unwrap_or_else(|| panic!("no fault {name} among {:?}", report.faults))
}
