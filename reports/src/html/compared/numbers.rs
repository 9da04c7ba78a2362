//! Tables of numbers with their differences: clients, edges, mechanisms and services.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::difference::Both;
use super::pairs::pairs;
use crate::html::table::Table;
use crate::html::text;
use crate::record::{EdgeReport, FaultReport, RunReport, ServiceReport, TrafficReport, Unit};
use crate::suite::Better;
use crate::summary::{most, unit};

/// Traffic sources told.
const SOURCES_MAX: usize = 50;
/// Edges told: those that changed most.
const EDGES_MAX: usize = 60;
/// Services told: those that changed most.
const SERVICES_MAX: usize = 60;

/// `part` of `of`.
fn share(part: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}

/// A table of one number a row.
fn rows(caption: &str) -> Table {
    Table::new(caption)
        .head("what")
        .number("A")
        .number("B")
        .text("change")
}

fn row(table: &mut Table, what: &str, both: Both) {
    if both.a.is_none() && both.b.is_none() {
        return;
    }
    table.row([
        text::name(what),
        html! { (both.told_a()) },
        html! { (both.told_b()) },
        both.change(),
    ]);
}

pub(super) fn clients(a: &RunReport, b: &RunReport) -> Markup {
    let mut names: Vec<&String> = a.traffic.keys().collect();
    names.extend(
        b.traffic
            .keys()
            .filter(|name| !a.traffic.contains_key(*name)),
    );
    let told: Vec<Markup> = names
        .iter()
        .take(SOURCES_MAX)
        .map(|name| client(name, a.traffic.get(*name), b.traffic.get(*name)))
        .collect();
    let more = names.len().saturating_sub(SOURCES_MAX) as u64;
    html! {
        @if !told.is_empty() {
            div.pair { @for one in &told { (one) } }
            @if more > 0 { p.faint { "And " (unit::counted(more, "more source")) "." } }
        }
    }
}

fn client(name: &str, a: Option<&TrafficReport>, b: Option<&TrafficReport>) -> Markup {
    let mut table = rows(&format!("What {name} saw"));
    let count = |of: fn(&TrafficReport) -> u64| (a.map(of), b.map(of));
    let both = |(a, b): (Option<u64>, Option<u64>), better| {
        Both::new(
            a.map(|n| n as f64),
            b.map(|n| n as f64),
            Unit::Count,
            better,
        )
    };
    let of = |f: &dyn Fn(&TrafficReport) -> Option<f64>, unit, better| {
        Both::new(a.and_then(f), b.and_then(f), unit, better)
    };
    row(
        &mut table,
        "requests",
        both(count(|t| t.requests), Better::Same),
    );
    let success = |t: &TrafficReport| share(t.succeeded, t.succeeded + t.failed);
    row(
        &mut table,
        "succeeded",
        of(&success, Unit::Ratio, Better::Higher),
    );
    row(
        &mut table,
        "failed",
        both(count(|t| t.failed), Better::Lower),
    );
    if a.map_or(0, |t| t.in_flight_at_end) + b.map_or(0, |t| t.in_flight_at_end) > 0 {
        row(
            &mut table,
            "under way at the end",
            both(count(|t| t.in_flight_at_end), Better::Lower),
        );
    }
    let ms = |pick: fn(&crate::record::LatencyMs) -> f64| {
        move |t: &TrafficReport| t.latency_ms.as_ref().map(pick)
    };
    row(
        &mut table,
        "p50",
        of(&ms(|l| l.p50), Unit::Ms, Better::Lower),
    );
    row(
        &mut table,
        "p90",
        of(&ms(|l| l.p90), Unit::Ms, Better::Lower),
    );
    row(
        &mut table,
        "p99",
        of(&ms(|l| l.p99), Unit::Ms, Better::Lower),
    );
    row(
        &mut table,
        "p99.9",
        of(&ms(|l| l.p999), Unit::Ms, Better::Lower),
    );
    row(
        &mut table,
        "longest",
        of(&ms(|l| l.max), Unit::Ms, Better::Lower),
    );
    table.scrolled()
}

/// The numbers of an edge in both.
fn edge(a: Option<&EdgeReport>, b: Option<&EdgeReport>) -> [Both; 4] {
    let of = |f: fn(&EdgeReport) -> Option<f64>, unit, better| {
        Both::new(a.and_then(f), b.and_then(f), unit, better)
    };
    [
        of(|e| Some(e.requests as f64), Unit::Count, Better::Same),
        of(|e| share(e.failed, e.requests), Unit::Ratio, Better::Lower),
        of(
            |e| share(e.attempts, e.requests),
            Unit::Number,
            Better::Lower,
        ),
        of(|e| e.latency_ms.map(|l| l.p99), Unit::Ms, Better::Lower),
    ]
}

/// How far the numbers are apart: of failures most of all.
fn apart(numbers: &[Both]) -> u64 {
    let of = |both: &Both| match (both.a, both.b) {
        (Some(a), Some(b)) if both.unit == Unit::Ratio => 100.0 * (b - a).abs(),
        (Some(a), Some(b)) => (b - a).abs() / a.abs().max(b.abs()).max(1e-9),
        (None, None) => 0.0,
        _ => 1.0,
    };
    (numbers.iter().map(of).sum::<f64>() * 1e6) as u64
}

