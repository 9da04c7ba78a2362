//! An edge by itself, and among others.

use meshquake_reports::summary::unit;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::retries::{briefly, retries};
use crate::tui::film::{EdgeCell, EdgeId, Film, Pool, acted};
use crate::tui::state::State;
use crate::tui::text::{columns, fit, inert, pad, pad_left, span};
use crate::tui::view::theme::Theme;
use crate::tui::view::topology::Now;
use crate::tui::view::{Canvas, cut, error_span, flow};

pub(super) fn edge_head(
    canvas: &mut Canvas<'_>,
    area: Rect,
    state: &State,
    now: &Now,
    edge: EdgeId,
) -> Rect {
    let theme = canvas.theme;
    let film = state.film();
    let idle = EdgeCell::default();
    let cell = now.edges.get(&edge).unwrap_or(&idle);
    let spans = vec![theme.dim(" edge "), theme.strong(&film.edge_name(edge))];
    let rest = canvas.line(area, cut(spans, usize::from(area.width)));
    if film.from_record {
        return of_the_run(canvas, rest, film, edge);
    }
    let until = film
        .frames
        .partition_point(|frame| frame.to <= state.cursor);
    let until = (until + 1).min(film.frames.len());
    let all = Film::edge_sum(&film.frames[..until], edge);
    let open = all.opened.saturating_sub(all.closed);
    let pool = vec![
        theme.dim(" pool "),
        Span::raw(format!("{open} open")),
        theme.dim(&format!(
            "   {} opened, {} closed, ",
            all.opened, all.closed
        )),
        match all.refused {
            0 => theme.dim("none failed"),
            refused => theme.warn(&format!("{refused} failed")),
        },
    ];
    let rest = canvas.line(rest, cut(pool, usize::from(area.width)));
    let acts = all.acts.iter().map(|(mechanism, count)| {
        let told = format!("{} {}", acted(*mechanism), unit::count(u64::from(*count)));
        match cell.acts_of(*mechanism) {
            0 => theme.plain(&told),
            recent => theme.warn(&format!("{told} (+{})", unit::count(u64::from(recent)))),
        }
    });
    let mut acts: Vec<Span<'_>> = acts.collect();
    if acts.is_empty() {
        acts.push(theme.dim("none acted"));
    }
    let lines = flow(theme.dim(" mechanisms "), acts, usize::from(area.width));
    let rest = canvas.lines(rest, lines);
    let own = |pool: &Pool| pool.edge == edge;
    match retries(theme, film, (&now.standing, state.cursor), own) {
        Some(spans) => canvas.line(rest, cut(spans, usize::from(area.width))),
        None => rest,
    }
}

/// What a record tells of connections and mechanisms: sums of the whole run.
fn of_the_run(canvas: &mut Canvas<'_>, area: Rect, film: &Film, edge: EdgeId) -> Rect {
    let theme = canvas.theme;
    let report = film.report.as_ref();
    let Some(told) = report.and_then(|report| report.edges.get(edge as usize)) else {
        return area;
    };
    let made = &told.connections;
    let pool = vec![
        theme.dim(" pool, in the whole run "),
        Span::raw(format!(
            "{} opened, {} closed, {} failed",
            unit::count(made.opened),
            unit::count(made.closed),
            unit::count(made.failed)
        )),
    ];
    let rest = canvas.line(area, cut(pool, usize::from(area.width)));
    let acts = told.mechanisms.iter().filter(|(_, count)| **count > 0);
    let acts = acts.map(|(name, count)| {
        let name = inert(&name.replace('_', " "));
        theme.plain(&format!("{name} {}", unit::count(*count)))
    });
    let mut acts: Vec<Span<'_>> = acts.collect();
    if acts.is_empty() {
        acts.push(theme.dim("none acted"));
    }
    let lead = theme.dim(" mechanisms, in the whole run ");
    canvas.lines(rest, flow(lead, acts, usize::from(area.width)))
}

/// What the mesh was told about an edge, in a few lines.
pub(super) fn policy(canvas: &mut Canvas<'_>, area: Rect, film: &Film, edge: EdgeId) -> Rect {
    let theme = canvas.theme;
    let (from, to) = film.edges.get(edge as usize).copied().unwrap_or_default();
    let (from, to) = (film.cast.part_name(from), film.cast.part_name(to));
    let detail = film
        .report
        .as_ref()
        .and_then(|report| report.detail.as_ref());
    let policies = detail.map_or(&[][..], |detail| &detail.policy);
    let Some(policy) = policies
        .iter()
        .find(|policy| policy.from == from && policy.to == to)
    else {
        return area;
    };
    let told = [
        "timeout",
        "retry",
        "budget",
        "balancing",
        "ejection",
        "pool",
    ];
    let settings = policy
        .settings
        .iter()
        .filter(|setting| told.contains(&setting.name.as_str()));
    let lines = settings.take(told.len()).map(|setting| {
        let spans = vec![
            theme.dim(&format!(" {} ", pad(&setting.name, 10))),
            Span::raw(fit(&setting.value, 70)),
            theme.dim(&format!("  {}", fit(&setting.origin, 60))),
        ];
        cut(spans, usize::from(area.width))
    });
    let mut lines: Vec<Line<'_>> = lines.collect();
    if film.cast.faults.iter().any(|fault| fault.configures) {
        let note = " these are of the beginning: faults of this run push other configuration";
        lines.push(Line::from(theme.warn(note)));
    }
    canvas.lines(area, lines)
}

pub(super) fn edge_line(
    theme: Theme,
    state: &State,
    now: &Now,
    edge: EdgeId,
) -> Vec<Span<'static>> {
    let film = state.film();
    let idle = EdgeCell::default();
    let cell = now.edges.get(&edge).unwrap_or(&idle);
    let errors = error_span(theme, cell.error_share());
    let load = match film.tells_edge(edge) {
        true => unit::per_second(f64::from(cell.requests) / now.seconds),
        false => "–".into(),
    };
    let name = film.edge_name(edge);
    let width = columns(&name).clamp(33, 60);
    let retries = briefly(film, (&now.standing, state.cursor), |pool| {
        pool.edge == edge
    });
    let retries = retries.map_or(String::new(), |told| format!("  {told}"));
    vec![
        theme.dim(" ⇄ "),
        Span::raw(pad(&name, width)),
        Span::raw(pad_left(&load, 10)),
        Span::styled(pad_left(&errors.content, 9), errors.style),
        Span::raw(pad_left(&cell.p99().map_or("–".into(), span), 10)),
        theme.dim(" p99"),
        theme.warn(&retries),
    ]
}
