//! Faults of the control plane, end to end: what they do, and to whom and when they do nothing.

use super::tests_identity::{failures, fault, nothing_fails, run, run_with, statuses};
use meshquake_reports::RunReport;

/// Two sources call a service, one replica of which dies at 12 s and comes back at 52 s. Who knows of that in time calls
/// the other.
fn one_dies(fault: &str) -> RunReport {
    run(&format!(
        "duration: 60s
mesh: {{ defaults: {{ mtls: strict, retries: 0 }} }}
services:
  shop: {{ replicas: 2 }}
traffic:
  near: {{ to: http://shop, requests: [{{ at: 1s, count: 118, every: 500ms }}] }}
  far: {{ to: http://shop, requests: [{{ at: 1s, count: 118, every: 500ms }}] }}
faults:
  - {{ at: 12s, for: 40s, crash: {{ pod: shop-1 }} }}
{fault}
"
    ))
}

/// Kubernetes notices after a second, and the push takes a moment.
const TOLD: f64 = 13.5;

#[test]
fn without_a_fault_everybody_is_told() {
    let report = one_dies("");
    for source in ["near", "far"] {
        assert!(failures(&report, source, 12.0, TOLD) > 0);
        nothing_fails(&report, source, TOLD, 60.0);
    }
}

#[test]
fn a_control_plane_that_is_down_tells_nothing_and_knows_everything_when_it_is_back() {
    let down = |how: &str| {
        one_dies(&format!(
            "  - {{ at: 10s, for: 15s, control-plane-down: {how} }}"
        ))
    };
    for how in ["{}", "{ how: power-off }", "{ how: freeze }"] {
        let report = down(how);
        for source in ["near", "far"] {
            nothing_fails(&report, source, 0.0, 12.0);
            // Sidecars keep their last configuration, and so the dead endpoint.
            assert!(failures(&report, source, TOLD, 25.0) > 5, "{how}");
            // They come back within their back-off of 30 s at most.
            nothing_fails(&report, source, 57.0, 60.0);
        }
        assert_eq!(
            fault(&report, 1).pods,
            4,
            "{how}: every sidecar is connected"
        );
    }
    let crashed = down("{}");
    assert!(crashed.control_plane.disconnects >= 4);
    assert!(crashed.control_plane.connects >= 8, "and again");
    let told: Vec<&str> = crashed
        .timeline
        .iter()
        .filter(|entry| entry.subject == "istiod")
        .map(|entry| entry.text.as_str())
        .collect();
    assert_eq!(told, ["crashed", "started"]);
}

#[test]
fn the_network_fails_the_control_plane_like_anybody() {
    let cut = one_dies("  - { at: 10s, for: 15s, partition: istiod }");
    let late = one_dies("  - { at: 10s, for: 15s, latency: { add: 8s, to: istiod, from: near } }");
    assert!(failures(&cut, "near", TOLD, 25.0) > 5);
    assert!(failures(&cut, "far", TOLD, 25.0) > 5);
    assert!(failures(&late, "near", TOLD, 20.0) > 3);
    nothing_fails(&late, "near", 30.0, 50.0);
    nothing_fails(&late, "far", TOLD, 60.0);
    assert!(fault(&cut, 1).packets > 0);
}

#[test]
fn a_slow_push_is_late_for_the_chosen_alone() {
    let report = one_dies("  - { at: 10s, for: 5s, slow-push: { delay: 20s, service: far } }");
    nothing_fails(&report, "near", TOLD, 60.0);
    nothing_fails(&report, "far", 0.0, 12.0);
    assert!(failures(&report, "far", TOLD, 33.0) > 8);
    nothing_fails(&report, "far", 33.5, 60.0);
    let fault = fault(&report, 1);
    assert_eq!((fault.pods, fault.requests), (1, 1));
}

#[test]
fn a_partial_push_leaves_the_chosen_out_until_it_heals() {
    let report = one_dies("  - { at: 10s, for: 20s, partial-push: far }");
    nothing_fails(&report, "near", TOLD, 60.0);
    assert!(failures(&report, "far", TOLD, 30.0) > 8);
    nothing_fails(&report, "far", 30.1, 60.0);
    let fault = fault(&report, 1);
    assert_eq!((fault.pods, fault.requests), (1, 1));
}

#[test]
fn a_rejected_push_leaves_the_last_good_configuration() {
    let report = one_dies("  - { at: 10s, for: 20s, rejected-push: far }");
    nothing_fails(&report, "near", TOLD, 60.0);
    nothing_fails(&report, "far", 0.0, 12.0);
    assert!(failures(&report, "far", TOLD, 30.0) > 8);
    nothing_fails(&report, "far", 30.1, 60.0);
    assert_eq!(report.control_plane.nacks, 1);
    let fault = fault(&report, 1);
    assert_eq!((fault.pods, fault.requests), (1, 1));
    let mut nacks = report
        .timeline
        .iter()
        .filter(|entry| entry.text.starts_with("refused"));
    assert_eq!(nacks.next().unwrap().subject, "far");
}

#[test]
fn stale_endpoints_are_heard_of_all_at_once_when_it_heals() {
    let report = one_dies("  - { at: 10s, for: 20s, stale-endpoints: {} }");
    for source in ["near", "far"] {
        nothing_fails(&report, source, 0.0, 12.0);
        assert!(failures(&report, source, TOLD, 30.0) > 8);
        nothing_fails(&report, source, 30.5, 60.0);
    }
    let told = fault(&report, 1);
    assert_eq!((told.pods, told.requests), (1, 1), "one pod's readiness");
    // Of others it hears as ever.
    let other = one_dies("  - { at: 10s, for: 20s, stale-endpoints: { pod: shop-0 } }");
    nothing_fails(&other, "near", TOLD, 60.0);
    assert!(fault(&other, 1).inert);
}

#[test]
fn a_service_without_endpoints_has_nobody_to_answer() {
    let report = run("duration: 60s
services: { shop: {}, bank: {} }
traffic:
  near: { to: http://shop, requests: [{ at: 1s, count: 118, every: 500ms }] }
  far: { to: http://bank, requests: [{ at: 1s, count: 118, every: 500ms }] }
faults:
  - { at: 10s, for: 20s, empty-endpoints: shop }
");
    nothing_fails(&report, "near", 0.0, 10.0);
    let during = statuses(&report, "near", 10.5, 30.0);
    assert!(during.iter().all(|status| *status == 503), "{during:?}");
    assert!(
        report.traffic["near"]
            .flags
            .keys()
            .any(|flags| flags.contains("UH"))
    );
    nothing_fails(&report, "near", 30.5, 60.0);
    nothing_fails(&report, "far", 0.0, 60.0);
    assert_eq!(fault(&report, 0).pods, 1);
}

/// A route to a subset that the same change declares.
const SUBSET: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: shop }
spec:
  hosts: [shop]
  http: [{ route: [{ destination: { host: shop, subset: v1 } }] }]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: shop }
spec:
  host: shop
  subsets: [{ name: v1, labels: { app: shop } }]
";

/// A route to a host that nobody has.
const ASTRAY: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: shop }
spec:
  hosts: [shop]
  http: [{ route: [{ destination: { host: nowhere } }] }]
";

/// Every answer is a 418.
const TEAPOT: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: teapot }
spec:
  hosts: [shop]
  http: [{ directResponse: { status: 418 } }]
";

/// Two sources call a service all the time while the mesh is reconfigured.
fn reconfigured(config: &str, faults: &str) -> RunReport {
    let files = [
        ("subset.yaml", SUBSET),
        ("astray.yaml", ASTRAY),
        ("teapot.yaml", TEAPOT),
    ];
    run_with(
        &files,
        &format!(
            "duration: 60s
mesh: {{ config: [{config}] }}
services: {{ shop: {{}} }}
traffic:
  near: {{ to: http://shop, requests: [{{ at: 1s, count: 118, every: 500ms }}] }}
  far: {{ to: http://shop, requests: [{{ at: 1s, count: 118, every: 500ms }}] }}
faults:
{faults}
"
        ),
    )
}

fn all(report: &RunReport, source: &str, from: f64, to: f64, status: u16) {
    let got = statuses(report, source, from, to);
    assert!(
        !got.is_empty() && got.iter().all(|one| *one == status),
        "{source} from {from} to {to}: {got:?}"
    );
}

#[test]
fn an_accepted_but_wrong_configuration_is_in_force_until_it_is_rolled_back() {
    let report = reconfigured("", "  - { at: 10s, for: 20s, config: astray.yaml }");
    for source in ["near", "far"] {
        all(&report, source, 0.0, 10.0, 200);
        all(&report, source, 10.5, 30.0, 503);
        all(&report, source, 30.5, 60.0, 200);
    }
    assert_eq!(report.control_plane.nacks, 0);
    assert_eq!(
        fault(&report, 0).pods,
        3,
        "the callee's sidecar has routes too"
    );
}

#[test]
fn a_staged_rollout_begins_with_some_and_ends_with_all() {
    let report = reconfigured(
        "",
        "  - { at: 10s, for: 30s, config: { files: astray.yaml, to: far, then-all-after: 10s } }",
    );
    all(&report, "far", 10.5, 40.0, 503);
    all(&report, "near", 0.0, 20.0, 200);
    all(&report, "near", 20.5, 40.0, 503);
    for source in ["near", "far"] {
        all(&report, source, 40.5, 60.0, 200);
    }
    let alone = reconfigured(
        "",
        "  - { at: 10s, for: 30s, config: { files: astray.yaml, to: far } }",
    );
    all(&alone, "far", 10.5, 40.0, 503);
    all(&alone, "near", 0.0, 60.0, 200);
    assert_eq!(fault(&alone, 0).pods, 1);
}

#[test]
fn a_configuration_lies_on_top_of_another_or_takes_its_place() {
    // The rule for a host that was read first wins: on top, nothing changes.
    let both = "  - { at: 10s, for: 20s, config: { files: subset.yaml, replace: true } }";
    let replaced = reconfigured("teapot.yaml", both);
    all(&replaced, "near", 0.0, 10.0, 418);
    all(&replaced, "near", 10.5, 30.0, 200);
    all(&replaced, "near", 30.5, 60.0, 418);
    // Two changes at once lie on each other; each goes when it heals.
    let stacked = reconfigured(
        "",
        "  - { at: 10s, for: 20s, config: astray.yaml }\n  - { at: 15s, for: 25s, config: subset.yaml }",
    );
    all(&stacked, "near", 10.5, 15.0, 503);
    all(&stacked, "near", 15.5, 40.0, 200);
    all(&stacked, "near", 40.5, 60.0, 200);
}

#[test]
fn a_configuration_that_changes_nothing_touches_nothing() {
    let report = reconfigured(
        "teapot.yaml",
        "  - { at: 10s, for: 20s, config: teapot.yaml }",
    );
    all(&report, "near", 0.0, 60.0, 418);
    assert!(fault(&report, 0).inert);
}

#[test]
fn a_configuration_changed_while_the_control_plane_is_down_arrives_when_it_is_back() {
    let report = reconfigured(
        "",
        "  - { at: 5s, for: 10s, control-plane-down: {} }\n  - { at: 10s, config: astray.yaml }",
    );
    all(&report, "near", 0.0, 15.0, 200);
    all(&report, "near", 45.0, 60.0, 503);
}

#[test]
fn routes_before_their_clusters_lead_nowhere_for_a_while() {
    let report = reconfigured(
        "",
        "  - { at: 5s, for: 40s, reordered-push: { service: far, gap: 10s } }\n  - { at: 10s, for: 25s, config: subset.yaml }",
    );
    all(&report, "near", 0.0, 60.0, 200);
    all(&report, "far", 0.0, 10.0, 200);
    all(&report, "far", 10.5, 20.0, 503);
    let flags = &report.traffic["far"].flags;
    assert!(flags.contains_key("NC"), "{flags:?}");
    all(&report, "far", 20.5, 35.0, 200);
    // On the way back the cluster goes before the route that needs it, and the wrong order hurts again.
    all(&report, "far", 35.5, 45.0, 503);
    all(&report, "far", 45.5, 60.0, 200);
    let fault = fault(&report, 0);
    assert_eq!((fault.pods, fault.requests), (1, 2));
}

#[test]
fn nothing_overtakes_a_late_push() {
    // The late news that a replica has died arrives long after it has come back, and the news of its return after that.
    let report = run("duration: 60s
mesh: { defaults: { retries: 0 } }
services: { shop: { replicas: 2 } }
traffic: { far: { to: http://shop, requests: [{ at: 1s, count: 118, every: 500ms }] } }
faults:
  - { at: 10s, for: 5s, slow-push: { delay: 20s, service: far } }
  - { at: 12s, for: 5s, crash: { pod: shop-1 } }
");
    nothing_fails(&report, "far", 18.0, 60.0);
    let scripted = &report.traffic["far"].scripted;
    let late = scripted.iter().filter(|request| request.at_s > 40.0);
    let by_returned = late.filter(|request| request.upstream == "shop-1").count();
    assert!(by_returned > 5, "{by_returned}");
}
