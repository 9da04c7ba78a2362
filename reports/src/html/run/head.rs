//! The head of the page: the verdict, and the totals.

use maud::{Markup, html};

use super::sentence;
use crate::html::text;
use crate::record::{RunReport, Verdict};
use crate::summary::unit;

/// The verdict in a word.
pub(super) const fn word(report: &RunReport) -> &'static str {
    match report.verdict {
        Verdict::Held => "Held",
        Verdict::Failed => "Failed",
        Verdict::Metastable => "Metastable",
        Verdict::Interrupted => "Interrupted",
    }
}

pub(super) fn head(report: &RunReport) -> Markup {
    let (class, mark) = match report.verdict {
        Verdict::Held => ("verdict good", "✓"),
        Verdict::Failed | Verdict::Metastable => ("verdict bad", "✗"),
        Verdict::Interrupted => ("verdict warn", "◼"),
    };
    html! {
        p.brand { "Meshquake: the report of a run" }
        h1 { (text::name(&report.scenario)) }
        p.about { (text::said(&report.about)) }
        div class=(class) {
            p.word { span aria-hidden="true" { (mark) " " } (word(report)) }
            p.sentence { (text::said(&sentence::verdict(report))) }
            @if let Some(more) = sentence::declared(report) { p { (more) } }
        }
        (totals(report))
    }
}

fn totals(report: &RunReport) -> Markup {
    let all = || report.traffic.values();
    let requests: u64 = all().map(|t| t.requests).sum();
    let failed: u64 = all().map(|t| t.failed).sum();
    let ended: u64 = all().map(|t| t.succeeded + t.failed).sum();
    let flying: u64 = all().map(|t| t.in_flight_at_end).sum();
    let slowest = all()
        .filter_map(|t| t.latency_ms.as_ref())
        .map(|ms| ms.p99)
        .fold(None, |most: Option<f64>, p99| {
            Some(most.map_or(p99, |most| most.max(p99)))
        });
    let missed = report.expectations.iter().filter(|e| !e.held).count();
    let demands = report.expectations.len();
    html! {
        dl.totals {
            div { dt { "requests sent" } dd { (unit::count(requests)) } }
            @if ended > 0 {
                div { dt { "succeeded" } dd { (unit::share((ended - failed) as f64 / ended as f64)) } }
                div { dt { "failed" } dd class=[(failed > 0).then_some("bad")] { (unit::count(failed)) } }
            }
            @if flying > 0 { div { dt { "still under way at the end" } dd { (unit::count(flying)) } } }
            @if let Some(p99) = slowest {
                div {
                    dt { @if report.traffic.len() > 1 { "99% were faster, worst source" } @else { "99% were faster than" } }
                    dd { (unit::millis(p99)) }
                }
            }
            @if demands > 0 {
                div { dt { "demands met" } dd class=[(missed > 0).then_some("bad")] { (demands - missed) " of " (demands) } }
            }
            div { dt { "simulated" } dd { (unit::span(report.virtual_seconds)) } }
        }
    }
}
