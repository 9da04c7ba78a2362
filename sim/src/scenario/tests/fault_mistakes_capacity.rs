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
    insta::assert_snapshot!(fault("slow: { service: wev, times: 10 }"), @r"
    error: no pod has the service `wev`
      --> shop.yaml:10:32
       |
    10 |   - { at: 1s, slow: { service: wev, times: 10 } }
       |                                ^^^
       |
       = help: did you mean `web`?
       = note: there are `db`, `web`
    ");
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
    ]), @r"
    slow: { service: web }
      error: how slow?
      = help: such as `times: 10` or `add: 2s`
    slow: { times: 2 }
      error: which pods?
      = help: such as `service: reviews`, `pod: reviews-v1-*` or `zone: a`
    slow: { service: web, times: 1 }
      error: how slow?
      = help: such as `times: 10` or `add: 2s`
    slow: { service: web, times: -1 }
      error: `times` is a number from 0 to 1000000
    slow: { service: web, times: fast }
      error: expected a number, found `fast`
    slow: { service: web, add: 10 }
      error: expected a time such as `4ms`, or a distribution such as `exponential(4ms)`, found the number 10
    slow: { service: web, times: 2, path: x }
      error: the path `x` does not begin with `/`
    slow: { service: web, times: 2, method: get }
      error: `get` is not a method such as `GET` or `POST`
    slow: { service: shoppers, times: 2 }
      error: no pod has the service `shoppers`
      = note: there are `db`, `web`
    slow: web
      error: expected a mapping, found `web`
    ");
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
    ]), @r"
    errors: { service: web, rate: 0% }
      error: 0% of the requests are none
    errors: { service: web, rate: 30 }
      error: expected a share such as `5%`, found the number 30
    errors: { service: web, status: 99 }
      error: expected an HTTP status from 200 to 599, found the number 99
    errors: { service: web, share: 0% }
      error: 0% of the pods are none
    workers: { service: web, to: 4 }
      error: service web has no more than 4 workers as it is
    workers: { service: web }
      error: the field `to` is missing
    cpu: { service: web, quota: 0% }
      error: an app that never runs is frozen
      = help: use `freeze`
    cpu: { service: web, quota: 100% }
      error: 100% is no quota
    cpu: { service: web, quota: 20%, period: 5s }
      error: a period is from 1ms to 1s
      = note: these are the kernel's limits
    cpu: { service: web, quota: 20% }, ramp: 5s
      error: this kind of fault has no strength that could grow
      = help: `latency`, `loss`, `slow`, `errors` and `load` have
    leak: { service: db, rate: 1% }
      error: service db has unlimited workers: none is missed
      = help: give the service `workers`
    memory: { service: web, leak: 1MiB }
      error: service web has no memory limit to reach
      = help: give the service `memory: { limit: 512MiB, … }`
    cache-flush: web
      error: service web has no cache with `keys` to empty
      = help: give its script a step `cache: { keys: …, miss: [...] }`
    ");
}

#[test]
fn traffic_must_be_there_and_be_able_to() {
    insta::assert_snapshot!(fault("load: { traffic: shopers, times: 3 }"), @r"
    error: no traffic source is called `shopers`
      --> shop.yaml:10:32
       |
    10 |   - { at: 1s, load: { traffic: shopers, times: 3 } }
       |                                ^^^^^^^
       |
       = help: did you mean `shoppers`?
       = note: there are `shoppers`, `clerks`
    ");
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
    ]), @r"
    load: { traffic: shoppers }
      error: which load?
      = help: one of `times: 3` and `rate: 500/s`
    load: { traffic: shoppers, times: 3, rate: 5/s }
      error: which load?
      = help: one of `times: 3` and `rate: 500/s`
    load: { traffic: shoppers, times: 1 }
      error: once the load is the load as it is
    load: { traffic: shoppers, times: -1 }
      error: `times` is a number from 0 to 100000
    load: { traffic: clerks, rate: 5/s }
      error: `clerks` has users, not a rate
      = help: say how many `times` as many users
    herd: { traffic: shoppers, requests: 0 }
      error: a herd has from 1 to 10000000 requests
    herd: { traffic: shoppers, requests: 5, spread: random }
      error: what comes at once is not spread
      = help: say over which time with `over`
    herd: { traffic: shoppers, requests: 5, over: 1s, spread: odd }
      error: unknown value `odd`
      = note: valid here: `even`, `random`
    for: 1s, herd: { traffic: shoppers, requests: 5 }
      error: a herd is over when all have come
      = help: say over which time they come with `over`, in the `herd`
    hot-key: { traffic: shoppers, rate: 50% }
      error: the requests of `shoppers` carry no key
      = help: give it `keys: { header: x-user, draw: uniform(1000) }`
    client-retries: { traffic: shoppers, tries: 0 }
      error: a client tries from 1 to 100 times
    client-retries: { traffic: shoppers, tries: 1 }
      error: the client of `shoppers` tries so as it is
    mix: { traffic: shoppers, weights: [1, 2] }
      error: `shoppers` has no `mix`
    slow-loris: { traffic: shoppers, connections: 0 }
      error: there are from 1 to 100000 connections
    slow-loris: { traffic: shoppers, connections: 1, pause: 0 }
      error: without a pause it is not slow
    ");
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
    ]), @r"
    clock: { service: web }
      error: what is wrong with the clock?
      = help: such as `offset: 10m`, `drift: 200ppm` or `jump: -1h`
    clock: { service: web, offset: 10 }
      error: expected a time forwards or backwards such as `10m` or `-10m`, found the number 10
    clock: { service: web, offset: 0s }
      error: such a clock is right
    clock: { service: web, drift: 200 }
      error: expected a drift such as `200ppm` or `-50ppm`, found the number 200
    clock: { service: web, drift: 80% }
      error: `80%` is more than half the time
    clock: { offset: 10m }
      error: which pods?
      = help: such as `service: reviews`, `pod: reviews-v1-*` or `zone: a`
    ");
}

