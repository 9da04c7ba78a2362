//! Pods that come and go.

use meshquake_reports::RunReport;

use super::{failed, fault, run};

const WORLD: &str = r#"
services:
  web: { replicas: 3 }
  idle: {}
traffic:
  shop: { to: "http://web:8080/", rate: 60/s, timeout: 300ms }
  side: { to: "http://idle:8080/", rate: 20/s }
mesh: { defaults: { retries: 0 } }
"#;

fn with(duration: &str, faults: &str) -> RunReport {
    let report = run(duration, &format!("{WORLD}faults:\n{faults}"));
    assert_eq!(failed(&report, "side").iter().sum::<u64>(), 0);
    report
}

/// What the timeline tells of a pod, with the whole seconds.
fn told(report: &RunReport, pod: &str) -> Vec<(i64, String)> {
    let entries = report.timeline.iter().filter(|entry| entry.subject == pod);
    entries
        .map(|entry| (entry.at_s.floor() as i64, entry.text.clone()))
        .collect()
}

#[test]
fn power_off_is_silence_and_a_crash_is_not() {
    let crash = with("6s", "  - { name: f, at: 2s, for: 2s, crash: web-0 }\n");
    let dark = with("6s", "  - { name: f, at: 2s, for: 2s, power-off: web-0 }\n");
    assert_eq!(fault(&crash, "f").pods, 1);
    // A crash is heard of at once; a dead machine is only silent, so its requests time out.
    let timeouts = |report: &RunReport| {
        report.traffic["shop"]
            .unanswered
            .get("timeout")
            .copied()
            .unwrap_or(0)
    };
    assert!(timeouts(&dark) >= 3, "{}", timeouts(&dark));
    assert_eq!(timeouts(&crash), 0);
    for report in [&crash, &dark] {
        let shop = failed(report, "shop");
        assert_eq!((shop[0], shop[1], shop[5]), (0, 0, 0), "{shop:?}");
    }
    let words: Vec<String> = told(&dark, "web-0")
        .into_iter()
        .map(|(_, text)| text)
        .collect();
    assert!(words.contains(&"lost power".to_owned()), "{words:?}");
}

#[test]
fn a_restart_is_over_when_the_pods_are_back() {
    let report = with(
        "6s",
        "  - { name: f, at: 2s, restart: web-0 }\n  - { name: g, when: healed(f), for: 1s, crash: web-1 }\n",
    );
    let over = fault(&report, "f").over_s.unwrap();
    assert!((1.0..1.2).contains(&over), "{over}");
    assert_eq!(
        fault(&report, "g").pods,
        1,
        "the next began when it was over"
    );
}

#[test]
fn frozen_pods_answer_late_and_go_on() {
    let body = WORLD.replace("timeout: 300ms", "timeout: 5s");
    let report = run(
        "6s",
        &format!("{body}faults:\n  - {{ name: f, at: 2s, for: 1s, freeze: web-0 }}\n"),
    );
    assert_eq!(failed(&report, "shop").iter().sum::<u64>(), 0);
    assert_eq!(fault(&report, "f").pods, 1);
    // Whoever met the frozen pod waited until it went on; the load balancer saw that and avoided it.
    let max = report.traffic["shop"].latency_ms.unwrap().max;
    assert!((500.0..1001.0).contains(&max), "{max}");
    assert!(super::slowest(&report, "shop", 0.0, 1.9) < 2.0);
    assert!(super::slowest(&report, "shop", 3.1, 6.0) < 2.0);
}

#[test]
fn a_crash_loop_backs_off_as_kubernetes_does() {
    let report = with(
        "60s",
        "  - { name: f, at: 2s, for: 50s, crash-loop: { pod: web-0, lives: 2s } }\n",
    );
    let crashes: Vec<i64> = told(&report, "web-0")
        .into_iter()
        .filter(|(_, text)| text == "crashed")
        .map(|(at, _)| at)
        .collect();
    // At 2 s; back after 1 s, dead 2 s later; then after 10 s, after 20 s.
    assert_eq!(crashes, [2, 5, 17, 39]);
    assert_eq!(fault(&report, "f").pods, 1);
    let ready = told(&report, "web-0")
        .iter()
        .rfind(|(_, text)| text == "ready")
        .map(|(at, _)| *at);
    assert_eq!(
        ready,
        Some(52),
        "it comes back for good when the fault heals"
    );
}

#[test]
fn a_rollout_that_is_drained_in_order_loses_nothing() {
    let drain = "endpoint-removal: 0s, pre-stop: 2s, grace: 2s";
    let report = with(
        "20s",
        &format!("  - {{ name: f, at: 2s, rollout: {{ service: web, {drain} }} }}\n"),
    );
    assert_eq!(failed(&report, "shop").iter().sum::<u64>(), 0);
    let rollout = fault(&report, "f");
    assert_eq!(rollout.pods, 3);
    // Each: 4 s to the end, 1 s until the next starts.
    let over = rollout.over_s.unwrap();
    assert!((15.0..15.5).contains(&over), "{over}");
}

#[test]
fn an_endpoint_that_is_removed_late_is_called_when_it_is_gone() {
    let late = "endpoint-removal: 3s, pre-stop: 0s, grace: 2s";
    let report = with(
        "20s",
        &format!("  - {{ name: f, at: 2s, rollout: {{ service: web, {late} }} }}\n"),
    );
    let shop = failed(&report, "shop");
    assert_eq!((shop[0], shop[1]), (0, 0));
    assert!(
        shop[2] >= 10,
        "the app refuses while it is still an endpoint: {shop:?}"
    );
}

#[test]
fn a_service_is_scaled_down_and_up_and_back() {
    let pods_of = |report: &RunReport, from: usize, to: usize| {
        let started: Vec<String> = report
            .timeline
            .iter()
            .filter(|entry| (from as f64..to as f64).contains(&entry.at_s) && entry.text == "ready")
            .map(|entry| entry.subject.clone())
            .collect();
        started
    };
    let up = with(
        "8s",
        "  - { name: f, at: 2s, for: 3s, scale: { service: web, to: 5, pre-stop: 1s, grace: 1s } }\n",
    );
    assert_eq!(failed(&up, "shop").iter().sum::<u64>(), 0);
    assert_eq!(pods_of(&up, 2, 3), ["web-3", "web-4"]);
    assert_eq!(fault(&up, "f").pods, 2);
    let down = with(
        "8s",
        "  - { name: f, at: 2s, for: 3s, scale: { service: web, to: 1, grace: 1s } }\n",
    );
    assert_eq!(pods_of(&down, 5, 6), ["web-1", "web-2"]);
    let crashed: Vec<_> = told(&down, "web-2")
        .into_iter()
        .filter(|(_, text)| text == "crashed")
        .collect();
    assert_eq!(crashed, [(3, "crashed".to_owned())]);
}

#[test]
fn some_pods_are_drawn_anew_each_time() {
    let body = r#"
services: { web: { replicas: 10 } }
traffic: { shop: { to: "http://web:8080/", rate: 20/s } }
faults:
  - { name: f, at: 1s, for: 1s, every: 4s, times: 4, crash: { service: web, random: 2 } }
"#;
    let report = run("18s", body);
    let crashed: std::collections::BTreeSet<String> = report
        .timeline
        .iter()
        .filter(|entry| entry.text == "crashed")
        .map(|entry| entry.subject.clone())
        .collect();
    assert_eq!(fault(&report, "f").pods, 8);
    assert!(crashed.len() > 3, "{crashed:?}");
    assert_eq!(fault(&report, "f").times, 4);
}
