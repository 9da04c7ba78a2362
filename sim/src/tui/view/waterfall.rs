//! One request: everything that was done for it, over time, and what happened around it.

use meshquake_reports::summary::unit;
use meshquake_reports::{SpanKind, SpanReport, Split, TraceReport};
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::theme::Theme;
use super::{Canvas, below, split, top};
use crate::tui::film::{Film, Kind, Row, What};
use crate::tui::state::State;
use crate::tui::text::{clock, columns, fit, inert, pad, pad_left, span};

/// Happenings that are told.
const AROUND_MAX: usize = 12;
/// What happened so long before a request began may explain it.
const BEFORE_NS: u64 = 2_000_000_000;

pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State) {
    let film = state.film();
    let shown = state.shown().requests().shown();
    let row = state.request_at().and_then(|at| shown.get(at));
    let Some(row) = row.and_then(|row| film.rows.get(*row as usize)) else {
        canvas.line(area, " no request is chosen");
        return;
    };
    let rest = head(canvas, area, film, row);
    let around = around(canvas.theme, film, row, usize::from(area.width));
    let below_spans = (around.len() as u16 + 1).min(rest.height / 2);
    let spans = top(rest, rest.height.saturating_sub(below_spans));
    match film.traces.get(&row.key()) {
        Some(trace) => spans_of(canvas, spans, state, trace),
        None => {
            let theme = canvas.theme;
            let why = " this request was not told in full: of each moment only a few are";
            let rest = canvas.line(spans, theme.dim(why));
            let told = |row: &&u32| film.traces.contains_key(&film.rows[**row as usize].key());
            let at = state.request_at().unwrap_or(0);
            let near = shown[at..].iter().take(10_000).find(told);
            let near = near.or_else(|| shown[..at].iter().rev().take(10_000).find(told));
            if let Some(near) = near.map(|row| &film.rows[*row as usize]) {
                let text = format!(
                    " the nearest that was: {} at {}",
                    near.number(),
                    clock(near.at)
                );
                canvas.line(rest, theme.plain(&text));
            }
        }
    }
    let rest = below(rest, spans.height);
    let rest = canvas.title(rest, "around it");
    canvas.lines(rest, around);
}

fn head(canvas: &mut Canvas<'_>, area: Rect, film: &Film, row: &Row) -> Rect {
    let theme = canvas.theme;
    let source = film.cast.part_name(u32::from(row.source));
    let trace = film.traces.get(&row.key());
    let verdict = match (row.succeeded, film.kind_name(row.kind)) {
        (true, _) => theme.good("✓ "),
        (false, kind) => theme.bad(&format!("✗ {kind} ")),
    };
    let status = match row.status {
        0 => "no answer".to_owned(),
        status => format!("status {status}"),
    };
    let spans = vec![
        Span::raw(" "),
        verdict,
        theme.strong(&format!("{source} {}", row.number())),
        Span::raw(format!("   {status} after {}", span(row.latency()))),
        theme.dim(&format!("   sent {}", clock(row.intended))),
    ];
    let rest = canvas.line(area, super::cut(spans, usize::from(area.width)));
    let Some(trace) = trace else {
        return rest;
    };
    let spans = vec![
        theme.dim(" "),
        Span::raw(fit(&trace.request, 100)),
        theme.dim(&format!("   trace {}", fit(&trace.trace, 32))),
    ];
    let rest = canvas.line(rest, super::cut(spans, usize::from(area.width)));
    let Some(parts) = &trace.split else {
        return rest;
    };
    canvas.line(
        rest,
        super::cut(blame(theme, parts), usize::from(area.width)),
    )
}

