//! Tables of numbers with their differences: clients, edges, mechanisms and services.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::chance::{self, Grounds, Sample};
use super::difference::Both;
use super::pairs::pairs;
use crate::html::table::Table;
use crate::html::text;
use crate::record::{
    EdgeReport, FaultReport, LatencyMs, RunReport, ServiceReport, TrafficReport, Unit,
};
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

pub(super) fn clients(a: &RunReport, b: &RunReport, grounds: Grounds) -> Markup {
    let mut names: Vec<&String> = a.traffic.keys().collect();
    names.extend(
        b.traffic
            .keys()
            .filter(|name| !a.traffic.contains_key(*name)),
    );
    let told: Vec<Markup> = names
        .iter()
        .take(SOURCES_MAX)
        .map(|name| client(name, a.traffic.get(*name), b.traffic.get(*name), grounds))
        .collect();
    let more = names.len().saturating_sub(SOURCES_MAX) as u64;
    html! {
        @if !told.is_empty() {
            div.pair { @for one in &told { (one) } }
            @if more > 0 { p.faint { "And " (unit::counted(more, "more source")) "." } }
        }
    }
}

/// A count of both, and what chance makes of it.
fn counts<T>(
    (a, b): (Option<&T>, Option<&T>),
    of: impl Fn(&T) -> u64,
    better: Better,
    grounds: Grounds,
) -> Both {
    let (a, b) = (a.map(&of), b.map(&of));
    let chance = chance::of_counts(a.unwrap_or(0), b.unwrap_or(0));
    let number = |n: Option<u64>| n.map(|n| n as f64);
    Both::new(number(a), number(b), Unit::Count, better).on(grounds, chance)
}

/// A share of both: `part` of `all`.
fn shares<T>(
    (a, b): (Option<&T>, Option<&T>),
    of: impl Fn(&T) -> (u64, u64),
    better: Better,
    grounds: Grounds,
) -> Both {
    let (a, b) = (a.map(&of), b.map(&of));
    let number =
        |n: Option<(u64, u64)>| n.map_or((0.0, 0.0), |(part, all)| (part as f64, all as f64));
    let chance = chance::of_shares(number(a), number(b));
    let ratio = |n: Option<(u64, u64)>| n.and_then(|(part, all)| share(part, all));
    Both::new(ratio(a), ratio(b), Unit::Ratio, better).on(grounds, chance)
}

/// A quantile of both.
fn quantiles(
    (a, b): (Option<Sample<'_>>, Option<Sample<'_>>),
    q: f64,
    of: fn(&LatencyMs) -> f64,
    grounds: Grounds,
) -> Both {
    let chance = match (a, b) {
        (Some(a), Some(b)) => grounds.of_quantile(q, a, b),
        _ => 0.0,
    };
    let ms = |sample: Option<Sample<'_>>| sample.map(|s| of(s.ms));
    Both::new(ms(a), ms(b), Unit::Ms, Better::Lower).on(grounds, chance)
}

fn client(
    name: &str,
    a: Option<&TrafficReport>,
    b: Option<&TrafficReport>,
    grounds: Grounds,
) -> Markup {
    let mut table = rows(&format!("What {name} saw"));
    let both = (a, b);
    let count = |of: fn(&TrafficReport) -> u64, better| counts(both, of, better, grounds);
    row(&mut table, "requests", count(|t| t.requests, Better::Same));
    let succeeded = |t: &TrafficReport| (t.succeeded, t.succeeded + t.failed);
    row(
        &mut table,
        "succeeded",
        shares(both, succeeded, Better::Higher, grounds),
    );
    row(&mut table, "failed", count(|t| t.failed, Better::Lower));
    if a.map_or(0, |t| t.in_flight_at_end) + b.map_or(0, |t| t.in_flight_at_end) > 0 {
        row(
            &mut table,
            "under way at the end",
            count(|t| t.in_flight_at_end, Better::Lower),
        );
    }
    let samples = (a.and_then(sample), b.and_then(sample));
    let quantile = |q, of| quantiles(samples, q, of, grounds);
    row(&mut table, "p50", quantile(0.5, |ms| ms.p50));
    row(&mut table, "p90", quantile(0.9, |ms| ms.p90));
    row(&mut table, "p99", quantile(0.99, |ms| ms.p99));
    row(&mut table, "p99.9", quantile(0.999, |ms| ms.p999));
    let longest = |traffic: Option<&TrafficReport>| traffic?.latency_ms.map(|ms| ms.max);
    let longest = Both::new(longest(a), longest(b), Unit::Ms, Better::Lower);
    row(
        &mut table,
        "longest",
        longest.on(grounds, grounds.of_unknown()),
    );
    table.scrolled()
}

/// The latencies of a source.
pub(super) fn sample(traffic: &TrafficReport) -> Option<Sample<'_>> {
    Some(Sample {
        ms: traffic.latency_ms.as_ref()?,
        count: traffic.succeeded + traffic.failed,
    })
}

/// The latencies of an edge.
fn calls(edge: &EdgeReport) -> Option<Sample<'_>> {
    Some(Sample {
        ms: edge.latency_ms.as_ref()?,
        count: edge.requests,
    })
}

/// The numbers of an edge in both.
fn edge(a: Option<&EdgeReport>, b: Option<&EdgeReport>, grounds: Grounds) -> [Both; 4] {
    let both = (a, b);
    let attempts = |e: Option<&EdgeReport>| share(e?.attempts, e?.requests);
    // What is more than one attempt for each is what varies.
    let retries = |e: Option<&EdgeReport>| e.map_or(0, |e| e.retries);
    let requests = |e: Option<&EdgeReport>| e.map_or(1, |e| e.requests.max(1));
    let each = requests(a).min(requests(b)) as f64;
    [
        counts(both, |e| e.requests, Better::Same, grounds),
        shares(both, |e| (e.failed, e.requests), Better::Lower, grounds),
        Both::new(attempts(a), attempts(b), Unit::Number, Better::Lower)
            .on(grounds, chance::of_counts(retries(a), retries(b)) / each),
        quantiles(
            (a.and_then(calls), b.and_then(calls)),
            0.99,
            |ms| ms.p99,
            grounds,
        ),
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

pub(super) fn edges(a: &RunReport, b: &RunReport, grounds: Grounds) -> Markup {
    let key = |e: &EdgeReport| format!("{} → {}", e.from, e.to);
    let all = pairs(&a.edges, &b.edges, key);
    let total = all.len();
    let told = all
        .into_iter()
        .map(|(name, a, b)| (name, edge(a, b, grounds)));
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

pub(super) fn mesh(a: &RunReport, b: &RunReport, grounds: Grounds) -> Markup {
    html! {
        (mechanisms(a, b))
        (services(a, b, grounds))
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

fn services(a: &RunReport, b: &RunReport, grounds: Grounds) -> Markup {
    let of = |a: Option<&ServiceReport>, b: Option<&ServiceReport>| -> [Both; 4] {
        let number = |of: fn(&ServiceReport) -> u64, better| counts((a, b), of, better, grounds);
        [
            number(|s| s.requests, Better::Same),
            number(|s| s.errors, Better::Lower),
            number(|s| s.wasted, Better::Lower),
            number(|s| s.queue_max, Better::Lower),
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
