//! What is said of faults that cannot be meant.

use super::refused;

/// What is said of one fault in a small shop.
fn fault(text: &str) -> String {
    refused(&format!(
        "topology: {{ zones: [a, b] }}\nservices: {{ web: {{ replicas: 2, versions: {{ v1: , v2: }} }}, db: {{ labels: {{ tier: gold }} }} }}\ntraffic: {{ shop: {{ to: \"http://web/\", rate: 1/s }} }}\nfaults:\n  - {{ at: 1s, for: 5s, crash: db, name: first }}\n{text}"
    ))
}

#[test]
fn a_fault_has_one_beginning() {
    insta::assert_snapshot!(fault("  - { crash: web }\n  - { at: 1s, when: healed(first), crash: web }\n  - { when: healed(frist), crash: web }\n  - { when: ejected(wbe), crash: web }\n"), @r"
    error: when does this fault begin?
     --> shop.yaml:8:5
      |
    8 |   - { crash: web }
      |     ^^^^^^^^^^^^^^
      |
      = help: such as `at: 30s`, or `when: ejected(reviews-v1-0)`

    error: a fault begins `at` a time or `when` something happens, not both
     --> shop.yaml:9:21
      |
    9 |   - { at: 1s, when: healed(first), crash: web }
      |                     ^^^^^^^^^^^^^

    error: no fault is called `frist`
      --> shop.yaml:10:13
       |
    10 |   - { when: healed(frist), crash: web }
       |             ^^^^^^^^^^^^^
       |
       = help: did you mean `first`?
       = note: there are `first`, `crash service web`, `crash service web`, `crash service web`, `crash service web`

    error: no pod has the service `wbe`
      --> shop.yaml:11:13
       |
    11 |   - { when: ejected(wbe), crash: web }
       |             ^^^^^^^^^^^^
       |
       = help: did you mean `web`?
       = note: there are `db`, `shop`, `web`
    ");
}

#[test]
fn only_some_things_happen() {
    insta::assert_snapshot!(fault("  - { when: exploded(web), crash: web }\n  - { when: web, crash: web }\n"), @r"
    error: nothing called `exploded` happens; there are began, healed, ejected, returned, crashed, ready, overflowed
     --> shop.yaml:8:13
      |
    8 |   - { when: exploded(web), crash: web }
      |             ^^^^^^^^^^^^^

    error: `web` is not something that happens, such as `ejected(reviews-v1-0)`
     --> shop.yaml:9:13
      |
    9 |   - { when: web, crash: web }
      |             ^^^
    ");
}

#[test]
fn a_fault_has_one_end() {
    insta::assert_snapshot!(fault("  - { at: 1s, for: 5s, until: 9s, crash: web }\n  - { at: 10s, until: 9s, crash: web }\n  - { at: 'uniform(1s, 2s)', until: 9s, crash: web }\n  - { at: 10s, until: 9h, crash: web }\n  - { at: 1s, for: 1s, half-open: web }\n  - { at: 1s, for: 1s, rollout: { service: web } }\n"), @r"
    error: `for` and `until` both say when it ends; keep one of them
     --> shop.yaml:8:31
      |
    8 |   - { at: 1s, for: 5s, until: 9s, crash: web }
      |                               ^^

    error: it ends before it begins
     --> shop.yaml:9:23
      |
    9 |   - { at: 10s, until: 9s, crash: web }
      |                       ^^

    error: when it begins is drawn, so how long it lasts would be too
      --> shop.yaml:10:37
       |
    10 |   - { at: 'uniform(1s, 2s)', until: 9s, crash: web }
       |                                     ^^
       |
       = help: say how long with `for`

    error: the run ends before, after 1m
      --> shop.yaml:11:23
       |
    11 |   - { at: 10s, until: 9h, crash: web }
       |                       ^^

    error: connections once forgotten stay forgotten
      --> shop.yaml:12:20
       |
    12 |   - { at: 1s, for: 1s, half-open: web }
       |                    ^^
       |
       = help: use `partition` for connections that come back

    error: a rollout ends when every pod has been replaced
      --> shop.yaml:13:20
       |
    13 |   - { at: 1s, for: 1s, rollout: { service: web } }
       |                    ^^
       |
       = help: leave out when it ends
    ");
}

#[test]
fn a_fault_comes_again_only_when_it_can() {
    insta::assert_snapshot!(fault("  - { at: 1s, times: 3, for: 1s, crash: web }\n  - { at: 1s, every: 2s, crash: web }\n  - { at: 1s, every: 0s, for: 1s, crash: web }\n  - { when: healed(first), every: 2s, for: 1s, crash: web }\n  - { at: 1s, every: 2s, times: 0, for: 1s, crash: web }\n"), @r"
    error: how long is it from one time to the next?
     --> shop.yaml:8:22
      |
    8 |   - { at: 1s, times: 3, for: 1s, crash: web }
      |                      ^
      |
      = help: add `every: 30s`

    error: it never ends, so it cannot begin again
     --> shop.yaml:9:22
      |
    9 |   - { at: 1s, every: 2s, crash: web }
      |                      ^^
      |
      = help: say how long it lasts with `for`

    error: it cannot begin again at once, for ever
      --> shop.yaml:10:22
       |
    10 |   - { at: 1s, every: 0s, for: 1s, crash: web }
       |                      ^^

    error: a fault that waits for something begins each time it happens, and not `every` so often
      --> shop.yaml:11:35
       |
    11 |   - { when: healed(first), every: 2s, for: 1s, crash: web }
       |                                   ^^

    error: a fault that begins 0 times is none
      --> shop.yaml:12:33
       |
    12 |   - { at: 1s, every: 2s, times: 0, for: 1s, crash: web }
       |                                 ^
    ");
}

#[test]
fn only_some_faults_have_a_strength() {
    insta::assert_snapshot!(fault("  - { at: 1s, ramp: 3s, crash: web }\n"), @r"
    error: this kind of fault has no strength that could grow
     --> shop.yaml:8:21
      |
    8 |   - { at: 1s, ramp: 3s, crash: web }
      |                     ^^
      |
      = help: `latency`, `loss`, `slow`, `errors` and `load` have
    ");
}

#[test]
fn pods_that_are_not_there() {
    insta::assert_snapshot!(fault("  - { at: 1s, crash: { node: a-7 } }\n  - { at: 1s, crash: { labels: { teir: gold } } }\n  - { at: 1s, crash: { labels: { tier: gould } } }\n  - { at: 1s, crash: { service: web, random: 9 } }\n  - { at: 1s, crash: { service: web, random: 1, share: 50% } }\n  - { at: 1s, crash: { service: web, random: 0 } }\n  - { at: 1s, crash: { service: web, share: 0% } }\n  - { at: 1s, crash: shop }\n  - { at: 1s, crash: istiod }\n"), @r"
    error: no pod has the node `a-7`
     --> shop.yaml:8:30
      |
    8 |   - { at: 1s, crash: { node: a-7 } }
      |                              ^^^
      |
      = help: did you mean `a-0`?
      = note: there are `a-0`, `b-0`

    error: no pod has a label `teir`
     --> shop.yaml:9:34
      |
    9 |   - { at: 1s, crash: { labels: { teir: gold } } }
      |                                  ^^^^
      |
      = help: did you mean `tier`?

    error: no pod has the label `tier=gould`
      --> shop.yaml:10:40
       |
    10 |   - { at: 1s, crash: { labels: { tier: gould } } }
       |                                        ^^^^^
       |
       = help: did you mean `gold`?

    error: there are only 4 such pods to draw 9 from
      --> shop.yaml:11:46
       |
    11 |   - { at: 1s, crash: { service: web, random: 9 } }
       |                                              ^

    error: `random` and `share` both say how many; keep one of them
      --> shop.yaml:12:56
       |
    12 |   - { at: 1s, crash: { service: web, random: 1, share: 50% } }
       |                                                        ^^^

    error: 0 pods are none
      --> shop.yaml:13:46
       |
    13 |   - { at: 1s, crash: { service: web, random: 0 } }
       |                                              ^

    error: 0% of the pods are none
      --> shop.yaml:14:45
       |
    14 |   - { at: 1s, crash: { service: web, share: 0% } }
       |                                             ^^

    error: no pod has the service `shop`
      --> shop.yaml:15:22
       |
    15 |   - { at: 1s, crash: shop }
       |                      ^^^^
       |
       = note: there are `db`, `web`

    error: no pod has the service `istiod`
      --> shop.yaml:16:22
       |
    16 |   - { at: 1s, crash: istiod }
       |                      ^^^^^^
       |
       = note: there are `db`, `web`
    ");
}

#[test]
fn packets_and_names_that_cannot_be_meant() {
    insta::assert_snapshot!(fault("  - { at: 1s, loss: { service: web } }\n  - { at: 1s, loss: { rate: 120%, service: web } }\n  - { at: 1s, bandwidth: { limit: fast, service: web } }\n  - { at: 1s, dns: { answer: slow } }\n  - { at: 1s, dns: { answer: empty, delay: 5s } }\n  - { at: 1s, dns: { answer: wrong } }\n  - { at: 1s, dns: { host: '[', answer: empty } }\n  - { at: 1s, partition: { from: web, to: db, port: http } }\n"), @r"
    error: the field `rate` is missing
     --> shop.yaml:8:21
      |
    8 |   - { at: 1s, loss: { service: web } }
      |                     ^^^^^^^^^^^^^^^^^

    error: `120%` is not a share from `0%` to `100%`
     --> shop.yaml:9:29
      |
    9 |   - { at: 1s, loss: { rate: 120%, service: web } }
      |                             ^^^^

    error: `fast` is not a bandwidth such as `100Mbit/s`
      --> shop.yaml:10:35
       |
    10 |   - { at: 1s, bandwidth: { limit: fast, service: web } }
       |                                   ^^^^

    error: unknown value `wrong`
      --> shop.yaml:13:30
       |
    13 |   - { at: 1s, dns: { answer: wrong } }
       |                              ^^^^^
       |
       = note: valid here: `nxdomain`, `empty`, `stale`, `slow`

    error: expected a whole number from 0 to 65535, found `http`
      --> shop.yaml:15:53
       |
    15 |   - { at: 1s, partition: { from: web, to: db, port: http } }
       |                                                     ^^^^
    ");
}

#[test]
fn names_that_cannot_be_meant() {
    insta::assert_snapshot!(fault("  - { at: 1s, dns: { answer: slow } }\n  - { at: 1s, dns: { answer: empty, delay: 5s } }\n  - { at: 1s, dns: { host: '[', answer: empty } }\n"), @r"
    error: how slow is the answer?
     --> shop.yaml:8:30
      |
    8 |   - { at: 1s, dns: { answer: slow } }
      |                              ^^^^
      |
      = help: add `delay: 5s`

    error: only a `slow` answer has a delay
     --> shop.yaml:9:44
      |
    9 |   - { at: 1s, dns: { answer: empty, delay: 5s } }
      |                                            ^^

    error: `[` is not a pattern: unclosed character class; missing ']'
      --> shop.yaml:10:28
       |
    10 |   - { at: 1s, dns: { host: '[', answer: empty } }
       |                            ^^^
    ");
}

#[test]
fn services_that_cannot_be_scaled_so() {
    insta::assert_snapshot!(fault("  - { at: 1s, scale: { service: web, to: 3 } }\n  - { at: 1s, scale: { service: web, version: v3, to: 3 } }\n  - { at: 1s, scale: { service: wbe, to: 3 } }\n  - { at: 1s, scale: { service: db, to: 1 } }\n  - { at: 1s, scale: { service: db, to: 20000 } }\n  - { at: 1s, rollout: { service: db, at-once: 0 } }\n"), @r"
    error: a service has at most 10000 replicas
      --> shop.yaml:12:41
       |
    12 |   - { at: 1s, scale: { service: db, to: 20000 } }
       |                                         ^^^^^

    error: `web` has several versions: which one?
     --> shop.yaml:8:33
      |
    8 |   - { at: 1s, scale: { service: web, to: 3 } }
      |                                 ^^^
      |
      = help: add `version`, one of `v1`, `v2`

    error: `web` has no version `v3`
     --> shop.yaml:9:47
      |
    9 |   - { at: 1s, scale: { service: web, version: v3, to: 3 } }
      |                                               ^^
      |
      = help: did you mean `v1`?
      = note: there are `v1`, `v2`

    error: no service is called `wbe`
      --> shop.yaml:10:33
       |
    10 |   - { at: 1s, scale: { service: wbe, to: 3 } }
       |                                 ^^^
       |
       = help: did you mean `web`?

    error: `db` has 1 replicas as it is
      --> shop.yaml:11:41
       |
    11 |   - { at: 1s, scale: { service: db, to: 1 } }
       |                                         ^

    error: a rollout of none at once never ends
      --> shop.yaml:13:48
       |
    13 |   - { at: 1s, rollout: { service: db, at-once: 0 } }
       |                                                ^
    ");
}

#[test]
fn two_faults_of_one_name() {
    insta::assert_snapshot!(fault("  - { at: 9s, for: 5s, crash: web, name: first }\n  - { at: 1s, crash: web, freeze: db }\n"), @r"
    error: two faults are called `first`
     --> shop.yaml:8:42
      |
    8 |   - { at: 9s, for: 5s, crash: web, name: first }
      |                                          ^^^^^

    error: a fault is one thing, but `crash` and `freeze` are given
     --> shop.yaml:9:35
      |
    9 |   - { at: 1s, crash: web, freeze: db }
      |                                   ^^
      |
      = help: write one item of the list for each fault
    ");
}
