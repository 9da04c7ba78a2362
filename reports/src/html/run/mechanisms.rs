//! Which resilience mechanisms acted, how often, and between whom.
//!
//! Whether one was armed and never acted is a question of a suite, where every scenario has a chance to make it act;
//! see [`coverage`](crate::coverage).

use maud::{Markup, html};

use crate::html::table::Table;
use crate::html::text;
use crate::record::RunReport;
use crate::summary::unit;

/// Edges named for one mechanism.
const EDGES_MAX: usize = 5;

pub(super) fn body(report: &RunReport) -> Markup {
    let mut all: Vec<(&String, u64)> = report
        .mechanisms
        .iter()
        .map(|(name, n)| (name, *n))
        .collect();
    all.retain(|(_, n)| *n > 0);
    all.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let mut table = Table::new("How often each mechanism acted")
        .head("mechanism")
        .number("times")
        .words("what it does")
        .words("between");
    for (name, n) in all {
        table.row([
            text::name(&name.replace('_', " ")),
            html! { (unit::count(n)) },
            html! { (meaning(name)) },
            between(report, name),
        ]);
    }
    html! { @if !table.is_empty() { (table.scrolled()) } }
}

fn between(report: &RunReport, name: &str) -> Markup {
    let of =
        |edge: &crate::record::EdgeReport| edge.mechanisms.get(name).copied().filter(|n| *n > 0);
    let mut edges: Vec<_> = report
        .edges
        .iter()
        .filter_map(|e| Some((e, of(e)?)))
        .collect();
    edges.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let more = edges.len().saturating_sub(EDGES_MAX);
    html! {
        @for (i, (edge, n)) in edges.iter().take(EDGES_MAX).enumerate() {
            @if i > 0 { ", " }
            (text::name(&edge.from)) " → " (text::name(&edge.to)) " ×" (unit::count(*n))
        }
        @if more > 0 { " and " (unit::counted(more as u64, "more edge")) }
    }
}

fn meaning(name: &str) -> &'static str {
    match name {
        "retry" => "tries a failed request again",
        "retry_exhausted" => "gives up: all retries were used",
        "retry_budget_exhausted" => "does not retry: too many retries are under way",
        "timeout" => "ends a request that takes too long",
        "per_try_timeout" => "ends an attempt that takes too long",
        "overflow" => "turns requests away while a limit is reached (circuit breaker)",
        "ejection" => "stops sending to an endpoint that fails",
        "ejection_ended" => "sends to an ejected endpoint again",
        "panic" => "sends to all endpoints, because too few are healthy",
        "locality_failover" => "sends to another zone, because too few are healthy here",
        "rate_limit" => "turns requests away beyond a rate",
        "denied" => "turns away who may not call",
        "fault" => "delays or fails requests on purpose",
        "mirror" => "sends a copy elsewhere",
        "plaintext_refused" => "refuses connections without mutual TLS",
        "handshake_failed" => "a TLS handshake that failed",
        _ => "",
    }
}
