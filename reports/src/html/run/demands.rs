//! Every demand with what was measured, and every reason why the run failed.

use maud::{Markup, html};

use crate::html::table::Table;
use crate::html::text;
use crate::record::{ExpectationReport, FailureKind, RunReport, ScriptedReport};
use crate::summary::unit;

/// Scripted requests told one by one.
const SCRIPT_MAX: usize = 200;

pub(super) fn body(report: &RunReport) -> Markup {
    html! {
        (failures(report))
        (expectations(report))
        (script(report))
    }
}

/// A mark that is read aloud as words.
fn mark(held: bool) -> Markup {
    if held {
        html! { span.ok { "✓ met" } }
    } else {
        html! { span.no { "✗ missed" } }
    }
}

/// The reasons that the table of expectations does not tell.
fn failures(report: &RunReport) -> Markup {
    html! {
        @if !report.failures.is_empty() {
            ul.failures {
                @for failure in &report.failures {
                    li {
                        strong { (kind(failure.kind)) } ": " (text::said(&unit::with_signs(&failure.message))) " " (text::place(&failure.place))
                    }
                }
            }
        }
    }
}

const fn kind(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Expectation => "Demand missed",
        FailureKind::Scripted => "Not answered as demanded",
        FailureKind::InertFault => "A fault that did nothing",
        FailureKind::Metastable => "Broken for good",
        FailureKind::Invariant => "A defect of Meshquake",
    }
}

fn expectations(report: &RunReport) -> Markup {
    let mut table = Table::new("Expectations: measured against demanded")
        .text("verdict")
        .head("of")
        .text("demanded")
        .number("measured")
        .text("during")
        .number("requests")
        .text("written at");
    for expectation in &report.expectations {
        let class = if expectation.held { "" } else { "missed" };
        table.row_of(class, row(expectation));
    }
    html! { @if !table.is_empty() { (table.scrolled()) } }
}

fn row(expectation: &ExpectationReport) -> [Markup; 7] {
    let window = &expectation.window;
    let demanded = format!("{} {}", expectation.measure, expectation.bound());
    let measured = expectation.measured.map_or_else(
        || "nothing".into(),
        |value| unit::measured(value, expectation.unit),
    );
    [
        mark(expectation.held),
        text::name(expectation.whom()),
        text::name(&demanded),
        html! { strong { (measured) } },
        html! {
            (unit::span(window.from_s)) " to " (unit::span(window.to_s))
            @if !window.text.is_empty() { " " span.faint { "(" (text::name(&window.text)) ")" } }
        },
        html! { (unit::count(expectation.requests)) },
        text::place(&expectation.place),
    ]
}

/// Scripted requests: the misses, then the others.
fn script(report: &RunReport) -> Markup {
    let mut all: Vec<&ScriptedReport> = report.traffic.values().flat_map(|t| &t.scripted).collect();
    all.sort_by(|a, b| {
        let missed = |s: &ScriptedReport| s.held != Some(false);
        missed(a).cmp(&missed(b)).then(a.at_s.total_cmp(&b.at_s))
    });
    let columns = Columns {
        verdict: all.iter().any(|s| s.held.is_some()),
        flags: all.iter().any(|s| !matches!(s.flags.as_str(), "" | "-")),
        upstream: all.iter().any(|s| !s.upstream.is_empty()),
        wrong: all.iter().any(|s| s.held == Some(false)),
    };
    let mut table = columns.table();
    for scripted in all.iter().take(SCRIPT_MAX) {
        let class = if bad(scripted) { "missed" } else { "" };
        table.row_of(class, columns.row(scripted));
    }
    let more = all.len().saturating_sub(SCRIPT_MAX) as u64;
    html! {
        @if !table.is_empty() { (table.scrolled()) }
        @if more > 0 { p.faint { "And " (unit::counted(more, "more scripted request")) "." } }
    }
}

/// Whether it came back otherwise than demanded, or, where nothing was, without an answer or with a server's error.
fn bad(scripted: &ScriptedReport) -> bool {
    let answered = scripted.status.is_some_and(|status| status < 500);
    scripted.held.map_or(!answered, |held| !held)
}

/// The columns in which any scripted request has something.
struct Columns {
    verdict: bool,
    flags: bool,
    upstream: bool,
    wrong: bool,
}

impl Columns {
    fn table(&self) -> Table {
        let mut table = Table::new("Scripted requests");
        if self.verdict {
            table = table.text("verdict");
        }
        table = table.number("at").head("request").number("status");
        if self.flags {
            table = table.text("flags");
        }
        if self.upstream {
            table = table.text("answered by");
        }
        table = table.number("latency");
        if self.wrong {
            table = table.words("what was wrong");
        }
        table
    }

    fn row(&self, scripted: &ScriptedReport) -> Vec<Markup> {
        let status = scripted
            .status
            .map_or_else(|| "none".to_owned(), |s| s.to_string());
        let status = match bad(scripted) {
            true => html! { span.no { "✗ " (status) } },
            false => html! { (status) },
        };
        let all = [
            (
                self.verdict,
                html! { @if let Some(held) = scripted.held { (mark(held)) } },
            ),
            (true, html! { (unit::span(scripted.at_s)) }),
            (true, text::name(&scripted.request)),
            (true, status),
            (self.flags, text::name(&scripted.flags)),
            (self.upstream, text::name(&scripted.upstream)),
            (
                true,
                html! { (scripted.latency_ms.map_or_else(|| "–".into(), unit::millis)) },
            ),
            (
                self.wrong,
                html! { @if scripted.held == Some(false) { (text::said(&unit::with_signs(&scripted.message))) " " (text::place(&scripted.place)) } },
            ),
        ];
        let shown = all.into_iter().filter(|(shown, _)| *shown);
        shown.map(|(_, cell)| cell).collect()
    }
}
