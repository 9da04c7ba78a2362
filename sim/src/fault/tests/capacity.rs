//! Faults of capacity.

use super::logged::{Ran, assert_all, run_yaml};

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

#[test]
fn a_quota_lets_an_app_run_for_the_first_part_of_each_period() {
    let ran = run_yaml(
        r#"
services:
  web: { service-time: 30ms, sidecar: false }
  other: { service-time: 30ms, sidecar: false }
traffic:
  a: { to: "http://web:8080/", rate: constant(10/s), sidecar: false }
  b: { to: "http://other:8080/", rate: constant(10/s), sidecar: false }
faults:
  - { at: 10s, for: 10s, cpu: { service: web, quota: 20% } }
"#,
    );
    // Work begins 1 ms into a period of 100 ms: 19 ms of it are done, and 11 ms in the next, which ends them 110 ms later.
    assert_all(&ran.within("a", 0.0..9.99), 32.0, 200);
    assert_all(&ran.within("a", 10.0..19.89), 112.0, 200);
    assert_all(&ran.within("a", 19.95..29.8), 32.0, 200);
    assert_all(&ran.within("b", 0.0..29.8), 32.0, 200);
    assert_eq!(ran.fault().requests, 100);
    ran.assert_told(10.0, 20.0);
}

#[test]
fn leaked_workers_come_back_with_a_restart_only() {
    let ran = run_yaml(
        r#"
services:
  web: { service-time: 10ms, workers: 4, sidecar: false }
traffic:
  a: { to: "http://web:8080/", rate: constant(200/s), sidecar: false, stop: 25s }
faults:
  - { at: 10s, for: 14ms, leak: { service: web, rate: 100% } }
  - { at: 20s, restart: web }
"#,
    );
    assert_all(&ran.within("a", 0.0..9.999), 12.0, 200);
    // Three requests begin within the 14 ms. One worker is left, for twice what it can do.
    assert_eq!(ran.fault().requests, 3);
    let later = ran.within("a", 15.0..15.001)[0];
    assert!((later.took.unwrap() - 5012.0).abs() < 30.0, "{later:?}");
    assert_all(&ran.within("a", 22.0..25.0), 12.0, 200);
}

#[test]
fn memory_above_the_limit_kills_the_pod() {
    let killed = |ran: &Ran| -> Vec<f64> {
        let told = ran.report.timeline.iter();
        let kills = told.filter(|entry| entry.text == "was killed: out of memory");
        kills.map(|entry| entry.at_s).collect()
    };
    // 9 requests a second more than leave: 101 are inside after 11.2 s. Then a second for the restart, 11.2 s more, and 10 s.
    let ran = run_yaml(
        r#"
services:
  web: { service-time: 1s, workers: 1, sidecar: false, memory: { limit: 200MiB, base: 100MiB, per-request: 1MiB } }
traffic:
  a: { to: "http://web:8080/", rate: constant(10/s), sidecar: false }
"#,
    );
    let kills = killed(&ran);
    assert_eq!(kills.len(), 2, "{kills:?}");
    assert!((kills[0] - 11.2).abs() < 0.11, "{kills:?}");
    assert!((kills[1] - kills[0] - 12.2).abs() < 0.2, "{kills:?}");

    // A leak of 1 MiB a request, ten a second: 101 of them are too much.
    let leaky = |fault: &str| {
        run_yaml(&format!(
            r#"
services:
  web: {{ service-time: 10ms, sidecar: false, memory: {{ limit: 200MiB, base: 100MiB }} }}
  other: {{ service-time: 10ms, sidecar: false, memory: {{ limit: 200MiB, base: 100MiB }} }}
traffic:
  a: {{ to: "http://web:8080/", rate: constant(10/s), sidecar: false }}
  b: {{ to: "http://other:8080/", rate: constant(10/s), sidecar: false }}
faults: [{fault}]
"#
        ))
    };
    let ran = leaky("{ at: 10s, for: 15s, memory: { service: web, leak: 1MiB } }");
    assert_eq!(killed(&ran), [20.001]);
    assert_all(&ran.within("b", 0.0..29.8), 12.0, 200);
    assert!(
        ran.fault().requests.abs_diff(140) < 3,
        "{}",
        ran.fault().requests
    );
    assert!(killed(&leaky("")).is_empty());
}