/// Headlines, places and helps of what is said.
fn headlines(body: &str) -> String {
    let shown = refused(body);
    let told = shown.lines().filter(|line| {
        line.starts_with("error") || line.contains("-->") || line.contains("= help")
    });
    told.collect::<Vec<_>>().join("\n")
}

#[test]
fn keys_are_written_so() {
    insta::assert_snapshot!(headlines("services:\n  web:\n    script:\n      - cache: { keys: \"zipf(1.2)\" }\n"), @r"
    error: `zipf(1.2)` is not of the form `uniform(1000)` or `zipf(1.2, 10000)`
     --> shop.yaml:6:24
    ");
    insta::assert_snapshot!(headlines("services:\n  web:\n    script:\n      - cache: { keys: zipf(1.2, 100) }\n"), @r#"
    error: inside `{ }` and `[ ]` a comma ends a value
     --> shop.yaml:6:24
      = help: put it in quotes: "zipf(1.2, 100)"
    "#);
}

#[test]
fn what_sources_and_services_are_given_must_make_sense() {
    insta::assert_snapshot!(headlines(r#"services:
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
  db:
traffic:
  one: { to: "http://web/", rate: 5/s, backoff: 5s }
  two: { to: "http://web/", rate: 5/s, tries: 1000 }
  three: { to: "http://web/", rate: 5/s, keys: { header: x-user, draw: header(x-user) } }
  four: { to: "http://web/", rate: 5/s, keys: { header: "x user", draw: uniform(5) } }
  five: { to: "http://web/", rate: 5/s, mix: [{ weight: 0, path: /a }] }
  six: { to: "http://web/", requests: [{ at: 1s }], mix: [{ path: /a }] }
  seven: { to: "http://web/", rate: 5/s, mix: [{ path: a }, { to: "http://wev/" }] }
"#), @r"
    error: its memory does not suffice for one request
     --> shop.yaml:5:13
    error: an app warms up for some time, from 1 to 1000000 times as slow
     --> shop.yaml:6:14
    error: every connection is idle for a moment
     --> shop.yaml:7:19
    error: an app without connections answers nothing
     --> shop.yaml:8:18
    error: what hits this cache?
      --> shop.yaml:10:16
       = help: such as `keys: zipf(1.2, 10000)` or `hit: 95%`
    error: `keys` and `hit` both say what hits; keep one of them
      --> shop.yaml:11:41
    error: a cache with a fixed share of hits has no entries
      --> shop.yaml:12:32
       = help: use `keys` in place of `hit`
    error: a cache for 0 entries is none
      --> shop.yaml:13:46
    error: a client that tries once does not wait
      --> shop.yaml:16:49
       = help: say how often it tries with `tries`
    error: a client tries from 1 to 100 times
      --> shop.yaml:17:47
    error: nobody calls a traffic source with a header
      --> shop.yaml:18:72
       = help: such as `zipf(1.2, 10000)` or `uniform(1000)`
    error: `x user` is not the name of a header
      --> shop.yaml:19:57
    error: no part of this mix has a weight
      --> shop.yaml:20:47
    error: a script says itself what is sent
      --> shop.yaml:21:59
    error: the path `a` does not begin with `/`
      --> shop.yaml:22:56
    error: no service `wev`
      --> shop.yaml:22:67
       = help: did you mean `web`?
    ");
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
