//! The head of the page: the verdict, and the totals.

use maud::{Markup, html};

use super::sentence;
use crate::html::outcome::{self, Panel};
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
    html! {
        p.brand { "Meshquake: the report of a run" }
        h1 { (text::name(&report.scenario)) }
        p.about { (text::said(&report.about)) }
        (standing(report))
    }
}

/// The verdict and the totals.
pub(in crate::html) fn standing(report: &RunReport) -> Markup {
    let declared = sentence::declared(report).map(|words| html! { (words) });
    let panel = Panel {
        class: match report.verdict {
            Verdict::Held => "good",
            Verdict::Failed | Verdict::Metastable => "bad",
            Verdict::Interrupted => "warn",
        },
        mark: outcome::mark(report.verdict),
        word: word(report),
        sentence: &sentence::verdict(report),
        more: declared.as_slice(),
    };
    html! {
        (panel.markup())
        (totals(report))
    }
}

fn totals(report: &RunReport) -> Markup {
    let all = || report.traffic.values();
    let requests: u64 = all().map(|t| t.requests).sum();
    let failed: u64 = all().map(|t| t.failed).sum();
    let flying: u64 = all().map(|t| t.in_flight_at_end).sum();
    let missed = report.expectations.iter().filter(|e| !e.held).count();
    let demands = report.expectations.len();
    html! {
        dl.totals {
            div { dt { "requests sent" } dd { (unit::count(requests)) } }
            @if let Some(share) = outcome::success(report) {
                div { dt { "succeeded" } dd { (unit::share(share)) } }
                div { dt { "failed" } dd class=[(failed > 0).then_some("bad")] { (unit::count(failed)) } }
            }
            @if flying > 0 { div { dt { "still under way at the end" } dd { (unit::count(flying)) } } }
            @if let Some(p99) = outcome::p99(report) {
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
