//! V1, V2, V3, V22: lines in front of workers, and time itself.

use meshquake_tests::theory::{erlang_b, erlang_c_wait};

use crate::experiment::{Experiment, Run};

/// Mean time of service, in milliseconds.
const SERVICE_MS: f64 = 10.0;

/// A client, and an app with so many workers and such a line.
fn queue(workers: u32, rho: f64, service: &str, line: &str, requests: f64) -> String {
    let rate = rho * f64::from(workers) / SERVICE_MS * 1e3;
    let seconds = (requests / rate).ceil();
    format!(
        "meshquake: v1\nduration: {seconds}s\ntopology: {{ links: {{ same-zone: 0us }} }}\n\
         services:\n  app: {{ workers: {workers}, service-time: \"{service}({SERVICE_MS}ms)\"{line} }}\n\
         traffic:\n  client: {{ to: \"http://app:8080/\", rate: poisson({rate}/s) }}\n"
    )
}

fn latency(which: &'static str) -> impl Fn(&Run) -> f64 {
    move |run| run.number(&format!("/traffic/client/latency_ms/{which}")) / SERVICE_MS
}

fn wait(run: &Run) -> f64 {
    run.service("app")["queue_ms"]["mean"]
        .as_f64()
        .unwrap_or_default()
        / SERVICE_MS
}

pub(crate) fn all() -> Vec<Experiment> {
    let mut all = Vec::new();
    let one = "closed form: mean 1/(1 − ρ), quantile −ln(1 − p)/(1 − ρ), in service times";
    for (rho, requests) in [
        (0.5, 10_000.0),
        (0.7, 20_000.0),
        (0.8, 40_000.0),
        (0.9, 100_000.0),
    ] {
        let p = |q: f64| -libm::log(1.0 - q) / (1.0 - rho);
        // The empty beginning biases the mean by about a relaxation time's share of the run, below 1 % here.
        all.push(
            Experiment::new(
                "V1",
                format!("M/M/1, ρ {rho}"),
                queue(1, rho, "exponential", "", requests),
            )
            .seeds(8)
            .source(one)
            .expect("mean time", 1.0 / (1.0 - rho), 0.01, latency("mean"))
            .expect("p50", p(0.5), 0.01, latency("p50"))
            // The rare long waits come in clusters, of which a run sees few: its quantile is too low.
            .expect("p99", p(0.99), 0.07, latency("p99")),
        );
    }
    for (rho, expected) in [(0.5, 0.5), (0.8, 2.0)] {
        all.push(
            Experiment::new(
                "V1",
                format!("M/D/1, ρ {rho}"),
                queue(1, rho, "constant", "", 30_000.0),
            )
            .seeds(8)
            .source(one)
            .expect("mean wait", expected, 0.01, wait),
        );
    }
    for (workers, rho) in [(2, 0.8), (4, 0.8), (8, 0.8), (16, 0.9)] {
        all.push(
            Experiment::new(
                "V2",
                format!("M/M/{workers}, ρ {rho}"),
                queue(workers, rho, "exponential", "", 40_000.0),
            )
            .seeds(8)
            .source("Erlang's C formula, in service times")
            .expect("mean wait", erlang_c_wait(workers, rho), 0.01, wait),
        );
    }
    for (places, offered) in [(10, 5.0), (10, 8.0), (10, 10.0), (100, 80.0)] {
        let rho = offered / f64::from(places);
        let scenario = queue(places, rho, "exponential", ", queue: 0", 40_000.0);
        // A sidecar tries again what is turned away; this is about one try.
        let scenario = format!("{scenario}mesh: {{ defaults: {{ retries: 0 }} }}\n");
        all.push(
            Experiment::new(
                "V3",
                format!("{places} workers, offered {offered}"),
                scenario,
            )
            .seeds(6)
            .source("Erlang's B formula")
            .expect("share turned away", erlang_b(places, offered), 0.0, |run| {
                let app = run.service("app");
                app["rejected"].as_f64().unwrap_or_default() / run.arrived("app")
            }),
        );
    }
    all.push(hops());
    all
}

/// Three services in a chain: six links there and back.
fn hops() -> Experiment {
    let scenario = "meshquake: v1\nduration: 20s\ntopology: { links: { same-zone: 1ms } }\nservices:\n  a: { script: [ { call: b } ] }\n  b: { script: [ { call: c } ] }\n  c: {}\ntraffic:\n  client: { to: \"http://a:8080/\", rate: 50/s }\n";
    Experiment::new("V22", "six links of 1 ms, no time of service", scenario)
        .seeds(2)
        .source("six times the link")
        .expect("latency over connections that stand, ms", 6.0, 0.0, |run| {
            run.number("/traffic/client/latency_ms/p50")
        })
}
