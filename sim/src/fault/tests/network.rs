//! Packets and names.
//!
//! Without a fault a request takes four times 250 µs: client to `web`, `web`
//! to `db`, and back. `side` calls `idle`, which no fault is about.

use super::{failed, fastest, fault, run, slowest};

const WORLD: &str = r#"
services:
  web: { replicas: 2, script: [ { call: { service: "db:8080", timeout: 400ms } } ] }
  db: { replicas: 2, ports: [8080, 9090] }
  idle: {}
traffic:
  shop: { to: "http://web:8080/", rate: 40/s }
  side: { to: "http://idle:8080/", rate: 20/s }
"#;

fn with(fault: &str) -> meshquake_reports::RunReport {
    run(
        "6s",
        &format!("{WORLD}faults:\n  - {{ name: f, {fault} }}\n"),
    )
}

/// No request of `shop` outside the seconds from 2 to 4 failed, and none of `side` at all.
#[track_caller]
fn only_in_its_window(report: &meshquake_reports::RunReport) {
    let shop = failed(report, "shop");
    assert_eq!(shop[0] + shop[1] + shop[5], 0, "{shop:?}");
    assert_eq!(failed(report, "side").iter().sum::<u64>(), 0);
    assert!(slowest(report, "side", 0.0, 6.0) < 0.6);
}

#[test]
fn latency_is_added_inside_its_edge_and_its_window() {
    let report = with("at: 2s, for: 2s, latency: { add: 10ms, from: web, to: db }");
    only_in_its_window(&report);
    // There and back: 20 ms more than 1 ms.
    assert!((fastest(&report, "shop", 2.0, 3.9) - 21.0).abs() < 0.1);
    assert!((slowest(&report, "shop", 0.5, 2.0) - 1.0).abs() < 0.05);
    assert!((slowest(&report, "shop", 4.1, 6.0) - 1.0).abs() < 0.05);
    // Two packets of data and two acknowledgements for each of some 80 requests.
    let packets = fault(&report, "f").packets;
    assert!((160..700).contains(&packets), "{packets}");
}

#[test]
fn one_way_latency_counts_once() {
    let report = with("at: 2s, for: 2s, latency: { add: 10ms, from: web, to: db, one-way: true }");
    assert!((fastest(&report, "shop", 2.0, 3.9) - 11.0).abs() < 0.1);
}

#[test]
fn latency_that_grows_is_not_there_at_once() {
    let report = with("at: 2s, for: 3s, ramp: 2s, latency: { add: 40ms, from: web, to: db }");
    let early = slowest(&report, "shop", 2.0, 2.2);
    let middle = slowest(&report, "shop", 2.9, 3.1);
    let late = slowest(&report, "shop", 4.2, 4.9);
    assert!(early < 12.0, "{early}");
    assert!((35.0..47.0).contains(&middle), "{middle}");
    assert!((late - 81.0).abs() < 0.5, "{late}");
}

#[test]
fn loss_comes_late_and_not_elsewhere() {
    let report = with("at: 2s, for: 2s, loss: { rate: 30%, from: web, to: db }");
    only_in_its_window(&report);
    // A lost segment of data costs a retransmission timeout of at least 200 ms.
    let series = &report.traffic["shop"].series;
    let late = series.p99_ms.iter().flatten().filter(|p99| **p99 > 200.0);
    assert!(late.count() >= 5);
    assert!(fault(&report, "f").packets > 20);
}

#[test]
fn a_narrow_link_delays_what_is_big() {
    let body = r#"
services:
  web: { response-size: 100KiB }
traffic:
  shop: { to: "http://web:8080/", rate: 2/s }
faults:
  - { name: f, at: 2s, for: 2s, bandwidth: { limit: 8Mbit/s, service: web } }
"#;
    let report = run("6s", body);
    // 102 400 bytes and their headers at one byte a microsecond, after a round trip or two.
    let narrow = fastest(&report, "shop", 2.0, 3.9);
    assert!((103.0..115.0).contains(&narrow), "{narrow}");
    assert!(slowest(&report, "shop", 0.0, 2.0) < 5.0);
    assert!(slowest(&report, "shop", 4.1, 6.0) < 5.0);
}

#[test]
fn a_partition_and_a_blackhole_are_silent_and_heal() {
    for kind in ["partition", "blackhole"] {
        let report = with(&format!("at: 2s, for: 1s, {kind}: {{ from: web, to: db }}"));
        only_in_its_window(&report);
        let shop = failed(&report, "shop");
        assert!(shop[2] >= 35, "{kind}: {shop:?}");
        assert!(fault(&report, "f").packets > 0);
    }
}

#[test]
fn a_partition_of_one_direction_stops_answers_only() {
    let report = with("at: 2s, for: 1s, partition: { from: db, to: web, one-way: true }");
    only_in_its_window(&report);
    assert!(failed(&report, "shop")[2] >= 35);
    // The requests arrived: the work was done for nothing.
    let db = report.services.iter().find(|s| s.name == "db").unwrap();
    assert!(db.requests >= 230, "{}", db.requests);
}

