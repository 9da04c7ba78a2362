//! The verdict, each demand, the notes, and how to make the run again.

use super::paint::{Tone, clean};
use super::table::{Kind, NOTHING, Table};
use super::{unit, wrapped};
use crate::record::{ExpectationReport, FailureKind, RunReport, ScriptedReport, Verdict};

/// Notes shown one by one.
const NOTES_MAX: usize = 5;
/// Scripted requests shown one by one.
const SCRIPT_MAX: usize = 12;
/// The title of the column that says where a demand is written.
const WRITTEN_AT: &str = "written at";
/// Digits of the digest shown: 64 bits of it.
const DIGEST_DIGITS: usize = 16;

fn mark(held: bool) -> String {
    if held {
        Tone::Good.paint("✓")
    } else {
        Tone::Bad.paint("✗")
    }
}

/// One sentence, then what the scenario is about.
pub(super) fn verdict(report: &RunReport, width: usize) -> Vec<String> {
    let (tone, word, because) = match report.verdict {
        Verdict::Held => (Tone::Good, "✓ held", met(report)),
        Verdict::Failed => (Tone::Bad, "✗ failed", missed(report)),
        Verdict::Metastable => (Tone::Bad, "✗ metastable", missed(report)),
        Verdict::Interrupted => (
            Tone::Bad,
            "✗ interrupted",
            "ended before its time; what follows is of the part that ran".into(),
        ),
    };
    let took = format!(
        "{} simulated in {}",
        unit::span(report.virtual_seconds),
        unit::millis(report.wall_seconds * 1e3)
    );
    let name = Tone::Strong.paint(&clean(&report.scenario));
    let sentence = format!("{name}: {because}; {took}");
    let lead = format!("{}  ", tone.paint(word));
    let mut lines = wrapped(&lead, &sentence, width);
    if !report.about.is_empty() {
        lines.extend(wrapped("  ", &clean(&report.about), width));
    }
    let other = |kind| !matches!(kind, FailureKind::Expectation | FailureKind::Scripted);
    for failure in report.failures.iter().filter(|f| other(f.kind)) {
        let text = format!(
            "{} {}",
            clean(&unit::with_signs(&failure.message)),
            place(&failure.place)
        );
        let lead = format!("  {} ", mark(false));
        lines.extend(wrapped(&lead, &text, width));
    }
    lines
}

fn place(place: &str) -> String {
    if place.is_empty() {
        return String::new();
    }
    Tone::Faint.paint(&format!("({})", clean(place)))
}

fn met(report: &RunReport) -> String {
    format!("{}{}", judged(report), unjudged(report))
}

/// What a run that the command line has cut cannot say.
fn unjudged(report: &RunReport) -> String {
    match report.expectations_unjudged {
        0 => String::new(),
        n => format!(
            ", {} not judged: the run was cut before",
            unit::counted(n, "expectation")
        ),
    }
}

fn judged(report: &RunReport) -> String {
    let scripted = report.traffic.values().flat_map(|t| &t.scripted);
    let checked = scripted.filter(|s| s.held.is_some()).count() as u64;
    let demands = report.expectations.len() as u64;
    match (demands, checked) {
        (0, 0) => "nothing was expected of it".into(),
        (n, 0) => format!("{} met", unit::counted(n, "expectation")),
        (0, n) => format!("{} as demanded", unit::counted(n, "scripted request")),
        (n, m) => format!(
            "{} met, {} as demanded",
            unit::counted(n, "expectation"),
            unit::counted(m, "scripted request")
        ),
    }
}

