//! Calls that come back to where they began.

use super::{load, refused, shown};

#[test]
fn an_endless_call_is_refused() {
    insta::assert_snapshot!(
        refused("services:\n  a:\n    script: [call: b]\n  b:\n    script:\n      - sleep: 1ms\n      - [call: { service: c }]\n  c:\n    handles:\n      /: [call: a]\n"),
        @r"
    error: the call a → b → c → a never ends
      --> shop.yaml:5:20
       |
     5 |     script: [call: b]
       |                    ^ it begins here
    ...
     9 |       - [call: { service: c }]
       |                           - and goes on here
    ...
    12 |       /: [call: a]
       |                 - and goes on here
       |
       = help: let the call be made with a `probability`, or end it at another path
    "
    );
}

#[test]
fn a_call_to_oneself_is_refused() {
    insta::assert_snapshot!(refused("services: { a: { script: [call: a] } }\n"), @r"
    error: the call a → a never ends
     --> shop.yaml:3:33
      |
    3 | services: { a: { script: [call: a] } }
      |                                 ^ it begins here
      |
      = help: let the call be made with a `probability`, or end it at another path
    ");
}

#[test]
fn a_call_that_ends_elsewhere_is_fine() {
    // Another path, another method, or a chance to stop.
    load(
        "services: { a: { handles: { /x: [call: { service: b }], /y: [] } }, b: { script: [call: { service: a, path: /y }] } }",
    );
    load("services: { a: { handles: { 'POST /': [call: b] } }, b: { script: [call: a] } }");
    load("services: { a: { script: [call: { service: a, probability: 50% }] } }");
}

#[test]
fn a_call_that_only_one_version_returns_is_worth_a_warning() {
    let loaded = load(
        "services:\n  a:\n    versions:\n      v1: { script: [call: b] }\n      v2:\n  b: { script: [call: a] }\ntraffic: { t: { to: a, rate: 1/s } }\n",
    );
    insta::assert_snapshot!(shown(&loaded.warnings), @r"
    warning: the call a-v1 → b → a-v1 may come back without end
     --> shop.yaml:6:28
      |
    6 |       v1: { script: [call: b] }
      |                            ^ it begins here
    7 |       v2:
    8 |   b: { script: [call: a] }
      |                       - and goes on here
    ");
}

#[test]
fn names_are_looked_up_from_the_caller() {
    let plan = load("services:\n  a: { script: [call: b.shop, call: b.shop.svc.cluster.local] }\n  b.shop: { script: [call: c] }\n  c.shop:\n").plan;
    assert_eq!(plan.pods.len(), 3);
    insta::assert_snapshot!(refused("services:\n  a: { script: [call: b] }\n  b.shop: { script: [call: a.default] }\n"), @r"
    error: no service `b`
     --> shop.yaml:4:23
      |
    4 |   a: { script: [call: b] }
      |                       ^
      |
      = help: it is in namespace `shop`: write `b.shop` to call it from `default`
    ");
}

#[test]
fn a_long_chain_is_checked_in_time() {
    let mut yaml = String::from("services:\n");
    for n in 0..2000 {
        yaml += &format!("  s{n}: {{ script: [call: s{}] }}\n", n + 1);
    }
    yaml += "  s2000:\n";
    load(&yaml);
    let endless = yaml.replace("  s2000:\n", "  s2000: { script: [call: s0] }\n");
    assert!(refused(&endless).contains("never ends"));
}
