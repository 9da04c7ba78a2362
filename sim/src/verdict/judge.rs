//! Demands against measurements.

use meshquake_reports::record::seconds;
use meshquake_reports::summary::unit;
use meshquake_reports::{DemandReport, ExpectationReport, RecoveryReport, Unit, WindowReport};

use super::span::Spans;
use super::witness::Witness;
use crate::plan::{
    Amount, Bound, Claim, Comparison, Demand, Expectation, FaultSet, LatencyMeasure, Measure, Plan,
    StatusClass, Subject, Window,
};

/// Numbers this close, relative to the demand, are equal: `99.9 / 100` is not the nearest number to 0.999.
const TOLERANCE: f64 = 1e-12;
/// Stretches of a window told one by one.
const SPANS_MAX: usize = 100;

/// Judges every expectation of `plan` by what `witness` saw in a run of this length in nanoseconds, in plan order.
/// `recovery` is what became of the traffic.
pub(crate) fn judge(
    plan: &Plan,
    witness: &Witness,
    recovery: &[RecoveryReport],
    length: u64,
) -> Vec<ExpectationReport> {
    let bench = Bench {
        plan,
        witness,
        recovery,
        length,
    };
    let expectations = plan.expectations.iter().enumerate();
    expectations
        .map(|(index, expectation)| bench.one(index, expectation))
        .collect()
}

struct Bench<'a> {
    plan: &'a Plan,
    witness: &'a Witness,
    recovery: &'a [RecoveryReport],
    length: u64,
}

/// What was found of one expectation.
struct Found {
    traffic: String,
    subject: String,
    window: WindowReport,
    measure: String,
    unit: Unit,
    measured: Option<f64>,
    counted: u64,
    /// Why there is nothing to measure.
    lacking: String,
}

impl Bench<'_> {
    fn one(&self, index: usize, expectation: &Expectation) -> ExpectationReport {
        let found = match &expectation.demand {
            Demand::Measured { claim, window } => self.measured(index, claim, window),
            Demand::Detects { faults, service } => self.detected(index, faults, service.as_deref()),
            Demand::Recovers { traffic, share } => self.recovered(traffic, *share),
        };
        let Bound { comparison, value } = expectation.bound;
        let held = found
            .measured
            .is_some_and(|value| meets(value, expectation.bound));
        let mut report = ExpectationReport {
            traffic: found.traffic,
            subject: found.subject,
            window: found.window,
            measure: found.measure,
            unit: found.unit,
            demanded: DemandReport {
                comparison: sign(comparison).into(),
                value: told(value, found.unit),
            },
            measured: found.measured.map(|value| told(value, found.unit)),
            held,
            requests: found.counted,
            message: String::new(),
            place: expectation.place.clone(),
        };
        if !held {
            report.message = match report.measured {
                Some(value) => missed(&report, value),
                None => found.lacking,
            };
        }
        report
    }

    fn measured(&self, index: usize, claim: &Claim, window: &Window) -> Found {
        let (subject, measure) = (claim.subject(), claim.measure());
        let account = self.witness.ledger.account(index, self.length);
        let spans = account.as_ref().map(|account| account.spans.clone());
        let spans = spans.unwrap_or_default();
        let counted = account.as_ref().map_or(0, |a| a.counted(measure));
        let mut found = Found {
            traffic: match subject {
                Subject::Traffic(name) => name.clone(),
                _ => String::new(),
            },
            subject: spoken(subject),
            window: bounds(&spans, window),
            measure: key(measure),
            unit: unit_of(measure),
            measured: account.and_then(|account| account.measure(measure)),
            counted,
            lacking: String::new(),
        };
        if found.measured.is_none() {
            found.lacking = lacking(&found, &spans);
        }
        found
    }

    fn detected(&self, index: usize, faults: &FaultSet, service: Option<&str>) -> Found {
        let began = self.witness.ledger.occurrences().began(faults);
        let ejected = self.witness.detections.ejected(index);
        let of = service.map_or_else(|| "it is for".to_owned(), |name| format!("of {name}"));
        let began_s = began.map(|at| unit::span(seconds(at)));
        let lacking = match &began_s {
            None => format!("{} never began, so nobody could detect it", faults.name),
            Some(at) => format!(
                "no endpoint {of} was ejected after {} began at {at}",
                faults.name
            ),
        };
        let took = began.zip(ejected).map(|(b, e)| seconds(e - b));
        Found {
            traffic: String::new(),
            subject: match service {
                Some(service) => format!("{} by {service}", faults.name),
                None => faults.name.clone(),
            },
            window: WindowReport {
                from_s: began.map_or(0.0, seconds),
                to_s: began.map_or(0.0, |_| seconds(self.length)),
                ..WindowReport::default()
            },
            measure: "detects".into(),
            unit: Unit::S,
            measured: took,
            counted: u64::from(ejected.is_some()),
            lacking,
        }
    }

    fn recovered(&self, traffic: &str, share: f64) -> Found {
        let report = self.recovery.iter().find(|one| one.traffic == traffic);
        let occurrences = self.witness.ledger.occurrences();
        let mut lasting = occurrences.lasting();
        lasting.extend(occurrences.bursts().lasting(self.length));
        let to = unit::trimmed(share * 100.0, 6);
        let lacking = match report {
            Some(report) => format!(
                "goodput of {traffic} never came back to {to}% of what it was after {}: {}/s at the end, {}/s before",
                unit::span(report.healed_s),
                unit::rate(report.last_per_s),
                unit::rate(report.before_per_s)
            ),
            None if !lasting.is_empty() => format!(
                "{} had not healed when the run ended, so there is no recovery to measure",
                lasting.join(", ")
            ),
            None => format!(
                "there is nothing to compare {traffic} with: no fault healed, or nothing succeeded before the first"
            ),
        };
        let healed = report.map(|report| report.healed_s);
        let source = self.plan.traffic.iter().position(|one| one.name == traffic);
        let back = source.and_then(|source| self.witness.back(source, share, self.length));
        Found {
            traffic: traffic.to_owned(),
            subject: traffic.to_owned(),
            window: WindowReport {
                from_s: healed.unwrap_or_default(),
                to_s: healed.map_or(0.0, |_| seconds(self.length)),
                text: format!("to {to}%"),
                spans: Vec::new(),
            },
            measure: "recovers".into(),
            unit: Unit::S,
            measured: back,
            counted: 0,
            lacking,
        }
    }
}