/// Where the latency went, the largest part first.
fn blame(theme: Theme, split: &Split) -> Vec<Span<'static>> {
    let mut parts = [
        ("client", split.client_ns),
        ("injected delay", split.fault_ns),
        ("back-off", split.backoff_ns),
        ("connecting", split.pool_ns),
        ("queue", split.queue_ns),
        ("service", split.service_ns),
        ("sidecar", split.proxy_ns),
        ("unanswered", split.unanswered_ns),
        ("network", split.network_ns),
    ];
    parts.sort_by_key(|(_, ns)| std::cmp::Reverse(*ns));
    let mut spans = vec![theme.dim(" went to ")];
    for (index, (name, ns)) in parts.iter().filter(|(_, ns)| *ns > 0).enumerate() {
        let told = format!("{name} {}", span(*ns));
        spans.push(if index == 0 {
            theme.strong(&told)
        } else {
            theme.plain(&told)
        });
        spans.push(theme.dim("  "));
    }
    spans
}

fn spans_of(canvas: &mut Canvas<'_>, area: Rect, state: &State, trace: &TraceReport) {
    let theme = canvas.theme;
    let from = trace.intended_ns;
    let ends = trace.spans.iter().map(|span| span.end_ns);
    let to = ends
        .max()
        .unwrap_or(from)
        .max(from + trace.latency_ns.unwrap_or(1))
        .max(from + 1);
    let names = (area.width / 2).clamp(30, 64);
    let (left, plot) = split(area, names);
    let scale = format!(
        "0 {} {}",
        "─".repeat(usize::from(plot.width).saturating_sub(14)),
        span(to - from)
    );
    canvas.line(top(left, 1), theme.dim(" what, where"));
    canvas.line(top(plot, 1), theme.dim(&scale));
    let (left, plot) = (below(left, 1), below(plot, 1));
    let order = tree(&trace.spans);
    let height = usize::from(left.height);
    let first = state.scroll.min(order.len().saturating_sub(height.max(1)));
    for (line, (index, depth)) in order.iter().skip(first).take(height).enumerate() {
        let told = &trace.spans[*index];
        let place = top(below(left, line as u16), 1);
        canvas.line(
            place,
            super::cut(
                name(theme, told, *depth, in_line(state.film(), trace, *index)),
                usize::from(left.width),
            ),
        );
        let bar = top(below(plot, line as u16), 1);
        self::bar(canvas, bar, told, from, to);
    }
    let hidden = order.len().saturating_sub(first + height) + trace.spans_omitted as usize;
    if hidden > 0 && left.height > 0 {
        let place = top(below(left, left.height - 1), 1);
        canvas.line(
            place,
            theme.dim(&pad(
                &format!(" … {hidden} more (j)"),
                usize::from(left.width),
            )),
        );
    }
}

/// Spans with their depth, children after their parents.
fn tree(spans: &[SpanReport]) -> Vec<(usize, usize)> {
    let mut depths: Vec<usize> = Vec::new();
    let mut order = Vec::new();
    // A parent may come later in a record that was tampered with; then it is taken for none.
    for (index, span) in spans.iter().enumerate() {
        let parent = span
            .parent
            .map(|parent| parent as usize)
            .filter(|parent| *parent < index);
        depths.push(parent.map_or(0, |parent| depths[parent] + 1));
    }
    let mut stack: Vec<usize> = (0..spans.len())
        .rev()
        .filter(|index| depths[*index] == 0)
        .collect();
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); spans.len()];
    for (index, span) in spans.iter().enumerate() {
        if depths[index] > 0
            && let Some(parent) = span.parent
        {
            children[parent as usize].push(index);
        }
    }
    while let Some(index) = stack.pop() {
        order.push((index, depths[index]));
        stack.extend(children[index].iter().rev());
    }
    order
}

/// The line that a request met which was cut off before an app was done with it, if it met one: what it did since
/// nobody told, and from where it stood others were served first.
fn in_line(film: &Film, trace: &TraceReport, index: usize) -> Option<u32> {
    let told = trace.spans.get(index)?;
    if told.kind != SpanKind::Inbound || told.status.is_some() {
        return None;
    }
    let own = |span: &SpanReport| {
        let work = matches!(span.kind, SpanKind::App | SpanKind::Outbound) && span.pod == told.pod;
        work && (told.start_ns..=told.end_ns).contains(&span.start_ns)
    };
    if trace.spans.iter().any(own) {
        return None;
    }
    let name = inert(&told.service);
    let parts = film.cast.parts.iter().enumerate().skip(film.cast.sources);
    let mut parts = parts.filter(|(_, part)| *part.name == *name);
    let (part, _) = parts.next()?;
    let queue = film.queue(part as u32, (told.start_ns, told.start_ns + 1))?;
    (queue > 0).then_some(queue)
}

