//! Faults of identities, end to end: what they do, and to whom and when they do nothing.
//!
//! A handshake is made once and its connection serves many requests, so each of these calls some service for the first
//! time while the fault is in force, and another that it has called before.

use meshquake_reports::{FaultReport, RunReport};

use crate::scenario::{Overrides, load};
use crate::world::{RunOptions, run as simulate};

/// Runs a scenario, from its `duration` on.
pub(super) fn run(yaml: &str) -> RunReport {
    run_with(&[], yaml)
}

/// Runs a scenario with files beside it.
pub(super) fn run_with(files: &[(&str, &str)], yaml: &str) -> RunReport {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    let path = directory.path().join("scenario.yaml");
    std::fs::write(&path, format!("meshquake: v1\n{yaml}")).unwrap();
    let loaded = load(&path, &Overrides::default()).unwrap_or_else(|errors| {
        let shown: Vec<String> = errors.iter().map(|error| error.render(false)).collect();
        panic!("{}", shown.join("\n\n"))
    });
    simulate(&loaded.plan, RunOptions::default()).unwrap()
}

pub(super) fn fault(report: &RunReport, index: usize) -> &FaultReport {
    &report.faults[index]
}

/// What scripted requests of a source that were sent in `from..to` (seconds) were answered; 0 is no answer.
pub(super) fn statuses(report: &RunReport, source: &str, from: f64, to: f64) -> Vec<u16> {
    let scripted = report.traffic[source].scripted.iter();
    let within = scripted.filter(|request| (from..to).contains(&request.at_s));
    within.map(|request| request.status.unwrap_or(0)).collect()
}

/// How many of them were no 200.
pub(super) fn failures(report: &RunReport, source: &str, from: f64, to: f64) -> usize {
    let all = statuses(report, source, from, to);
    all.iter().filter(|status| **status != 200).count()
}

#[track_caller]
pub(super) fn nothing_fails(report: &RunReport, source: &str, from: f64, to: f64) {
    let all = statuses(report, source, from, to);
    assert!(!all.is_empty());
    assert!(
        all.iter().all(|status| *status == 200),
        "{source} from {from} s to {to} s: {all:?}"
    );
}

/// The answer to the one request of `source` at this second.
#[track_caller]
fn at(report: &RunReport, source: &str, second: u32) -> u16 {
    let second = f64::from(second);
    let all = statuses(report, source, second - 0.1, second + 0.1);
    assert_eq!(all.len(), 1, "requests at {second} s");
    all[0]
}

