//! What is said of mistakes in faults of capacity, traffic and time.

use super::{load, refused};

/// Two services and two sources, and a fault.
fn fault(fault: &str) -> String {
    refused(&with(fault))
}

fn with(fault: &str) -> String {
    format!(
        r#"services:
  web: {{ workers: 4 }}
  db:
traffic:
  shoppers: {{ to: "http://web/", rate: 5/s }}
  clerks: {{ to: "http://web/", users: 5 }}
faults:
  - {{ at: 1s, {fault} }}
"#
    )
}

/// Several mistakes, one after the other: headlines and helps only.
fn said(faults: &[&str]) -> String {
    let all = faults.iter().map(|text| {
        let shown = fault(text);
        let told = shown.lines().filter(|line| {
            line.starts_with("error") || line.contains("= help") || line.contains("= note")
        });
        let told: Vec<&str> = told.map(str::trim).collect();
        format!("{text}\n  {}", told.join("\n  "))
    });
    all.collect::<Vec<_>>().join("\n")
}

#[test]
fn slowness_is_said() {
    insta::assert_snapshot!(fault("slow: { service: wev, times: 10 }"), @"");
    insta::assert_snapshot!(said(&[
        "slow: { service: web }",
        "slow: { times: 2 }",
        "slow: { service: web, times: 1 }",
        "slow: { service: web, times: -1 }",
        "slow: { service: web, times: fast }",
        "slow: { service: web, add: 10 }",
        "slow: { service: web, times: 2, path: x }",
        "slow: { service: web, times: 2, method: get }",
        "slow: { service: shoppers, times: 2 }",
        "slow: web",
    ]), @"");
}

#[test]
fn errors_workers_and_quotas_have_bounds() {
    insta::assert_snapshot!(said(&[
        "errors: { service: web, rate: 0% }",
        "errors: { service: web, rate: 30 }",
        "errors: { service: web, status: 99 }",
        "errors: { service: web, share: 0% }",
        "workers: { service: web, to: 4 }",
        "workers: { service: web }",
        "cpu: { service: web, quota: 0% }",
        "cpu: { service: web, quota: 100% }",
        "cpu: { service: web, quota: 20%, period: 5s }",
        "cpu: { service: web, quota: 20% }, ramp: 5s",
        "leak: { service: db, rate: 1% }",
        "memory: { service: web, leak: 1MiB }",
        "cache-flush: web",
    ]), @"");
}

#[test]
fn traffic_must_be_there_and_be_able_to() {
    insta::assert_snapshot!(fault("load: { traffic: shopers, times: 3 }"), @"");
    insta::assert_snapshot!(said(&[
        "load: { traffic: shoppers }",
        "load: { traffic: shoppers, times: 3, rate: 5/s }",
        "load: { traffic: shoppers, times: 1 }",
        "load: { traffic: shoppers, times: -1 }",
        "load: { traffic: clerks, rate: 5/s }",
        "herd: { traffic: shoppers, requests: 0 }",
        "herd: { traffic: shoppers, requests: 5, spread: random }",
        "herd: { traffic: shoppers, requests: 5, over: 1s, spread: odd }",
        "for: 1s, herd: { traffic: shoppers, requests: 5 }",
        "hot-key: { traffic: shoppers, rate: 50% }",
        "client-retries: { traffic: shoppers, tries: 0 }",
        "client-retries: { traffic: shoppers, tries: 1 }",
        "mix: { traffic: shoppers, weights: [1, 2] }",
        "slow-loris: { traffic: shoppers, connections: 0 }",
        "slow-loris: { traffic: shoppers, connections: 1, pause: 0 }",
    ]), @"");
}

#[test]
fn clocks_are_wrong_in_some_way() {
    insta::assert_snapshot!(said(&[
        "clock: { service: web }",
        "clock: { service: web, offset: 10 }",
        "clock: { service: web, offset: 0s }",
        "clock: { service: web, drift: 200 }",
        "clock: { service: web, drift: 80% }",
        "clock: { offset: 10m }",
    ]), @"");
}

#[test]
fn what_sources_and_services_are_given_must_make_sense() {
    let mistakes = r#"services:
  web:
    memory: { limit: 10MiB, base: 20MiB }
    warm-up: { for: 0s, times: 10 }
    idle-timeout: 0s
    connections: 0
    script:
      - cache: { miss: [call: db] }
      - cache: { keys: uniform(5), hit: 5% }
      - cache: { hit: 5%, ttl: 5s }
      - cache: { keys: uniform(5), capacity: 0 }
      - cache: { keys: "zipf(1.2)" }
      - cache: { keys: uniform(0) }
      - cache: { keys: header(a b) }
  db:
traffic:
  one: { to: "http://web/", rate: 5/s, backoff: 5s }
  two: { to: "http://web/", rate: 5/s, tries: 1000 }
  three: { to: "http://web/", rate: 5/s, keys: { header: x-user, draw: header(x-user) } }
  four: { to: "http://web/", rate: 5/s, keys: { header: "x user", draw: uniform(5) } }
  five: { to: "http://web/", rate: 5/s, mix: [{ weight: 0, path: /a }] }
  six: { to: "http://web/", requests: [{ at: 1s }], mix: [{ path: /a }] }
  seven: { to: "http://web/", rate: 5/s, mix: [{ path: a }, { to: "http://wev/" }] }
"#;
    let shown = refused(mistakes);
    let told: Vec<&str> = shown
        .lines()
        .filter(|line| line.starts_with("error") || line.contains("-->") || line.contains("= help"))
        .collect();
    insta::assert_snapshot!(told.join("\n"), @"");
}

#[test]
fn what_makes_sense_loads() {
    for fault in [
        "slow: { service: web, times: 0.5, share: 50% }",
        "slow: { labels: { app: web }, add: 'exponential(10ms)' }",
        "ramp: 5s, errors: { service: web }",
        "for: 1s, every: 10s, workers: { service: db, to: 0 }",
        "cpu: { service: web, quota: 20%, period: 10ms }",
        "load: { traffic: clerks, times: 0 }",
        "every: 10s, herd: { traffic: shoppers, requests: 5 }",
        "client-retries: { traffic: clerks, tries: 5, backoff: 1s, jitter: decorrelated }",
        "clock: { pod: istiod, jump: -5m }",
        "clock: { service: shoppers, drift: -50ppm, offset: -1h }",
    ] {
        load(&with(fault));
    }
}
