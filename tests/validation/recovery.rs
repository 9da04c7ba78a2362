//! V10: overload that outlives its cause, and how long it takes to drain. V20: what a cache hides.

use crate::experiment::{Experiment, Run};

/// When the capacity is back.
const HEALED_S: f64 = 20.0;

/// Longest time looked at.
const LOOKED_S: f64 = 220.0;

pub(crate) fn all() -> Vec<Experiment> {
    let mut all = drains_of_the_reference();
    all.extend([90, 95, 99].map(flush));
    all
}

/// A cache that hides the origin, and what the origin sees without it.
fn flush(hit: u32) -> Experiment {
    let scenario = |hits: u32| {
        format!(
            "  web{hits}: {{ script: [ {{ cache: {{ hit: {hits}%, miss: [ {{ call: origin{hits} }} ] }} }} ] }}\n  origin{hits}: {{}}\n"
        )
    };
    let source = |hits: u32| {
        format!("  client{hits}: {{ to: \"http://web{hits}:8080/\", rate: poisson(500/s) }}\n")
    };
    let yaml = format!(
        "meshquake: v1\nduration: 60s\ntopology: {{ links: {{ same-zone: 0us }} }}\nservices:\n{}{}traffic:\n{}{}",
        scenario(hit),
        scenario(0),
        source(hit),
        source(0),
    );
    let expected = 100.0 / f64::from(100 - hit);
    Experiment::new("V20", format!("hit ratio {hit} %"), yaml)
        .seeds(6)
        .source("1/(1 − h)")
        .expect(
            "load of the origin without the cache, and with it",
            expected,
            0.02,
            move |run| run.arrived("origin0") / run.arrived(&format!("origin{hit}")),
        )
}

fn drains_of_the_reference() -> Vec<Experiment> {
    vec![
        // Drain times of the reference, by a discrete-event simulation of the same queue, ± a tenth: they are one
        // run of a random walk.
        drains(280, 1, "", "no retry", 120.0, 0.25),
        drains(140, 2, "", "1 retry", 101.0, 0.25),
        drains(280, 2, "", "1 retry", LOOKED_S, 0.0),
        drains(240, 2, "", "1 retry", LOOKED_S, 0.0),
        drains(160, 2, "", "1 retry", LOOKED_S, 0.0),
        drains(
            280,
            2,
            ", queue: 200",
            "1 retry, at most 200 wait",
            0.0,
            0.0,
        ),
    ]
}

/// 300/s of capacity that is gone for 10 s, callers who wait for a second, and work that nobody waits for any more.
fn drains(rate: u32, tries: u32, line: &str, what: &str, expected: f64, slack: f64) -> Experiment {
    let duration = HEALED_S + LOOKED_S;
    let scenario = format!(
        "meshquake: v1\nduration: {duration}s\nmesh: {{ defaults: {{ retries: 0 }} }}\ntopology: {{ links: {{ same-zone: 0us }} }}\nservices:\n  front: {{ script: [ {{ call: {{ service: db, tries: {tries}, timeout: 1s }} }} ] }}\n  db: {{ workers: 1, service-time: \"exponential(3333333ns)\", cancel: finish{line} }}\ntraffic:\n  client: {{ to: \"http://front:8080/\", rate: poisson({rate}/s) }}\nfaults:\n  - {{ at: 10s, for: 10s, workers: {{ service: db, to: 0 }} }}\n"
    );
    let name = match expected {
        LOOKED_S => "seconds to recover (220: never in the time looked at)",
        _ => "seconds to recover",
    };
    let experiment = Experiment::new("V10", format!("{rate}/s of 300/s, {what}"), scenario)
        .seeds(3)
        .source("own discrete-event simulation of the model of Bronson et al., \"Metastable Failures in Distributed Systems\", HotOS 2021; vulnerable when λ(1 + r) > μ");
    // Goodput is looked at second by second.
    let slack = slack * expected + 1.0;
    experiment.expect_within(name, expected, slack, recovery)
}

/// Seconds from the heal until goodput is back at 95 % of what is offered, and stays there for 5 s.
fn recovery(run: &Run) -> f64 {
    let series = &run.report["traffic"]["client"]["series"];
    let column = |name: &str| -> Vec<f64> {
        let values = series[name].as_array().expect("a column");
        values
            .iter()
            .map(|value| value.as_f64().unwrap_or_default())
            .collect()
    };
    let window = series["window_s"].as_f64().expect("a window");
    let (requests, failed) = (column("requests"), column("failed"));
    let good = |i: usize| requests[i] > 0.0 && failed[i] <= 0.05 * requests[i];
    let first = (HEALED_S / window) as usize;
    let steady = (5.0 / window) as usize;
    let last = requests.len().saturating_sub(steady);
    let back = (first..last).find(|&i| (i..i + steady).all(good));
    back.map_or(LOOKED_S, |i| i as f64 * window - HEALED_S)
}
