//! Every demand of either, as it was met in both.

use maud::{Markup, html};

use super::difference::{Both, NOTHING};
use crate::html::table::Table;
use crate::html::text;
use crate::record::{ExpectationReport, RunReport, ScriptedReport};
use crate::suite::Better;
use crate::summary::unit;

/// Scripted requests told one by one.
const SCRIPT_MAX: usize = 100;

pub(super) fn body(a: &RunReport, b: &RunReport) -> Markup {
    html! {
        (expectations(a, b))
        (script(a, b))
    }
}

/// What tells a demand from the others of its run.
fn name(expectation: &ExpectationReport) -> String {
    let subject = match expectation.subject.as_str() {
        "" => &expectation.traffic,
        subject => subject,
    };
    let window = &expectation.window;
    let when = match window.text.as_str() {
        "" => format!(
            "{} to {}",
            unit::span(window.from_s),
            unit::span(window.to_s)
        ),
        text => text.to_owned(),
    };
    format!("{} of {subject}, {when}", expectation.measure)
}

/// `items` of both paired by key, the n-th of a key with the n-th: A's order, then what only B has.
pub(super) fn paired<'a, T>(
    a: &'a [T],
    b: &'a [T],
    key: impl Fn(&T) -> String,
) -> Vec<(String, Option<&'a T>, Option<&'a T>)> {
    let keys_b: Vec<String> = b.iter().map(&key).collect();
    let mut taken = vec![false; b.len()];
    let mut pairs = Vec::new();
    for item in a {
        let wanted = key(item);
        let at = (0..b.len()).find(|i| !taken[*i] && keys_b[*i] == wanted);
        if let Some(at) = at {
            taken[at] = true;
        }
        pairs.push((wanted, Some(item), at.map(|at| &b[at])));
    }
    let rest = b.iter().zip(keys_b).zip(taken).filter(|(_, taken)| !taken);
    pairs.extend(rest.map(|((item, key), _)| (key, None, Some(item))));
    pairs
}

fn better(expectation: &ExpectationReport) -> Better {
    match expectation.demanded.comparison.as_str() {
        ">" | ">=" => Better::Higher,
        "<" | "<=" => Better::Lower,
        _ => Better::Same,
    }
}

fn demanded(expectation: &ExpectationReport) -> String {
    let demand = &expectation.demanded;
    let sign = match demand.comparison.as_str() {
        "<=" => "≤",
        ">=" => "≥",
        "==" => "=",
        other => other,
    };
    format!("{sign} {}", unit::demanded(demand.value, expectation.unit))
}

fn cell(expectation: Option<&ExpectationReport>) -> Markup {
    let Some(expectation) = expectation else {
        return html! { span.faint { "not demanded" } };
    };
    let measured = expectation
        .measured
        .map_or_else(|| "nothing".into(), |v| unit::measured(v, expectation.unit));
    html! {
        @if expectation.held { span.ok { "✓" span.said { " met" } } } @else { span.no { "✗" span.said { " missed" } } }
        " " (measured)
    }
}

fn expectations(a: &RunReport, b: &RunReport) -> Markup {
    let mut table = Table::new("Expectations in both runs")
        .head("what")
        .text("demanded")
        .text("A")
        .text("B")
        .text("change");
    for (what, in_a, in_b) in paired(&a.expectations, &b.expectations, name) {
        let Some(either) = in_a.or(in_b) else {
            continue;
        };
        let both = Both::new(
            in_a.and_then(|e| e.measured),
            in_b.and_then(|e| e.measured),
            either.unit,
            better(either),
        );
        let (first, second) = (in_a.map(demanded), in_b.map(demanded));
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

fn scripted(report: &RunReport) -> Vec<ScriptedReport> {
    let all = report.traffic.values().flat_map(|t| &t.scripted);
    all.cloned().collect()
}

/// Scripted requests that came out differently.
fn script(a: &RunReport, b: &RunReport) -> Markup {
    let (first, second) = (scripted(a), scripted(b));
    let key = |s: &ScriptedReport| format!("{} at {}", s.request, unit::span(s.at_s));
    let all = paired(&first, &second, key);
    let told = |s: &ScriptedReport| (s.held, s.status, s.flags.clone(), s.upstream.clone());
    let differs = |(_, a, b): &&(String, Option<&ScriptedReport>, Option<&ScriptedReport>)| {
        a.map(told) != b.map(told)
    };
    let changed: Vec<_> = all.iter().filter(differs).collect();
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
        @match scripted.held {
            Some(true) => { span.ok { "✓" span.said { " met" } } " " }
            Some(false) => { span.no { "✗" span.said { " missed" } } " " }
            None => {}
        }
        (status)
        @if !matches!(scripted.flags.as_str(), "" | "-") { " " (text::name(&scripted.flags)) }
        @if !scripted.upstream.is_empty() { " from " (text::name(&scripted.upstream)) }
    }
}
