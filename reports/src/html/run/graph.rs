//! The call graph as a picture, and the same as a table.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use maud::{Markup, html};

use super::layers::layers;
use crate::html::table::Table;
use crate::html::text;
use crate::record::{EdgeReport, RunReport};
use crate::summary::paint::{shorten, width};
use crate::summary::{most, unit};

/// Edges in the picture; beyond, nobody can follow them.
const DRAWN_MAX: usize = 60;
/// Edges in the table.
const ROWS_MAX: usize = 300;

/// The least a node takes.
const NODE: (i32, i32) = (120, 44);
const GAP: (i32, i32) = (132, 26);
/// Between two edges that meet one node.
const PORT: i32 = 24;
const MARGIN: i32 = 12;
/// Beyond so many characters a node's name is broken where it can be.
const BROKEN_FROM: usize = 16;
/// Characters in a line of it.
const LINE_MAX: usize = 24;
/// What names end with that are one word for all: `productcatalogservice`.
const LAST_WORD: [char; 7] = ['s', 'e', 'r', 'v', 'i', 'c', 'e'];
/// Units that one of them takes, about, and those between two lines.
const CHARACTER: i32 = 9;
const LEADING: i32 = 16;

pub(super) fn body(report: &RunReport) -> Markup {
    let drawn = worst(&report.edges, DRAWN_MAX);
    if drawn.is_empty() {
        return Markup::default();
    }
    let left_out = report.edges.len() - drawn.len();
    html! {
        p.faint {
            "An edge is the wider the more requests it carries, and has its requests per second and the share of them that failed."
            @if left_out > 0 { " The " (drawn.len()) " edges with failures or the most requests are drawn; " (left_out) " more are in the table." }
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

/// The edges with failures, then those with the most requests, in their own order.
fn worst(edges: &[EdgeReport], n: usize) -> Vec<&EdgeReport> {
    most(edges, n, |edge| (edge.failed.min(1), edge.requests))
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
    let rate = unit::per_second(edge.rps);
    match edge.failed {
        0 => rate,
        _ => format!("{rate} · {} failed", share(failed(edge))),
    }
}

/// A share that failed: rounded, for 100% of failures is not a promise. A small one is rounded up, as what succeeded is
/// cut: 99.94% succeeded and 0.06% failed.
fn share(failed: f64) -> String {
    match failed * 100.0 {
        x if x < 0.01 => "<0.01%".into(),
        x if x < 1.0 => format!("{}%", unit::trimmed((x * 100.0 - 1e-6).ceil() / 100.0, 2)),
        x => format!("{}%", unit::trimmed(x, 1)),
    }
}

/// A node's box.
#[derive(Clone, Copy, Default)]
struct Place {
    x: i32,
    y: i32,
    wide: i32,
    height: i32,
}

/// Where everything is.
struct Places {
    nodes: Vec<Place>,
    /// For each edge where it leaves its caller and where it meets its callee.
    ends: Vec<[(i32, i32); 2]>,
    width: i32,
    height: i32,
}

/// For nodes of these names, each in its lines.
fn places(names: &[Vec<String>], edges: &[(usize, usize)]) -> Places {
    let nodes = names.len();
    let layers = layers(nodes, edges);
    let ends_at = |node: usize, end: fn(&(usize, usize)) -> usize| {
        edges.iter().filter(|e| end(e) == node).count()
    };
    let mut at = vec![Place::default(); nodes];
    // A node is as high as the labels of the edges that meet it.
    for (node, place) in at.iter_mut().enumerate() {
        let ports = ends_at(node, |e| e.0).max(ends_at(node, |e| e.1)) as i32;
        let lines = names[node].len() as i32;
        place.height = (NODE.1 + (lines - 1) * LEADING).max(ports * PORT + 10);
    }
    let tall = |layer: &[usize], at: &[Place]| -> i32 {
        layer.iter().map(|n| at[*n].height + GAP.1).sum::<i32>() - GAP.1
    };
    let height = layers
        .iter()
        .map(|layer| tall(layer, &at))
        .max()
        .unwrap_or(0)
        + 2 * MARGIN;
    let mut x = MARGIN;
    for layer in &layers {
        let longest = layer
            .iter()
            .flat_map(|n| &names[*n])
            .map(|line| width(line));
        let wide = NODE
            .0
            .max(longest.max().unwrap_or(0) as i32 * CHARACTER + 12);
        let mut y = (height - tall(layer, &at)) / 2;
        for node in layer {
            (at[*node].x, at[*node].wide) = (x, wide);
            at[*node].y = y;
            y += at[*node].height + GAP.1;
        }
        x += wide + GAP.0;
    }
    let ends = edges.iter().enumerate().map(|(i, (from, to))| {
        // The ports of a node are in the order of what they lead to, so that its edges do not cross.
        let port = |node: usize,
                    end: fn(&(usize, usize)) -> usize,
                    other: fn(&(usize, usize)) -> usize| {
            let mut all: Vec<(i32, usize)> = edges
                .iter()
                .enumerate()
                .filter(|(_, e)| end(e) == node)
                .map(|(j, e)| (at[other(e)].y, j))
                .collect();
            all.sort_unstable();
            let rank = all.iter().position(|(_, j)| *j == i).unwrap_or(0) as i32;
            at[node].y + at[node].height / 2 + (2 * rank + 1 - all.len() as i32) * PORT / 2
        };
        [
            (at[*from].x + at[*from].wide, port(*from, |e| e.0, |e| e.1)),
            (at[*to].x, port(*to, |e| e.1, |e| e.0)),
        ]
    });
    let ends: Vec<_> = ends.collect();
    // Edges that lead back run below.
    let back = ends.iter().any(|[from, to]| to.0 <= from.0);
    Places {
        ends,
        nodes: at,
        width: x - GAP.0 + MARGIN,
        height: height + if back { NODE.1 } else { 0 },
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
    let names: Vec<Vec<String>> = numbers.keys().map(|name| lines(name)).collect();
    let places = places(&names, &pairs);
    let most = edges.iter().map(|e| e.rps).fold(0.0, f64::max);
    let sources: BTreeSet<&str> = report.traffic.keys().map(String::as_str).collect();
    let (across, height) = (places.width, places.height);
    html! {
        div.scroll.graph tabindex="0" role="group" aria-label="The call graph as a picture" {
            svg viewBox=(format!("0 0 {across} {height}")) width=(across) height=(height) role="img" aria-labelledby="graph-svg-title" aria-describedby="graph-svg-about" {
                title #graph-svg-title { "Call graph" }
                desc #graph-svg-about { "Who called whom, from the traffic sources on the left to the last callees on the right. The table below has the same." }
                @for (edge, ends) in edges.iter().zip(&places.ends) { (arrow(edge, *ends, most)) }
                @for (edge, ends) in edges.iter().zip(&places.ends) { (label_of(edge, *ends, most)) }
                @for (name, node) in &numbers {
                    (box_of(report, (name, &names[*node]), places.nodes[*node], sources.contains(name)))
                }
            }
        }
    }
}

/// How wide an edge is drawn: its area is its load.
fn thickness(edge: &EdgeReport, most: f64) -> f64 {
    1.5 + 8.5 * libm::sqrt(edge.rps / most.max(1e-9)).clamp(0.0, 1.0)
}

fn arrow(edge: &EdgeReport, [(x1, y1), (x2, y2)]: [(i32, i32); 2], most: f64) -> Markup {
    let path = if x2 <= x1 {
        let low = y1.max(y2) + NODE.1;
        let out = GAP.0 / 2;
        format!(
            "M{x1} {y1}C{} {y1} {} {low} {} {low}S{} {y2} {x2} {y2}",
            x1 + out,
            x1 + out,
            (x1 + x2) / 2,
            x2 - out
        )
    } else {
        // Straight where the label stands, so that it stands above the line.
        let (bend, straight) = ((x2 - x1) / 6, (x2 - x1) / 3);
        format!(
            "M{x1} {y1}C{} {y1} {} {y2} {} {y2}H{x2}",
            x1 + bend,
            x1 + bend,
            x1 + straight
        )
    };
    html! {
        g class=(class(edge)) { path d=(path) stroke-width=(unit::trimmed(thickness(edge, most), 1)) {} }
    }
}

fn label_of(edge: &EdgeReport, [_, (x, y)]: [(i32, i32); 2], most: f64) -> Markup {
    let above = y - (thickness(edge, most) / 2.0).ceil() as i32 - 3;
    html! {
        g class=(class(edge)) { text x=(x - 5) y=(above) text-anchor="end" { (label(edge)) } }
    }
}

/// A name in one line, or in two that break where its words do; of a longer one both ends.
fn lines(name: &str) -> Vec<String> {
    let name: Vec<char> = text::plain(name).chars().collect();
    let line = |part: &[char]| shorten(&part.iter().collect::<String>(), LINE_MAX);
    if name.len() <= BROKEN_FROM {
        return vec![line(&name)];
    }
    let middle = name.len() / 2;
    let word = |at: &usize| {
        matches!(name[at - 1], '-' | '.' | '_' | '/' | ' ') || name[*at..] == LAST_WORD
    };
    let fits = |at: &usize| *at <= LINE_MAX && name.len() - at <= LINE_MAX;
    let between = (1..name.len()).filter(word).filter(fits);
    match between.min_by_key(|at| at.abs_diff(middle)) {
        None if name.len() <= LINE_MAX => vec![line(&name)],
        at => {
            let (first, second) = name.split_at(at.unwrap_or(middle));
            vec![line(first), line(second)]
        }
    }
}

fn box_of(
    report: &RunReport,
    (name, lines): (&str, &[String]),
    place: Place,
    source: bool,
) -> Markup {
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
    let Place { x, y, wide, height } = place;
    let (middle, centre) = (y + height / 2, x + wide / 2);
    let above = (lines.len() as i32 - 1) * LEADING / 2;
    let class = if source { "node source" } else { "node" };
    html! {
        g class=(class) {
            @if lines.concat() != name { title { (text::plain(name)) } }
            rect x=(x) y=(y) width=(wide) height=(height) rx="6" {}
            @for (line, at) in lines.iter().zip(0..) {
                text x=(centre) y=(middle - 3 - above + at * LEADING) text-anchor="middle" { (line) }
            }
            text.sub x=(centre) y=(middle + 13 + above) text-anchor="middle" { (below) }
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
        .words("mechanisms");
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
        @if more > 0 { p.faint { "And " (unit::counted(more as u64, "more edge")) "; these have failures or the most requests." } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_and_what_succeeded_are_all() {
        for (failed, told) in [(0.000_547, "0.06%"), (0.000_5, "0.05%"), (0.916, "91.6%")] {
            assert_eq!(share(failed), told);
        }
        assert_eq!(unit::share(1.0 - 0.000_547), "99.94%");
        assert_eq!(unit::share(1.0 - 0.000_5), "99.95%");
    }

    #[test]
    fn a_name_is_whole_where_it_can_be() {
        assert_eq!(lines("payment-service"), ["payment-service"]);
        assert_eq!(
            lines("recommendation-service-canary"),
            ["recommendation-", "service-canary"]
        );
        assert_eq!(
            lines("productcatalogservice"),
            ["productcatalog", "service"]
        );
        assert_eq!(lines("twentylettersorsoalso"), ["twentylettersorsoalso"]);
        assert_eq!(lines(&"x".repeat(30)), ["x".repeat(15), "x".repeat(15)]);
        for name in ["a-".repeat(9_000), "字".repeat(80)] {
            let lines = lines(&name);
            assert!(lines.len() == 2 && lines.iter().all(|line| line.chars().count() <= LINE_MAX));
        }
    }
}
