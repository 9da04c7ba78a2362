//! Verdicts on whole runs, through what a user writes and gets: scenario files in, reports out.

#![expect(clippy::unwrap_used, reason = "a test may panic, and its helpers too")]

mod measures;
mod metastable;

use meshquake::scenario::{Overrides, load};
use meshquake::world::{RunOptions, run};
use meshquake_reports::{ExpectationReport, FailureKind, RunReport};

/// Runs the scenario `yaml`, beside which stands the mesh configuration `mesh.yaml`.
fn report(yaml: &str, mesh: &str) -> RunReport {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scenario.yaml");
    std::fs::write(&path, yaml).unwrap();
    std::fs::write(folder.path().join("mesh.yaml"), mesh).unwrap();
    let loaded = load(&path, &Overrides::default()).unwrap_or_else(|errors| {
        let errors: Vec<String> = errors.iter().map(|error| error.render(false)).collect();
        panic!("{}", errors.join("\n"))
    });
    let report = run(&loaded.plan, RunOptions::default()).unwrap();
    let broken = report
        .failures
        .iter()
        .filter(|failure| failure.kind == FailureKind::Invariant);
    assert_eq!(broken.count(), 0, "{:?}", report.failures);
    report
}

/// The expectation of this measure.
fn of<'a>(report: &'a RunReport, measure: &str) -> &'a ExpectationReport {
    let mut all = report.expectations.iter();
    all.find(|expectation| expectation.measure == measure)
        .unwrap_or_else(|| panic!("no {measure} in {:?}", report.expectations))
}

/// What a measure came to.
fn measured(report: &RunReport, measure: &str) -> f64 {
    let found = of(report, measure);
    found
        .measured
        .unwrap_or_else(|| panic!("{}", found.message))
}
