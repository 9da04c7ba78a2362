//! V5, V6, V13: who is chosen.

use std::collections::BTreeMap;

use meshquake_tests::theory::supermarket_time;
use serde_json::Value;

use crate::experiment::{Experiment, Run};

/// A DestinationRule for the app.
fn rule(policy: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{ name: app, namespace: default }}\nspec:\n  host: app.default.svc.cluster.local\n  trafficPolicy:\n    {policy}\n"
    )
}

pub(crate) fn all() -> Vec<Experiment> {
    let mut all = Vec::new();
    for (lambda, choices, policy) in [
        (0.5, 1, "loadBalancer: { simple: RANDOM }"),
        (0.5, 2, "loadBalancer: { simple: LEAST_REQUEST }"),
        (0.7, 2, "loadBalancer: { simple: LEAST_REQUEST }"),
        (0.9, 2, "loadBalancer: { simple: LEAST_REQUEST }"),
    ] {
        all.push(supermarket(lambda, choices, policy));
    }
    all.push(bins("RANDOM", 4.76, "one random choice"));
    all.push(bins("LEAST_REQUEST", 2.87, "the less loaded of two"));
    all.push(maglev(10, 0.1019));
    all
}

/// A hundred servers, one client who knows its requests at each.
fn supermarket(lambda: f64, choices: u32, policy: &str) -> Experiment {
    let rate = lambda * 100.0 / 0.01;
    let seconds = (40_000.0 / rate).ceil();
    let scenario = format!(
        "meshquake: v1\nduration: {seconds}s\nmesh: {{ config: [rule.yaml] }}\ntopology: {{ links: {{ same-zone: 0us }} }}\nservices:\n  app: {{ replicas: 100, workers: 1, service-time: exponential(10ms) }}\ntraffic:\n  client: {{ to: \"http://app:8080/\", rate: poisson({rate}/s) }}\n"
    );
    Experiment::new(
        "V5",
        format!("100 servers, λ {lambda}, d = {choices}"),
        scenario,
    )
    .file("rule.yaml", rule(policy))
    .seeds(4)
    .source(
        "Mitzenmacher, IEEE TPDS 12(10), 2001: Σ λ^((dⁱ − d)/(d − 1)), for infinitely many servers",
    )
    .expect(
        "mean time in service times",
        supermarket_time(lambda, choices),
        0.02,
        |run| run.number("/traffic/client/latency_ms/mean") / 10.0,
    )
}

/// 256 requests at once on 256 servers, twenty times over.
fn bins(algorithm: &str, expected: f64, what: &str) -> Experiment {
    const SERVERS: usize = 256;
    const BURSTS: usize = 20;
    let bursts: String = (0..BURSTS)
        .map(|burst| format!("      - {{ at: {}s, count: {SERVERS} }}\n", burst * 2 + 1))
        .collect();
    let scenario = format!(
        "meshquake: v1\nduration: {}s\nmesh: {{ config: [rule.yaml] }}\ntopology: {{ links: {{ same-zone: 0us }} }}\nservices:\n  app: {{ replicas: {SERVERS}, service-time: 1s }}\ntraffic:\n  client:\n    to: \"http://app:8080/\"\n    requests:\n{bursts}",
        BURSTS * 2 + 2,
    );
    Experiment::new("V6", format!("256 balls, 256 bins, {what}"), scenario)
        .file("rule.yaml", rule(&format!("loadBalancer: {{ simple: {algorithm} }}")))
        .seeds(2)
        .source("own simulation of the process, without a mesh; Azar, Broder, Karlin, Upfal, SIAM J. Comput. 29(1), 1999: ln ln n/ln 2 + O(1) for two choices")
        .expect("mean of the fullest bin", expected, 0.03, |run| fullest(run, SERVERS))
}

/// The mean, over the bursts, of the most requests on one server.
fn fullest(run: &Run, burst: usize) -> f64 {
    let mut requests: Vec<&Value> = run.requests.iter().collect();
    requests.sort_by_key(|request| request["sequence"].as_u64());
    let mut maxima = Vec::new();
    for burst in requests.chunks(burst) {
        let mut loads: BTreeMap<&str, u32> = BTreeMap::new();
        for request in burst {
            *loads.entry(upstream(request)).or_default() += 1;
        }
        maxima.push(f64::from(loads.into_values().max().unwrap_or_default()));
    }
    maxima.iter().sum::<f64>() / maxima.len() as f64
}

fn upstream(request: &Value) -> &str {
    let last = request["attempts"].as_array().and_then(|all| all.last());
    last.and_then(|attempt| attempt["upstream"].as_str())
        .unwrap_or_default()
}

/// The same keys before and after one of so many backends is gone.
fn maglev(backends: u32, expected: f64) -> Experiment {
    const KEYS: usize = 4_000;
    let requests = |at: usize| -> String {
        (0..KEYS)
            .map(|key| {
                let ms = at * 1000 + key;
                format!("      - {{ at: {ms}ms, headers: {{ x-key: \"k{key}\" }} }}\n")
            })
            .collect()
    };
    let scenario = format!(
        "meshquake: v1\nduration: 20s\nmesh: {{ config: [rule.yaml] }}\ntopology: {{ links: {{ same-zone: 0us }} }}\nservices:\n  app: {{ replicas: {backends} }}\ntraffic:\n  client:\n    to: \"http://app:8080/\"\n    requests:\n{}{}faults:\n  - {{ at: 6s, crash: {{ pod: app-3 }} }}\n",
        requests(1),
        requests(12),
    );
    let hash =
        "loadBalancer: { consistentHash: { httpHeaderName: x-key, maglev: { tableSize: 65537 } } }";
    Experiment::new("V13", format!("{backends} backends, one is removed, table of 65537"), scenario)
        .file("rule.yaml", rule(hash))
        .seeds(1)
        .source("own implementation of Eisenbud et al., NSDI 2016; one in ten is needed. 4 000 keys: standard error 0.005")
        .expect("share of keys that move", expected, 0.16, |run| moved(run, KEYS))
}

fn moved(run: &Run, keys: usize) -> f64 {
    let mut requests: Vec<&Value> = run.requests.iter().collect();
    requests.sort_by_key(|request| request["sequence"].as_u64());
    let (before, after) = requests.split_at(keys);
    let moved = before
        .iter()
        .zip(after)
        .filter(|(a, b)| upstream(a) != upstream(b));
    moved.count() as f64 / keys as f64
}
