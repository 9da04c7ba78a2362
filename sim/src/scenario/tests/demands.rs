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
        @r"
    error: no fault is called `cutt`
     --> shop.yaml:9:34
      |
    9 |   - { traffic: shoppers, during: fault cutt, success: == 100% }
      |                                  ^^^^^^^^^^
      |
      = help: did you mean `cut`?
      = note: there are `cut`, `crash service db`

    error: no fault is called `cut+5s`
      --> shop.yaml:10:33
       |
    10 |   - { traffic: shoppers, after: cut+5s, success: == 100% }
       |                                 ^^^^^^
       |
       = note: there are `cut`, `crash service db`

    error: no fault is called `crash`
      --> shop.yaml:11:16
       |
    11 |   - { detects: crash, within: 5s }
       |                ^^^^^
       |
       = note: there are `cut`, `crash service db`
    "
    );
}

#[test]
fn unknown_subjects() {
    insta::assert_snapshot!(
        refused(&shop("  - { edge: shopers -> web, success: == 100% }\n  - { edge: web -> shoppers, success: == 100% }\n  - { service: wbe, success: == 100% }\n  - { recovers: shoper, within: 5s }\n  - { traffic: shoppers, calls: { dbb: <= 1 } }\n  - { detects: cut, within: 5s, service: webb }\n")),
        @r"
    error: no traffic and no service is called `shopers`
     --> shop.yaml:9:13
      |
    9 |   - { edge: shopers -> web, success: == 100% }
      |             ^^^^^^^^^^^^^^
      |
      = help: did you mean `shoppers`?
      = note: there are `shoppers`, `db`, `web`

    error: no service is called `shoppers`
      --> shop.yaml:10:13
       |
    10 |   - { edge: web -> shoppers, success: == 100% }
       |             ^^^^^^^^^^^^^^^
       |
       = note: there are `db`, `web`

    error: no service is called `wbe`
      --> shop.yaml:11:16
       |
    11 |   - { service: wbe, success: == 100% }
       |                ^^^
       |
       = help: did you mean `web`?
       = note: there are `db`, `web`

    error: no traffic is called `shoper`
      --> shop.yaml:12:17
       |
    12 |   - { recovers: shoper, within: 5s }
       |                 ^^^^^^
       |
       = help: did you mean `shoppers`?
       = note: there is `shoppers`

    error: no service is called `dbb`
      --> shop.yaml:13:35
       |
    13 |   - { traffic: shoppers, calls: { dbb: <= 1 } }
       |                                   ^^^
       |
       = help: did you mean `db`?
       = note: there are `db`, `web`

    error: no service is called `webb`
      --> shop.yaml:14:42
       |
    14 |   - { detects: cut, within: 5s, service: webb }
       |                                          ^^^^
       |
       = help: did you mean `web`?
       = note: there are `db`, `web`
    "
    );
}

#[test]
fn a_measure_of_the_wrong_subject() {
    insta::assert_snapshot!(
        refused(&shop("  - { traffic: shoppers, queue: <= 5 }\n  - { service: web, attempts: <= 1.2 }\n  - { mesh: all, calls: { db: <= 2 } }\n")),
        @r"
    error: traffic has no `queue`
     --> shop.yaml:9:33
      |
    9 |   - { traffic: shoppers, queue: <= 5 }
      |                                 ^^^^
      |
      = note: `queue` is a measure of `service`, `mesh`

    error: a service has no `attempts`
      --> shop.yaml:10:31
       |
    10 |   - { service: web, attempts: <= 1.2 }
       |                               ^^^^^^
       |
       = note: `attempts` is a measure of `traffic`, `edge`, `mesh`

    error: the whole mesh has no `calls`
      --> shop.yaml:11:27
       |
    11 |   - { mesh: all, calls: { db: <= 2 } }
       |                           ^^
       |
       = note: `calls` is a measure of `traffic`
    "
    );
}

