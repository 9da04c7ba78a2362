//! V14, V19: what Envoy does when endpoints are bad, and what a lost zone costs.

use serde_json::Value;

use crate::experiment::{Experiment, Run};

pub(crate) fn all() -> Vec<Experiment> {
    let mut all: Vec<Experiment> = [(14, 0.98), (12, 0.84), (10, 0.70), (8, 0.56), (5, 0.35)]
        .map(overprovisioned)
        .into();
    all.extend([(12, 1.0), (8, 0.4)].map(panicking));
    all.extend([2, 3, 4].map(lost_zone));
    all
}

/// Bad endpoints are ejected at their first failure and stay away; nothing is tried again.
fn rule(locality: &str, min_health_percent: u32) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{ name: app, namespace: default }}\nspec:\n  host: app.default.svc.cluster.local\n  trafficPolicy:\n    loadBalancer:\n      simple: ROUND_ROBIN\n{locality}    outlierDetection: {{ consecutive5xxErrors: 1, interval: 1s, baseEjectionTime: 10m, maxEjectionPercent: 100, minHealthPercent: {min_health_percent} }}\n"
    )
}

/// Twenty endpoints here, of which some are good, and ten good ones elsewhere.
fn overprovisioned((good, expected): (u32, f64)) -> Experiment {
    let bad = 20 - good;
    let scenario = format!(
        "meshquake: v1\nduration: 60s\nmesh: {{ config: [rule.yaml], defaults: {{ retries: 0 }} }}\ntopology: {{ regions: {{ r1: [a], r2: [b] }}, links: {{ same-zone: 0us, cross-zone: 0us, cross-region: 0us }} }}\nservices:\n  app:\n    versions:\n      good: {{ replicas: {good}, zone: a }}\n      bad: {{ replicas: {bad}, zone: a, errors: 100% }}\n      far: {{ replicas: 10, zone: b }}\ntraffic:\n  client: {{ to: \"http://app:8080/\", rate: 200/s, zone: a }}\n"
    );
    let locality = "      localityLbSetting: { enabled: true, failover: [{ from: r1, to: r2 }] }\n";
    Experiment::new("V14", format!("{good} of 20 endpoints healthy"), scenario)
        .file("rule.yaml", rule(locality, 0))
        .seeds(4)
        .source("Envoy, \"Priority levels\": a level takes min(100 %, 1.4 × its healthy share)")
        .expect("share that stays local", expected, 0.01, |run| {
            share_after(run, 20.0, |upstream| upstream.starts_with("app-good"))
        })
}

/// Twenty endpoints, of which some are good; below half, Envoy spreads over all as if none were ejected.
fn panicking((good, expected): (u32, f64)) -> Experiment {
    let bad = 20 - good;
    let scenario = format!(
        "meshquake: v1\nduration: 60s\nmesh: {{ config: [rule.yaml], defaults: {{ retries: 0 }} }}\ntopology: {{ links: {{ same-zone: 0us }} }}\nservices:\n  app:\n    versions:\n      good: {{ replicas: {good} }}\n      bad: {{ replicas: {bad}, errors: 100% }}\ntraffic:\n  client: {{ to: \"http://app:8080/\", rate: 200/s }}\n"
    );
    Experiment::new("V14", format!("{good} of 20 endpoints healthy, panic below 50 %"), scenario)
        .file("rule.yaml", rule("", 50))
        .seeds(4)
        .source("Envoy, \"Panic threshold\": below it, all hosts whatever their health; Istio's minHealthPercent sets it")
        .expect("share that reaches a healthy one", expected, 0.01, |run| {
            share_after(run, 20.0, |upstream| upstream.starts_with("app-good"))
        })
}

/// One of so many zones is gone.
fn lost_zone(zones: u32) -> Experiment {
    let names: Vec<String> = (0..zones).map(|i| format!("z{i}")).collect();
    let scenario = format!(
        "meshquake: v1\nduration: 60s\ntopology: {{ zones: [{}], links: {{ same-zone: 0us, cross-zone: 0us }} }}\nservices:\n  app: {{ replicas: {} }}\ntraffic:\n  client: {{ to: \"http://app:8080/\", rate: 400/s }}\nfaults:\n  - {{ at: 30s, crash: {{ zone: z0 }} }}\n",
        names.join(", "),
        zones * 2,
    );
    let expected = f64::from(zones) / f64::from(zones - 1);
    Experiment::new("V19", format!("one of {zones} zones is lost"), scenario)
        .seeds(4)
        .source("z/(z − 1)")
        .expect(
            "load of a survivor, after and before",
            expected,
            0.01,
            |run| {
                let survivor = |upstream: &str| upstream == "app-1";
                share(run, 35.0, 60.0, survivor) / share(run, 0.0, 30.0, survivor)
            },
        )
}

fn share_after(run: &Run, from: f64, meant: impl Fn(&str) -> bool) -> f64 {
    share(run, from, f64::INFINITY, meant)
}

/// The share of the requests sent in this time that went there.
fn share(run: &Run, from: f64, to: f64, meant: impl Fn(&str) -> bool) -> f64 {
    let timely = |request: &&Value| {
        let at = request["intended_ns"].as_f64().unwrap_or_default() / 1e9;
        from <= at && at < to
    };
    let (mut all, mut there) = (0u32, 0u32);
    for request in run.requests.iter().filter(timely) {
        let last = request["attempts"].as_array().and_then(|all| all.last());
        let upstream = last.and_then(|attempt| attempt["upstream"].as_str());
        all += 1;
        there += u32::from(upstream.is_some_and(&meant));
    }
    f64::from(there) / f64::from(all)
}