#[test]
fn a_pod_that_starts_again_is_cold() {
    let ran = run_yaml(
        r#"
services:
  web: { service-time: 10ms, sidecar: false, warm-up: { for: 10s, times: 10 } }
traffic:
  a: { to: "http://web:8080/", rate: constant(10/s), sidecar: false }
faults:
  - { at: 10s, restart: web }
"#,
    );
    assert_all(&ran.within("a", 0.0..9.9), 12.0, 200);
    // It starts at 11 s. What arrives at 16.001 s takes 1 + 9 × (1 − 0.5001) times as long.
    let half = ran.within("a", 15.99..16.01)[0].took.unwrap();
    assert!((half - (2.0 + 54.991)).abs() < 0.001, "{half}");
    assert_all(&ran.within("a", 21.0..29.8), 12.0, 200);
}

/// Requests that reached `db`, behind a cache of `web` for `rate` requests a second.
fn behind_a_cache(cache: &str, rate: u32, faults: &str) -> (Ran, u64) {
    let ran = run_yaml(&format!(
        r#"
services:
  web:
    sidecar: false
    script:
      - cache: {{ {cache}, miss: [call: db] }}
  db: {{ service-time: 10ms, sidecar: false }}
traffic:
  a: {{ to: "http://web:8080/", rate: constant({rate}/s), sidecar: false }}
faults: [{faults}]
"#
    ));
    let db = ran
        .report
        .services
        .iter()
        .find(|service| service.name == "db");
    let requests = db.map_or(0, |db| db.requests);
    (ran, requests)
}

#[test]
fn a_flush_sends_everybody_to_the_origin() {
    let flush = "{ at: 15s, cache-flush: web }";
    let (ran, _) = behind_a_cache("keys: uniform(100)", 200, flush);
    let misses = |from: f64, to: f64| {
        let all = ran.within("a", from..to);
        all.iter().filter(|r| r.took.unwrap() > 10.0).count()
    };
    // Of 100 keys, 200 draws see 86.6 on average (standard deviation 2.8); 3000 draws see all.
    assert_eq!(misses(14.0, 15.0), 0);
    assert!(
        misses(15.0, 16.0).abs_diff(87) < 20,
        "{}",
        misses(15.0, 16.0)
    );
    assert!(misses(0.0, 1.0).abs_diff(87) < 20, "{}", misses(0.0, 1.0));
    assert_eq!(misses(25.0, 29.8), 0);
    assert_eq!((ran.fault().requests, ran.fault().pods), (100, 1));
    ran.assert_told(15.0, 15.0);
}

#[test]
fn an_origin_sees_what_its_cache_misses() {
    // Without the cache the load is 1/(1 − h) times as much: binomial(6000, 0.1), five standard deviations are 116.
    let (_, requests) = behind_a_cache("hit: 90%", 200, "");
    assert!(requests.abs_diff(600) < 116, "{requests}");
}

#[test]
fn an_entry_that_expires_is_fetched_by_all_or_by_one() {
    let stampede = |coalesce: bool| {
        let ran = run_yaml(&format!(
            r#"
services:
  web:
    sidecar: false
    script:
      - cache: {{ keys: uniform(1), ttl: 5s, coalesce: {coalesce}, miss: [call: db] }}
  db: {{ service-time: 1s, sidecar: false }}
traffic:
  a: {{ to: "http://web:8080/", rate: constant(50/s), sidecar: false }}
"#
        ));
        let db = ran
            .report
            .services
            .iter()
            .find(|service| service.name == "db");
        db.map_or(0, |db| db.requests)
    };
    // Fetched for a second, good for five: five times in 30 s, each time by one or by the fifty of that second. (Without
    // coalescing those who fetched it later fill it later, so that the next time comes later.)
    assert_eq!(stampede(true), 5);
    let all = stampede(false);
    assert!((200..=260).contains(&all), "{all}");
}

#[test]
fn an_idle_connection_closes_under_the_request_that_crosses_it() {
    let statuses = |every: f64| -> Vec<u64> {
        let rate = 1.0 / every;
        let ran = run_yaml(&format!(
            r#"
services: {{ web: {{ service-time: 10ms, idle-timeout: 5s, sidecar: false }} }}
traffic: {{ a: {{ to: "http://web:8080/", rate: constant({rate:.9}/s), sidecar: false }} }}
"#
        ));
        ran.of("a").iter().map(|request| request.status).collect()
    };
    // Idle 11 ms after it was sent on a standing connection, 13 ms on a new one; closed 5 s later; known 1 ms after that.
    assert_eq!(statuses(5.0115), [200, 200, 0, 200, 200, 0]);
    assert_eq!(statuses(4.9), [200; 7]);
    assert_eq!(statuses(5.1), [200; 6]);
}
