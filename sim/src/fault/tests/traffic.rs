//! Faults of traffic.

use super::{Ran, Request, run_yaml};

/// The number of the first request that a fault adds.
const ADDED: u64 = 1 << 48;

fn shoppers(load: &str, faults: &str) -> Ran {
    run_yaml(&format!(
        r#"
services:
  web: {{ service-time: 10ms, sidecar: false }}
traffic:
  a: {{ to: "http://web:8080/a", {load}, sidecar: false }}
  b: {{ to: "http://web:8080/b", rate: constant(10/s), sidecar: false }}
faults: [{faults}]
"#
    ))
}

/// What a source meant to send: numbers, traces and times.
fn meant<'a>(requests: impl IntoIterator<Item = &'a Request>) -> Vec<(u64, String, f64)> {
    let all = requests.into_iter();
    all.map(|r| (r.sequence, r.trace.clone(), r.sent)).collect()
}

#[test]
fn a_load_grows_by_requests_beside_its_own() {
    let quiet = shoppers("rate: 100/s", "");
    let ran = shoppers(
        "rate: 100/s",
        "{ at: 10s, for: 10s, load: { traffic: a, times: 3 } }",
    );
    let (added, own): (Vec<_>, Vec<_>) = ran.of("a").into_iter().partition(|r| r.sequence >= ADDED);
    assert_eq!(meant(own), meant(quiet.of("a")), "its own are as they were");
    assert!(added.iter().all(|r| (10.0..20.0).contains(&r.sent)));
    // Poisson with mean 2000: five standard deviations are 224.
    assert!(added.len().abs_diff(2000) < 224, "{}", added.len());
    let half = added.iter().filter(|r| r.sent < 15.0).count();
    assert!(half.abs_diff(1000) < 158, "{half}");
    assert_eq!(ran.fault().requests, added.len() as u64);
    assert_eq!(meant(ran.of("b")), meant(quiet.of("b")));
    ran.assert_told(10.0, 20.0);
}

#[test]
fn a_smaller_load_is_its_own_thinned_out() {
    let quiet = shoppers("rate: 100/s", "");
    let ran = shoppers(
        "rate: 100/s",
        "{ at: 10s, for: 10s, load: { traffic: a, rate: 25/s } }",
    );
    let all = meant(quiet.of("a"));
    let left = meant(ran.of("a"));
    assert!(left.iter().all(|request| all.contains(request)));
    let during = ran.within("a", 10.0..20.0).len();
    // Binomial with mean 250: five standard deviations are about 70.
    assert!(during.abs_diff(250) < 70, "{during}");
    assert_eq!(all.len() - left.len(), ran.fault().requests as usize);
    assert_eq!(
        all.len() - left.len(),
        quiet.within("a", 10.0..20.0).len() - during
    );
}

#[test]
fn an_even_load_gets_even_company_and_ramps() {
    let ran = shoppers(
        "rate: constant(100/s)",
        "{ at: 10s, for: 15s, ramp: 10s, load: { traffic: a, rate: 300/s } }",
    );
    let added = |from: f64, to: f64| {
        let mut all = ran.within("a", from..to);
        all.retain(|r| r.sequence >= ADDED);
        all.len()
    };
    // From 0 to 200/s over 10 s, in twenty steps, the first of which is nothing: 950; then 200/s.
    assert!(
        added(10.0, 20.0).abs_diff(950) <= 20,
        "{}",
        added(10.0, 20.0)
    );
    assert!(added(20.0, 25.0).abs_diff(1000) <= 1);
    assert_eq!(added(0.0, 10.0) + added(25.0, 30.0), 0);
}

#[test]
fn users_come_and_go() {
    // 10 users, each 12 ms of answer and 88 ms of thought: 100/s.
    let load = "users: 10, think: 88ms";
    for (times, rate) in [(2.0, 200.0), (0.5, 50.0)] {
        let ran = shoppers(
            load,
            &format!("{{ at: 10s, for: 10s, load: {{ traffic: a, times: {times} }} }}"),
        );
        let per_second = |from: f64, to: f64| ran.within("a", from..to).len() as f64 / (to - from);
        assert!((per_second(1.0, 9.9) - 100.0).abs() < 2.0);
        assert!(
            (per_second(11.0, 19.0) - rate).abs() < 3.0,
            "{}",
            per_second(11.0, 19.0)
        );
        assert!((per_second(21.0, 29.0) - 100.0).abs() < 2.0);
        assert!(ran.fault().requests > 0);
    }
}