/// A window as it was, and as it was written.
fn bounds(spans: &Spans, window: &Window) -> WindowReport {
    let (from, to) = spans.hull().unwrap_or_default();
    let mut told: Vec<[f64; 2]> = Vec::new();
    if spans.iter().count() > 1 {
        let all = spans.iter().take(SPANS_MAX);
        told.extend(all.map(|(from, to)| [seconds(from), seconds(to)]));
    }
    WindowReport {
        from_s: seconds(from),
        to_s: seconds(to),
        text: window.text.clone(),
        spans: told,
    }
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

const fn unit_of(measure: &Measure) -> Unit {
    match measure {
        Measure::Success
        | Measure::Flag(_, Amount::Share)
        | Measure::Status(_, Amount::Share)
        | Measure::CrossZoneBytes(Amount::Share)
        | Measure::Busiest
        | Measure::Wasted
        | Measure::CrossZone => Unit::Ratio,
        Measure::Latency(_) | Measure::Wait(_) => Unit::Ms,
        Measure::Goodput | Measure::Rate => Unit::PerSecond,
        Measure::BurnRate { .. }
        | Measure::Attempts
        | Measure::Calls(_)
        | Measure::Imbalance
        | Measure::Fairness => Unit::Number,
        Measure::Flag(_, Amount::Count)
        | Measure::Status(_, Amount::Count)
        | Measure::Queue
        | Measure::Plaintext
        | Measure::Unauthorised => Unit::Count,
        Measure::CrossZoneBytes(Amount::Count) => Unit::Bytes,
    }
}

/// Ratios to twelve decimals (which hides how they are written in binary), nanoseconds in milliseconds.
fn told(value: f64, unit: Unit) -> f64 {
    match unit {
        Unit::Ratio | Unit::Number | Unit::PerSecond | Unit::S => (value * 1e12).round() / 1e12,
        Unit::Ms => value / 1e6,
        Unit::Count | Unit::Bytes => value,
    }
}

/// A measure by its key in a scenario: `success`, `p99.9`, `flags.UO`.
fn key(measure: &Measure) -> String {
    let percentile = |q: f64| format!("p{}", unit::trimmed(q * 100.0, 6));
    match measure {
        Measure::Success => "success".into(),
        Measure::BurnRate { .. } => "burn-rate".into(),
        Measure::Latency(LatencyMeasure::Mean) => "mean".into(),
        Measure::Latency(LatencyMeasure::Max) => "max".into(),
        Measure::Latency(LatencyMeasure::Quantile(q)) => percentile(*q),
        Measure::Goodput => "goodput".into(),
        Measure::Rate => "rate".into(),
        Measure::Attempts => "attempts".into(),
        Measure::Calls(service) => format!("calls.{service}"),
        Measure::Flag(flag, _) => format!("flags.{}", flag.as_str()),
        Measure::Status(StatusClass::None, _) => "status.none".into(),
        Measure::Status(StatusClass::Exactly(status), _) => format!("status.{status}"),
        Measure::Status(StatusClass::Hundred(digit), _) => format!("status.{digit}xx"),
        Measure::Busiest => "busiest".into(),
        Measure::Imbalance => "imbalance".into(),
        Measure::Fairness => "fairness".into(),
        Measure::Wasted => "wasted".into(),
        Measure::Queue => "queue".into(),
        Measure::Wait(q) => format!("wait-{}", percentile(*q)),
        Measure::CrossZone => "cross-zone".into(),
        Measure::CrossZoneBytes(_) => "cross-zone-bytes".into(),
        Measure::Plaintext => "plaintext".into(),
        Measure::Unauthorised => "unauthorised".into(),
    }
}

/// A subject as people speak of it.
fn spoken(subject: &Subject) -> String {
    let end = |name: &Option<String>| name.clone().unwrap_or_else(|| "any".into());
    match subject {
        Subject::Traffic(name) => name.clone(),
        Subject::Edge { from, to } => format!("{} → {}", end(from), end(to)),
        Subject::Service(name) => format!("service {name}"),
        Subject::Mesh => "the mesh".into(),
    }
}

/// `from 10 s to 20 s`, or `at 12 times from 10 s to 95 s`.
fn stretch(window: &WindowReport) -> String {
    let (from, to) = (unit::span(window.from_s), unit::span(window.to_s));
    match window.spans.len() {
        0 => format!("from {from} to {to}"),
        n => format!("in {n} stretches from {from} to {to}"),
    }
}

fn missed(report: &ExpectationReport, value: f64) -> String {
    let demanded = unit::demanded(report.demanded.value, report.unit);
    let demand = format!("{} {demanded}", report.demanded.comparison);
    let value = unit::measured(value, report.unit);
    let (measure, subject) = (&report.measure, &report.subject);
    match measure.as_str() {
        "detects" => format!("{subject} was detected after {value}, not {demand}"),
        "recovers" => format!(
            "goodput of {subject} was back {} after {value}, not {demand}",
            report.window.text
        ),
        _ => format!(
            "{measure} of {subject} {} was {value}, not {demand}",
            stretch(&report.window)
        ),
    }
}

/// Why nothing was measured.
fn lacking(found: &Found, spans: &Spans) -> String {
    let subject = &found.subject;
    if spans.is_empty() {
        let text = &found.window.text;
        return format!(
            "there was no time “{text}” in this run, so nothing of {subject} could be measured"
        );
    }
    let window = stretch(&found.window);
    if found.counted > 0 {
        return match found.unit {
            Unit::Ms if !found.measure.starts_with("wait") => format!(
                "none of the {} of {subject} {window} was answered, so there is no {} to be demanded",
                unit::counted(found.counted, "request"),
                found.measure
            ),
            _ => format!(
                "nothing was seen of {} of {subject} {window}",
                found.measure
            ),
        };
    }
    format!("{subject} had no request {window} that ended, so nothing could be measured")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample;
    use crate::verdict::ClientEnd;
    use mesh_core::seam::Instant;
    use std::time::Duration;

    const MS: u64 = 1_000_000;

    fn window(from: u64, to: u64) -> Window {
        Window::clock(Duration::from_secs(from), Duration::from_secs(to))
    }

    fn expectation(measure: Measure, comparison: Comparison, value: f64) -> Expectation {
        let subject = Subject::Traffic("shoppers".into());
        Expectation {
            demand: Demand::Measured {
                claim: Claim::new(subject, measure).unwrap(),
                window: window(10, 20),
            },
            bound: Bound { comparison, value },
            place: "scenario.yaml:9".into(),
        }
    }

    fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * MS)
    }

    fn ended(witness: &mut Witness, traffic: usize, intended: Instant, latency: Option<u64>) {
        let end = ClientEnd {
            traffic,
            intended,
            ended: intended + Duration::from_nanos(latency.unwrap_or_default()),
            succeeded: latency.is_some(),
            latency,
            status: if latency.is_some() { 200 } else { 0 },
            flags: None,
        };
        witness.sent(traffic, 0, intended, intended);
        witness.ended(&end, intended);
    }

    fn judged_by(plan: &Plan, mut witness: Witness) -> Vec<ExpectationReport> {
        witness.close(plan, at(60_000));
        let length = 60_000 * MS;
        let recovery = witness.recovery(plan, length);
        judge(plan, &witness, &recovery, length)
    }

    /// Four requests in the window (20, 30 and 40 ms, one failure) and two outside it.
    fn judged(expectations: Vec<Expectation>) -> Vec<ExpectationReport> {
        let mut plan = sample::plan();
        plan.expectations = expectations;
        let mut witness = Witness::new(&plan);
        ended(&mut witness, 0, at(9_999), None);
        ended(&mut witness, 0, at(10_000), Some(30 * MS));
        ended(&mut witness, 0, at(12_000), Some(20 * MS));
        ended(&mut witness, 0, at(13_000), Some(40 * MS));
        ended(&mut witness, 0, at(19_999), None);
        ended(&mut witness, 0, at(20_000), None);
        ended(&mut witness, 1, at(15_000), None);
        judged_by(&plan, witness)
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
        assert_eq!((told[0].window.from_s, told[0].window.to_s), (10.0, 20.0));
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
        let Demand::Measured { window: of, .. } = &mut silent.demand else {
            unreachable!()
        };
        *of = window(50, 60);
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
        let mut witness = Witness::new(&plan);
        ended(&mut witness, 0, at(11_000), None);
        let told = judged_by(&plan, witness);
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
        let mut witness = Witness::new(&plan);
        ended(&mut witness, 0, at(11_000), Some(1));
        for intended in [11_000, 19_500] {
            witness.sent(0, 0, at(intended), at(intended));
            witness.in_flight(0, at(intended), at(intended), at(20_000));
        }
        let told = judged_by(&plan, witness);
        assert_eq!(
            (told[0].requests, told[0].measured, told[0].held),
            (2, Some(0.5), true)
        );
    }
}
