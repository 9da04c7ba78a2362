//! What is said of mistakes.

use super::{load, refused, shown, try_load};

#[test]
fn an_unknown_key() {
    insta::assert_snapshot!(refused("trafic: {}\n"), @r"
    error: unknown field `trafic`
     --> shop.yaml:3:1
      |
    3 | trafic: {}
      | ^^^^^^
      |
      = help: did you mean `traffic`?
      = note: valid here: `meshquake`, `name`, `about`, `seed`, `verdict`, `duration`, `epoch`, `mesh`, `topology`, `services`, `traffic`, `faults`, `expect`
    ");
}

#[test]
fn a_wrong_unit() {
    insta::assert_snapshot!(refused("services:\n  web: { service-time: 250 }\n  db: { service-time: 250mm }\n"), @r"
    error: expected a time such as `4ms`, or a distribution such as `exponential(4ms)`, found the number 250
     --> shop.yaml:4:24
      |
    4 |   web: { service-time: 250 }
      |                        ^^^

    error: `mm` is not a unit of time: `ns`, `us`, `ms`, `s`, `m` or `h`
     --> shop.yaml:5:23
      |
    5 |   db: { service-time: 250mm }
      |                       ^^^^^
    ");
}

#[test]
fn a_wrong_distribution() {
    insta::assert_snapshot!(refused("services:\n  web:\n    service-time: lognorml(p50=4ms, p99=30ms)\n"), @r"
    error: `lognorml` is not a distribution: did you mean `lognormal`?
     --> shop.yaml:5:19
      |
    5 |     service-time: lognorml(p50=4ms, p99=30ms)
      |                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^
    ");
}

#[test]
fn a_value_cut_by_a_comma() {
    insta::assert_snapshot!(refused("services:\n  db: { service-time: lognormal(p50=4ms, p99=30ms), workers: 8 }\n  web:\n    script: [sleep: uniform(1ms, 3ms)]\n"), @r#"
    error: inside `{ }` and `[ ]` a comma ends a value
     --> shop.yaml:4:23
      |
    4 |   db: { service-time: lognormal(p50=4ms, p99=30ms), workers: 8 }
      |                       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: put it in quotes: "lognormal(p50=4ms, p99=30ms)"

    error: inside `{ }` and `[ ]` a comma ends a value
     --> shop.yaml:6:21
      |
    6 |     script: [sleep: uniform(1ms, 3ms)]
      |                     ^^^^^^^^^^^^^^^^^
      |
      = help: put it in quotes: "uniform(1ms, 3ms)"
    "#);
    // In quotes, on a line of its own, or with nothing left open, a comma is nobody's business.
    load(
        "services:\n  db: { service-time: \"lognormal(p50=4ms, p99=30ms)\" }\n  web:\n    service-time: uniform(1ms, 3ms)\n",
    );
    load("services: { web: { service-time: exponential(2ms), workers: 1 } }\n");
}

#[test]
fn an_unknown_service() {
    insta::assert_snapshot!(
        refused("services:\n  reviews:\n  web:\n    handles:\n      /: [[call: reveiws, call: ratings]]\ntraffic:\n  shoppers: { to: \"http://wev/\", rate: 5/s }\n"),
        @r#"
    error: no service `reveiws`
     --> shop.yaml:7:18
      |
    7 |       /: [[call: reveiws, call: ratings]]
      |                  ^^^^^^^
      |
      = help: did you mean `reviews`?

    error: no service `ratings`
     --> shop.yaml:7:33
      |
    7 |       /: [[call: reveiws, call: ratings]]
      |                                 ^^^^^^^
      |
      = note: there are `reviews`, `web`

    error: no service `wev`
     --> shop.yaml:9:19
      |
    9 |   shoppers: { to: "http://wev/", rate: 5/s }
      |                   ^^^^^^^^^^^^^
      |
      = help: did you mean `web`?
    "#
    );
}

#[test]
fn a_wrong_port() {
    insta::assert_snapshot!(
        refused("services: { web: { ports: [80, 81] }, db: { ports: [90, 91] } }\ntraffic:\n  a: { to: \"http://web:8080/\", rate: 5/s }\n  b: { to: db, rate: 5/s }\n"),
        @r#"
    error: service `web` has no port 8080
     --> shop.yaml:5:12
      |
    5 |   a: { to: "http://web:8080/", rate: 5/s }
      |            ^^^^^^^^^^^^^^^^^^
      |
      = help: it listens on 80, 81

    error: service `db` has several ports
     --> shop.yaml:6:12
      |
    6 |   b: { to: db, rate: 5/s }
      |            ^^
      |
      = help: write `db:PORT`, one of 90, 91
    "#
    );
}

#[test]
fn a_selector_that_selects_nothing() {
    insta::assert_snapshot!(
        refused("topology: { zones: [a, b] }\nservices: { web: { zone: a }, db: { zone: b } }\nfaults:\n  - { at: 1s, crash: { service: wbe } }\n  - { at: 1s, crash: db-1* }\n  - { at: 1s, partition: { zone: c } }\n  - { at: 1s, crash: { service: web, zone: b } }\n"),
        @r"
    error: no pod has the service `wbe`
     --> shop.yaml:6:33
      |
    6 |   - { at: 1s, crash: { service: wbe } }
      |                                 ^^^
      |
      = help: did you mean `web`?
      = note: there are `db`, `web`

    error: no pod's name matches `db-1*`
     --> shop.yaml:7:22
      |
    7 |   - { at: 1s, crash: db-1* }
      |                      ^^^^^
      |
      = note: there are `db-0`, `web-0`

    error: no pod has the zone `c`
     --> shop.yaml:8:34
      |
    8 |   - { at: 1s, partition: { zone: c } }
      |                                  ^
      |
      = note: there are `a`, `b`

    error: no pod is all of this: service web, zone b
     --> shop.yaml:9:22
      |
    9 |   - { at: 1s, crash: { service: web, zone: b } }
      |                      ^^^^^^^^^^^^^^^^^^^^^^^^^
    "
    );
}

#[test]
fn an_expectation_of_unknown_traffic() {
    insta::assert_snapshot!(
        refused("services: { web: }\ntraffic: { shoppers: { to: web, rate: 5/s } }\nexpect:\n  - { traffic: shopers, success: \">= 99%\" }\n  - { traffic: shoppers }\n  - { traffic: shoppers, during: 50s..70s, p99: \"< 1s\" }\n"),
        @r#"
    error: no traffic is called `shopers`
     --> shop.yaml:6:16
      |
    6 |   - { traffic: shopers, success: ">= 99%" }
      |                ^^^^^^^
      |
      = help: did you mean `shoppers`?
      = note: there is `shoppers`

    error: this expectation demands nothing
     --> shop.yaml:7:5
      |
    7 |   - { traffic: shoppers }
      |     ^^^^^^^^^^^^^^^^^^^^^
      |
      = help: such as `success: ">= 99%"` or `p99: "< 250ms"`

    error: this window goes beyond the run, which ends after 1m
     --> shop.yaml:8:34
      |
    8 |   - { traffic: shoppers, during: 50s..70s, p99: "< 1s" }
      |                                  ^^^^^^^^
    "#
    );
}

#[test]
fn values_that_make_no_sense() {
    insta::assert_snapshot!(
        refused("services: { web: { replicas: many, zone: 3 } }\ntraffic:\n  e: { to: https://web/, rate: often, start: 5 }\nexpect:\n  - { traffic: shoppers, during: 50s..20s }\n  - { traffic: shoppers, success: 99% }\n  - { traffic: shoppers, p99: \"< 1\" }\n"),
        @r#"
    error: expected a whole number from 0 to 4294967295, found `many`
     --> shop.yaml:3:30
      |
    3 | services: { web: { replicas: many, zone: 3 } }
      |                              ^^^^

    error: apps speak plain `http://`; the sidecars add mutual TLS
     --> shop.yaml:5:12
      |
    5 |   e: { to: https://web/, rate: often, start: 5 }
      |            ^^^^^^^^^^^^

    error: `50s..20s` ends before it begins
     --> shop.yaml:7:34
      |
    7 |   - { traffic: shoppers, during: 50s..20s }
      |                                  ^^^^^^^^

    error: `99%` is not a demand such as `>= 99%`
     --> shop.yaml:8:35
      |
    8 |   - { traffic: shoppers, success: 99% }
      |                                   ^^^

    error: `1` lacks a unit: `ns`, `us`, `ms`, `s`, `m` or `h`
     --> shop.yaml:9:31
      |
    9 |   - { traffic: shoppers, p99: "< 1" }
      |                               ^^^^^^
    "#
    );
}

#[test]
fn faults_are_one_thing_each() {
    insta::assert_snapshot!(
        refused("services: { web: }\nfaults:\n  - { at: 1s }\n  - { at: 2m, crash: web }\n  - { at: 1s, for: 5s, restart: web }\n  - { at: 1s, for: 0s, crash: web }\n  - { at: 1s, partition: { from: web, zone: a } }\n  - { at: 1s, partition: web }\n  - { at: 1s, partition: { to: web } }\n"),
        @r"
    error: this fault never happens: the run ends after 1m
     --> shop.yaml:6:11
      |
    6 |   - { at: 2m, crash: web }
      |           ^^

    error: what goes wrong?
     --> shop.yaml:5:5
      |
    5 |   - { at: 1s }
      |     ^^^^^^^^^^
      |
      = help: such as `crash: reviews`, `latency: { add: 200ms, to: ratings }` or `partition: { zone: a }`

    error: `from` stands beside another selector; keep one of them
     --> shop.yaml:9:34
      |
    9 |   - { at: 1s, partition: { from: web, zone: a } }
      |                                  ^^^

    error: no packet is on this way: there is nobody at its other end
      --> shop.yaml:10:26
       |
    10 |   - { at: 1s, partition: web }
       |                          ^^^

    error: a restart is over at once
     --> shop.yaml:7:20
      |
    7 |   - { at: 1s, for: 5s, restart: web }
      |                    ^^
      |
      = help: use `crash` for pods that stay away for a time

    error: a fault must last for some time
     --> shop.yaml:8:20
      |
    8 |   - { at: 1s, for: 0s, crash: web }
      |                    ^^
    "
    );
}

#[test]
fn traffic_needs_an_aim_and_a_rate() {
    insta::assert_snapshot!(
        refused("services: { web: }\ntraffic:\n  a: { to: web }\n  b: { rate: 5/s }\n  c: { to: web, rate: 5/s, users: 2 }\n  d: { to: web, rate: 5/s, think: 1s }\n  f: { to: web, requests: [{ at: 1s, expect: { upstream: wbe-0 } }] }\n"),
        @r"
    error: how often does `a` call?
     --> shop.yaml:5:3
      |
    5 |   a: { to: web }
      |   ^
      |
      = help: give it a `rate` such as `poisson(50/s)`, or `users`, or `requests`

    error: `b` calls nothing: `to` is missing
     --> shop.yaml:6:3
      |
    6 |   b: { rate: 5/s }
      |   ^
      |
      = help: such as `to: http://web/`

    error: `c` has more than one of `rate`, `users` and `requests`
     --> shop.yaml:7:3
      |
    7 |   c: { to: web, rate: 5/s, users: 2 }
      |   ^
      |
      = help: split it into several traffic sources

    error: only `users` think
     --> shop.yaml:8:35
      |
    8 |   d: { to: web, rate: 5/s, think: 1s }
      |                                   ^^

    error: no pod's name begins with `wbe-0`
     --> shop.yaml:9:58
      |
    9 |   f: { to: web, requests: [{ at: 1s, expect: { upstream: wbe-0 } }] }
      |                                                          ^^^^^
      |
      = help: did you mean `web-0`?
    "
    );
}

#[test]
fn mistakes_of_many_entries_are_all_found() {
    let shown = refused(
        "services:\n  Web: {}\n  a: { replicas: -1 }\n  b: { colour: red, replicas: 2 }\n  c: { responses: [700, sleep] }\ntraffic:\n  t: { to: a, rate: 5 }\nfaults:\n  - { at: now, crash: a }\nexpect:\n  - { traffic: t, success: 99% }\n",
    );
    insta::assert_snapshot!(shown, @r"
    error: `Web` is not a name: lower-case letters, digits and dashes, such as `product-page`
     --> shop.yaml:4:3
      |
    4 |   Web: {}
      |   ^^^

    error: expected a whole number from 0 to 4294967295, found the number -1
     --> shop.yaml:5:18
      |
    5 |   a: { replicas: -1 }
      |                  ^^

    error: unknown field `colour`
     --> shop.yaml:6:8
      |
    6 |   b: { colour: red, replicas: 2 }
      |        ^^^^^^
      |
      = note: valid here: `ports`, `versions`, `replicas`, `zone`, `labels`, `service-account`, `sidecar`, `workers`, `queue`, `queue-order`, `cancel`, `service-time`, `errors`, `response-size`, `script`, `responses`, `memory`, `warm-up`, `idle-timeout`, `connections`, `handles`

    error: expected an HTTP status from 200 to 599, found the number 700
     --> shop.yaml:7:20
      |
    7 |   c: { responses: [700, sleep] }
      |                    ^^^

    error: expected a rate such as `poisson(50/s)`, found the number 5
     --> shop.yaml:9:21
      |
    9 |   t: { to: a, rate: 5 }
      |                     ^

    error: `now` is not a duration, such as `250ms` or `1.5s`
      --> shop.yaml:11:11
       |
    11 |   - { at: now, crash: a }
       |           ^^^

    error: `99%` is not a demand such as `>= 99%`
      --> shop.yaml:13:28
       |
    13 |   - { traffic: t, success: 99% }
       |                            ^^^
    ");
}

#[test]
fn scripts_are_lists_of_steps() {
    insta::assert_snapshot!(
        refused("services:\n  a:\n    script:\n      - sleep: 1ms\n        call: b\n  b: { script: [[[call: a]]] }\n  c: { script: [slep: 1ms] }\n  d: { script: [call: { service: a, tries: 0 }] }\n  e: { handles: { foo: [] } }\n"),
        @r"
    error: a step does one thing: begin a new step for `call`
     --> shop.yaml:6:9
      |
    6 |       - sleep: 1ms
      |         ^^^^^

    error: concurrent steps may not be nested
     --> shop.yaml:8:18
      |
    8 |   b: { script: [[[call: a]]] }
      |                  ^^^^^^^^^

    error: unknown value `slep`
     --> shop.yaml:9:17
      |
    9 |   c: { script: [slep: 1ms] }
      |                 ^^^^
      |
      = help: did you mean `sleep`?
      = note: valid here: `sleep`, `call`, `cache`

    error: the path `foo` does not begin with `/`
      --> shop.yaml:11:19
       |
    11 |   e: { handles: { foo: [] } }
       |                   ^^^
    "
    );
}

#[test]
fn zones_must_exist() {
    insta::assert_snapshot!(
        refused("topology: { zones: [east-1, east-2, east-1] }\nservices: { web: { zone: [east-1, aest-2] } }\n"),
        @r"
    error: zone `east-1` is given twice
     --> shop.yaml:3:37
      |
    3 | topology: { zones: [east-1, east-2, east-1] }
      |                                     ^^^^^^

    error: no zone `aest-2`
     --> shop.yaml:4:35
      |
    4 | services: { web: { zone: [east-1, aest-2] } }
      |                                   ^^^^^^
      |
      = help: did you mean `east-2`?
    "
    );
}

#[test]
fn names_may_not_clash() {
    insta::assert_snapshot!(
        refused("services:\n  web: { versions: { v1: } }\n  web-v1:\n  a: { labels: { app: b } }\ntraffic:\n  web-v1-0: { to: web, rate: 1/s }\n"),
        @r"
    error: two deployments are called `web-v1`
     --> shop.yaml:5:3
      |
    4 |   web: { versions: { v1: } }
      |                      -- first here
    5 |   web-v1:
      |   ^^^^^^ again here

    error: the pods of `a` have a label `app` already
     --> shop.yaml:6:18
      |
    6 |   a: { labels: { app: b } }
      |                  ^^^
      |
      = help: services select pods by it: leave it as it is

    error: two pods are called `web-v1-0`
     |
     = help: rename one: deployments of all namespaces and traffic sources share one set of names
    "
    );
}

#[test]
fn what_is_no_scenario_is_told_apart() {
    let shown_of = |yaml: &str| shown(&try_load(yaml).unwrap_err());
    insta::assert_snapshot!(shown_of("# nothing\n"), @r"
    error: `shop.yaml` is empty
     |
     = help: a scenario begins with `meshquake: v1`
    ");
    insta::assert_snapshot!(shown_of("apiVersion: v1\nkind: Service\n"), @r"
    error: this is a manifest, not a scenario
     --> shop.yaml:1:1
      |
    1 | apiVersion: v1
      | ^^^^^^^^^^
      |
      = help: list it under `topology.import` of a scenario
    ");
    let rules = "apiVersion: networking.istio.io/v1\nkind: VirtualService\n---\nkind: Service\n";
    insta::assert_snapshot!(shown_of(rules), @r"
    error: this is a manifest, not a scenario
     --> shop.yaml:1:1
      |
    1 | apiVersion: networking.istio.io/v1
      | ^^^^^^^^^^
      |
      = help: list it under `mesh.config` of a scenario
    ");
    insta::assert_snapshot!(shown_of("name: shop\nduration: 1m\n"), @r"
    error: this is not a scenario
     --> shop.yaml:1:1
      |
    1 | name: shop
      | ^^^^
      |
      = help: a scenario begins with `meshquake: v1`
    ");
    insta::assert_snapshot!(shown_of("meshquake: v2\nduration: 1m\n"), @r"
    error: unknown value `v2`
     --> shop.yaml:1:12
      |
    1 | meshquake: v2
      |            ^^
      |
      = help: did you mean `v1`?
      = note: valid here: `v1`
    ");
    insta::assert_snapshot!(shown_of("meshquake: v1\n"), @r"
    error: the field `duration` is missing
     --> shop.yaml:1:1
      |
    1 | meshquake: v1
      | ^^^^^^^^^^^^^
    ");
    insta::assert_snapshot!(shown_of("meshquake: v1\nduration: 1m\n---\na: b\n"), @r"
    error: a scenario is one document, and here a second one begins
     --> shop.yaml:4:1
      |
    4 | a: b
      | ^^^^
      |
      = help: remove the `---`, or put manifests into files of their own
    ");
}

#[test]
fn a_huge_world_is_refused() {
    insta::assert_snapshot!(refused("services: { a: { replicas: 9000 }, b: { replicas: 9000 }, c: { replicas: 4000000000 } }\n"), @r"
    error: more than 10000 replicas
     --> shop.yaml:3:74
      |
    3 | services: { a: { replicas: 9000 }, b: { replicas: 9000 }, c: { replicas: 4000000000 } }
      |                                                                          ^^^^^^^^^^

    error: the scenario has 18001 pods; 10000 can run
    ");
    insta::assert_snapshot!(refused("services: { a: { replicas: 9000 }, b: { replicas: 9000 } }\n"), @"error: the scenario has 18000 pods; 10000 can run");
}

#[test]
fn a_run_without_callers_is_worth_a_warning() {
    insta::assert_snapshot!(shown(&load("services: { web: }\n").warnings), @"warning: nothing calls: there is no `traffic`");
}

#[test]
fn a_bad_override_shows_itself() {
    use crate::scenario::load::{Overrides, load_source};
    let source = mesh_core::document::Source::new(
        "shop.yaml",
        "meshquake: v1\nduration: 1m\nservices: {web: }\n",
    );
    let set = |path: &str, value: &str| {
        let overrides = Overrides {
            set: vec![(path.into(), value.into())],
            ..Overrides::default()
        };
        shown(&load_source(&source, std::path::Path::new(""), "shop", &overrides).unwrap_err())
    };
    insta::assert_snapshot!(set("services.web.replicas", "lots"), @r"
    error: expected a whole number from 0 to 4294967295, found `lots`
     --> --set services.web.replicas:1:1
      |
    1 | lots
      | ^^^^
    ");
    insta::assert_snapshot!(set("services.web.script", "[call: wbe]"), @r"
    error: no service `wbe`
     --> --set services.web.script:1:8
      |
    1 | [call: wbe]
      |        ^^^
      |
      = help: did you mean `web`?
    ");
    insta::assert_snapshot!(set("faults[3]", "{}"), @r"
    error: cannot set `faults[3]`: `[3]` is past the end of a list of 0
     --> --set faults[3]:1:1
      |
    1 | {}
      | ^
    ");
}

#[test]
fn what_would_take_minutes_is_refused_at_once() {
    let many = |entry: &dyn Fn(usize) -> String| (0..10_001).map(entry).collect::<String>();
    let services = many(&|n| format!("  s{n}:\n"));
    assert!(refused(&format!("services:\n{services}")).contains("10001 entries"));
    let versions = many(&|n| format!("      v{n}:\n"));
    assert!(
        refused(&format!("services:\n  a:\n    versions:\n{versions}"))
            .contains("more than 10000 deployments")
    );
    let unknown = many(&|n| format!("      - call: x{n}\n"));
    let shown = refused(&format!("services:\n  a:\n    script:\n{unknown}"));
    assert_eq!(shown.matches("error: ").count(), 100);
    let web = "services: { web: }\n";
    let flood = "traffic: { t: { to: web, requests: [{ at: 1s, count: 4000000000 }] } }\n";
    assert!(refused(&format!("{web}{flood}")).contains("more than 200000 requests"));
    let bursts = "traffic: { t: { to: web, rate: 1/s, bursts: [{ at: 0s, for: 1ns, every: 1us, times: 2 }] } }\n";
    assert!(refused(&format!("{web}{bursts}")).contains("more than 10000 times"));
}

#[test]
fn a_source_that_a_service_would_take_for_its_own() {
    let said = refused(
        "services: { web: { ports: [80] } }\ntraffic:\n  web: { to: \"http://web/\", rate: 5/s }\n",
    );
    assert!(
        said.contains("the service `web` selects this source's pod"),
        "{said}"
    );
    assert!(said.contains("shop.yaml:5:3"), "{said}");
}

#[test]
fn words_of_other_tools() {
    insta::assert_snapshot!(
        refused("mesh: { defaults: { unknown-hosts: refuse } }\nservices: { web: { ports: [{ port: 80, targetPort: 8080 }] } }\ntraffic:\n  a: { url: \"http://web/\", qps: 5/s, body: 1KiB }\n  b: { to: web, requests: [{ at: 1s, expect: { from: web-0 } }] }\nfaults:\n  - { at: 1s, duration: 5s, kill: web }\nexpect:\n  - { traffic: a, success-rate: \">= 99%\" }\n"),
        @r#"
    error: unknown field `unknown-hosts`
     --> shop.yaml:3:21
      |
    3 | mesh: { defaults: { unknown-hosts: refuse } }
      |                     ^^^^^^^^^^^^^
      |
      = help: did you mean `outbound-traffic-policy`?
      = note: valid here: `retries`, `timeout`, `load-balancer`, `mtls`, `panic-threshold`, `outbound-traffic-policy`, `certificate-lifetime`, `push-debounce`

    error: unknown field `targetPort`
     --> shop.yaml:4:40
      |
    4 | services: { web: { ports: [{ port: 80, targetPort: 8080 }] } }
      |                                        ^^^^^^^^^^
      |
      = help: did you mean `target-port`?
      = note: valid here: `port`, `target-port`, `name`, `http2`

    error: unknown field `url`
     --> shop.yaml:6:8
      |
    6 |   a: { url: "http://web/", qps: 5/s, body: 1KiB }
      |        ^^^
      |
      = help: did you mean `to`?
      = note: valid here: `to`, `rate`, `stages`, `bursts`, `users`, `think`, `requests`, `method`, `headers`, `request-size`, `timeout`, `start`, `stop`, `zone`, `sidecar`, `namespace`, `labels`, `service-account`, `keys`, `mix`, `tries`, `backoff`, `backoff-max`, `jitter`

    error: unknown field `qps`
     --> shop.yaml:6:28
      |
    6 |   a: { url: "http://web/", qps: 5/s, body: 1KiB }
      |                            ^^^
      |
      = help: did you mean `rate`?
      = note: valid here: `to`, `rate`, `stages`, `bursts`, `users`, `think`, `requests`, `method`, `headers`, `request-size`, `timeout`, `start`, `stop`, `zone`, `sidecar`, `namespace`, `labels`, `service-account`, `keys`, `mix`, `tries`, `backoff`, `backoff-max`, `jitter`

    error: unknown field `body`
     --> shop.yaml:6:38
      |
    6 |   a: { url: "http://web/", qps: 5/s, body: 1KiB }
      |                                      ^^^^
      |
      = help: did you mean `request-size`?
      = note: valid here: `to`, `rate`, `stages`, `bursts`, `users`, `think`, `requests`, `method`, `headers`, `request-size`, `timeout`, `start`, `stop`, `zone`, `sidecar`, `namespace`, `labels`, `service-account`, `keys`, `mix`, `tries`, `backoff`, `backoff-max`, `jitter`

    error: unknown field `from`
     --> shop.yaml:7:48
      |
    7 |   b: { to: web, requests: [{ at: 1s, expect: { from: web-0 } }] }
      |                                                ^^^^
      |
      = help: did you mean `upstream`?
      = note: valid here: `status`, `upstream`, `flags`, `at-least`, `at-most`, `headers`

    error: unknown field `duration`
     --> shop.yaml:9:15
      |
    9 |   - { at: 1s, duration: 5s, kill: web }
      |               ^^^^^^^^
      |
      = help: did you mean `for`?

    error: unknown field `kill`
     --> shop.yaml:9:29
      |
    9 |   - { at: 1s, duration: 5s, kill: web }
      |                             ^^^^
      |
      = help: did you mean `crash`?

    error: unknown field `success-rate`
      --> shop.yaml:11:19
       |
    11 |   - { traffic: a, success-rate: ">= 99%" }
       |                   ^^^^^^^^^^^^
       |
       = help: did you mean `success`?
       = note: valid here: `traffic`, `edge`, `service`, `mesh`, `recovers`, `detects`, `within`, `to`, `during`, `before`, `after`, `success`, `slo`, `burn-rate`, `p50`, `p90`, `p95`, `p99`, `p999`, `mean`, `max`, `goodput`, `rate`, `attempts`, `calls`, `flags`, `status`, `busiest`, `imbalance`, `fairness`, `wasted`, `queue`, `wait-p50`, `wait-p99`, `cross-zone`, `cross-zone-bytes`, `plaintext`, `unauthorised`
    "#
    );
}
