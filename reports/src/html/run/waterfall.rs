//! The waterfall of a request: what happened for it, each thing below what caused it, on one scale of time.
//!
//! It is a table, so that it reads aloud and copies as one; the bars are its last column. Hatched is waiting.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::blame::percent;
use crate::html::text;
use crate::record::{SpanKind, SpanReport, TraceReport, millis};
use crate::summary::unit;

/// Spans drawn of one request.
const SPANS_MAX: usize = 80;
/// Deepest indentation.
const DEPTH_MAX: usize = 8;

pub(super) fn waterfall(trace: &TraceReport) -> Markup {
    if trace.spans.is_empty() {
        return Markup::default();
    }
    let order = nested(&trace.spans);
    let begin = trace.spans.iter().map(|s| s.start_ns).min().unwrap_or(0);
    let end = trace.spans.iter().map(|s| s.end_ns).max().unwrap_or(begin);
    let scale = Scale {
        begin,
        length: end.saturating_sub(begin).max(1) as f64,
    };
    let left_out = order.len().saturating_sub(SPANS_MAX) as u64 + u64::from(trace.spans_omitted);
    html! {
        div.scroll.fall tabindex="0" role="group" aria-label="Waterfall" {
            table {
                caption { "What happened, over " (unit::millis(scale.length / 1e6)) "; hatched is waiting" }
                thead { tr {
                    th scope="col" { "what, where" } th scope="col" class="n" { "from" } th scope="col" class="n" { "took" }
                    th scope="col" { "result" } th scope="col" { "when" }
                } }
                tbody {
                    @for (i, depth) in order.iter().take(SPANS_MAX) {
                        (row(&trace.spans, *i, *depth, &scale))
                    }
                }
            }
        }
        @if left_out > 0 { p.faint { (unit::counted(left_out, "more span")) " left out." } }
    }
}

/// The time that the bars stand on.
struct Scale {
    begin: u64,
    length: f64,
}

impl Scale {
    fn x(&self, ns: u64) -> f64 {
        ns.saturating_sub(self.begin) as f64 / self.length * 100.0
    }
}

/// The spans in the order of a tree, each with its depth. A parent that is not there, or comes later, is none.
fn nested(spans: &[SpanReport]) -> Vec<(usize, usize)> {
    let mut children: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
    for i in 0..spans.len() {
        let parent = cause(spans, i);
        children.entry(parent).or_default().push(i);
    }
    let mut order = Vec::with_capacity(spans.len());
    let roots = children.get(&None).cloned().unwrap_or_default();
    let mut stack: Vec<(usize, usize)> = roots.into_iter().rev().map(|i| (i, 0)).collect();
    while let Some((i, depth)) = stack.pop() {
        order.push((i, depth));
        let below = children.get(&Some(i)).into_iter().flatten();
        stack.extend(below.rev().map(|child| (*child, depth + 1)));
    }
    order
}