pub(super) fn edges(a: &RunReport, b: &RunReport) -> Markup {
    let key = |e: &EdgeReport| format!("{} → {}", e.from, e.to);
    let all = pairs(&a.edges, &b.edges, key);
    let total = all.len();
    let told = all.into_iter().map(|(name, a, b)| (name, edge(a, b)));
    let changed: Vec<_> = told
        .filter(|(_, numbers)| numbers.iter().any(Both::differs))
        .collect();
    let same = total - changed.len();
    let more = changed.len().saturating_sub(EDGES_MAX);
    let shown = most(changed, EDGES_MAX, |(_, numbers)| apart(numbers));
    let mut table = Table::new("Edges that changed, as the callers’ sidecars saw them")
        .head("edge")
        .text("requests")
        .text("failed")
        .text("attempts for each")
        .text("p99");
    for (name, numbers) in &shown {
        let [requests, failed, attempts, p99] = numbers;
        table.row([
            text::name(name),
            requests.short(),
            failed.short(),
            attempts.short(),
            p99.short(),
        ]);
    }
    html! {
        @if total > 0 {
            @if !table.is_empty() { (table.scrolled()) }
            @if more > 0 { p.faint { "And " (unit::counted(more as u64, "more edge")) " that changed less." } }
            @if same > 0 { p.faint { (unit::counted(same as u64, "edge")) " the same in both." } }
        }
    }
}

pub(super) fn mesh(a: &RunReport, b: &RunReport) -> Markup {
    html! {
        (mechanisms(a, b))
        (services(a, b))
        (faults(a, b))
    }
}

fn mechanisms(a: &RunReport, b: &RunReport) -> Markup {
    let names: BTreeSet<&String> = a.mechanisms.keys().chain(b.mechanisms.keys()).collect();
    let mut table = rows("How often each mechanism acted");
    for name in names {
        let count = |run: &RunReport| run.mechanisms.get(name).copied().unwrap_or(0);
        row(
            &mut table,
            &name.replace('_', " "),
            Both::counts(count(a), count(b), Better::Same),
        );
    }
    html! { @if !table.is_empty() { (table.scrolled()) } }
}

fn services(a: &RunReport, b: &RunReport) -> Markup {
    let of = |a: Option<&ServiceReport>, b: Option<&ServiceReport>| -> [Both; 4] {
        let number = |f: fn(&ServiceReport) -> Option<f64>, unit, better| {
            Both::new(a.and_then(f), b.and_then(f), unit, better)
        };
        [
            number(|s| Some(s.requests as f64), Unit::Count, Better::Same),
            number(|s| Some(s.errors as f64), Unit::Count, Better::Lower),
            number(|s| Some(s.wasted as f64), Unit::Count, Better::Lower),
            number(|s| Some(s.queue_max as f64), Unit::Count, Better::Lower),
        ]
    };
    let all = pairs(&a.services, &b.services, |s| s.name.clone());
    let told = all.into_iter().map(|(name, a, b)| (name, of(a, b)));
    let changed: Vec<_> = told
        .filter(|(_, numbers)| numbers.iter().any(Both::differs))
        .collect();
    let mut table = Table::new("Services that changed, as their apps saw it")
        .head("service")
        .text("requests")
        .text("errors")
        .text("done in vain")
        .text("longest line");
    for (name, [requests, errors, wasted, queue]) in changed.iter().take(SERVICES_MAX) {
        table.row([
            text::name(name),
            requests.short(),
            errors.short(),
            wasted.short(),
            queue.short(),
        ]);
    }
    let more = changed.len().saturating_sub(SERVICES_MAX) as u64;
    html! {
        @if !table.is_empty() { (table.scrolled()) }
        @if more > 0 { p.faint { "And " (unit::counted(more, "more service")) "." } }
    }
}

/// Faults that were not the same: then it is they that are compared.
fn faults(a: &RunReport, b: &RunReport) -> Markup {
    let all = pairs(&a.faults, &b.faults, |f| f.name.clone());
    let told = |fault: Option<&FaultReport>| match fault {
        None => html! { span.faint { "not there" } },
        Some(f) if !f.began => html! { span.faint { "never began" } },
        Some(f) => {
            let touched = [
                (f.pods, "pod"),
                (f.packets, "packet"),
                (f.requests, "request"),
            ];
            let touched: Vec<String> = touched
                .into_iter()
                .filter(|(n, _)| *n > 0)
                .map(|(n, what)| unit::counted(n, what))
                .collect();
            html! {
                "at " (unit::span(f.at_s))
                @if let Some(over) = f.over_s.or(f.for_s) { " for " (unit::span(over)) }
                @if f.inert { ", touched nothing" } @else if !touched.is_empty() { ", touched " (touched.join(", ")) }
            }
        }
    };
    let mut table = Table::new("Faults").head("fault").text("in A").text("in B");
    for (name, a, b) in all {
        table.row([text::name(&name), told(a), told(b)]);
    }
    html! { @if !table.is_empty() { (table.scrolled()) } }
}