#[test]
fn isolated_pods_do_not_reach_each_other() {
    let body = r#"
services:
  web: { script: [ { call: { service: db, timeout: 200ms } } ], zone: a }
  db: { zone: a }
  far: { zone: b }
topology: { zones: [a, b] }
traffic:
  shop: { to: "http://web:8080/", rate: 20/s, zone: a, timeout: 500ms }
faults:
"#;
    let zone = run(
        "4s",
        &format!("{body}  - {{ at: 1s, for: 1s, partition: {{ zone: a }} }}\n"),
    );
    // Everything is in zone a, and a partition leaves a zone whole.
    assert_eq!(failed(&zone, "shop").iter().sum::<u64>(), 0);
    let alone = run(
        "4s",
        &format!("{body}  - {{ at: 1s, for: 1s, isolate: {{ service: db }} }}\n"),
    );
    assert!(failed(&alone, "shop")[1] >= 15);
    let both = run(
        "4s",
        &format!("{body}  - {{ at: 1s, for: 1s, isolate: {{ zone: a }} }}\n"),
    );
    assert!(failed(&both, "shop")[1] >= 15);
    assert_eq!(failed(&both, "shop")[0] + failed(&both, "shop")[3], 0);
}

#[test]
fn resets_break_what_stands_and_refusals_only_what_begins() {
    let reset = with("at: 2s, for: 1s, reset: { from: web, to: db }");
    only_in_its_window(&reset);
    assert!(failed(&reset, "shop")[2] >= 30);
    // The connections of the sidecars stand since the beginning: nobody is refused.
    let refuse = with("at: 2s, for: 1s, refuse: { from: web, to: db }");
    assert_eq!(failed(&refuse, "shop").iter().sum::<u64>(), 0);
    assert!(fault(&refuse, "f").inert);
    assert!(!refuse.held());
    // A pod that starts meanwhile has to connect, and cannot.
    let body = format!(
        "{WORLD}faults:\n  - {{ name: f, at: 2s, for: 3s, refuse: {{ from: web, to: db }} }}\n  - {{ at: 2100ms, restart: web }}\n"
    );
    let fresh = run("6s", &body);
    assert!(failed(&fresh, "shop")[3] > 30);
    assert!(!fault(&fresh, "f").inert);
    let code = &fresh
        .edges
        .iter()
        .find(|e| e.from == "web" && e.to == "db")
        .unwrap()
        .flags;
    assert!(code.keys().any(|flags| flags.contains("UF")), "{code:?}");
}

#[test]
fn half_open_connections_are_noticed_by_nobody() {
    let report = with("at: 2s, half-open: { from: web, to: db }");
    let shop = failed(&report, "shop");
    assert_eq!((shop[0], shop[1]), (0, 0));
    // Nothing tells the sidecars: requests go on to be sent into the void, and time out.
    assert!(shop[2] + shop[3] >= 60, "{shop:?}");
    assert_eq!(failed(&report, "side").iter().sum::<u64>(), 0);
}

#[test]
fn a_port_narrows_a_fault() {
    let other = with("at: 2s, for: 1s, partition: { from: web, to: db, port: 9090 }");
    assert_eq!(failed(&other, "shop").iter().sum::<u64>(), 0);
    assert!(fault(&other, "f").inert);
    let this = with("at: 2s, for: 1s, partition: { from: web, to: db, port: 8080 }");
    assert!(failed(&this, "shop")[2] >= 35);
}

#[test]
fn names_are_asked_for_by_new_connections_only() {
    // An app keeps its connection to its sidecar, so only an app that starts anew asks again.
    let world = WORLD.replace("replicas: 2, script", "replicas: 1, script");
    for (answer, flags) in [
        ("nxdomain", true),
        ("empty", true),
        ("slow, delay: 5s", false),
    ] {
        let faults = format!(
            "faults:\n  - {{ name: f, at: 2s, for: 2500ms, dns: {{ from: web, host: \"db*\", answer: {answer} }} }}\n  - {{ at: 2s, restart: web }}\n"
        );
        let report = run("7s", &format!("{world}{faults}"));
        let shop = failed(&report, "shop");
        assert_eq!((shop[0], shop[1]), (0, 0));
        assert!(shop[3] + shop[4] >= 35, "{answer}: {shop:?}");
        assert_eq!(shop[6], 0, "{answer}: {shop:?}");
        assert!(fault(&report, "f").requests >= 30, "{answer}");
        assert_eq!(failed(&report, "side").iter().sum::<u64>(), 0);
        let web = report.edges.iter().find(|e| e.from == "web").unwrap();
        assert!(
            web.requests < 300 || !flags,
            "those calls never reached a sidecar"
        );
    }
}

#[test]
fn a_stale_answer_leads_to_the_dead() {
    let body = r#"
services:
  db: { replicas: 2, sidecar: false, service-time: 100ms }
traffic:
  # From 4 s on it needs four times as many connections, and asks for their addresses.
  shop: { to: "http://db:8080/", rate: 40/s, stages: [ { at: 4s, rate: 160/s } ], sidecar: false, timeout: 300ms }
faults:
  - { name: crash, at: 2s, for: 6s, crash: db-0 }
"#;
    let fresh = run("8s", body);
    let stale = run(
        "8s",
        &format!("{body}  - {{ name: f, at: 1s, for: 6s, dns: {{ answer: stale }} }}\n"),
    );
    // Kubernetes notices after a second and takes the pod out of the service.
    assert_eq!(failed(&fresh, "shop")[4..7], [0, 0, 0]);
    assert!(failed(&stale, "shop")[4..7].iter().sum::<u64>() >= 4);
    assert!(fault(&stale, "f").requests >= 8);
    assert_eq!(
        failed(&stale, "shop")[7],
        0,
        "and knows the living again when it heals"
    );
}

#[test]
fn the_control_plane_can_be_cut_off() {
    let body = format!(
        "{WORLD}faults:\n  - {{ name: cut, at: 1s, for: 3s, partition: istiod }}\n  - {{ at: 2s, for: 1s, crash: db-0 }}\n"
    );
    let report = run("6s", &body);
    assert!(fault(&report, "cut").packets > 0);
}
