//! V7, V9: fan-out and retries.

use crate::experiment::{Experiment, Run};

pub(crate) fn all() -> Vec<Experiment> {
    let mut all: Vec<Experiment> = [10, 50, 100].into_iter().map(fan_out).collect();
    for (retries, depth) in [(1, 1), (1, 2), (1, 3), (2, 3), (3, 2), (3, 3)] {
        all.push(layers(retries, depth));
    }
    for (percent, retries) in [(10, 3), (50, 1), (50, 2), (50, 3)] {
        all.push(independent(percent, retries));
    }
    all
}

/// One request that waits for so many others, of which one in a hundred is slow.
fn fan_out(leaves: u32) -> Experiment {
    let calls: Vec<String> = (0..leaves).map(|_| "{ call: leaf }".to_owned()).collect();
    let scenario = format!(
        "meshquake: v1\nduration: 40s\ntopology: {{ links: {{ same-zone: 0us }} }}\nmesh: {{ defaults: {{ retries: 0 }} }}\nservices:\n  root: {{ script: [ [ {} ] ] }}\n  leaf: {{ errors: 1% }}\ntraffic:\n  client: {{ to: \"http://root:8080/\", rate: 50/s }}\n",
        calls.join(", "),
    );
    let expected = 1.0 - libm::pow(0.99, f64::from(leaves));
    Experiment::new("V7", format!("{leaves} leaves, each bad in one of 100"), scenario)
        .seeds(4)
        .source("1 − (1 − p)ⁿ; Dean and Barroso, \"The Tail at Scale\", CACM 56(2), 2013: 63 % for 100 leaves")
        .expect("share of requests with a bad leaf", expected, 0.03, |run| {
            run.number("/traffic/client/failed") / run.requests_of("client")
        })
}

/// A chain in which every layer tries again, above a leaf that always fails.
fn layers(retries: u32, depth: u32) -> Experiment {
    let tries = retries + 1;
    let services: String = (1..depth)
        .map(|i| {
            let next = i + 1;
            format!(
                "  s{i}: {{ script: [ {{ call: {{ service: s{next}, tries: {tries} }} }} ] }}\n"
            )
        })
        .collect();
    let scenario = format!(
        "meshquake: v1\nduration: 20s\ntopology: {{ links: {{ same-zone: 0us }} }}\nmesh: {{ defaults: {{ retries: 0 }} }}\nservices:\n  s0: {{ script: [ {{ call: {{ service: s1, tries: {tries} }} }} ] }}\n{services}  s{depth}: {{ errors: 100% }}\ntraffic:\n  client: {{ to: \"http://s0:8080/\", rate: 10/s }}\n"
    );
    let leaf = format!("s{depth}");
    Experiment::new("V9", format!("{depth} layers, {retries} retries each, the leaf fails"), scenario)
        .seeds(2)
        .source("(1 + r)^d when everything fails (Google SRE, \"Addressing Cascading Failures\": 64 for r = 3, d = 3); Σ pⁱ over i ≤ r when each try fails with p")
        .expect(
            "calls at the leaf per request",
            libm::pow(f64::from(tries), f64::from(depth)),
            0.0,
            move |run| run.arrived(&leaf) / ended(run),
        )
}

/// A sidecar's retries against failures that have nothing to do with each other.
fn independent(percent: u32, retries: u32) -> Experiment {
    let scenario = format!(
        "meshquake: v1\nduration: 100s\nmesh: {{ config: [route.yaml] }}\ntopology: {{ links: {{ same-zone: 0us }} }}\nservices:\n  app: {{ errors: {percent}% }}\ntraffic:\n  client: {{ to: \"http://app:8080/\", rate: 50/s }}\n"
    );
    let route = format!(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{ name: app, namespace: default }}\nspec:\n  hosts: [app.default.svc.cluster.local]\n  http:\n  - route: [{{ destination: {{ host: app.default.svc.cluster.local }} }}]\n    retries: {{ attempts: {retries}, retryOn: 5xx }}\n"
    );
    let p = f64::from(percent) / 100.0;
    let tries = (0..=retries).map(|i| libm::pow(p, f64::from(i))).sum();
    Experiment::new(
        "V9",
        format!("sidecar, {retries} retries, a try fails with {percent} %"),
        scenario,
    )
    .file("route.yaml", route)
    .seeds(4)
    .source("")
    .expect("tries per request", tries, 0.0, |run| {
        run.arrived("app") / ended(run)
    })
    .expect(
        "requests that fail",
        libm::pow(p, f64::from(retries + 1)),
        0.0,
        |run| run.number("/traffic/client/failed") / ended(run),
    )
}

fn ended(run: &Run) -> f64 {
    run.requests_of("client") - run.number("/traffic/client/in_flight_at_end")
}