#[test]
fn wrong_numbers() {
    insta::assert_snapshot!(
        refused(&shop("  - { traffic: shoppers, goodput: '>= 40' }\n  - { traffic: shoppers, flags: { UOO: == 0 } }\n  - { traffic: shoppers, flags: { UO: 0 } }\n  - { traffic: shoppers, status: { 700: == 0 } }\n  - { mesh: all, plaintext: == 0% }\n  - { mesh: all, cross-zone-bytes: < 10 }\n  - { mesh: some, plaintext: == 0 }\n  - { edge: web, success: == 100% }\n")),
        @r"
    error: `40` is not a rate such as `50/s`
     --> shop.yaml:9:35
      |
    9 |   - { traffic: shoppers, goodput: '>= 40' }
      |                                   ^^^^^^^^

    error: `UOO` is not a response flag: did you mean `UO`?
      --> shop.yaml:10:35
       |
    10 |   - { traffic: shoppers, flags: { UOO: == 0 } }
       |                                   ^^^

    error: expected a demand such as `== 0` or `< 1%`, found the number 0
      --> shop.yaml:11:39
       |
    11 |   - { traffic: shoppers, flags: { UO: 0 } }
       |                                       ^

    error: `700` is not a status such as `503`, `5xx` or `none`
      --> shop.yaml:12:36
       |
    12 |   - { traffic: shoppers, status: { 700: == 0 } }
       |                                    ^^^

    error: `0%` is not a whole number
      --> shop.yaml:13:29
       |
    13 |   - { mesh: all, plaintext: == 0% }
       |                             ^^^^^

    error: `10` lacks a unit: `B`, `KiB`, `MiB` or `GiB`
      --> shop.yaml:14:36
       |
    14 |   - { mesh: all, cross-zone-bytes: < 10 }
       |                                    ^^^^

    error: unknown value `some`
      --> shop.yaml:15:13
       |
    15 |   - { mesh: some, plaintext: == 0 }
       |             ^^^^
       |
       = note: valid here: `all`

    error: `web` is not an edge such as `productpage -> reviews`
      --> shop.yaml:16:13
       |
    16 |   - { edge: web, success: == 100% }
       |             ^^^
    "
    );
}

#[test]
fn windows_that_make_no_sense() {
    insta::assert_snapshot!(
        refused(&shop("  - { traffic: shoppers, during: cut, success: == 100% }\n  - { traffic: shoppers, during: cut..30s, success: == 100% }\n  - { traffic: shoppers, during: ..cut, success: == 100% }\n  - { traffic: shoppers, after: end of cut, success: == 100% }\n")),
        @r"
    error: `cut` is not a window such as `30s..45s` or `fault NAME`
     --> shop.yaml:9:34
      |
    9 |   - { traffic: shoppers, during: cut, success: == 100% }
      |                                  ^^^

    error: `cut..30s` joins two different clocks; bound it with `after:` and `before:` instead
      --> shop.yaml:10:34
       |
    10 |   - { traffic: shoppers, during: cut..30s, success: == 100% }
       |                                  ^^^^^^^^

    error: `..cut` has no beginning; the time before a fault is `before: NAME`
      --> shop.yaml:11:34
       |
    11 |   - { traffic: shoppers, during: ..cut, success: == 100% }
       |                                  ^^^^^

    error: `end of cut`: say only the fault's name; before it is before it begins, after it is after it ends
      --> shop.yaml:12:33
       |
    12 |   - { traffic: shoppers, after: end of cut, success: == 100% }
       |                                 ^^^^^^^^^^
    "
    );
}

#[test]
fn windows_that_never_come() {
    insta::assert_snapshot!(
        refused(&shop("  - { traffic: shoppers, after: 70s, success: == 100% }\n  - { traffic: shoppers, after: 30s, before: 20s, success: == 100% }\n  - { traffic: shoppers, during: 5s.., before: 70s, success: == 100% }\n")),
        @r"
    error: this window goes beyond the run, which ends after 1m
     --> shop.yaml:9:33
      |
    9 |   - { traffic: shoppers, after: 70s, success: == 100% }
      |                                 ^^^

    error: this window ends before it begins
      --> shop.yaml:10:33
       |
    10 |   - { traffic: shoppers, after: 30s, before: 20s, success: == 100% }
       |                                 ^^^

    error: this window goes beyond the run, which ends after 1m
      --> shop.yaml:11:48
       |
    11 |   - { traffic: shoppers, during: 5s.., before: 70s, success: == 100% }
       |                                                ^^^
    "
    );
}

