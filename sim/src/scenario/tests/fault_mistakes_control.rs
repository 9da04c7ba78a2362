//! What is said of mistakes in faults of identities and of the control plane.

use super::{load, refused};

const SHOP: &str = "services: { shop: { replicas: 2 }, bank: {}, bare: { sidecar: false } }
traffic:
  friend: { to: \"http://shop/\", rate: 1/s }
";

fn wrong(fault: &str) -> String {
    refused(&format!("{SHOP}faults:\n  - {{ at: 1s, {fault} }}\n"))
}

#[test]
fn good_ones_load() {
    for fault in [
        "ca-down: {}",
        "ca-down: { answer: hang, service: shop }",
        "expired-leaf: { service: shop, after: 5s }",
        "expired-leaf: { share: 50% }",
        "stuck-rotation: shop",
        "ca-rotation: {}",
        "ca-rotation: { overlap: 2m, spread: 10s }",
        "trust-domain: { service: shop, to: new.example }",
        "stolen-identity: { service: friend, of: bank }",
        "wrong-san: { pod: shop-0, account: bank }",
        "plaintext: friend",
        "control-plane-down: {}",
        "control-plane-down: { how: freeze }",
        "slow-push: { delay: 3s }",
        "slow-push: { delay: 3s, random: 1 }",
        "partial-push: { share: 50% }",
        "reordered-push: {}",
        "rejected-push: bank",
        "stale-endpoints: {}",
        "stale-endpoints: shop",
        "empty-endpoints: shop",
        "empty-endpoints: { service: shop.default }",
        "partition: istiod",
    ] {
        load(&format!("{SHOP}faults:\n  - {{ at: 1s, {fault} }}\n"));
    }
}

#[test]
fn a_pod_without_a_sidecar_has_no_identity() {
    insta::assert_snapshot!(wrong("expired-leaf: { service: bare }"), @r"
    error: none of these pods has a sidecar
     --> shop.yaml:7:29
      |
    7 |   - { at: 1s, expired-leaf: { service: bare } }
      |                             ^^^^^^^^^^^^^^^^^
    ");
    insta::assert_snapshot!(wrong("stuck-rotation: brae"), @r"
    error: no pod has the service `brae`
     --> shop.yaml:7:31
      |
    7 |   - { at: 1s, stuck-rotation: brae }
      |                               ^^^^
      |
      = note: there are `bank`, `friend`, `shop`
    ");
    insta::assert_snapshot!(wrong("slow-push: { delay: 1s, service: istiod }"), @r"
    error: no pod has the service `istiod`
     --> shop.yaml:7:48
      |
    7 |   - { at: 1s, slow-push: { delay: 1s, service: istiod } }
      |                                                ^^^^^^
      |
      = note: there are `bank`, `friend`, `shop`
    ");
}

#[test]
fn a_ca_that_answers_in_an_unknown_way() {
    insta::assert_snapshot!(wrong("ca-down: { answer: hangs }"), @r"
    error: unknown value `hangs`
     --> shop.yaml:7:34
      |
    7 |   - { at: 1s, ca-down: { answer: hangs } }
      |                                  ^^^^^
      |
      = help: did you mean `hang`?
      = note: valid here: `refuse`, `hang`
    ");
}

#[test]
fn an_overlap_that_is_too_short() {
    insta::assert_snapshot!(wrong("ca-rotation: { overlap: 1m }"), @r"
    error: the old root would go before everybody has a certificate of the new one
     --> shop.yaml:7:39
      |
    7 |   - { at: 1s, ca-rotation: { overlap: 1m } }
      |                                       ^^
      |
      = help: both roots, then certificates, take 1m each to reach everybody: 2m at least
    ");
    insta::assert_snapshot!(wrong("ca-rotation: { spread: 0s }"), @r"
    error: no change reaches everybody in no time
     --> shop.yaml:7:38
      |
    7 |   - { at: 1s, ca-rotation: { spread: 0s } }
      |                                      ^^
    ");
    insta::assert_snapshot!(wrong("for: 5s, ca-rotation: {}"), @r"
    error: a rotation ends when everybody trusts the new root alone
     --> shop.yaml:7:20
      |
    7 |   - { at: 1s, for: 5s, ca-rotation: {} }
      |                    ^^
      |
      = help: `overlap` and `spread` say how long that takes
    ");
}

#[test]
fn a_trust_domain_that_is_none() {
    insta::assert_snapshot!(wrong("trust-domain: { service: shop, to: New }"), @r"
    error: `New` is not a trust domain
     --> shop.yaml:7:50
      |
    7 |   - { at: 1s, trust-domain: { service: shop, to: New } }
      |                                                  ^^^
      |
      = help: lower-case letters, digits, dots, dashes and underscores, such as `new.example`
    ");
    insta::assert_snapshot!(wrong("trust-domain: { service: shop, to: cluster.local }"), @r"
    error: `cluster.local` is the trust domain as it is
     --> shop.yaml:7:50
      |
    7 |   - { at: 1s, trust-domain: { service: shop, to: cluster.local } }
      |                                                  ^^^^^^^^^^^^^
    ");
    insta::assert_snapshot!(wrong("trust-domain: { service: shop }"), @r"
    error: the field `to` is missing
     --> shop.yaml:7:29
      |
    7 |   - { at: 1s, trust-domain: { service: shop } }
      |                             ^^^^^^^^^^^^^^^^^^
    ");
}

#[test]
fn an_identity_that_cannot_be_stolen() {
    insta::assert_snapshot!(wrong("stolen-identity: { service: friend, of: bnak }"), @r"
    error: nobody with a sidecar is, or runs as, `bnak`
     --> shop.yaml:7:55
      |
    7 |   - { at: 1s, stolen-identity: { service: friend, of: bnak } }
      |                                                       ^^^^
      |
      = help: did you mean `bank`?
    ");
    insta::assert_snapshot!(wrong("stolen-identity: { pod: shop-0, of: shop }"), @r"
    error: `shop-0` has this identity by right
     --> shop.yaml:7:51
      |
    7 |   - { at: 1s, stolen-identity: { pod: shop-0, of: shop } }
      |                                                   ^^^^
    ");
    insta::assert_snapshot!(wrong("wrong-san: { service: shop, account: a/b }"), @r"
    error: `a/b` cannot be a service account
     --> shop.yaml:7:52
      |
    7 |   - { at: 1s, wrong-san: { service: shop, account: a/b } }
      |                                                    ^^^
    ");
}

#[test]
fn a_right_name_is_not_a_wrong_one() {
    insta::assert_snapshot!(wrong("wrong-san: { service: shop, account: shop }"), @r"
    error: `shop` is the right name of `shop-0`
     --> shop.yaml:7:52
      |
    7 |   - { at: 1s, wrong-san: { service: shop, account: shop } }
      |                                                    ^^^^
    ");
}

#[test]
fn a_push_that_is_not_delayed() {
    insta::assert_snapshot!(wrong("slow-push: { delay: 0s }"), @r"
    error: no time is no delay
     --> shop.yaml:7:35
      |
    7 |   - { at: 1s, slow-push: { delay: 0s } }
      |                                   ^^
    ");
    insta::assert_snapshot!(wrong("slow-push: { service: shop }"), @r"
    error: the field `delay` is missing
     --> shop.yaml:7:26
      |
    7 |   - { at: 1s, slow-push: { service: shop } }
      |                          ^^^^^^^^^^^^^^^^^^
    ");
    insta::assert_snapshot!(wrong("reordered-push: { gap: 0s }"), @r"
    error: no time is no delay
     --> shop.yaml:7:38
      |
    7 |   - { at: 1s, reordered-push: { gap: 0s } }
      |                                      ^^
    ");
    insta::assert_snapshot!(wrong("ramp: 5s, slow-push: { delay: 3s }"), @r"
    error: this kind of fault has no strength that could grow
     --> shop.yaml:7:21
      |
    7 |   - { at: 1s, ramp: 5s, slow-push: { delay: 3s } }
      |                     ^^
      |
      = help: `latency`, `loss`, `slow`, `errors` and `load` have
    ");
}

#[test]
fn an_outage_of_an_unknown_kind() {
    insta::assert_snapshot!(wrong("control-plane-down: { how: crashed }"), @r"
    error: unknown value `crashed`
     --> shop.yaml:7:42
      |
    7 |   - { at: 1s, control-plane-down: { how: crashed } }
      |                                          ^^^^^^^
      |
      = help: did you mean `crash`?
      = note: valid here: `crash`, `power-off`, `freeze`
    ");
    insta::assert_snapshot!(wrong("control-plane-down: istiod"), @r"
    error: expected a mapping, found `istiod`
     --> shop.yaml:7:35
      |
    7 |   - { at: 1s, control-plane-down: istiod }
      |                                   ^^^^^^
    ");
}

#[test]
fn endpoints_of_an_unknown_service() {
    insta::assert_snapshot!(wrong("empty-endpoints: shpo"), @r"
    error: no service is called `shpo`
     --> shop.yaml:7:32
      |
    7 |   - { at: 1s, empty-endpoints: shpo }
      |                                ^^^^
      |
      = help: did you mean `shop`?
    ");
    insta::assert_snapshot!(wrong("stale-endpoints: friend"), @r"
    error: no pod has the service `friend`
     --> shop.yaml:7:32
      |
    7 |   - { at: 1s, stale-endpoints: friend }
      |                                ^^^^^^
      |
      = note: there are `bank`, `bare`, `shop`
    ");
}

/// What is said of a scenario with files beside it.
fn with_files(files: &[(&str, &str)], fault: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    let yaml = format!("{}{SHOP}faults:\n  - {{ at: 1s, {fault} }}\n", super::HEAD);
    let source = mesh_core::document::Source::new("shop.yaml", &yaml);
    let overrides = crate::scenario::Overrides::default();
    let loaded = crate::scenario::load::load_source(&source, directory.path(), "shop", &overrides);
    let errors = loaded.expect_err("this loads");
    let shown = super::shown(&errors);
    let place = format!("{}/", directory.path().display());
    shown.replace(&place, "")
}

#[test]
fn a_configuration_that_cannot_be_put_in_force() {
    let route = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: shop }
spec: { hosts: [shop], http: [{ route: [{ destination: { hots: shop } }] }] }
";
    let manifest = "{ apiVersion: v1, kind: Service, metadata: { name: x } }";
    let files = [("route.yaml", route), ("manifest.yaml", manifest)];
    insta::assert_snapshot!(with_files(&files, "config: route.yaml"), @r"
    error: this destination has no `host`
     --> route.yaml:5:56
      |
    5 | spec: { hosts: [shop], http: [{ route: [{ destination: { hots: shop } }] }] }
      |                                                        ^^^^^^^^^^^^^^
      |
     ::: shop.yaml:7:23
      |
    7 |   - { at: 1s, config: route.yaml }
      |                       ---------- put in force here
    ");
    insta::assert_snapshot!(with_files(&files, "config: rout.yaml"), @r"
    error: cannot read `rout.yaml`: No such file or directory (os error 2)
     --> shop.yaml:7:23
      |
    7 |   - { at: 1s, config: rout.yaml }
      |                       ^^^^^^^^^ named here
      |
      = help: there is a `route.yaml` beside it
    ");
    insta::assert_snapshot!(with_files(&files, "config: manifest.yaml"), @r"
    error: this is no configuration of the mesh
     --> manifest.yaml:1:1
      |
    1 | { apiVersion: v1, kind: Service, metadata: { name: x } }
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
     ::: shop.yaml:7:23
      |
    7 |   - { at: 1s, config: manifest.yaml }
      |                       ------------- put in force here
    ");
    insta::assert_snapshot!(with_files(&files, "config: { replace: true }"), @r"
    error: the field `files` is missing
     --> shop.yaml:7:23
      |
    7 |   - { at: 1s, config: { replace: true } }
      |                       ^^^^^^^^^^^^^^^^^^
    ");
}

#[test]
fn a_rollout_that_has_no_stages() {
    let files = [(
        "route.yaml",
        "{ apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: { name: shop }, spec: { host: shop } }",
    )];
    insta::assert_snapshot!(with_files(&files, "config: { files: route.yaml, then-all-after: 5s }"), @r"
    error: everybody gets it at once
     --> shop.yaml:7:60
      |
    7 |   - { at: 1s, config: { files: route.yaml, then-all-after: 5s } }
      |                                                            ^^
      |
      = help: say who gets it first, such as `to: { share: 10% }`
    ");
    insta::assert_snapshot!(with_files(&files, "for: 9s, config: { files: route.yaml, to: shop, then-all-after: 9s }"), @r"
    error: the fault is over by then, after 9s
     --> shop.yaml:7:79
      |
    7 |   - { at: 1s, for: 9s, config: { files: route.yaml, to: shop, then-all-after: 9s } }
      |                                                                               ^^
    ");
    insta::assert_snapshot!(with_files(&files, "config: { files: route.yaml, to: bare }"), @r"
    error: none of these pods has a sidecar
     --> shop.yaml:7:48
      |
    7 |   - { at: 1s, config: { files: route.yaml, to: bare } }
      |                                                ^^^^
    ");
}

/// The files that a fault names decide what a run is.
#[test]
fn the_files_of_a_fault_are_part_of_the_fingerprint() {
    let rule = |host: &str| {
        format!(
            "{{ apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {{ name: shop }}, spec: {{ host: {host} }} }}"
        )
    };
    let fingerprint = |host: &str| {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("rule.yaml"), rule(host)).unwrap();
        let yaml = format!(
            "{}{SHOP}faults:\n  - {{ at: 1s, config: rule.yaml }}\n",
            super::HEAD
        );
        let source = mesh_core::document::Source::new("shop.yaml", &yaml);
        let overrides = crate::scenario::Overrides::default();
        let loaded =
            crate::scenario::load::load_source(&source, directory.path(), "shop", &overrides);
        loaded.unwrap().plan.fingerprint
    };
    assert_eq!(fingerprint("shop"), fingerprint("shop"));
    assert_ne!(fingerprint("shop"), fingerprint("bank"));
}
