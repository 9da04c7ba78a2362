//! Faults of capacity.

use super::{Ran, assert_all, run_yaml};

/// Two services that work for 10 ms, each with a caller of its own, who also calls the path `/b`.
fn shops(faults: &str) -> Ran {
    run_yaml(&format!(
        r#"
services:
  web: {{ service-time: 10ms, sidecar: false }}
  other: {{ service-time: 10ms, sidecar: false }}
traffic:
  a: {{ to: "http://web:8080/a", rate: constant(10/s), sidecar: false }}
  b: {{ to: "http://web:8080/b", rate: constant(10/s), method: POST, sidecar: false }}
  c: {{ to: "http://other:8080/a", rate: constant(10/s), sidecar: false }}
faults:
  - {faults}
"#
    ))
}

#[test]
fn slow_apps_are_slow_for_the_time_of_the_fault() {
    let ran = shops("{ at: 10s, for: 10s, slow: { service: web, times: 10 } }");
    for traffic in ["a", "b"] {
        assert_all(&ran.within(traffic, 0.0..9.99), 12.0, 200);
        assert_all(&ran.within(traffic, 10.0..19.99), 102.0, 200);
        assert_all(&ran.within(traffic, 20.0..29.8), 12.0, 200);
    }
    assert_all(&ran.within("c", 0.0..29.8), 12.0, 200);
    assert_eq!((ran.fault().requests, ran.fault().pods), (200, 1));
    ran.assert_told(10.0, 20.0);
}

#[test]
fn one_endpoint_or_one_method_is_slow() {
    for only in ["path: /b", "method: POST"] {
        let ran = shops(&format!(
            "{{ at: 10s, for: 10s, slow: {{ service: web, add: 2s, {only} }} }}"
        ));
        assert_all(&ran.within("a", 0.0..29.8), 12.0, 200);
        assert_all(&ran.within("b", 10.0..19.99), 2012.0, 200);
        assert_eq!(ran.fault().requests, 100);
    }
}

#[test]
fn slowness_grows() {
    let ran = shops("{ at: 10s, for: 10s, ramp: 10s, slow: { service: web, times: 11 } }");
    // Twenty steps of half a second, each half a service time more: by 15 s it is 6 times as long.
    assert_all(&ran.within("a", 10.0..10.49), 12.0, 200);
    assert_all(&ran.within("a", 10.5..10.99), 17.0, 200);
    assert_all(&ran.within("a", 15.0..15.49), 62.0, 200);
    assert_all(&ran.within("a", 20.0..29.8), 12.0, 200);
}

#[test]
fn a_gray_app_fails_its_share_fast_or_slowly() {
    for (fast, took) in [(true, 2.0), (false, 12.0)] {
        let ran = run_yaml(&format!(
            r#"
services:
  web: {{ service-time: 10ms, sidecar: false }}
  other: {{ service-time: 10ms, sidecar: false }}
traffic:
  a: {{ to: "http://web:8080/", rate: constant(100/s), sidecar: false }}
  c: {{ to: "http://other:8080/", rate: constant(10/s), sidecar: false }}
faults:
  - {{ at: 5s, for: 20s, errors: {{ pod: web-0, rate: 30%, status: 503, fast: {fast} }} }}
"#
        ));
        let during = ran.within("a", 5.0..24.999);
        let (failed, well): (Vec<_>, Vec<_>) =
            during.iter().partition(|request| request.status == 503);
        // Binomial(2000, 0.3): five standard deviations are 102.
        assert!(failed.len().abs_diff(600) < 102, "{}", failed.len());
        assert_all(&failed, took, 503);
        assert_all(&well, 12.0, 200);
        assert_all(&ran.within("a", 0.0..4.999), 12.0, 200);
        assert_all(&ran.within("a", 25.0..29.8), 12.0, 200);
        assert_all(&ran.within("c", 0.0..29.8), 12.0, 200);
        assert_eq!(ran.fault().requests, failed.len() as u64);
        ran.assert_told(5.0, 25.0);
    }
}

/// An app whose work varies, with one fault or none; latencies of its requests.
fn varied(fault: &str) -> Vec<Option<f64>> {
    let ran = run_yaml(&format!(
        r#"
services: {{ web: {{ service-time: exponential(10ms), sidecar: false }} }}
traffic: {{ a: {{ to: "http://web:8080/", rate: constant(50/s), sidecar: false }} }}
faults: [{fault}]
"#
    ));
    ran.of("a").iter().map(|request| request.took).collect()
}

#[test]
fn a_fault_shifts_nobodys_luck() {
    let without = varied("");
    let with = varied(
        "{ at: 5s, for: 5s, errors: { service: web, rate: 50%, fast: false } }, { at: 5s, for: 5s, slow: { service: web, times: 1, add: 'exponential(5ms)' } }",
    );
    let same = without.iter().zip(&with).filter(|(a, b)| a == b).count();
    assert_eq!(without.len(), with.len());
    assert_eq!(
        same,
        1500 - 250,
        "those of five seconds are slower, the others are as they were"
    );
}

#[test]
fn a_pool_shrinks_and_recovers() {
    let ran = run_yaml(
        r#"
services:
  web: { service-time: 10ms, workers: 4, sidecar: false }
traffic:
  a: { to: "http://web:8080/", rate: constant(200/s), sidecar: false }
faults:
  - { at: 10s, for: 5s, workers: { service: web, to: 1 } }
"#,
    );
    assert_all(&ran.within("a", 0.0..9.999), 12.0, 200);
    // One worker does 100 a second of 200: who comes t s after the beginning waits for t s, as long as the fault lasts.
    let request = ran.within("a", 12.0..12.001)[0];
    assert!((request.took.unwrap() - 2012.0).abs() < 15.0, "{request:?}");
    let ended = |from: f64, to: f64| {
        let all = ran.of("a").into_iter();
        let ends = all.filter_map(|r| Some(r.sent + r.took? / 1e3));
        ends.filter(|end| (from..to).contains(end)).count()
    };
    assert!(ended(10.1, 14.9).abs_diff(480) < 4);
    // Of the 500 that are then left, four workers do 400 a second while 200 more come: gone after 2.5 s.
    assert!(ended(15.1, 17.4).abs_diff(920) < 8);
    assert_all(&ran.within("a", 17.6..29.8), 12.0, 200);
    // Whoever found one of four workers busy and no other to be had: from then on until the line is gone.
    assert!(
        ran.fault().requests.abs_diff(1000) < 10,
        "{}",
        ran.fault().requests
    );
    ran.assert_told(10.0, 15.0);
}
