//! The verdict in one sentence that needs no knowledge of meshes.
//!
//! It says what happened to whose requests, when, in relation to which fault, and what was demanded. Of several
//! demands that were missed it takes the one that clients feel most: failures before slowness before anything else.

use crate::html::text::plain;
use crate::record::{
    ExpectationReport, FailureKind, FaultReport, Recovered, RunReport, Unit, Verdict,
};
use crate::summary::unit;

/// The verdict of `report`.
pub(super) fn verdict(report: &RunReport) -> String {
    match report.verdict {
        Verdict::Held => held(report),
        Verdict::Interrupted => {
            "The run was ended before its time: what follows is of the part that ran, and nothing is judged.".into()
        }
        Verdict::Metastable => metastable(report).unwrap_or_else(|| failed(report)),
        Verdict::Failed => failed(report),
    }
}

/// A second sentence, where the scenario says that it is to come out so.
pub(super) fn declared(report: &RunReport) -> Option<&'static str> {
    match (report.declared.is(report.verdict), report.verdict) {
        (_, Verdict::Interrupted) | (true, Verdict::Held) => None,
        (true, _) => {
            Some("The scenario declares that it comes to this: it is there to show what breaks.")
        }
        (false, Verdict::Held) => Some(
            "The scenario declares that it would not hold: what it was to show did not happen.",
        ),
        (false, _) => None,
    }
}

fn held(report: &RunReport) -> String {
    let demands = report.expectations.len() as u64;
    let scripted = report.traffic.values().flat_map(|t| &t.scripted);
    let asked = scripted.filter(|s| s.held.is_some()).count() as u64;
    let what = match (demands, asked) {
        (0, 0) => "Nothing was demanded of this run".into(),
        (0, n) => format!("{} answered as demanded", were(n, "scripted request")),
        (n, _) => format!("{} met", were(n, "demand")),
    };
    let began: Vec<&FaultReport> = report
        .faults
        .iter()
        .filter(|f| f.began && !f.inert)
        .collect();
    let through = match began.as_slice() {
        [] => String::new(),
        [only] => format!(", through {}", fault(only)),
        [first, rest @ ..] => format!(
            ", through {} and {}",
            fault(first),
            unit::counted(rest.len() as u64, other(&began))
        ),
    };
    let all = || report.traffic.values();
    let ended: u64 = all().map(|t| t.succeeded + t.failed).sum();
    let good: u64 = all().map(|t| t.succeeded).sum();
    let share = match ended {
        0 => String::new(),
        n if n == good => format!("; every one of {} succeeded", unit::counted(n, "request")),
        n => format!(
            "; {} of {} succeeded",
            unit::share(good as f64 / n as f64),
            unit::counted(n, "request")
        ),
    };
    format!("{what}{through}{share}.{}", unjudged(report))
}

/// What a run that the command line has cut cannot say.
fn unjudged(report: &RunReport) -> String {
    match report.expectations_unjudged {
        0 => String::new(),
        n => format!(
            " {} not judged: the run was cut before.",
            match n {
                1 => "1 more demand is".to_owned(),
                n => format!("{} more demands are", unit::count(n)),
            }
        ),
    }
}

/// Bursts are no faults.
fn other(began: &[&FaultReport]) -> &'static str {
    match began.iter().any(|fault| fault.burst) {
        true => "other disturbance",
        false => "other fault",
    }
}

fn were(n: u64, noun: &str) -> String {
    match n {
        1 => format!("The one {noun} was"),
        2 => format!("Both {noun}s were"),
        n => format!("All {} {noun}s were", unit::count(n)),
    }
}

fn fault(fault: &FaultReport) -> String {
    let name = match fault.explained() {
        Some(what) => format!("{}: {}", plain(&fault.name), plain(what)),
        None => plain(&fault.name).to_string(),
    };
    match (fault.times, fault.over_s.or(fault.for_s)) {
        (2.., _) => format!("“{name}” ({} times)", fault.times),
        (_, Some(s)) if s > 0.0 => format!("{} of “{name}”", unit::span(s)),
        _ => format!("“{name}”"),
    }
}

fn metastable(report: &RunReport) -> Option<String> {
    let broken = report
        .recovery
        .iter()
        .find(|r| r.recovered == Recovered::Metastable)?;
    let since = (report.virtual_seconds - broken.healed_s).max(0.0);
    let last = match broken.last_per_s {
        rate if rate < 0.005 => "none".to_owned(),
        rate => format!("{}/s", unit::rate(rate)),
    };
    let trigger = match &broken.burst {
        Some(burst) => format!("the {} was over", plain(burst)),
        None => "everything was repaired".to_owned(),
    };
    Some(format!(
        "It stays broken: {} after {trigger}, {last} of the requests of {} succeed, where {}/s did before. The load that the mesh makes for itself, by trying again, keeps it so.",
        unit::span(since),
        plain(&broken.traffic),
        unit::rate(broken.before_per_s)
    ))
}

