//! Expectations: what must hold of which traffic, and when.

use mesh_core::document::Diagnostic;

use super::{Frame, place};
use crate::plan::{Expectation, LatencyMeasure, Measure, TrafficPlan, Window};
use crate::scenario::file::{ExpectSpec, Placed, Scenario};
use crate::scenario::problems::Problems;
use crate::scenario::value::{TimeLimit, written};

/// The expectations of a scenario, one for each demand.
pub(super) fn plans(
    scenario: &Scenario,
    traffic: &[TrafficPlan],
    frame: &Frame,
    problems: &mut Problems,
) -> Vec<Expectation> {
    let mut plans = Vec::new();
    for spec in scenario.expect.iter() {
        // A source that is written but did not come to be has been complained of already.
        let written = scenario
            .traffic
            .iter()
            .any(|(name, _)| name.0 == **spec.traffic);
        if !written {
            let error = unknown(spec, traffic, problems);
            problems.push(error);
        }
        match window(spec, frame, problems) {
            Some(window) => plans.extend(demands(spec, window, problems)),
            None => continue,
        }
    }
    plans
}

fn unknown(spec: &ExpectSpec, traffic: &[TrafficPlan], problems: &Problems) -> Diagnostic {
    let names: Vec<&str> = traffic.iter().map(|source| source.name.as_str()).collect();
    let name = &spec.traffic;
    let error = problems
        .error(
            name.at(),
            format!("no traffic is called `{}`", name.value()),
        )
        .did_you_mean(name, names.iter().copied());
    if names.is_empty() {
        return error;
    }
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    error.note(format!("there is {}", quoted.join(", ")))
}

/// The window meant, which must lie inside the run.
fn window(spec: &ExpectSpec, frame: &Frame, problems: &mut Problems) -> Option<Window> {
    let end = frame.duration;
    let Some(during) = &spec.during else {
        return Some(Window {
            from: std::time::Duration::ZERO,
            to: end,
        });
    };
    let window = Window {
        from: during.from,
        to: during.to.unwrap_or(end),
    };
    if window.to <= end && window.from < end {
        return Some(window);
    }
    let message = format!(
        "this window goes beyond the run, which ends after {}",
        written(end)
    );
    if frame.duration_overridden {
        let warning = problems.warning(during.at(), message);
        problems.push(warning);
        return (window.from < end).then_some(Window { to: end, ..window });
    }
    let error = problems.error(during.at(), message);
    problems.push(error);
    None
}

fn demands(spec: &Placed<ExpectSpec>, window: Window, problems: &mut Problems) -> Vec<Expectation> {
    let quantile = |q: f64, limit: &Option<Placed<TimeLimit>>| {
        let measure = Measure::Latency(LatencyMeasure::Quantile(q));
        limit
            .as_ref()
            .map(|limit| (measure, limit.0, place(limit.at())))
    };
    let latency = |measure: LatencyMeasure, limit: &Option<Placed<TimeLimit>>| {
        limit
            .as_ref()
            .map(|limit| (Measure::Latency(measure), limit.0, place(limit.at())))
    };
    let success = spec
        .success
        .as_ref()
        .map(|limit| (Measure::Success, limit.0, place(limit.at())));
    let demands: Vec<Expectation> = [
        success,
        quantile(0.5, &spec.p50),
        quantile(0.9, &spec.p90),
        quantile(0.95, &spec.p95),
        quantile(0.99, &spec.p99),
        quantile(0.999, &spec.p999),
        latency(LatencyMeasure::Mean, &spec.mean),
        latency(LatencyMeasure::Max, &spec.max),
    ]
    .into_iter()
    .flatten()
    .map(|(measure, bound, place)| Expectation {
        traffic: spec.traffic.value().clone(),
        window,
        measure,
        bound,
        place,
    })
    .collect();
    if demands.is_empty() {
        let error = problems
            .error(spec.at(), "this expectation demands nothing")
            .help("such as `success: \">= 99%\"` or `p99: \"< 250ms\"`");
        problems.push(error);
    }
    demands
}
