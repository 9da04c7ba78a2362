//! The language of expectations: what is read, and what is said of mistakes.

use super::{load, refused, try_load};
use crate::plan::{Amount, Demand, FaultWindow, Measure, Subject, SubjectKind};

const SHOP: &str = "services: { web: { ports: [80] }, db: { ports: [80] } }\ntraffic: { shoppers: { to: web, rate: 5/s } }\nfaults:\n  - { name: cut, at: 10s, for: 5s, partition: web }\n  - { at: 30s, for: 5s, crash: db }\n";

fn shop(expect: &str) -> String {
    format!("{SHOP}expect:\n{expect}")
}

#[test]
fn the_page_on_expectations_is_right() {
    let page = include_str!("../../../../docs/expectations.md");
    let begin = page.find("```yaml\n").expect("an example") + "```yaml\n".len();
    let end = begin + page[begin..].find("```\n").expect("its end");
    let loaded =
        try_load(&page[begin..end]).unwrap_or_else(|errors| panic!("{}", super::shown(&errors)));
    let plan = loaded.plan;
    let mut kinds: Vec<(SubjectKind, Measure)> = Vec::new();
    for expectation in &plan.expectations {
        if let Demand::Measured { claim, .. } = &expectation.demand {
            kinds.push((claim.subject().kind(), claim.measure().clone()));
        }
    }
    // Every key of the schema that is a demand has its example.
    let schema = serde_json::to_value(crate::scenario::schema()).unwrap();
    let keys = schema["$defs"]["ExpectSpec"]["properties"]
        .as_object()
        .unwrap();
    for key in keys.keys() {
        let shown = page.contains(&format!("{key}:")) || page.contains(&format!("`{key}`"));
        let listed =
            page.contains("p50 p90 p95 p99 p999 mean max") && page.contains(&format!(" {key}"));
        assert!(shown || listed, "{key} is not explained");
    }
    assert!(kinds.len() >= 25, "{}", kinds.len());
}

#[test]
fn a_name_finds_its_faults() {
    let plan = load(&shop(
        "  - { traffic: shoppers, during: fault cut, success: == 100% }\n  - { edge: shoppers -> any, after: faults + 2s, attempts: <= 1.5 }\n  - { service: db, during: crash service db.., status: { 503: == 0 } }\n",
    ))
    .plan;
    let window = |index: usize| match &plan.expectations[index].demand {
        Demand::Measured { window, .. } => window.clone(),
        other => panic!("{other:?}"),
    };
    let FaultWindow::Each { faults, .. } = &window(0).faults[0] else {
        panic!("{:?}", window(0));
    };
    assert_eq!(
        (faults.indices.as_slice(), faults.name.as_str()),
        (&[0][..], "cut")
    );
    assert_eq!(window(1).text, "after faults + 2s");
    let FaultWindow::After { faults, .. } = &window(1).faults[0] else {
        panic!("{:?}", window(1));
    };
    assert_eq!(faults.indices, [0, 1]);
    let FaultWindow::Each { faults, to, .. } = &window(2).faults[0] else {
        panic!("{:?}", window(2));
    };
    assert_eq!((faults.indices.as_slice(), *to), (&[1][..], None));
    let Demand::Measured { claim, .. } = &plan.expectations[1].demand else {
        panic!("a measure");
    };
    let edge = Subject::Edge {
        from: Some("shoppers".into()),
        to: None,
    };
    assert_eq!(*claim.subject(), edge);
    let Demand::Measured { claim, .. } = &plan.expectations[2].demand else {
        panic!("a measure");
    };
    assert!(matches!(claim.measure(), Measure::Status(_, Amount::Count)));
}

#[test]
fn an_unknown_fault() {
    insta::assert_snapshot!(
        refused(&shop("  - { traffic: shoppers, during: fault cutt, success: == 100% }\n  - { traffic: shoppers, after: cut+5s, success: == 100% }\n  - { detects: crash, within: 5s }\n")),
        @""
    );
}

#[test]
fn unknown_subjects() {
    insta::assert_snapshot!(
        refused(&shop("  - { edge: shopers -> web, success: == 100% }\n  - { edge: web -> shoppers, success: == 100% }\n  - { service: wbe, success: == 100% }\n  - { recovers: shoper, within: 5s }\n  - { traffic: shoppers, calls: { dbb: <= 1 } }\n  - { detects: cut, within: 5s, service: webb }\n")),
        @""
    );
}

#[test]
fn a_measure_of_the_wrong_subject() {
    insta::assert_snapshot!(
        refused(&shop("  - { traffic: shoppers, queue: <= 5 }\n  - { service: web, attempts: <= 1.2 }\n  - { mesh: all, calls: { db: <= 2 } }\n")),
        @""
    );
}

#[test]
fn wrong_numbers() {
    insta::assert_snapshot!(
        refused(&shop("  - { traffic: shoppers, goodput: '>= 40' }\n  - { traffic: shoppers, flags: { UOO: == 0 } }\n  - { traffic: shoppers, flags: { UO: 0 } }\n  - { traffic: shoppers, status: { 700: == 0 } }\n  - { mesh: all, plaintext: == 0% }\n  - { mesh: all, cross-zone-bytes: < 10 }\n  - { mesh: some, plaintext: == 0 }\n  - { edge: web, success: == 100% }\n")),
        @""
    );
}

#[test]
fn windows_that_make_no_sense() {
    insta::assert_snapshot!(
        refused(&shop("  - { traffic: shoppers, during: cut, success: == 100% }\n  - { traffic: shoppers, during: cut..30s, success: == 100% }\n  - { traffic: shoppers, during: ..cut, success: == 100% }\n  - { traffic: shoppers, after: end of cut, success: == 100% }\n")),
        @""
    );
}

#[test]
fn windows_that_never_come() {
    insta::assert_snapshot!(
        refused(&shop("  - { traffic: shoppers, after: 70s, success: == 100% }\n  - { traffic: shoppers, after: 30s, before: 20s, success: == 100% }\n  - { traffic: shoppers, during: 5s.., before: 70s, success: == 100% }\n")),
        @""
    );
}

#[test]
fn things_that_do_not_go_together() {
    insta::assert_snapshot!(
        refused(&shop("  - { traffic: shoppers, service: web, success: == 100% }\n  - { success: == 100% }\n  - { recovers: shoppers, within: 5s, during: 10s..20s }\n  - { recovers: shoppers }\n  - { detects: cut, recovers: shoppers, within: 5s }\n  - { detects: cut, within: 5s, to: 99% }\n  - { traffic: shoppers, within: 5s, success: == 100% }\n  - { traffic: shoppers, burn-rate: <= 1 }\n  - { traffic: shoppers, slo: 99.9% }\n  - { traffic: shoppers, slo: 100%, burn-rate: <= 1 }\n")),
        @""
    );
}

#[test]
fn a_scenario_without_faults_has_nothing_to_recover_from() {
    insta::assert_snapshot!(
        refused("services: { web: }\ntraffic: { t: { to: web, rate: 1/s } }\nexpect:\n  - { recovers: t, within: 5s }\n  - { traffic: t, before: faults, success: == 100% }\n"),
        @""
    );
}