#[test]
fn things_that_do_not_go_together() {
    insta::assert_snapshot!(
        refused(&shop("  - { traffic: shoppers, service: web, success: == 100% }\n  - { success: == 100% }\n  - { recovers: shoppers, within: 5s, during: 10s..20s }\n  - { recovers: shoppers }\n  - { detects: cut, recovers: shoppers, within: 5s }\n  - { detects: cut, within: 5s, to: 99% }\n  - { traffic: shoppers, within: 5s, success: == 100% }\n  - { traffic: shoppers, burn-rate: <= 1 }\n  - { traffic: shoppers, slo: 99.9% }\n  - { traffic: shoppers, slo: 100%, burn-rate: <= 1 }\n")),
        @r#"
    error: an expectation is of one of `traffic`, `edge`, `service` and `mesh`
     --> shop.yaml:9:35
      |
    9 |   - { traffic: shoppers, service: web, success: == 100% }
      |                                   ^^^
      |
      = help: write one item of the list for each

    error: of whom is this expected?
      --> shop.yaml:10:5
       |
    10 |   - { success: == 100% }
       |     ^^^^^^^^^^^^^^^^^^^^
       |
       = help: such as `traffic: NAME`, `edge: a -> b`, `service: NAME` or `mesh: all`

    error: `during` says nothing beside `recovers`
      --> shop.yaml:11:47
       |
    11 |   - { recovers: shoppers, within: 5s, during: 10s..20s }
       |                                               ^^^^^^^^
       |
       = help: `recovers` takes `within` and `to`

    error: within what time?
      --> shop.yaml:12:17
       |
    12 |   - { recovers: shoppers }
       |                 ^^^^^^^^
       |
       = help: such as `within: 5s`

    error: `detects` stands beside `recovers`
      --> shop.yaml:13:16
       |
    13 |   - { detects: cut, recovers: shoppers, within: 5s }
       |                ^^^
       |
       = help: write one item of the list for each

    error: `to` says nothing beside `detects`
      --> shop.yaml:14:37
       |
    14 |   - { detects: cut, within: 5s, to: 99% }
       |                                     ^^^
       |
       = help: `detects` takes `within` and `service`

    error: `within` belongs to `recovers` or `detects`
      --> shop.yaml:15:34
       |
    15 |   - { traffic: shoppers, within: 5s, success: == 100% }
       |                                  ^^

    error: the budget of which objective?
      --> shop.yaml:16:37
       |
    16 |   - { traffic: shoppers, burn-rate: <= 1 }
       |                                     ^^^^
       |
       = help: such as `slo: 99.9%` beside it

    error: `slo` alone demands nothing
      --> shop.yaml:17:31
       |
    17 |   - { traffic: shoppers, slo: 99.9% }
       |                               ^^^^^
       |
       = help: such as `burn-rate: "<= 1"` beside it

    error: an objective of 100% leaves no errors to spend
      --> shop.yaml:18:31
       |
    18 |   - { traffic: shoppers, slo: 100%, burn-rate: <= 1 }
       |                               ^^^^
       |
       = help: such as `slo: 99.9%`
    "#
    );
}

#[test]
fn a_scenario_without_faults_has_nothing_to_recover_from() {
    insta::assert_snapshot!(
        refused("services: { web: }\ntraffic: { t: { to: web, rate: 1/s } }\nexpect:\n  - { recovers: t, within: 5s }\n  - { traffic: t, before: faults, success: == 100% }\n"),
        @r"
    error: there is no fault to recover from
     --> shop.yaml:6:17
      |
    6 |   - { recovers: t, within: 5s }
      |                 ^

    error: there are no faults
     --> shop.yaml:7:27
      |
    7 |   - { traffic: t, before: faults, success: == 100% }
      |                           ^^^^^^
    "
    );
}