/// The span below which one stands: the one that caused it; where that is not known, the one work that went on on its
/// pod when it began.
fn cause(spans: &[SpanReport], i: usize) -> Option<usize> {
    let span = &spans[i];
    if let Some(parent) = span.parent {
        return Some(parent as usize).filter(|p| *p < i);
    }
    let at_work = |s: &SpanReport| {
        s.kind == SpanKind::App
            && s.pod == span.pod
            && (s.start_ns..=s.end_ns).contains(&span.start_ns)
    };
    let mut all = (0..i).filter(|p| span.kind == SpanKind::Outbound && at_work(&spans[*p]));
    match (all.next(), all.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

fn row(spans: &[SpanReport], i: usize, depth: usize, scale: &Scale) -> Markup {
    let span = &spans[i];
    let failed = span.status.is_none_or(|s| s >= 500) && span.details != "answered";
    let depth = format!("d{}", depth.min(DEPTH_MAX));
    html! {
        tr {
            th scope="row" class=(depth) { (what(span)) }
            td.n { "+" (unit::millis(millis(span.start_ns.saturating_sub(scale.begin)))) }
            td.n { (unit::millis(millis(span.end_ns.saturating_sub(span.start_ns)))) }
            td.result { (result(span, failed)) }
            td.barcell { (bar(spans, i, failed, scale)) }
        }
    }
}

fn what(span: &SpanReport) -> Markup {
    let to = |name: &str| html! { @if !name.is_empty() { " → " (text::name(name)) } };
    html! {
        @match span.kind {
            SpanKind::Client => { "client " (text::name(&span.pod)) },
            SpanKind::Outbound => { (text::name(&span.pod)) " calls" (to(if span.cluster.is_empty() { &span.request } else { &span.cluster })) },
            SpanKind::Attempt => {
                @if span.mirror { "mirror copy" } @else { "attempt " (span.attempt) }
                (to(&span.peer))
                @if span.mtls == Some(false) { " " span.faint { "(plain)" } }
            },
            SpanKind::Inbound => { "sidecar of " (text::name(&span.pod)) },
            SpanKind::App => { "app " (text::name(&span.pod)) },
        }
    }
}

fn result(span: &SpanReport, failed: bool) -> Markup {
    let status = span.status.map(|status| status.to_string());
    let flags = (span.flags != "-" && !span.flags.is_empty()).then_some(&span.flags);
    let details = match span.details.as_str() {
        "" | "via_upstream" | "answered" => None,
        details => Some(details.replace('_', " ")),
    };
    html! {
        span class=[failed.then_some("no")] {
            @if let Some(status) = &status { (status) " " }
            @if let Some(flags) = flags { (text::name(flags)) " " }
        }
        @if let Some(details) = &details { span.faint { (text::name(details)) } }
        @if status.is_none() && flags.is_none() && details.is_none() { "–" }
    }
}

/// What a bar is made of: how it looks, from when and how long.
fn pieces(spans: &[SpanReport], i: usize, failed: bool) -> Vec<(&'static str, u64, u64)> {
    let span = &spans[i];
    let length = span.end_ns.saturating_sub(span.start_ns);
    let whole = match span.kind {
        _ if failed => "s1",
        SpanKind::Client => "s6",
        SpanKind::Outbound => "a5",
        SpanKind::Attempt => "s0",
        SpanKind::Inbound => "s5",
        SpanKind::App => "s2",
    };
    let mut pieces = vec![(whole, span.start_ns, length)];
    if span.queue_ns > 0 {
        pieces.push(("w2", span.start_ns, span.queue_ns.min(length)));
    }
    if span.kind == SpanKind::Outbound && span.fault_ns + span.pool_ns + span.backoff_ns > 0 {
        let waits = between_attempts(spans, i).into_iter();
        pieces.extend(waits.map(|[from, to]| ("w4", from, to - from)));
    }
    pieces
}

/// When an outbound request had no attempt under way.
fn between_attempts(spans: &[SpanReport], i: usize) -> Vec<[u64; 2]> {
    let of = |s: &&SpanReport| {
        s.kind == SpanKind::Attempt && !s.mirror && s.parent.map(|p| p as usize) == Some(i)
    };
    let mut attempts: Vec<[u64; 2]> = spans
        .iter()
        .filter(of)
        .map(|s| [s.start_ns, s.end_ns])
        .collect();
    attempts.sort_unstable();
    let (mut at, end) = (spans[i].start_ns, spans[i].end_ns);
    let mut idle = Vec::new();
    for [from, to] in attempts.into_iter().chain([[end, end]]) {
        if from.min(end) > at {
            idle.push([at, from.min(end)]);
        }
        at = at.max(to);
    }
    idle
}

fn bar(spans: &[SpanReport], i: usize, failed: bool, scale: &Scale) -> Markup {
    html! {
        svg.bar.thin aria-hidden="true" focusable="false" {
            rect.back width="100%" height="100%" {}
            @for (class, from, length) in pieces(spans, i, failed) {
                // At least a hair, or what was quick would not be seen.
                @let width = (length as f64 / scale.length * 100.0).max(0.3);
                @let x = scale.x(from).min(100.0 - width);
                rect class=(class) x=(percent(x)) y="15%" width=(percent(width)) height="70%" {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::sample;

    fn span(parent: Option<u32>) -> SpanReport {
        SpanReport {
            status: None,
            ..sample::span(SpanKind::App, parent, "", [0, 0])
        }
    }

    #[test]
    fn a_call_stands_below_the_work_that_made_it_when_there_was_only_one() {
        let mut spans = vec![span(None), span(None), span(None)];
        spans[2].kind = SpanKind::Outbound;
        assert_eq!(cause(&spans, 2), None, "two were at work");
        spans[0].pod = "another".into();
        assert_eq!(cause(&spans, 2), Some(1));
    }

    #[test]
    fn what_is_between_attempts_is_waiting() {
        let mut spans = vec![span(None), span(Some(0)), span(Some(0)), span(Some(0))];
        spans[0].end_ns = 100;
        for (attempt, (from, to)) in spans[1..].iter_mut().zip([(60, 90), (10, 20), (15, 30)]) {
            attempt.kind = SpanKind::Attempt;
            (attempt.start_ns, attempt.end_ns) = (from, to);
        }
        assert_eq!(between_attempts(&spans, 0), [[0, 10], [30, 60], [90, 100]]);
    }

    #[test]
    fn spans_stand_below_what_caused_them() {
        let spans = [
            span(None),
            span(Some(0)),
            span(Some(0)),
            span(Some(1)),
            span(Some(77)),
            span(Some(5)),
        ];
        assert_eq!(
            nested(&spans),
            [(0, 0), (1, 1), (3, 2), (2, 1), (4, 0), (5, 0)]
        );
    }
}
