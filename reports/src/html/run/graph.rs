//! The call graph as a picture, and the same as a table.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use maud::{Markup, html};

use super::layers::layers;
use crate::html::table::Table;
use crate::html::text;
use crate::record::{EdgeReport, RunReport};
use crate::summary::paint::shorten;
use crate::summary::unit;

/// Edges in the picture; beyond, nobody can follow them.
const DRAWN_MAX: usize = 60;
/// Edges in the table.
const ROWS_MAX: usize = 300;

const NODE: (i32, i32) = (132, 44);
const GAP: (i32, i32) = (128, 26);
const MARGIN: i32 = 12;
/// Characters that fit in a node.
const NAME_MAX: usize = 15;

pub(super) fn body(report: &RunReport) -> Markup {
    let drawn = worst(&report.edges, DRAWN_MAX);
    if drawn.is_empty() {
        return Markup::default();
    }
    let left_out = report.edges.len() - drawn.len();
    html! {
        p.faint {
            "An edge is the wider the more requests it carries, and has its requests per second and the share of them that failed."
            @if left_out > 0 { " The " (drawn.len()) " edges with the most failures and requests are drawn; " (left_out) " more are in the table." }
        }
        ul.legend {
            li { span.key.s0 {} "no failures" }
            li { span.key.s4 {} "up to 1% failed" }
            li { span.key.s1 {} "more than 1% failed" }
        }
        (picture(report, &drawn))
        details { summary { "The graph as a table" } (table(report)) }
    }
}

/// The edges with the most failures, then the most requests, in their own order.
fn worst(edges: &[EdgeReport], n: usize) -> Vec<&EdgeReport> {
    let mut ranked: Vec<(usize, &EdgeReport)> = edges.iter().enumerate().collect();
    ranked.sort_by_key(|(_, e)| std::cmp::Reverse((e.failed.min(1), e.requests)));
    ranked.truncate(n);
    ranked.sort_by_key(|(i, _)| *i);
    ranked.into_iter().map(|(_, edge)| edge).collect()
}

fn failed(edge: &EdgeReport) -> f64 {
    match edge.requests {
        0 => 0.0,
        n => edge.failed as f64 / n as f64,
    }
}

fn class(edge: &EdgeReport) -> &'static str {
    match failed(edge) {
        _ if edge.requests == 0 => "edge idle",
        x if x <= 0.0 => "edge ok",
        x if x <= 0.01 => "edge some",
        _ => "edge many",
    }
}

fn label(edge: &EdgeReport) -> String {
    let rate = format!("{}/s", unit::rate(edge.rps));
    match edge.failed {
        0 => rate,
        _ => format!("{rate} · {} failed", share(failed(edge))),
    }
}

/// A share that failed: rounded, for 100 % of failures is not a promise.
fn share(failed: f64) -> String {
    match failed * 100.0 {
        x if x < 0.01 => "<0.01%".into(),
        x if x < 1.0 => format!("{}%", unit::trimmed(x, 2)),
        x => format!("{}%", unit::trimmed(x, 1)),
    }
}

/// Where a node's upper left corner is.
struct Places {
    nodes: Vec<(i32, i32)>,
    width: i32,
    height: i32,
}

fn places(nodes: usize, edges: &[(usize, usize)]) -> Places {
    let layers = layers(nodes, edges);
    let tallest = layers.iter().map(Vec::len).max().unwrap_or(1) as i32;
    let height = tallest * (NODE.1 + GAP.1) - GAP.1 + 2 * MARGIN;
    let mut at = vec![(0, 0); nodes];
    for (column, layer) in layers.iter().enumerate() {
        let tall = layer.len() as i32 * (NODE.1 + GAP.1) - GAP.1;
        for (row, node) in layer.iter().enumerate() {
            at[*node] = (
                MARGIN + column as i32 * (NODE.0 + GAP.0),
                (height - tall) / 2 + row as i32 * (NODE.1 + GAP.1),
            );
        }
    }
    Places {
        nodes: at,
        width: layers.len() as i32 * (NODE.0 + GAP.0) - GAP.0 + 2 * MARGIN,
        height: height.max(NODE.1 + 2 * MARGIN),
    }
}

fn picture(report: &RunReport, edges: &[&EdgeReport]) -> Markup {
    let mut numbers: IndexMap<&str, usize> = IndexMap::new();
    let mut number = |name| {
        let next = numbers.len();
        *numbers.entry(name).or_insert(next)
    };
    let pairs: Vec<(usize, usize)> = edges
        .iter()
        .map(|e| (number(&e.from), number(&e.to)))
        .collect();
    let places = places(numbers.len(), &pairs);
    let most = edges.iter().map(|e| e.rps).fold(0.0, f64::max);
    let sources: BTreeSet<&str> = report.traffic.keys().map(String::as_str).collect();
    let (width, height) = (places.width, places.height);
    html! {
        div.scroll.graph tabindex="0" role="group" aria-label="The call graph as a picture" {
            svg viewBox=(format!("0 0 {width} {height}")) width=(width) height=(height) role="img" aria-labelledby="graph-svg-title" aria-describedby="graph-svg-about" {
                title #graph-svg-title { "Call graph" }
                desc #graph-svg-about { "Who called whom, from the traffic sources on the left to the last callees on the right. The table below has the same." }
                @for (edge, (from, to)) in edges.iter().zip(&pairs) {
                    (arrow(edge, places.nodes[*from], places.nodes[*to], most))
                }
                @for (name, node) in &numbers {
                    (box_of(report, name, places.nodes[*node], sources.contains(name)))
                }
            }
        }
    }
}