fn missed(report: &RunReport) -> String {
    let count = |kind| report.failures.iter().filter(|f| f.kind == kind).count() as u64;
    let demands = report.expectations.len() as u64;
    let of = |n: u64, text: String| (n > 0).then_some(text);
    let (expectations, scripted) = (
        count(FailureKind::Expectation),
        count(FailureKind::Scripted),
    );
    let (inert, broken) = (
        count(FailureKind::InertFault),
        count(FailureKind::Invariant),
    );
    let metastable = count(FailureKind::Metastable);
    let parts = [
        of(
            expectations,
            format!(
                "{expectations} of {} missed",
                unit::counted(demands, "expectation")
            ),
        ),
        of(
            scripted,
            format!(
                "{} not as demanded",
                unit::counted(scripted, "scripted request")
            ),
        ),
        of(
            inert,
            format!("{} touched nothing", unit::counted(inert, "fault")),
        ),
        of(
            metastable,
            format!(
                "{} still broken after the faults had healed",
                unit::counted(metastable, "traffic source")
            ),
        ),
        of(
            broken,
            format!("{} broken", unit::counted(broken, "invariant")),
        ),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Every demand with what was measured.
pub(super) fn expectations(report: &RunReport, width: usize) -> Vec<String> {
    if report.expectations.is_empty() {
        return Vec::new();
    }
    // From the first of several stretches to the last says less than what they are.
    let several = |e: &ExpectationReport| e.window.spans.len() > 1;
    let (window, requests) = match report.expectations.iter().any(several) {
        true => (1, 3),
        false => (3, 1),
    };
    let mut table = Table::default()
        .column("", Kind::Text)
        .column("of", Kind::Name)
        .column("from", Kind::Number)
        .column("to", Kind::Number)
        .spare("window", Kind::Name, window)
        .column("demanded", Kind::Text)
        .column("measured", Kind::Number)
        .spare("requests", Kind::Number, requests)
        .spare(WRITTEN_AT, Kind::Name, 2);
    for expectation in &report.expectations {
        table.row(expectation_row(expectation));
    }
    let mut lines = table.lines(width);
    let placed = lines
        .first()
        .is_some_and(|titles| titles.contains(WRITTEN_AT));
    for missed in report.expectations.iter().filter(|e| !e.held) {
        let lead = format!("  {} ", mark(false));
        let message = clean(&unit::with_signs(&missed.message));
        match (placed, missed.measured) {
            (true, Some(_)) => {}
            (true, None) => lines.extend(wrapped(&lead, &message, width)),
            (false, _) => {
                let text = format!("{message} {}", place(&missed.place));
                lines.extend(wrapped(&lead, &text, width));
            }
        }
    }
    lines
}

fn expectation_row(expectation: &ExpectationReport) -> Vec<String> {
    let window = &expectation.window;
    let demanded = format!("{} {}", expectation.measure, expectation.bound());
    let measured = match expectation.measured {
        Some(value) if expectation.held => unit::measured(value, expectation.unit),
        Some(value) => Tone::Bad.paint(&unit::measured(value, expectation.unit)),
        None => Tone::Bad.paint("nothing"),
    };
    vec![
        mark(expectation.held),
        clean(expectation.whom()),
        unit::span(window.from_s),
        unit::span(window.to_s),
        match window.text.as_str() {
            "" => NOTHING.into(),
            text => clean(text),
        },
        clean(&demanded),
        measured,
        unit::count(expectation.requests),
        clean(&expectation.place),
    ]
}

/// Scripted requests: all of a short script, the misses of a long one.
pub(super) fn script(report: &RunReport, width: usize) -> Vec<String> {
    let all: Vec<&ScriptedReport> = report.traffic.values().flat_map(|t| &t.scripted).collect();
    let long = all.len() > SCRIPT_MAX;
    let shown: Vec<&ScriptedReport> = all
        .iter()
        .copied()
        .filter(|s| !long || s.held == Some(false))
        .take(SCRIPT_MAX)
        .collect();
    if all.is_empty() {
        return Vec::new();
    }
    let mut lines = Vec::new();
    if !shown.is_empty() {
        lines = script_table(&shown).lines(width);
    }
    let rest = (all.len() - shown.len()) as u64;
    match (rest, shown.len()) {
        (0, _) => {}
        (_, 0) => {
            let asked = all.iter().filter(|s| s.held.is_some()).count() as u64;
            let all = unit::counted(rest, "request");
            lines.push(match asked {
                0 => format!("  {all}"),
                _ if asked == rest => format!("  {} {all}, each as demanded", mark(true)),
                _ => format!("  {} {all}, {} as demanded", mark(true), unit::count(asked)),
            });
        }
        _ => {
            let rest = unit::counted(rest, "more request");
            lines.push(Tone::Faint.paint(&format!("  and {rest}")));
        }
    }
    for missed in shown.iter().filter(|s| s.held == Some(false)) {
        let at = unit::span(missed.at_s);
        let text = format!(
            "at {at}: {} {}",
            clean(&unit::with_signs(&missed.message)),
            place(&missed.place)
        );
        lines.extend(wrapped(&format!("  {} ", mark(false)), &text, width));
    }
    lines
}

/// What came, red where it is none or a server's error and nothing else was demanded.
fn status(scripted: &ScriptedReport) -> String {
    let told = scripted
        .status
        .map_or_else(|| "none".to_owned(), |s| s.to_string());
    match (scripted.held, scripted.status) {
        (Some(true), _) | (None, Some(..500)) => told,
        _ => Tone::Bad.paint(&told),
    }
}

fn script_table(shown: &[&ScriptedReport]) -> Table {
    let mut table = Table::default()
        .column("", Kind::Text)
        .column("at", Kind::Number)
        .column("request", Kind::Name)
        .column("status", Kind::Number)
        .spare("flags", Kind::Text, 1)
        .spare("answered by", Kind::Name, 2)
        .column("latency", Kind::Number);
    for scripted in shown {
        table.row(vec![
            scripted.held.map_or_else(|| " ".into(), mark),
            unit::span(scripted.at_s),
            clean(&scripted.request),
            status(scripted),
            clean(&scripted.flags),
            clean(&scripted.upstream),
            scripted
                .latency_ms
                .map_or_else(|| NOTHING.into(), unit::millis),
        ]);
    }
    table
}

/// The first few notes.
pub(super) fn notes(report: &RunReport, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for note in report.notes.iter().take(NOTES_MAX) {
        let at = clean(&note.place());
        let what = match note.field.as_str() {
            "" => clean(&note.object),
            field => clean(&format!("{} {field}", note.object)),
        };
        lines.extend(wrapped(
            "  ",
            &format!("{at} {}", Tone::Faint.paint(&what)),
            width,
        ));
        lines.extend(wrapped("    ", &clean(&note.message), width));
    }
    let more = report.notes.len().saturating_sub(NOTES_MAX) as u64;
    if more > 0 {
        lines.push(Tone::Faint.paint(&format!(
            "  and {}: `meshquake validate` lists all",
            unit::counted(more, "more note")
        )));
    }
    lines
}

/// The digest, and the command that makes the run again.
pub(super) fn again(report: &RunReport) -> Vec<String> {
    let digest = report.digest.get(..DIGEST_DIGITS).unwrap_or(&report.digest);
    let mut lines = vec![format!(
        "{} {}  {}",
        Tone::Faint.paint("digest"),
        clean(digest),
        Tone::Faint.paint(&format!("meshquake {}", clean(&report.meshquake_version)))
    )];
    if !report.reproduce.is_empty() {
        let again = Tone::Faint.paint("again");
        lines.push(format!("{again}  {}", clean(&report.reproduce)));
    }
    lines
}
