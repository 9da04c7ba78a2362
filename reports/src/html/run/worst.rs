//! The worst requests: a table to find one, and below it the waterfall of each.

use maud::{Markup, html};

use super::blame::{bar, exact, mostly, parts};
use super::{flags, waterfall};
use crate::html::text;
use crate::record::{
    RequestOutcome, RunReport, SpanKind, SpanReport, Told, TraceReport, millis, seconds,
};
use crate::summary::unit;

/// Requests that are told.
const TRACES_MAX: usize = 50;

pub(super) fn body(report: &RunReport) -> Markup {
    let Some(detail) = &report.detail else {
        return Markup::default();
    };
    let shown: Vec<&TraceReport> = detail.worst.iter().take(TRACES_MAX).collect();
    if shown.is_empty() {
        return Markup::default();
    }
    html! {
        div.filter role="group" aria-label="Filter of the requests" hidden {
            label { "which" select {
                option value="" { "all" }
                option value="failed" { "failed" }
                option value="slow" { "slow" }
            } }
            label { "with these words" input type="search" placeholder="UF, reviews, 503…"; }
            output { (unit::count(shown.len() as u64)) " shown" }
        }
        (table(&shown))
        h3 { "What happened to each" }
        @for (i, trace) in shown.iter().enumerate() { (told(i + 1, trace)) }
        @if detail.worst.len() > shown.len() {
            p.faint { "And " (detail.worst.len() - shown.len()) " more in the run’s file." }
        }
    }
}

const fn kind(trace: &TraceReport) -> &'static str {
    match (trace.told, trace.succeeded) {
        (Told::Failed, _) | (_, Some(false)) => "failed",
        (Told::Slow | Told::Every, _) => "slow",
    }
}

fn outcome(trace: &TraceReport) -> Markup {
    let words = match (trace.outcome, trace.status) {
        (RequestOutcome::Answered, Some(status)) => status.to_string(),
        (RequestOutcome::Answered, None) => "answered".into(),
        (RequestOutcome::Timeout, _) => "timeout".into(),
        (RequestOutcome::ConnectFailed, _) => "no connection".into(),
        (RequestOutcome::Broken, _) => "broken".into(),
        (RequestOutcome::InFlight, _) => "under way".into(),
    };
    html! { @if trace.succeeded == Some(false) { span.no { (words) } } @else { (words) } }
}

fn attempts(trace: &TraceReport) -> usize {
    let of_client = trace
        .spans
        .iter()
        .position(|s| s.kind == SpanKind::Outbound);
    let first = |s: &&SpanReport| {
        s.kind == SpanKind::Attempt && !s.mirror && s.parent.map(|p| p as usize) == of_client
    };
    trace.spans.iter().filter(first).count()
}

fn latency(trace: &TraceReport) -> String {
    trace
        .latency_ns
        .map_or_else(|| "–".into(), |ns| unit::millis(millis(ns)))
}

fn table(shown: &[&TraceReport]) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="The worst requests" {
            table {
                caption { "Failures of each kind, then the slowest" }
                thead { tr {
                    th scope="col" { "request" } th scope="col" class="n" { "sent at" } th scope="col" { "traffic" }
                    th scope="col" { "result" } th scope="col" { "flags" } th scope="col" class="n" { "attempts" }
                    th scope="col" class="n" { "latency" } th scope="col" { "where it went" }
                } }
                tbody {
                    @for (i, trace) in shown.iter().enumerate() {
                        tr data-kind=(kind(trace)) {
                            th scope="row" { a href=(format!("#request-{}", i + 1)) { (request(trace)) } }
                            td.n { (at(trace)) }
                            td { (text::name(&trace.traffic)) }
                            td { (outcome(trace)) }
                            td { (text::name(&trace.flags)) }
                            td.n { (attempts(trace)) }
                            td.n { (latency(trace)) }
                            td { @if let Some(split) = &trace.split { (mostly(split)) } }
                        }
                    }
                }
            }
        }
    }
}

fn request(trace: &TraceReport) -> Markup {
    html! { @if trace.request.is_empty() { "№ " (trace.sequence) } @else { (text::name(&trace.request)) } }
}

fn at(trace: &TraceReport) -> String {
    format!("{:.3} s", seconds(trace.intended_ns))
}

fn told(number: usize, trace: &TraceReport) -> Markup {
    html! {
        details.trace data-kind=(kind(trace)) {
            summary {
                (at(trace)) " " (text::name(&trace.traffic)) " " (request(trace)) ": " (outcome(trace))
                @if trace.flags != "-" { " " (text::name(&trace.flags)) }
                " after " (latency(trace))
            }
            div id=(format!("request-{number}")) {
                @if let Some(words) = flags::meaning(&trace.flags) { p { (trace.flags) ": " (words) "." } }
                @if let Some(split) = &trace.split {
                    (bar(split, "bar"))
                    ul.legend {
                        @for part in parts(split).iter().filter(|part| part.ns > 0) {
                            li { span class=(format!("key {}", part.class)) {} (part.name) " " (unit::millis(millis(part.ns))) }
                        }
                    }
                }
                (waterfall::waterfall(trace))
                p.place {
                    "request " (trace.sequence) " of " (text::name(&trace.traffic)) " · trace " code { (text::name(&trace.trace)) }
                    @if let Some(ns) = trace.latency_ns { " · exactly " (exact(ns)) " s" }
                }
            }
        }
    }
}
