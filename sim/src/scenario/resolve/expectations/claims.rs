//! The demands of an expectation.

use mesh_core::policy::Position;

use super::names::Names;
use crate::plan::{Bound, LatencyMeasure, Measure};
use crate::scenario::file::{ExpectSpec, Placed};
use crate::scenario::problems::Problems;
use crate::scenario::value::{
    AmountLimit, CountLimit, NumberLimit, RateLimit, ShareLimit, TimeLimit,
};

/// One demand, as it is written.
pub(super) struct Written {
    pub(super) key: &'static str,
    pub(super) measure: Measure,
    pub(super) bound: Bound,
    pub(super) at: Position,
}

/// The demands of `spec`, of which there must be one, and whose names must be known.
pub(super) fn demands(
    spec: &Placed<ExpectSpec>,
    names: &Names<'_>,
    problems: &mut Problems,
) -> Vec<Written> {
    let mut demands = written(spec);
    match (&spec.slo, &spec.burn_rate) {
        (Some(slo), _) if slo.0.ppm() >= 1_000_000 => {
            let error = problems
                .error(slo.at(), "an objective of 100% leaves no errors to spend")
                .help("such as `slo: 99.9%`");
            problems.push(error);
            demands.retain(|demand| demand.key != "burn-rate");
        }
        (Some(slo), None) => {
            let error = problems
                .error(slo.at(), "`slo` alone demands nothing")
                .help("such as `burn-rate: \"<= 1\"` beside it");
            problems.push(error);
            return demands;
        }
        (None, Some(burn)) => {
            let error = problems
                .error(burn.at(), "the budget of which objective?")
                .help("such as `slo: 99.9%` beside it");
            problems.push(error);
            demands.retain(|demand| demand.key != "burn-rate");
        }
        _ => {}
    }
    demands.retain(|demand| match &demand.measure {
        Measure::Calls(service) => names.service_of(service, &demand.at, problems),
        _ => true,
    });
    if written(spec).is_empty() {
        let error = problems
            .error(spec.at(), "this expectation demands nothing")
            .help("such as `success: \">= 99%\"` or `p99: \"< 250ms\"`");
        problems.push(error);
    }
    demands
}

/// The demands of `spec`, in the order of the schema.
pub(super) fn written(spec: &ExpectSpec) -> Vec<Written> {
    let mut all = Vec::new();
    let mut add = |key, measure, bound: Option<(Bound, &Position)>| {
        if let Some((bound, at)) = bound {
            all.push(Written {
                key,
                measure,
                bound,
                at: at.clone(),
            });
        }
    };
    let latency = |q| Measure::Latency(LatencyMeasure::Quantile(q));
    add("success", Measure::Success, share(&spec.success));
    let slo = spec
        .slo
        .as_ref()
        .map_or(0.0, |slo| f64::from(slo.0.ppm()) / 1e6);
    add(
        "burn-rate",
        Measure::BurnRate { slo },
        number(&spec.burn_rate),
    );
    add("p50", latency(0.5), time(&spec.p50));
    add("p90", latency(0.9), time(&spec.p90));
    add("p95", latency(0.95), time(&spec.p95));
    add("p99", latency(0.99), time(&spec.p99));
    add("p999", latency(0.999), time(&spec.p999));
    add(
        "mean",
        Measure::Latency(LatencyMeasure::Mean),
        time(&spec.mean),
    );
    add(
        "max",
        Measure::Latency(LatencyMeasure::Max),
        time(&spec.max),
    );
    add("goodput", Measure::Goodput, rate(&spec.goodput));
    add("rate", Measure::Rate, rate(&spec.rate));
    add("attempts", Measure::Attempts, number(&spec.attempts));
    for (service, limit) in spec.calls.iter() {
        let measure = Measure::Calls(service.value().clone());
        add("calls", measure, Some((limit.0, service.at())));
    }
    for (flag, limit) in spec.flags.iter() {
        let AmountLimit(amount, bound) = *limit.value();
        add(
            "flags",
            Measure::Flag(flag.0, amount),
            Some((bound, flag.at())),
        );
    }
    for (status, limit) in spec.status.iter() {
        let AmountLimit(amount, bound) = *limit.value();
        add(
            "status",
            Measure::Status(status.0, amount),
            Some((bound, status.at())),
        );
    }
    add("busiest", Measure::Busiest, share(&spec.busiest));
    add("imbalance", Measure::Imbalance, number(&spec.imbalance));
    add("fairness", Measure::Fairness, number(&spec.fairness));
    add("wasted", Measure::Wasted, share(&spec.wasted));
    add("queue", Measure::Queue, count(&spec.queue));
    add("wait-p50", Measure::Wait(0.5), time(&spec.wait_p50));
    add("wait-p99", Measure::Wait(0.99), time(&spec.wait_p99));
    add("cross-zone", Measure::CrossZone, share(&spec.cross_zone));
    if let Some(limit) = &spec.cross_zone_bytes {
        let measure = Measure::CrossZoneBytes(limit.0);
        add("cross-zone-bytes", measure, Some((limit.1, limit.at())));
    }
    add("plaintext", Measure::Plaintext, count(&spec.plaintext));
    add(
        "unauthorised",
        Measure::Unauthorised,
        count(&spec.unauthorised),
    );
    all
}

type Limit<'a> = Option<(Bound, &'a Position)>;

fn share(limit: &Option<Placed<ShareLimit>>) -> Limit<'_> {
    limit.as_ref().map(|limit| (limit.0, limit.at()))
}

fn time(limit: &Option<Placed<TimeLimit>>) -> Limit<'_> {
    limit.as_ref().map(|limit| (limit.0, limit.at()))
}

fn number(limit: &Option<Placed<NumberLimit>>) -> Limit<'_> {
    limit.as_ref().map(|limit| (limit.0, limit.at()))
}

fn rate(limit: &Option<Placed<RateLimit>>) -> Limit<'_> {
    limit.as_ref().map(|limit| (limit.0, limit.at()))
}

fn count(limit: &Option<Placed<CountLimit>>) -> Limit<'_> {
    limit.as_ref().map(|limit| (limit.0, limit.at()))
}
