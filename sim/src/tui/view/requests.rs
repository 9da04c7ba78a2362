//! The requests of traffic sources, in the order in which they ended.

use meshquake_reports::summary::unit;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::Canvas;
use super::theme::Theme;
use crate::tui::film::{Film, Row};
use crate::tui::state::State;
use crate::tui::text::{clock, columns, fit, pad, pad_left, span};

pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State) {
    let theme = canvas.theme;
    let film = state.film();
    let shown = state.shown().requests().shown();
    let mut head = vec![Span::raw(format!(
        " {} of {} requests",
        unit::count(shown.len() as u64),
        unit::count(film.rows.len() as u64)
    ))];
    if film.rows_omitted > 0 {
        head.push(theme.dim(&format!(
            ", {} more not kept",
            unit::count(film.rows_omitted)
        )));
    }
    head.push(
        theme.dim(&match state.request_filter.as_str() {
            "" if area.width < 120 => "   / filters: fail status:503 flag:UO slow:100ms".to_owned(),
            "" => {
                "   / filters: fail, status:503, flag:UO, from:web, slow:100ms, pod:a-0, edge:a>b"
                    .to_owned()
            }
            filter => format!("   filter: {}", fit(filter, 60)),
        }),
    );
    let rest = canvas.line(area, super::cut(head, usize::from(area.width)));
    let sources = film
        .cast
        .parts
        .iter()
        .take(film.cast.sources)
        .map(|part| columns(&part.name));
    let kinds = film.kinds.iter().map(|kind| columns(kind));
    let wide = [
        sources.max().unwrap_or(0).clamp(6, 18),
        kinds.max().unwrap_or(0).clamp(5, 16),
    ];
    let heading = format!(
        "   {} {} {} {} {} {}  {}",
        pad_left("ended", 11),
        pad("source", wide[0]),
        pad_left("number", 8),
        pad_left("status", 6),
        pad_left("latency", 10),
        pad("flags", wide[1]),
        "request",
    );
    let rest = canvas.line(rest, theme.dim(&heading));
    if shown.is_empty() {
        let why = if film.rows.is_empty() {
            " no request has ended yet"
        } else {
            " no request passes the filter"
        };
        canvas.line(rest, theme.dim(why));
        return;
    }
    canvas.list(rest, shown.len(), state.request_at(), |number| {
        let row = &film.rows[shown[number] as usize];
        let line = Line::from(row_spans(theme, film, row, wide));
        // What has not happened yet is dim.
        match row.at > state.cursor {
            true => line.style(theme.dim_style()),
            false => line,
        }
    });
}

fn row_spans(theme: Theme, film: &Film, row: &Row, wide: [usize; 2]) -> Vec<Span<'static>> {
    let status = match row.status {
        0 => "none".to_owned(),
        status => status.to_string(),
    };
    let kind = film.kind_name(row.kind);
    let outcome = match (row.succeeded, kind) {
        (true, "-") => theme.dim(&pad("", wide[1])),
        (true, kind) => theme.warn(&pad(kind, wide[1])),
        (false, kind) => theme.bad(&pad(kind, wide[1])),
    };
    let trace = film.traces.get(&row.key());
    let told = trace.map_or(String::new(), |trace| {
        let attempts = trace
            .spans
            .iter()
            .filter(|span| span.attempt > 0 && span.parent == Some(1))
            .count();
        match attempts {
            0 | 1 => fit(&trace.request, 120),
            attempts => format!("{}  {attempts} attempts", fit(&trace.request, 100)),
        }
    });
    // What it asked for is known of a source that always asks for the same.
    let asks = film.cast.asks.get(usize::from(row.source));
    let told = match (told.as_str(), asks) {
        ("", Some(asks)) if !asks.is_empty() => asks.to_string(),
        ("", _) if trace.is_some() => "no sidecar saw it".into(),
        ("", _) => "not told in full".into(),
        _ => told,
    };
    vec![
        Span::raw(if row.succeeded { "   " } else { " ✗ " }),
        Span::raw(pad_left(&clock(row.at), 11)),
        Span::raw(format!(
            " {} ",
            pad(film.cast.part_name(u32::from(row.source)), wide[0])
        )),
        theme.dim(&pad_left(&row.number(), 8)),
        Span::raw(pad_left(&status, 7)),
        Span::raw(format!(" {} ", pad_left(&span(row.latency()), 10))),
        outcome,
        theme.dim(&format!("  {told}")),
    ]
}
