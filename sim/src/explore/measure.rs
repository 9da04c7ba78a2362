//! The numbers of a run that are compared with those of another.

use indexmap::IndexMap;
use meshquake_reports::suite::{Better, MeasureUnit, Measured};
use meshquake_reports::{ExpectationReport, RunReport, Unit};

/// What `report` measured, by name: for each traffic source, for the whole mesh, and for each expectation.
pub fn measures(report: &RunReport) -> IndexMap<String, Measured> {
    let mut all = IndexMap::new();
    for (name, traffic) in &report.traffic {
        let ended = traffic.succeeded + traffic.failed;
        let success = share(traffic.succeeded, ended);
        let goodput = share(traffic.succeeded, 1).map(|n| n / report.virtual_seconds);
        let latency = traffic.latency_ms;
        let rows = [
            ("success", success, MeasureUnit::Share, Better::Higher),
            (
                "goodput_rps",
                goodput,
                MeasureUnit::PerSecond,
                Better::Higher,
            ),
            (
                "p50_ms",
                latency.map(|l| l.p50),
                MeasureUnit::Ms,
                Better::Lower,
            ),
            (
                "p99_ms",
                latency.map(|l| l.p99),
                MeasureUnit::Ms,
                Better::Lower,
            ),
        ];
        for (measure, value, unit, better) in rows {
            all.insert(
                format!("{name}.{measure}"),
                Measured {
                    value,
                    unit,
                    better,
                },
            );
        }
    }
    let tries = Measured {
        value: report.attempts_per_request(),
        unit: MeasureUnit::Number,
        better: Better::Lower,
    };
    all.insert("mesh.attempts_per_request".into(), tries);
    for expectation in &report.expectations {
        let name = expectation_name(expectation);
        let mut unique = name.clone();
        for number in 2.. {
            if !all.contains_key(&unique) {
                break;
            }
            unique = format!("{name} #{number}");
        }
        all.insert(unique, expected(expectation));
    }
    all
}

/// `expect users p99 30..45 s`: it says what is demanded of, and stays when a demand is written above it.
pub(super) fn expectation_name(expectation: &ExpectationReport) -> String {
    let (measure, window) = (&expectation.measure, &expectation.window);
    let subject = match expectation.subject.as_str() {
        "" => &expectation.traffic,
        subject => subject,
    };
    match window.text.as_str() {
        "" => format!(
            "expect {subject} {measure} {}..{} s",
            window.from_s, window.to_s
        ),
        // Its seconds may differ from run to run.
        text => format!("expect {subject} {measure} {text}"),
    }
}

fn expected(expectation: &ExpectationReport) -> Measured {
    let better = match expectation.demanded.comparison.as_str() {
        ">" | ">=" => Better::Higher,
        "<" | "<=" => Better::Lower,
        _ => Better::Same,
    };
    let unit = match expectation.unit {
        Unit::Ratio => MeasureUnit::Share,
        Unit::Ms => MeasureUnit::Ms,
        Unit::PerSecond => MeasureUnit::PerSecond,
        Unit::S | Unit::Count | Unit::Number | Unit::Bytes => MeasureUnit::Number,
    };
    Measured {
        value: expectation.measured,
        unit,
        better,
    }
}

fn share(part: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}