fn name(theme: Theme, told: &SpanReport, depth: usize, line: Option<u32>) -> Vec<Span<'static>> {
    let indent = " ".repeat(depth.min(16));
    let bad = told.status.is_none_or(|status| status >= 500);
    let (what, whom) = match told.kind {
        SpanKind::Client => ("client", inert(&told.service)),
        SpanKind::Outbound => ("→", short_cluster(&told.cluster)),
        SpanKind::Attempt => ("try", inert(&told.peer)),
        SpanKind::Inbound => ("←", inert(&told.pod)),
        SpanKind::App => ("app", inert(&told.pod)),
    };
    let what = match told.attempt {
        0 => what.to_owned(),
        number => format!("{what} {number}"),
    };
    let mut spans = vec![
        theme.dim(&format!(" {indent}{what} ")),
        Span::raw(fit(&whom, 40)),
    ];
    if told.mirror {
        spans.push(theme.dim(" mirror"));
    }
    if line.is_some() {
        spans.push(theme.warn(" in line"));
    }
    let status = match told.status {
        None => "none".to_owned(),
        Some(status) => status.to_string(),
    };
    if bad {
        spans.push(theme.bad(&format!(" {status}")));
    } else if told.kind == SpanKind::Client {
        spans.push(theme.dim(&format!(" {status}")));
    }
    if !matches!(told.flags.as_str(), "" | "-") {
        spans.push(theme.bad(&format!(" {}", fit(&told.flags, 12))));
    }
    let quiet = ["", "via_upstream", "answered"];
    if !quiet.contains(&told.details.as_str()) {
        spans.push(theme.dim(&format!(" {}", fit(&told.details, 48))));
    }
    spans
}

/// `outbound|9080|v1|reviews.default.svc.cluster.local` as `reviews:9080 v1`.
fn short_cluster(cluster: &str) -> String {
    let mut parts = cluster.split('|');
    let (Some("outbound"), Some(port), Some(subset), Some(host)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return if cluster.is_empty() {
            "no cluster".into()
        } else {
            inert(cluster)
        };
    };
    let name = host.split('.').next().unwrap_or(host);
    inert(format!("{name}:{port} {subset}").trim_end())
}

fn bar(canvas: &mut Canvas<'_>, area: Rect, told: &SpanReport, from: u64, to: u64) {
    let theme = canvas.theme;
    if area.height == 0 || area.width == 0 {
        return;
    }
    let column = |at: u64| {
        let share = at.saturating_sub(from) as f64 / (to - from) as f64;
        ((share * f64::from(area.width)) as u16).min(area.width - 1)
    };
    let bad = told.status.is_none_or(|status| status >= 500);
    let (sign, style) = match told.kind {
        SpanKind::Client | SpanKind::Outbound => ("─", Style::new()),
        SpanKind::Attempt if bad => ("▬", theme.bad_style()),
        SpanKind::Attempt => ("▬", theme.load_style()),
        SpanKind::Inbound => ("─", theme.dim_style()),
        SpanKind::App => (
            "█",
            if bad {
                theme.bad_style()
            } else {
                theme.good_style()
            },
        ),
    };
    let (first, last) = (column(told.start_ns), column(told.end_ns));
    for x in first..=last {
        canvas.buffer[(area.x + x, area.y)]
            .set_symbol(sign)
            .set_style(style);
    }
    // Waiting for a worker comes first, and is not work.
    if told.queue_ns > 0 {
        for x in first..=column(told.start_ns.saturating_add(told.queue_ns)) {
            canvas.buffer[(area.x + x, area.y)]
                .set_symbol("░")
                .set_style(theme.warn_style());
        }
    }
    let length = span(told.end_ns.saturating_sub(told.start_ns));
    let room = area.width.saturating_sub(last + 2);
    if usize::from(room) > columns(&length) {
        canvas
            .buffer
            .set_string(area.x + last + 2, area.y, &length, theme.dim_style());
    } else if usize::from(first) > columns(&length) + 1 {
        let x = area.x + first - columns(&length) as u16 - 1;
        canvas
            .buffer
            .set_string(x, area.y, &length, theme.dim_style());
    }
}