fn arrow(edge: &EdgeReport, from: (i32, i32), to: (i32, i32), most: f64) -> Markup {
    let (x1, y1) = (from.0 + NODE.0, from.1 + NODE.1 / 2);
    let (x2, y2) = (to.0, to.1 + NODE.1 / 2);
    let width = 1.5 + 8.5 * libm::sqrt(edge.rps / most.max(1e-9)).clamp(0.0, 1.0);
    let back = x2 <= x1;
    // An edge that leads back runs below both of its nodes.
    let (path, middle) = if back {
        let low = y1.max(y2) + NODE.1 / 2 + GAP.1 / 2;
        (
            format!(
                "M{} {}C{x1} {low} {} {low} {} {}",
                x1 - 20,
                y1 + NODE.1 / 2,
                x2 + NODE.0,
                x2 + 20,
                y2 + NODE.1 / 2
            ),
            ((x1 + x2) / 2, low + 4),
        )
    } else {
        let bend = (x2 - x1) / 2;
        (
            format!("M{x1} {y1}C{} {y1} {} {y2} {x2} {y2}", x1 + bend, x2 - bend),
            // Edges of one node part from each other: nearer to the end they have room.
            (x1 + (x2 - x1) / 2, y1 + (y2 - y1) / 2 - 7),
        )
    };
    html! {
        g class=(class(edge)) {
            path d=(path) stroke-width=(unit::trimmed(width, 1)) {}
            text x=(middle.0) y=(middle.1) text-anchor="middle" { (label(edge)) }
        }
    }
}

fn box_of(report: &RunReport, name: &str, (x, y): (i32, i32), source: bool) -> Markup {
    let pods = report
        .detail
        .as_ref()
        .and_then(|d| d.course.services.get(name))
        .map(|s| s.pods);
    let below = match (source, pods) {
        (true, _) => "traffic".to_owned(),
        (_, Some(n)) => unit::counted(u64::from(n), "pod"),
        (_, None) if report.services.iter().any(|s| s.name == name) => "service".into(),
        _ => "outside".into(),
    };
    let class = if source { "node source" } else { "node" };
    html! {
        g class=(class) {
            @if name.chars().count() > NAME_MAX { title { (text::plain(name)) } }
            rect x=(x) y=(y) width=(NODE.0) height=(NODE.1) rx="6" {}
            text x=(x + NODE.0 / 2) y=(y + 19) text-anchor="middle" { (shorten(&text::plain(name), NAME_MAX)) }
            text.sub x=(x + NODE.0 / 2) y=(y + 35) text-anchor="middle" { (below) }
        }
    }
}

fn table(report: &RunReport) -> Markup {
    let mut table = Table::new("Edges, as the callers’ sidecars saw them")
        .head("from")
        .text("to")
        .number("requests")
        .number("per second")
        .number("failed")
        .number("attempts each")
        .number("mTLS")
        .number("p50")
        .number("p99")
        .text("mechanisms");
    let shown = worst(&report.edges, ROWS_MAX);
    for edge in &shown {
        let ms = edge.latency_ms.as_ref();
        let latency = |ms: Option<f64>| html! { (ms.map_or_else(|| "–".into(), unit::millis)) };
        let tries = match edge.requests {
            0 => "–".into(),
            n => unit::ratio(edge.attempts as f64 / n as f64),
        };
        let acted: Vec<String> = edge
            .mechanisms
            .iter()
            .map(|(name, n)| format!("{} ×{}", name.replace('_', " "), unit::count(*n)))
            .collect();
        table.row([
            text::name(&edge.from),
            text::name(&edge.to),
            html! { (unit::count(edge.requests)) },
            html! { (unit::rate(edge.rps)) },
            html! { @if edge.failed > 0 { span.no { (unit::count(edge.failed)) " (" (share(failed(edge))) ")" } } @else { "–" } },
            html! { (tries) },
            html! { (edge.mtls.map_or_else(|| "–".into(), unit::share)) },
            latency(ms.map(|ms| ms.p50)),
            latency(ms.map(|ms| ms.p99)),
            text::said(&acted.join(" · ")),
        ]);
    }
    let more = report.edges.len() - shown.len();
    html! {
        (table.scrolled())
        @if more > 0 { p.faint { "And " (unit::counted(more as u64, "more edge")) "; these have the most failures and requests." } }
    }
}
