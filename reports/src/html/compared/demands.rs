//! Every demand of either, as it was met in both.

use maud::{Markup, html};

use super::chance::{self, Grounds};
use super::difference::Both;
use super::pairs::pairs;
use crate::html::table::Table;
use crate::html::text;
use crate::record::{ExpectationReport, RunReport, ScriptedReport, Unit};
use crate::suite::Better;
use crate::summary::table::NOTHING;
use crate::summary::unit;

/// Scripted requests told one by one.
const SCRIPT_MAX: usize = 100;

pub(super) fn body(a: &RunReport, b: &RunReport, grounds: Grounds) -> Markup {
    html! {
        (expectations(a, b, grounds))
        (script(a, b))
    }
}

/// What tells a demand from the others of its run.
fn name(expectation: &ExpectationReport) -> String {
    let window = &expectation.window;
    let when = match window.text.as_str() {
        "" => format!(
            "{} to {}",
            unit::span(window.from_s),
            unit::span(window.to_s)
        ),
        text => text.to_owned(),
    };
    format!("{} of {}, {when}", expectation.measure, expectation.whom())
}

fn better(expectation: &ExpectationReport) -> Better {
    match expectation.demanded.comparison.as_str() {
        ">" | ">=" => Better::Higher,
        "<" | "<=" => Better::Lower,
        _ => Better::Same,
    }
}

/// Whether it was as demanded, told aloud in a word.
fn mark(held: bool) -> Markup {
    html! {
        @if held { span.ok { "✓" span.said { " met" } } } @else { span.no { "✗" span.said { " missed" } } }
        " "
    }
}

fn cell(expectation: Option<&ExpectationReport>) -> Markup {
    let Some(expectation) = expectation else {
        return html! { span.faint { "not demanded" } };
    };
    let measured = expectation
        .measured
        .map_or_else(|| "nothing".into(), |v| unit::measured(v, expectation.unit));
    html! {
        (mark(expectation.held)) (measured)
    }
}

/// What chance makes of the difference: between different seeds a number whose spread is not known is judged only
/// where it is met in one run and missed in the other.
fn chance(a: &ExpectationReport, b: &ExpectationReport, grounds: Grounds) -> f64 {
    let of = |e: &ExpectationReport| {
        (
            e.measured.unwrap_or(0.0) * e.requests as f64,
            e.requests as f64,
        )
    };
    match a.unit {
        _ if a.held != b.held => 0.0,
        Unit::Ratio => chance::of_shares(of(a), of(b)),
        _ => grounds.of_unknown(),
    }
}

fn expectations(a: &RunReport, b: &RunReport, grounds: Grounds) -> Markup {
    let mut table = Table::new("Expectations in both runs")
        .head("what")
        .text("demanded")
        .text("A")
        .text("B")
        .text("change");
    for (what, in_a, in_b) in pairs(&a.expectations, &b.expectations, name) {
        let Some(either) = in_a.or(in_b) else {
            continue;
        };
        let both = Both::new(
            in_a.and_then(|e| e.measured),
            in_b.and_then(|e| e.measured),
            either.unit,
            better(either),
        );
        let doubt = in_a.zip(in_b).map_or(0.0, |(a, b)| chance(a, b, grounds));
        let both = both.on(grounds, doubt);
        let bound = ExpectationReport::bound;
        let (first, second) = (in_a.map(bound), in_b.map(bound));
        let demand = match (first, second) {
            (Some(a), Some(b)) if a != b => format!("{a}, in B {b}"),
            (Some(one), _) | (None, Some(one)) => one,
            (None, None) => NOTHING.into(),
        };
        let missed = in_b.is_some_and(|e| !e.held);
        table.row_of(
            if missed { "missed" } else { "" },
            [
                text::name(&what),
                text::name(&demand),
                cell(in_a),
                cell(in_b),
                both.change(),
            ],
        );
    }
    html! { @if !table.is_empty() { (table.scrolled()) } }
}

/// What became of a scripted request.
fn came(scripted: &ScriptedReport) -> (Option<bool>, Option<u16>, &str, &str) {
    (
        scripted.held,
        scripted.status,
        &scripted.flags,
        &scripted.upstream,
    )
}

/// Scripted requests that came out differently.
fn script<'a>(a: &'a RunReport, b: &'a RunReport) -> Markup {
    let scripted = |run: &'a RunReport| run.traffic.values().flat_map(|t| &t.scripted);
    let key = |s: &ScriptedReport| format!("{} at {}", s.request, unit::span(s.at_s));
    let all = pairs(scripted(a), scripted(b), key);
    let changed: Vec<_> = all
        .iter()
        .filter(|(_, a, b)| a.map(came) != b.map(came))
        .collect();
    let mut table = Table::new("Scripted requests that came out otherwise")
        .head("request")
        .text("A")
        .text("B");
    for (what, in_a, in_b) in changed.iter().take(SCRIPT_MAX) {
        table.row([text::name(what), answer(*in_a), answer(*in_b)]);
    }
    let more = changed.len().saturating_sub(SCRIPT_MAX) as u64;
    html! {
        @if !table.is_empty() { (table.scrolled()) }
        @if more > 0 { p.faint { "And " (unit::counted(more, "more request")) "." } }
        @if !all.is_empty() && table.is_empty() {
            p.faint { (unit::counted(all.len() as u64, "scripted request")) " came out the same." }
        }
    }
}

fn answer(scripted: Option<&ScriptedReport>) -> Markup {
    let Some(scripted) = scripted else {
        return html! { span.faint { "not sent" } };
    };
    let status = scripted
        .status
        .map_or("no answer".to_owned(), |s| s.to_string());
    html! {
        @if let Some(held) = scripted.held { (mark(held)) }
        (status)
        @if !matches!(scripted.flags.as_str(), "" | "-") { " " (text::name(&scripted.flags)) }
        @if !scripted.upstream.is_empty() { " from " (text::name(&scripted.upstream)) }
    }
}
