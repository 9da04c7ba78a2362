//! Every measure, on runs whose numbers are known.

use meshquake_reports::Verdict;

use super::{measured, of, report};

const SHOP: &str = "meshquake: v1
name: shop
seed: 5
duration: 30s
topology: { zones: [a, b] }
";

#[test]
fn a_chain_is_measured_at_every_hop() {
    let yaml = format!(
        "{SHOP}
services:
  web: {{ ports: [80], replicas: 2, response-size: 1KiB, script: [call: {{ service: db, tries: 3 }}, call: db] }}
  db: {{ ports: [80], replicas: 2, service-time: 2ms, workers: 4, response-size: 3KiB }}
traffic:
  shoppers: {{ to: http://web/, rate: constant(20/s), zone: a }}
expect:
  - traffic: shoppers
    goodput: '>= 19/s'
    rate: == 20/s
    attempts: == 1
    calls: {{ db: == 2, web: == 1 }}
    status: {{ 200: == 100%, 5xx: == 0 }}
    flags: {{ UO: == 0, UH: < 1% }}
    slo: 99.9%
    burn-rate: == 0
  - {{ edge: shoppers -> web, success: == 100%, p99: < 50ms, busiest: <= 60%, imbalance: <= 1.2, fairness: '>= 0.9' }}
  - {{ edge: web -> *, attempts: == 1, cross-zone: '> 20%' }}
  - {{ service: db, queue: == 0, wait-p99: < 1ms, wasted: == 0%, fairness: '>= 0.9' }}
  - {{ mesh: all, plaintext: == 0, unauthorised: == 0, cross-zone-bytes: '> 10KiB', success: == 100% }}
  - {{ mesh: all, cross-zone-bytes: <= 80% }}
"
    );
    let told = report(&yaml, "");
    let missed: Vec<&str> = told.failures.iter().map(|f| f.message.as_str()).collect();
    assert_eq!(told.verdict, Verdict::Held, "{missed:?}");
    assert_eq!(measured(&told, "calls.db"), 2.0);
    assert_eq!(of(&told, "calls.db").traffic, "shoppers");
    assert_eq!(of(&told, "wasted").subject, "service db");
    // Six hundred answers of 1 KiB and twelve hundred of 3 KiB.
    let bytes = measured(&told, "cross-zone-bytes");
    assert!((1_000.0..=600.0 * 7.0 * 1024.0).contains(&bytes), "{bytes}");
}

#[test]
fn a_crash_is_seen_by_windows_and_detected() {
    let mesh = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: web }
spec:
  host: web
  trafficPolicy:
    outlierDetection: { consecutive5xxErrors: 3, interval: 1s, baseEjectionTime: 5s, maxEjectionPercent: 100 }
";
    let yaml = format!(
        "{SHOP}
mesh: {{ config: [mesh.yaml], defaults: {{ retries: 0 }} }}
services:
  web: {{ ports: [80], replicas: 2, versions: {{ v1: {{}}, v2: {{ errors: 100% }} }} }}
traffic:
  shoppers: {{ to: http://web/, rate: constant(50/s) }}
faults:
  - {{ name: cut, at: 10s, for: 5s, partition: {{ from: shoppers, to: web }} }}
expect:
  - {{ traffic: shoppers, before: cut, success: '>= 50%' }}
  - {{ traffic: shoppers, during: fault cut, rate: '> 0/s' }}
  - {{ traffic: shoppers, after: cut + 5s, rate: '> 0/s' }}
  - {{ traffic: shoppers, during: cut - 2s..end of cut + 1s, rate: '> 0/s' }}
  - {{ detects: cut, within: 20s, service: web }}
"
    );
    let told = report(&yaml, mesh);
    let windows: Vec<(f64, f64, &str)> = told
        .expectations
        .iter()
        .take(4)
        .map(|e| (e.window.from_s, e.window.to_s, e.window.text.as_str()))
        .collect();
    assert_eq!(
        windows,
        [
            (0.0, 10.0, "before cut"),
            (10.0, 15.0, "during cut"),
            (20.0, 30.0, "after cut + 5s"),
            (8.0, 16.0, "cut - 2s..end of cut + 1s"),
        ]
    );
    assert_eq!(of(&told, "success").requests, 500);
    assert_eq!(told.expectations[3].requests, 400);
    let detected = &told.expectations[4];
    assert_eq!(
        (detected.measure.as_str(), detected.subject.as_str()),
        ("detects", "cut by web")
    );
    assert!(detected.held, "{}", detected.message);
}

#[test]
fn strangers_are_counted() {
    let yaml = format!(
        "{SHOP}
services: {{ web: {{ ports: [80] }} }}
traffic:
  stranger: {{ to: http://web/, rate: constant(10/s), sidecar: false }}
expect:
  - {{ service: web, plaintext: == 0 }}
  - {{ mesh: all, plaintext: == 300 }}
"
    );
    let told = report(&yaml, "");
    let held: Vec<bool> = told.expectations.iter().map(|e| e.held).collect();
    assert_eq!(held, [false, true], "{:?}", told.expectations);
    assert_eq!(
        told.expectations[0].message,
        "plaintext of service web from 0 s to 30 s was 300, not == 0"
    );
}