fn failed(report: &RunReport) -> String {
    let missed = report.expectations.iter().filter(|e| !e.held);
    let worst = missed.min_by_key(|e| weight(e));
    let others = report.failures.len().saturating_sub(1) as u64;
    let more = match others {
        0 => String::new(),
        n => format!(
            " {} more {} below.",
            unit::count(n),
            if n == 1 { "reason is" } else { "reasons are" }
        ),
    };
    let of = |kind| report.failures.iter().find(move |f| f.kind == kind);
    // A defect of ours comes first: nothing else can be believed then.
    if let Some(defect) = of(FailureKind::Invariant) {
        return format!(
            "This is a defect of Meshquake itself: {}.{more}",
            stripped(&unit::with_signs(&defect.message))
        );
    }
    if let Some(worst) = worst {
        return format!("It failed: {}.{more}", missed_by(worst, report));
    }
    if let Some(inert) = of(FailureKind::InertFault) {
        return format!(
            "It proves nothing: {}.{more}",
            stripped(&unit::with_signs(&inert.message))
        );
    }
    match report.failures.first() {
        Some(first) => format!(
            "It failed: {}.{more}",
            stripped(&unit::with_signs(&first.message))
        ),
        None => "It failed.".into(),
    }
}

fn stripped(message: &str) -> &str {
    message.trim_end_matches('.')
}

/// Less is worse.
fn weight(missed: &ExpectationReport) -> u8 {
    match (missed.measured, missed.measure.as_str()) {
        (Some(_), "success") => 0,
        (Some(_), "goodput") => 1,
        (Some(_), measure) if quantile(measure).is_some() => 2,
        (Some(_), _) => 3,
        (None, _) => 4,
    }
}

/// `99.9` of `p99.9`.
fn quantile(measure: &str) -> Option<f64> {
    let q: f64 = measure.strip_prefix('p')?.parse().ok()?;
    (q > 0.0 && q < 100.0).then_some(q)
}

fn missed_by(missed: &ExpectationReport, report: &RunReport) -> String {
    let subject = plain(missed.whom());
    let when = when(missed, report);
    let demand = &missed.demanded;
    let bound = format!(
        "{} {}",
        compared(&demand.comparison),
        unit::demanded(demand.value, missed.unit)
    );
    let Some(measured) = missed.measured else {
        return format!(
            "{when}, there was nothing to measure of {subject} ({} {bound} was demanded)",
            plain(&missed.measure)
        );
    };
    let told = unit::measured(measured, missed.unit);
    match missed.measure.as_str() {
        "success" if demand.comparison.starts_with('>') && missed.unit == Unit::Ratio => {
            let most = match demand.value {
                v if v >= 1.0 => "none was to fail".to_owned(),
                v => format!("at most {} were to", unit::demanded(1.0 - v, Unit::Ratio)),
            };
            format!(
                "{when}, {} of the requests of {subject} failed; {most}",
                lost(measured)
            )
        }
        measure => match quantile(measure) {
            Some(q) if demand.comparison.starts_with('<') => format!(
                "{when}, the slowest {}% of the requests of {subject} took {told} or longer; {bound} was demanded",
                unit::trimmed(100.0 - q, 3)
            ),
            _ => format!(
                "{when}, {} of {subject} was {told}; {bound} was demanded",
                plain(measure)
            ),
        },
    }
}

/// The share that failed, of the share that succeeded.
fn lost(success: f64) -> String {
    if success <= 0.0 {
        return "all".into();
    }
    let lost = (1.0 - success) * 100.0;
    match lost {
        l if l >= 10.0 => format!("{}%", unit::trimmed(l.min(99.9), 1)),
        l if l >= 0.1 => format!("{}%", unit::trimmed(l, 2)),
        l if l > 0.0 => "less than 0.1%".into(),
        _ => "none".into(),
    }
}

/// When, in relation to the faults.
fn when(missed: &ExpectationReport, report: &RunReport) -> String {
    let window = &missed.window;
    let length = unit::span(window.to_s - window.from_s);
    let stretch = if window.from_s <= 0.0 && window.to_s >= report.virtual_seconds - 1e-6 {
        "over the whole run".to_owned()
    } else {
        format!("for {length} from {} on", unit::span(window.from_s))
    };
    let spans = |f: &FaultReport| {
        (
            f.at_s,
            f.at_s + f.over_s.or(f.for_s).unwrap_or(f64::INFINITY),
        )
    };
    let began = || report.faults.iter().filter(|f| f.began && !f.inert);
    let during = began().find(|f| {
        let (from, to) = spans(f);
        from < window.to_s && to > window.from_s
    });
    if let Some(fault) = during {
        return format!("{stretch}, with “{}” at work", plain(&fault.name));
    }
    let before = began().filter(|f| spans(f).1 <= window.from_s);
    match before.max_by(|a, b| spans(a).1.total_cmp(&spans(b).1)) {
        Some(fault) => {
            let after = window.from_s - spans(fault).1;
            let after = if after < 1e-3 {
                "right".to_owned()
            } else {
                unit::span(after)
            };
            format!("{stretch}, {after} after “{}” was over", plain(&fault.name))
        }
        None => stretch,
    }
}

fn compared(comparison: &str) -> &str {
    match comparison {
        "<" => "less than",
        "<=" => "at most",
        ">" => "more than",
        ">=" => "at least",
        "==" => "exactly",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_lost_is_told_without_false_digits() {
        let told = [
            (0.0, "all"),
            (0.000_1, "99.9%"),
            (0.88, "12%"),
            (0.9871, "1.29%"),
            (0.999_95, "less than 0.1%"),
        ];
        for (success, text) in told {
            assert_eq!(lost(success), text);
        }
    }

    #[test]
    fn quantiles_are_recognised() {
        assert_eq!(quantile("p99.9"), Some(99.9));
        assert_eq!(quantile("pods"), None);
        assert_eq!(quantile("p100"), None);
    }
}