/// A source calls `old` at once and again later, and everybody else for the first time in the fault's time (10 s to 30 s)
/// and again after it.
fn first_calls(more: &str, faults: &str) -> RunReport {
    run(&format!(
        "duration: 60s
mesh: {{ defaults: {{ mtls: strict, retries: 0 {more} }} }}
services: {{ old: {{}}, chosen: {{}}, other: {{}} }}
traffic:
  probe:
    to: http://old
    requests:
      - {{ at: 1s }}
      - {{ at: 20s }}
      - {{ at: 21s, to: http://chosen }}
      - {{ at: 22s, to: http://other }}
      - {{ at: 50s }}
      - {{ at: 51s, to: http://chosen }}
      - {{ at: 52s, to: http://other }}
faults:
{faults}
"
    ))
}

/// Old connections live, new ones to `chosen` fail, and those to others do not; all is well in the end.
#[track_caller]
fn only_new_connections_to_the_chosen_fail(report: &RunReport) {
    assert_eq!(at(report, "probe", 1), 200);
    assert_eq!(at(report, "probe", 20), 200, "an old connection");
    assert_eq!(at(report, "probe", 21), 503, "a new one to the chosen");
    assert_eq!(at(report, "probe", 22), 200, "a new one to another");
    for second in [50, 51, 52] {
        assert_eq!(at(report, "probe", second), 200, "after the fault");
    }
    let flags = &report.traffic["probe"].flags;
    assert!(flags.keys().any(|flag| flag.ends_with("UF")), "{flags:?}");
}

#[test]
fn without_a_fault_nothing_fails() {
    let report = first_calls("", "  []");
    nothing_fails(&report, "probe", 0.0, 60.0);
}

#[test]
fn an_expired_leaf_fails_new_handshakes_until_it_is_renewed() {
    let report = first_calls(
        "",
        "  - { at: 10s, for: 20s, expired-leaf: { pod: \"[oc][lh]*\" } }",
    );
    only_new_connections_to_the_chosen_fail(&report);
    let fault = fault(&report, 0);
    assert_eq!(fault.pods, 2);
    assert_eq!(fault.requests, 1, "the handshake that failed");
    // It ends as late as it is told to.
    let later = first_calls(
        "",
        "  - { at: 10s, for: 20s, expired-leaf: { service: chosen, after: 15s } }",
    );
    nothing_fails(&later, "probe", 0.0, 60.0);
    assert!(!later.faults[0].inert);
}

#[test]
fn an_expired_certificate_of_a_client_is_refused_by_its_servers() {
    let report = first_calls(
        "",
        "  - { at: 10s, for: 20s, expired-leaf: { service: probe } }",
    );
    assert_eq!(at(&report, "probe", 20), 200, "an old connection");
    assert_eq!(at(&report, "probe", 21), 503);
    assert_eq!(at(&report, "probe", 22), 503);
    nothing_fails(&report, "probe", 40.0, 60.0);
}

/// Certificates of 40 s, renewed after 20 s, made at -10 s.
const SHORT: &str = ", certificate-lifetime: 40s";

#[test]
fn a_pod_that_does_not_renew_ends_with_its_certificate() {
    // The first renewal is due at 10 s; the certificate ends at 30 s.
    let stuck = |pods: &str| {
        run(&format!(
            "duration: 80s
mesh: {{ defaults: {{ mtls: strict, retries: 0 {SHORT} }} }}
services: {{ old: {{}}, chosen: {{}}, other: {{}} }}
traffic:
  probe:
    to: http://old
    requests:
      - {{ at: 1s }}
      - {{ at: 35s }}
      - {{ at: 36s, to: http://chosen }}
      - {{ at: 37s, to: http://other }}
      - {{ at: 70s, to: http://chosen }}
faults: [{{ at: 5s, for: 45s, stuck-rotation: {pods} }}]
"
        ))
    };
    let report = stuck("{ pod: \"[oc][lh]*\" }");
    assert_eq!(at(&report, "probe", 35), 200, "an old connection");
    assert_eq!(at(&report, "probe", 36), 503);
    assert_eq!(at(&report, "probe", 37), 200);
    assert_eq!(at(&report, "probe", 70), 200, "renewed when it healed");
    assert_eq!((report.faults[0].pods, report.faults[0].requests), (2, 2));
}

#[test]
fn a_ca_that_is_down_lets_certificates_end() {
    // As above, but for everybody, or for those who were chosen.
    for (part, everybody) in [
        ("{}", true),
        ("{ answer: hang }", true),
        ("{ service: chosen }", false),
    ] {
        let report = run(&format!(
            "duration: 100s
mesh: {{ defaults: {{ mtls: strict, retries: 0 {SHORT} }} }}
services: {{ old: {{}}, chosen: {{}}, other: {{}} }}
traffic:
  probe:
    to: http://old
    requests:
      - {{ at: 1s }}
      - {{ at: 35s }}
      - {{ at: 36s, to: http://chosen }}
      - {{ at: 37s, to: http://other }}
      - {{ at: 90s, to: http://chosen }}
      - {{ at: 91s, to: http://other }}
faults: [{{ at: 5s, for: 45s, ca-down: {part} }}]
"
        ));
        assert_eq!(at(&report, "probe", 35), 200, "an old connection");
        assert_eq!(at(&report, "probe", 36), 503, "{part}");
        assert_eq!(at(&report, "probe", 37), if everybody { 503 } else { 200 });
        nothing_fails(&report, "probe", 80.0, 100.0);
        let fault = &report.faults[0];
        assert_eq!(fault.pods, if everybody { 4 } else { 1 }, "{part}");
        let hangs = part.contains("hang");
        assert_eq!(fault.requests == fault.pods, hangs, "who hangs asks once");
        assert_eq!(report.control_plane.svids_refused > 0, !hangs);
    }
}

#[test]
fn a_pod_that_starts_while_the_ca_is_down_is_not_ready() {
    let restarted = |fault: &str| {
        let report = run(&format!(
            "duration: 60s
services: {{ old: {{}} }}
faults:
  - {{ at: 10s, restart: {{ pod: old-0 }} }}
{fault}
"
        ));
        let mut ready = report.timeline.iter().filter(|entry| entry.text == "ready");
        ready.next().map(|entry| entry.at_s)
    };
    assert!(restarted("").unwrap() < 12.0);
    let late = restarted("  - { at: 5s, for: 25s, ca-down: {} }").unwrap();
    // It asks again within 15 s: 10 s, and as much as half of that by chance.
    assert!((30.0..45.5).contains(&late), "{late}");
}

/// Eight services, each called for the first time in the middle of a rotation and again after it.
fn rotation(part: &str) -> RunReport {
    let names: Vec<String> = (0..8).map(|n| format!("s{n}")).collect();
    let services: Vec<String> = names.iter().map(|name| format!("{name}: {{}}")).collect();
    let call = |at: usize, name: &String| format!("{{ at: {at}s, to: \"http://{name}\" }}");
    let mut calls: Vec<String> = vec![
        "{ at: 1s, to: \"http://old\" }".into(),
        "{ at: 25s, to: \"http://old\" }".into(),
    ];
    calls.extend(names.iter().enumerate().map(|(n, name)| call(30 + n, name)));
    calls.extend(
        names
            .iter()
            .enumerate()
            .map(|(n, name)| call(140 + n, name)),
    );
    run(&format!(
        "duration: 150s
mesh: {{ defaults: {{ mtls: strict, retries: 0 }} }}
services: {{ old: {{}}, {} }}
traffic: {{ probe: {{ to: http://old, requests: [{}] }} }}
faults: [{{ at: 10s, ca-rotation: {part} }}]
",
        services.join(", "),
        calls.join(", "),
    ))
}

#[test]
fn a_ca_rotated_without_overlap_splits_the_mesh_for_a_while() {
    let report = rotation("{ spread: 40s }");
    let during = failures(&report, "probe", 30.0, 38.0);
    assert!((1..8).contains(&during), "{during} of 8");
    assert_eq!(at(&report, "probe", 25), 200, "an old connection");
    nothing_fails(&report, "probe", 140.0, 150.0);
    let fault = fault(&report, 0);
    assert_eq!(fault.pods, 10, "every sidecar");
    assert_eq!(fault.over_s, Some(40.0));
    assert_eq!(report.control_plane.svids_rotated, 10);
}

#[test]
fn a_ca_rotated_with_overlap_is_not_noticed() {
    let report = rotation("{ overlap: 80s, spread: 40s }");
    nothing_fails(&report, "probe", 0.0, 150.0);
    let fault = fault(&report, 0);
    assert_eq!((fault.pods, fault.over_s), (10, Some(120.0)));
    assert_eq!(report.control_plane.svids_rotated, 10);
}

#[test]
fn pods_start_in_a_rotated_mesh() {
    let report = run("duration: 60s
mesh: { defaults: { mtls: strict, retries: 0 } }
services: { old: {} }
traffic: { probe: { to: http://old, requests: [{ at: 1s }, { at: 50s }] } }
faults:
  - { at: 5s, ca-rotation: { spread: 5s } }
  - { at: 20s, restart: { pod: old-0 } }
");
    nothing_fails(&report, "probe", 0.0, 60.0);
}

#[test]
fn another_trust_domain_is_a_stranger() {
    let report = first_calls(
        "",
        "  - { at: 10s, for: 20s, trust-domain: { pod: \"[oc][lh]*\", to: new.example } }",
    );
    only_new_connections_to_the_chosen_fail(&report);
    assert_eq!((report.faults[0].pods, report.faults[0].requests), (2, 1));
}

#[test]
fn a_server_of_another_name_is_not_whom_one_meant_to_call() {
    let report = first_calls(
        "",
        "  - { at: 10s, for: 20s, wrong-san: { pod: \"[oc][lh]*\" } }",
    );
    only_new_connections_to_the_chosen_fail(&report);
    assert_eq!((report.faults[0].pods, report.faults[0].requests), (2, 1));
}

const FRIENDS_ONLY: &str = "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: friends }
spec:
  rules: [{ from: [{ source: { principals: [\"*/sa/friend\"] } }] }]
";

#[test]
fn a_stolen_identity_opens_doors() {
    let report = run_with(
        &[("friends.yaml", FRIENDS_ONLY)],
        "duration: 60s
mesh: { config: [friends.yaml], defaults: { mtls: strict } }
services: { shop: {} }
traffic:
  friend: { to: http://shop, requests: [{ at: 1s }, { at: 15s }] }
  thief: { to: http://shop, requests: [{ at: 1s }, { at: 15s }, { at: 45s }] }
  stranger: { to: http://shop, requests: [{ at: 1s }, { at: 15s }, { at: 45s }] }
faults: [{ at: 10s, for: 20s, stolen-identity: { service: thief, of: friend } }]
",
    );
    nothing_fails(&report, "friend", 0.0, 60.0);
    let seen = |source: &str| statuses(&report, source, 0.0, 60.0);
    assert_eq!(seen("thief"), [403, 200, 403]);
    assert_eq!(seen("stranger"), [403, 403, 403]);
    let fault = fault(&report, 0);
    assert_eq!((fault.pods, fault.requests), (1, 1));
}

#[test]
fn plain_text_is_refused_where_mutual_tls_is_demanded() {
    let intruder = |mode: &str| {
        run(&format!(
            "duration: 60s
mesh: {{ defaults: {{ mtls: {mode} }} }}
services: {{ shop: {{}} }}
traffic:
  honest: {{ to: http://shop, requests: [{{ at: 1s }}, {{ at: 15s }}, {{ at: 45s }}] }}
  intruder: {{ to: http://shop, requests: [{{ at: 1s }}, {{ at: 15s }}, {{ at: 45s }}] }}
faults: [{{ at: 10s, for: 20s, plaintext: intruder }}]
"
        ))
    };
    let strict = intruder("strict");
    nothing_fails(&strict, "honest", 0.0, 60.0);
    assert_eq!(statuses(&strict, "intruder", 0.0, 60.0), [200, 0, 200]);
    assert_eq!(strict.mechanisms["plaintext_refused"], 1);
    assert_eq!((strict.faults[0].pods, strict.faults[0].requests), (1, 1));
    let permissive = intruder("permissive");
    nothing_fails(&permissive, "honest", 0.0, 60.0);
    nothing_fails(&permissive, "intruder", 0.0, 60.0);
    let plain = permissive.services[0].inbound.mtls.unwrap();
    assert!((plain - 5.0 / 6.0).abs() < 1e-9, "{plain}");
}

/// Runs every scenario of a page of the documentation; blocks that begin with the name of a file are put beside it.
fn runs_as_documented(page: &str) {
    let pages = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/faults/");
    let page = std::fs::read_to_string(format!("{pages}{page}")).unwrap();
    let blocks = page.split("```yaml\n").skip(1);
    let blocks = blocks.map(|rest| rest.split("```").next().unwrap());
    let mut files: Vec<(&str, &str)> = Vec::new();
    let mut ran = 0;
    for block in blocks {
        if let Some(named) = block.strip_prefix("# ") {
            files.push((named.lines().next().unwrap(), block));
            continue;
        }
        let report = run_with(&files, block.strip_prefix("meshquake: v1\n").unwrap());
        assert!(
            report.failures.is_empty(),
            "{block}\n{:#?}",
            report.failures
        );
        ran += 1;
    }
    assert!(ran >= 8, "{ran}");
}

#[test]
fn every_documented_fault_of_identities_does_what_is_said() {
    runs_as_documented("identity.md");
}

#[test]
fn every_documented_fault_of_the_control_plane_does_what_is_said() {
    runs_as_documented("control-plane.md");
}

#[test]
fn at_hour_24_old_connections_live_and_new_ones_fail() {
    let incident = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../scenarios/incidents/certificate-expiry/certificate-expiry-"
    );
    let report = |which: &str| {
        let path = format!("{incident}{which}.yaml");
        let loaded = load(path.as_ref(), &Overrides::default()).unwrap();
        simulate(&loaded.plan, RunOptions::default()).unwrap()
    };
    let fragile = report("fragile");
    let hour = 3600.0;
    assert_eq!(fragile.traffic["shoppers"].failed, 0, "old connections");
    nothing_fails(&fragile, "jobs", 0.0, 24.0 * hour);
    let ended = statuses(&fragile, "jobs", 24.0 * hour, 27.0 * hour);
    assert_eq!(ended, [503, 503], "new connections");
    nothing_fails(&fragile, "jobs", 28.0 * hour, 30.0 * hour);
    assert!(report("resilient").failures.is_empty());
}
