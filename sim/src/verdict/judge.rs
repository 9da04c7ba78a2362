//! Demands against measurements.

use meshquake_reports::record::seconds;
use meshquake_reports::summary::unit;
use meshquake_reports::{DemandReport, ExpectationReport, Unit, WindowReport};

use super::ledger::{Account, Ledger};
use crate::plan::{Bound, Comparison, Expectation, LatencyMeasure, Measure, Plan};

/// Numbers this close, relative to the demand, are equal: `99.9 / 100` is not the nearest number to 0.999.
const TOLERANCE: f64 = 1e-12;

/// Judges every expectation of `plan` by what `ledger` holds, in plan order.
pub fn judge(plan: &Plan, ledger: &Ledger) -> Vec<ExpectationReport> {
    let expectations = plan.expectations.iter().enumerate();
    expectations
        .map(|(index, expectation)| one(expectation, ledger.account(index)))
        .collect()
}

fn one(expectation: &Expectation, account: Option<&Account>) -> ExpectationReport {
    let measured = account.and_then(|account| account.measure(expectation.measure));
    let requests = account.map_or(0, Account::requests);
    let held = measured.is_some_and(|value| meets(value, expectation.bound));
    let window = expectation.window;
    let mut report = ExpectationReport {
        traffic: expectation.traffic.clone(),
        window: WindowReport {
            from_s: seconds(nanos(window.from)),
            to_s: seconds(nanos(window.to)),
        },
        measure: name(expectation.measure),
        unit: unit_of(expectation.measure),
        demanded: DemandReport {
            comparison: sign(expectation.bound.comparison).into(),
            value: told(expectation.bound.value, expectation.measure),
        },
        measured: measured.map(|value| told(value, expectation.measure)),
        held,
        requests,
        message: String::new(),
        place: expectation.place.clone(),
    };
    if !held {
        report.message = why(&report);
    }
    report
}

/// Whether `value` meets `bound`, with a hair's breadth either way counted as equal.
fn meets(value: f64, bound: Bound) -> bool {
    let hair = bound.value.abs() * TOLERANCE;
    let equal = (value - bound.value).abs() <= hair;
    match bound.comparison {
        Comparison::Less => !equal && value < bound.value,
        Comparison::AtMost => equal || value <= bound.value,
        Comparison::Greater => !equal && value > bound.value,
        Comparison::AtLeast => equal || value >= bound.value,
        Comparison::Equal => equal,
    }
}

const fn sign(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Less => "<",
        Comparison::AtMost => "<=",
        Comparison::Greater => ">",
        Comparison::AtLeast => ">=",
        Comparison::Equal => "==",
    }
}

const fn unit_of(measure: Measure) -> Unit {
    match measure {
        Measure::Success => Unit::Ratio,
        Measure::Latency(_) => Unit::Ms,
    }
}

/// Ratios to twelve decimals (which hides how they are written in binary), latencies in milliseconds.
fn told(value: f64, measure: Measure) -> f64 {
    match measure {
        Measure::Success => (value * 1e12).round() / 1e12,
        Measure::Latency(_) => value / 1e6,
    }
}

/// `success`, `mean`, `max`, `p99`, `p99.9`.
fn name(measure: Measure) -> String {
    match measure {
        Measure::Success => "success".into(),
        Measure::Latency(LatencyMeasure::Mean) => "mean".into(),
        Measure::Latency(LatencyMeasure::Max) => "max".into(),
        Measure::Latency(LatencyMeasure::Quantile(q)) => {
            format!("p{}", unit::trimmed(q * 100.0, 6))
        }
    }
}

fn why(report: &ExpectationReport) -> String {
    let window = format!(
        "from {} to {}",
        unit::span(report.window.from_s),
        unit::span(report.window.to_s)
    );
    let traffic = &report.traffic;
    let number = |value| match report.unit {
        Unit::Ratio => unit::share(value),
        Unit::Ms => unit::millis(value),
    };
    let demanded = match report.unit {
        Unit::Ratio => format!("{}%", unit::trimmed(report.demanded.value * 100.0, 6)),
        Unit::Ms => format!("{} ms", unit::trimmed(report.demanded.value, 6)),
    };
    let demand = format!("{} {demanded}", report.demanded.comparison);
    match report.measured {
        Some(value) => format!(
            "{} of {traffic} {window} was {}, not {demand}",
            report.measure,
            number(value)
        ),
        None if report.requests > 0 => format!(
            "none of the {} of {traffic} {window} was answered, so there is no {} to be {demand}",
            unit::counted(report.requests, "request"),
            report.measure
        ),
        None => {
            format!("{traffic} had no request {window} that ended, so nothing could be measured")
        }
    }
}

