//! When faults are in force.

use meshquake_reports::RunReport;

use super::{fault, run};

const WORLD: &str = r#"
services: { web: { replicas: 2 } }
traffic: { shop: { to: "http://web:8080/", rate: 50/s, timeout: 200ms } }
"#;

fn with(duration: &str, faults: &str) -> RunReport {
    run(duration, &format!("{WORLD}faults:\n{faults}"))
}

/// When a fault began and ended, to the tenth of a second.
fn phases(report: &RunReport, name: &str) -> Vec<(f64, String)> {
    let entries = report.timeline.iter().filter(|entry| entry.subject == name);
    entries
        .map(|entry| ((entry.at_s * 10.0).round() / 10.0, entry.text.clone()))
        .collect()
}

fn both(times: &[(f64, f64)]) -> Vec<(f64, String)> {
    times
        .iter()
        .flat_map(|(from, to)| [(*from, "began".to_owned()), (*to, "ended".to_owned())])
        .collect()
}

const PART: &str = "partition: { from: shop, to: web }";

#[test]
fn a_fault_comes_again_until_its_time_is_over() {
    let report = with(
        "12s",
        &format!("  - {{ name: f, at: 1s, for: 500ms, every: 2s, until: 8s, {PART} }}\n"),
    );
    assert_eq!(
        phases(&report, "f"),
        both(&[(1.0, 1.5), (3.0, 3.5), (5.0, 5.5), (7.0, 7.5)])
    );
    let report = with(
        "12s",
        &format!("  - {{ name: f, at: 1s, for: 500ms, every: 2s, times: 2, {PART} }}\n"),
    );
    assert_eq!(phases(&report, "f"), both(&[(1.0, 1.5), (3.0, 3.5)]));
    assert_eq!(fault(&report, "f").times, 2);
}

#[test]
fn a_fault_that_lasts_longer_than_its_period_follows_itself() {
    let report = with(
        "8s",
        &format!("  - {{ name: f, at: 1s, for: 3s, every: 2s, times: 2, {PART} }}\n"),
    );
    assert_eq!(phases(&report, "f"), both(&[(1.0, 4.0), (4.0, 7.0)]));
}

#[test]
fn until_stands_for_a_length_and_no_length_is_to_the_end() {
    let report = with(
        "5s",
        &format!("  - {{ name: f, at: 1s, until: 3s, {PART} }}\n"),
    );
    assert_eq!(phases(&report, "f"), both(&[(1.0, 3.0)]));
    let report = with("5s", &format!("  - {{ name: f, at: 1s, {PART} }}\n"));
    assert_eq!(phases(&report, "f"), both(&[(1.0, 5.0)]));
}

#[test]
fn one_fault_follows_another() {
    let faults = format!(
        "  - {{ name: first, at: 1s, for: 1s, {PART} }}\n  - {{ name: second, when: healed(first) + 500ms, for: 1s, {PART} }}\n  - {{ name: third, when: began(second), for: 200ms, {PART} }}\n"
    );
    let report = with("6s", &faults);
    assert_eq!(phases(&report, "second"), both(&[(2.5, 3.5)]));
    assert_eq!(phases(&report, "third"), both(&[(2.5, 2.7)]));
}

#[test]
fn a_fault_waits_for_an_ejection() {
    let body = r#"
mesh: { config: [] }
services:
  web: { replicas: 4, versions: { good: { replicas: 3 }, bad: { replicas: 1, errors: 100% } } }
traffic: { shop: { to: "http://web:8080/", rate: 100/s } }
faults:
  - { name: f, when: ejected(web-bad-*), for: 1s, latency: { add: 5ms, service: web } }
"#;
    // Without outlier detection nobody is ejected, and the fault never begins, which fails the run.
    let report = run("4s", body);
    assert!(!fault(&report, "f").began && !report.held());
}

#[test]
fn random_times_are_the_seeds() {
    let faults = format!(
        "  - {{ name: f, at: \"uniform(1s, 5s)\", for: \"exponential(300ms)\", every: \"exponential(2s)\", {PART} }}\n"
    );
    let one = with("20s", &faults);
    let again = with("20s", &faults);
    assert_eq!(phases(&one, "f"), phases(&again, "f"));
    assert!(fault(&one, "f").times >= 4, "{:?}", phases(&one, "f"));
    let begins: Vec<f64> = phases(&one, "f")
        .iter()
        .step_by(2)
        .map(|(at, _)| *at)
        .collect();
    assert!((1.0..=5.0).contains(&begins[0]));
    let gaps: std::collections::BTreeSet<u64> = begins
        .windows(2)
        .map(|pair| ((pair[1] - pair[0]) * 10.0) as u64)
        .collect();
    assert!(gaps.len() > 2, "{begins:?}");
}

#[test]
fn a_fault_changes_nobody_elses_luck() {
    let none = with("4s", "");
    // A fault that begins when the traffic is over cannot have changed it.
    let late = with("4s", &format!("  - {{ name: f, at: 3990ms, {PART} }}\n"));
    assert_eq!(none.traffic["shop"].requests, late.traffic["shop"].requests);
    assert_eq!(
        none.traffic["shop"].series.p50_ms[..3],
        late.traffic["shop"].series.p50_ms[..3]
    );
}