/// What happened a little before and during the request to somebody it met.
fn around(theme: Theme, film: &Film, row: &Row, width: usize) -> Vec<Line<'static>> {
    let from = row.intended.saturating_sub(BEFORE_NS);
    let first = film.entries.partition_point(|entry| entry.at < from);
    let last = film.entries.partition_point(|entry| entry.at <= row.at);
    let met: Vec<String> = film.traces.get(&row.key()).map_or_else(Vec::new, |trace| {
        let pods = trace
            .spans
            .iter()
            .flat_map(|span| [inert(&span.pod), inert(&span.peer)]);
        pods.filter(|name| !name.is_empty()).collect()
    });
    let standing = film.standing(row.at);
    let faults = film
        .cast
        .faults
        .iter()
        .zip(&standing.faults)
        .filter(|(_, state)| state.active);
    let mut lines: Vec<Line<'static>> = faults
        .take(4)
        .map(|(fault, _)| {
            let text = format!(" {:>11}  ↯ {} is at work", "then", &*fault.name);
            Line::from(theme.warn(&fit(&text, width)))
        })
        .collect();
    let touching = film.entries[first..last.max(first)]
        .iter()
        .filter(|entry| match &entry.what {
            What::Fault { .. } => true,
            what if what.is_common() || what.kind() == Kind::Mechanism => false,
            what => {
                let (subject, text) = what.tell(film);
                met.is_empty()
                    || met
                        .iter()
                        .any(|name| *name == subject || text.ends_with(name.as_str()))
            }
        });
    let touching: Vec<_> = touching.collect();
    for entry in touching.iter().rev().take(AROUND_MAX - lines.len()).rev() {
        let (subject, text) = entry.what.tell(film);
        let when = match row.intended.cmp(&entry.at) {
            std::cmp::Ordering::Greater => format!("-{}", span(row.intended - entry.at)),
            _ => format!("+{}", span(entry.at - row.intended)),
        };
        let spans = vec![
            theme.dim(&format!(" {}  ", pad_left(&when, 11))),
            theme.strong(&format!("{subject} ")),
            Span::raw(text),
        ];
        lines.push(super::cut(spans, width));
    }
    if let Some(trace) = film.traces.get(&row.key()) {
        let mut told: Vec<&str> = Vec::new();
        for (index, met) in trace.spans.iter().enumerate() {
            let Some(queue) = in_line(film, trace, index) else {
                continue;
            };
            if lines.len() < AROUND_MAX && !told.contains(&met.pod.as_str()) {
                told.push(&met.pod);
                let (pod, queue) = (inert(&met.pod), unit::count(u64::from(queue)));
                let when = format!("+{}", span(met.start_ns.saturating_sub(row.intended)));
                let spans = vec![
                    theme.dim(&format!(" {}  ", pad_left(&when, 11))),
                    theme.strong(&format!("{pod} ")),
                    Span::raw(format!(
                        "has up to {queue} in line; cut off before it was done"
                    )),
                ];
                lines.push(super::cut(spans, width));
            }
        }
    }
    if lines.is_empty() {
        lines.push(Line::from(theme.dim(" nothing happened to whom it met")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::short_cluster;

    #[test]
    fn a_cluster_goes_by_what_it_leads_to() {
        assert_eq!(
            short_cluster("outbound|9080|v1|reviews.default.svc.cluster.local"),
            "reviews:9080 v1"
        );
        assert_eq!(short_cluster("outbound|80||web"), "web:80");
        assert_eq!(short_cluster(""), "no cluster");
        assert_eq!(short_cluster("PassthroughCluster"), "PassthroughCluster");
    }
}
