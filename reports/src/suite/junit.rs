//! The suite as JUnit XML, which every CI reads.
//!
//! A scenario is a test suite and a run a test case, so that a CI's history
//! shows which seed began to fail. Each case has its run id and digest as
//! properties; `meshquake replay FILE.xml` reads them again.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use super::{Judgement, ScenarioReport, SeedReport, SuiteReport};
use crate::baseline::BaselineReport;
use crate::coverage::CoverageReport;
use crate::record::Declared;

/// The property that holds a run's id.
pub const RUN: &str = "meshquake.run";
/// The property that holds a run's digest.
pub const DIGEST: &str = "meshquake.digest";
/// The property of a suite that holds the options that its runs were made with.
pub const OPTIONS: &str = "meshquake.options";
/// The property of a suite that holds the version of Meshquake.
pub const VERSION: &str = "meshquake.version";
/// The property of a suite that holds the scenario's fingerprint.
pub const FINGERPRINT: &str = "meshquake.fingerprint";

/// `report` as XML.
///
/// # Errors
/// None that data of these types can cause.
pub fn xml(report: &SuiteReport) -> Result<String, quick_junit::SerializeError> {
    let mut out = Report::new("meshquake");
    out.set_time(seconds(report.wall_seconds));
    for scenario in &report.scenarios {
        out.add_test_suite(suite(report, scenario));
    }
    if let Some(baseline) = &report.baseline {
        out.add_test_suite(compared(baseline));
    }
    if let Some(coverage) = &report.coverage {
        out.add_test_suite(covered(coverage));
    }
    out.to_string()
}

fn suite(report: &SuiteReport, scenario: &ScenarioReport) -> TestSuite {
    let mut suite = TestSuite::new(&scenario.file);
    suite.set_time(seconds(scenario.wall_seconds()));
    suite.add_property(Property::new("meshquake.scenario", &scenario.name));
    suite.add_property(Property::new("meshquake.judgement", scenario.told()));
    suite.add_property(Property::new(FINGERPRINT, &scenario.fingerprint));
    suite.add_property(Property::new(VERSION, &report.meshquake_version));
    suite.add_property(Property::new(OPTIONS, report.settings.options.trim_start()));
    for run in &scenario.runs {
        suite.add_test_case(case(report, scenario, run));
    }
    match scenario.judgement {
        Judgement::Invalid => {
            let first = scenario.problems.first();
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_type("invalid");
            status.set_message(first.map_or("the scenario is invalid", |problem| &problem.message));
            let texts: Vec<&str> = scenario.problems.iter().map(|p| p.text.as_str()).collect();
            status.set_description(texts.join("\n\n"));
            suite.add_test_case(named("load", &scenario.file, status));
        }
        Judgement::NotRun => {
            suite.add_test_case(named("run", &scenario.file, TestCaseStatus::skipped()));
        }
        _ => {}
    }
    suite
}

fn case(report: &SuiteReport, scenario: &ScenarioReport, run: &SeedReport) -> TestCase {
    let mut case = named(
        &format!("seed {}", run.seed),
        &scenario.file,
        status(report, scenario, run),
    );
    case.set_time(seconds(run.wall_seconds));
    case.add_property(Property::new(RUN, &run.run));
    case.add_property(Property::new(DIGEST, &run.digest));
    case
}

fn status(report: &SuiteReport, scenario: &ScenarioReport, run: &SeedReport) -> TestCaseStatus {
    if run.as_declared {
        return TestCaseStatus::success();
    }
    let kind = match run.verdict {
        Some(_) => NonSuccessKind::Failure,
        None => NonSuccessKind::Error,
    };
    let mut status = TestCaseStatus::non_success(kind);
    let verdict = run
        .verdict
        .map_or("defect".to_owned(), |v| format!("{v:?}").to_lowercase());
    status.set_message(match run.failures.first() {
        Some(failure) => failure.message.clone(),
        None => format!("{verdict}, and declared {}", word(scenario.declared)),
    });
    let mut lines: Vec<String> = Vec::new();
    for failure in &run.failures {
        lines.push(match failure.place.as_str() {
            "" => failure.message.clone(),
            place => format!("{place}: {}", failure.message),
        });
    }
    lines.push(format!("run it again: {}", report.replay(&run.run)));
    status.set_type(verdict);
    status.set_description(lines.join("\n"));
    status
}

fn compared(baseline: &BaselineReport) -> TestSuite {
    let mut suite = TestSuite::new(format!("baseline {}", baseline.file));
    let regressions = baseline.regressions();
    for change in &regressions {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_type("regression");
        status.set_message(change.told());
        suite.add_test_case(named(&change.what(), &change.scenario, status));
    }
    if regressions.is_empty() {
        suite.add_test_case(named(
            "no regression",
            &baseline.file,
            TestCaseStatus::success(),
        ));
    }
    suite
}

fn covered(coverage: &CoverageReport) -> TestSuite {
    let mut suite = TestSuite::new("coverage of resilience");
    for mechanism in coverage.mechanisms.iter().filter(|m| m.is_armed()) {
        let status = match mechanism.fired {
            0 if coverage.is_short() => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message("armed, and never acted");
                status
            }
            0 => TestCaseStatus::skipped(),
            _ => TestCaseStatus::success(),
        };
        suite.add_test_case(named(&mechanism.name, "coverage of resilience", status));
    }
    suite
}

fn named(name: &str, class: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(class);
    case
}

fn word(declared: Declared) -> String {
    format!("{declared:?}").to_lowercase()
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
