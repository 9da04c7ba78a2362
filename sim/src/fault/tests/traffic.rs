//! Faults of traffic.

use super::logged::{Ran, Request, assert_all, run_yaml};

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

#[test]
fn a_herd_comes_on_top() {
    let quiet = shoppers("rate: 100/s", "");
    for (herd, spacing) in [("", 0.0), (", over: 1s", 0.001)] {
        let ran = shoppers(
            "rate: 100/s",
            &format!("{{ at: 10s, herd: {{ traffic: a, requests: 1000{herd} }} }}"),
        );
        let (added, own): (Vec<_>, Vec<_>) =
            ran.of("a").into_iter().partition(|r| r.sequence >= ADDED);
        assert_eq!(meant(own), meant(quiet.of("a")));
        assert_eq!(added.len(), 1000);
        for (number, request) in added.iter().enumerate() {
            let expected = 10.0 + spacing * number as f64;
            assert!((request.sent - expected).abs() < 1e-9, "{request:?}");
        }
        assert_eq!(ran.fault().requests, 1000);
    }
}

#[test]
fn a_herd_comes_again() {
    let ran = shoppers(
        "rate: constant(1/s)",
        "{ at: 5s, every: 5s, times: 3, herd: { traffic: a, requests: 10 } }",
    );
    let added = |from: f64, to: f64| ran.within("a", from..to).len();
    assert_eq!(
        (
            added(5.0, 5.5),
            added(10.0, 10.5),
            added(15.0, 15.5),
            added(20.0, 20.5)
        ),
        (11, 11, 11, 1)
    );
    assert_eq!((ran.fault().times, ran.fault().requests), (3, 30));
}

#[test]
fn a_hot_key_is_the_key_of_its_share() {
    let ran = run_yaml(
        r#"
services:
  web:
    sidecar: false
    script:
      - cache: { keys: header(x-user), miss: [sleep: 10ms] }
traffic:
  a: { to: "http://web:8080/", rate: constant(100/s), sidecar: false, keys: { header: x-user, draw: uniform(1000000000000) } }
faults:
  - { at: 10s, for: 10s, hot-key: { traffic: a, rate: 50% } }
"#,
    );
    let hits = |from: f64, to: f64| {
        let all = ran.within("a", from..to);
        all.iter().filter(|r| r.took.unwrap() < 10.0).count()
    };
    assert_eq!((hits(0.0, 10.0), hits(20.0, 29.9)), (0, 0));
    // Binomial(1000, 0.5): five standard deviations are 79. The first of them misses, and those of the next 10 ms.
    assert!(hits(10.0, 20.0).abs_diff(500) < 82, "{}", hits(10.0, 20.0));
    assert!(ran.fault().requests.abs_diff(hits(10.0, 20.0) as u64) <= 3);
}

#[test]
fn clients_that_try_again_make_one_request_of_many_tries() {
    let ran = run_yaml(
        r#"
services:
  web: { errors: 100%, sidecar: false }
traffic:
  a: { to: "http://web:8080/", rate: constant(10/s), sidecar: false }
  b: { to: "http://web:8080/", rate: constant(10/s), sidecar: false, tries: 2, backoff: 50ms }
faults:
  - { at: 10s, for: 10s, client-retries: { traffic: a, tries: 3, backoff: 100ms } }
"#,
    );
    assert_eq!((ran.of("a").len(), ran.of("b").len()), (300, 300));
    assert_all(&ran.within("a", 0.0..9.9), 2.0, 500);
    // Three tries of 2 ms, and waits of 100 and 200 ms.
    assert_all(&ran.within("a", 10.0..19.6), 306.0, 500);
    assert_all(&ran.within("a", 20.0..29.9), 2.0, 500);
    assert_all(&ran.within("b", 0.0..29.9), 54.0, 500);
    let web = &ran.report.services[0];
    // 300 of a and 600 of b, and two more for each of 100, but for the few that the end of the fault or of the run cut.
    assert!(web.requests.abs_diff(1100) <= 6, "{}", web.requests);
    assert_eq!(ran.fault().requests, web.requests - 900);
}

#[test]
fn a_mix_changes_its_weights() {
    let run = |faults: &str| {
        run_yaml(&format!(
            r#"
services:
  web: {{ sidecar: false, handles: {{ /slow: [sleep: 30ms] }} }}
traffic:
  a: {{ to: "http://web:8080/", rate: constant(100/s), sidecar: false, mix: [{{ weight: 9, path: /fast }}, {{ path: /slow }}] }}
faults: [{faults}]
"#
        ))
    };
    let ran = run("{ at: 10s, for: 10s, mix: { traffic: a, weights: [1, 9] } }");
    let slow = |ran: &Ran, from: f64, to: f64| -> Vec<u64> {
        let all = ran.within("a", from..to).into_iter();
        let slow = all.filter(|r| r.took.unwrap() > 30.0);
        slow.map(|r| r.sequence).collect()
    };
    // Binomial(1000, 0.1): five standard deviations are 47.
    for (from, to, expected) in [(0.0, 9.999, 100), (10.0, 19.999, 900), (20.0, 29.9, 99)] {
        let found = slow(&ran, from, to).len();
        assert!(found.abs_diff(expected) < 48, "{found} {expected}");
    }
    let quiet = run("");
    assert_eq!(slow(&ran, 0.0, 9.999), slow(&quiet, 0.0, 9.999));
    assert_eq!(slow(&ran, 20.0, 29.9), slow(&quiet, 20.0, 29.9));
    let changed = slow(&ran, 10.0, 19.999).len() - slow(&quiet, 10.0, 19.999).len();
    assert_eq!(
        ran.fault().requests,
        changed as u64,
        "the slow ones are slow still"
    );
}

#[test]
fn slow_loris_keeps_others_out() {
    let ran = run_yaml(
        r#"
services:
  web: { connections: 10, service-time: 10ms, sidecar: false }
  other: { connections: 10, service-time: 10ms, sidecar: false }
traffic:
  attacker: { to: "http://web:8080/", requests: [{ at: 1s }], sidecar: false }
  a: { to: "http://web:8080/", rate: constant(20/s), timeout: 1s, sidecar: false }
  late: { to: "http://web:8080/", rate: constant(20/s), start: 12s, timeout: 1s, sidecar: false }
  b: { to: "http://other:8080/", rate: constant(20/s), start: 12s, timeout: 1s, sidecar: false }
faults:
  - { at: 10s, for: 10s, slow-loris: { traffic: attacker, connections: 20 } }
"#,
    );
    assert_all(&ran.within("a", 0.0..29.8), 12.0, 200);
    assert_all(&ran.within("b", 12.0..29.8), 12.0, 200);
    let kept_out = ran.within("late", 12.0..18.9);
    assert!(kept_out.iter().all(|request| request.status == 0));
    assert!(
        ran.within("late", 21.5..29.8)
            .iter()
            .all(|request| request.status == 200)
    );
    assert!(ran.fault().requests >= 20, "{}", ran.fault().requests);
}