fn nanos(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Window;
    use crate::record::sample;
    use mesh_core::seam::Instant;
    use std::time::Duration;

    const MS: u64 = 1_000_000;

    fn expectation(measure: Measure, comparison: Comparison, value: f64) -> Expectation {
        Expectation {
            traffic: "shoppers".into(),
            window: Window {
                from: Duration::from_secs(10),
                to: Duration::from_secs(20),
            },
            measure,
            bound: Bound { comparison, value },
            place: "scenario.yaml:9".into(),
        }
    }

    /// Four requests in the window (20, 30 and 40 ms, one failure) and two outside it.
    fn judged(expectations: Vec<Expectation>) -> Vec<ExpectationReport> {
        let mut plan = sample::plan();
        plan.expectations = expectations;
        let mut ledger = Ledger::new(&plan);
        let at = |ms: u64| Instant::from_nanos(ms * MS);
        ledger.ended(0, at(9_999), false, None);
        ledger.ended(0, at(10_000), true, Some(30 * MS));
        ledger.ended(0, at(12_000), true, Some(20 * MS));
        ledger.ended(0, at(13_000), true, Some(40 * MS));
        ledger.ended(0, at(19_999), false, None);
        ledger.ended(0, at(20_000), false, None);
        ledger.ended(1, at(15_000), false, None);
        judge(&plan, &ledger)
    }

    #[test]
    fn a_window_is_half_open_and_knows_its_source() {
        let told = judged(vec![expectation(
            Measure::Success,
            Comparison::AtLeast,
            0.75,
        )]);
        assert_eq!(told[0].requests, 4);
        assert_eq!(told[0].measured, Some(0.75));
        assert!(told[0].held && told[0].message.is_empty());
    }

    #[test]
    fn latencies_are_of_answered_requests() {
        let latency = |measure, comparison, ms: f64| {
            expectation(Measure::Latency(measure), comparison, ms * 1e6)
        };
        let told = judged(vec![
            latency(LatencyMeasure::Mean, Comparison::Equal, 30.0),
            latency(LatencyMeasure::Max, Comparison::AtMost, 40.0),
            latency(LatencyMeasure::Quantile(0.5), Comparison::Less, 30.0),
            latency(LatencyMeasure::Quantile(0.999), Comparison::Less, 250.0),
        ]);
        let held: Vec<bool> = told.iter().map(|e| e.held).collect();
        assert_eq!(held, [true, true, false, true]);
        assert_eq!(
            told[2].message,
            "p50 of shoppers from 10 s to 20 s was 30.0 ms, not < 30 ms"
        );
        assert_eq!(told[3].measure, "p99.9");
        assert_eq!(told[3].measured, Some(40.0));
    }

    #[test]
    fn bounds_are_met_as_a_person_reads_them() {
        let bound = |comparison, value| Bound { comparison, value };
        let written = 99.9 / 100.0;
        assert!(meets(0.999, bound(Comparison::AtLeast, written)));
        assert!(!meets(0.999, bound(Comparison::Greater, written)));
        assert!(!meets(0.9989, bound(Comparison::AtLeast, written)));
        assert!(meets(0.0, bound(Comparison::Equal, 0.0)));
        assert!(!meets(f64::NAN, bound(Comparison::AtLeast, 0.0)));
    }

    #[test]
    fn silence_is_not_success() {
        let mut silent = expectation(Measure::Success, Comparison::AtLeast, 0.0);
        silent.window.from = Duration::from_secs(50);
        silent.window.to = Duration::from_secs(60);
        let told = judged(vec![silent]);
        assert!(!told[0].held);
        assert_eq!(
            told[0].message,
            "shoppers had no request from 50 s to 60 s that ended, so nothing could be measured"
        );
    }

    #[test]
    fn a_window_without_answers_has_no_latency() {
        let mut plan = sample::plan();
        let measure = Measure::Latency(LatencyMeasure::Quantile(0.99));
        plan.expectations = vec![expectation(measure, Comparison::Less, 1e9)];
        let mut ledger = Ledger::new(&plan);
        ledger.ended(0, Instant::from_nanos(11_000 * MS), false, None);
        let told = judge(&plan, &ledger);
        assert!(!told[0].held);
        assert!(
            told[0]
                .message
                .starts_with("none of the 1 request of shoppers")
        );
    }

    #[test]
    fn a_hung_request_failed_and_a_young_one_did_not() {
        let mut plan = sample::plan();
        plan.expectations = vec![expectation(Measure::Success, Comparison::Equal, 0.5)];
        let mut ledger = Ledger::new(&plan);
        let end = Instant::from_nanos(20_000 * MS);
        ledger.ended(0, Instant::from_nanos(11_000 * MS), true, Some(1));
        ledger.in_flight(0, Instant::from_nanos(11_000 * MS), end);
        ledger.in_flight(0, Instant::from_nanos(19_500 * MS), end);
        let told = judge(&plan, &ledger);
        assert_eq!(
            (told[0].requests, told[0].measured, told[0].held),
            (2, Some(0.5), true)
        );
    }
}
