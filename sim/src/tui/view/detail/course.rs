//! Load and errors of one thing over time.

use meshquake_reports::summary::unit;
use ratatui::layout::Rect;

use crate::tui::film::{EdgeId, Film, Frame, PartId, PodId};
use crate::tui::state::State;
use crate::tui::text::percent;
use crate::tui::view::chart::{Axis, LABELS, bars, ticks};
use crate::tui::view::{Canvas, below, split, top};

/// What is drawn over time.
#[derive(Clone, Copy)]
pub(super) enum Of {
    Part(PartId),
    Edge(EdgeId),
    Pod(PodId),
}

/// Load and errors over time.
pub(super) fn course(
    canvas: &mut Canvas<'_>,
    area: Rect,
    state: &State,
    of: Of,
    each: u16,
) -> Rect {
    let theme = canvas.theme;
    let film = state.film();
    let axis = Axis::across(area, state);
    // Requests, failed, and the length of the stretch, for each column.
    let counted: Vec<Option<(f64, f64, f64)>> = axis
        .frames(film)
        .into_iter()
        .map(|frames| {
            let ns: u64 = frames.iter().map(|frame| frame.to - frame.from).sum();
            let (all, failed) = frames.iter().fold((0, 0), |(all, failed), frame| {
                let (a, f) = counts(film, frame, of);
                (all + a, failed + f)
            });
            (ns > 0).then(|| (f64::from(all), f64::from(failed), ns as f64 / 1e9))
        })
        .collect();
    let load: Vec<Option<f64>> = counted
        .iter()
        .map(|c| c.map(|(all, _, s)| all / s))
        .collect();
    let errors: Vec<Option<f64>> = counted
        .iter()
        .map(|c| c.map(|(all, failed, _)| if all > 0.0 { failed / all } else { 0.0 }))
        .collect();
    let most = |values: &[Option<f64>]| values.iter().flatten().copied().fold(0.0, f64::max);
    let shaded = axis.shaded(film);
    // What a record does not keep over time is no zero.
    let (loads, fails) = match of {
        Of::Pod(pod) => (film.tells_pod(pod), !film.from_record),
        Of::Edge(edge) => (film.tells_edge(edge), film.tells_edge(edge)),
        Of::Part(_) => (true, true),
    };
    let keep = |values: Vec<Option<f64>>, known: bool| match known {
        true => values,
        false => vec![None; values.len()],
    };
    let (load, errors) = (keep(load, loads), keep(errors, fails));
    let told = |known: bool, text: String| match known {
        true => text,
        false => "not recorded".into(),
    };
    let what = match of {
        Of::Pod(_) => "attempts",
        _ => "requests",
    };
    let charts = [
        (
            what,
            told(loads, format!("max {}", unit::per_second(most(&load)))),
            &load,
            most(&load),
            theme.good_style(),
        ),
        (
            "errors",
            told(fails, format!("max {}", percent(most(&errors)))),
            &errors,
            most(&errors).max(0.01),
            theme.bad_style(),
        ),
    ];
    let mut rest = area;
    for (name, told, values, max, style) in charts {
        let (labels, plot) = split(top(rest, each), LABELS);
        let line = canvas.line(labels, theme.dim(&format!(" {name}")));
        canvas.line(line, theme.dim(&format!("  {told}")));
        bars(canvas, plot, &axis, values, max, &shaded, style);
        rest = below(rest, each);
    }
    let (_, plot) = split(top(rest, 1), LABELS);
    ticks(canvas, plot, &axis);
    below(rest, 1)
}

/// Requests and failed ones in a frame.
fn counts(film: &Film, frame: &Frame, of: Of) -> (u32, u32) {
    match of {
        Of::Edge(edge) => {
            let found = frame.edges.iter().find(|(id, _)| *id == edge);
            found.map_or((0, 0), |(_, cell)| (cell.requests, cell.failed))
        }
        Of::Pod(pod) => {
            let found = frame.pods.iter().find(|(id, _)| *id == pod);
            found.map_or((0, 0), |(_, cell)| (cell.attempts, cell.failed))
        }
        Of::Part(part) => {
            let source = film.cast.is_source(part);
            let own = frame.edges.iter().filter(|(edge, _)| {
                let ends = film.edges.get(*edge as usize);
                ends.is_some_and(|(from, to)| if source { *from == part } else { *to == part })
            });
            own.fold((0, 0), |(all, failed), (_, cell)| {
                (all + cell.requests, failed + cell.failed)
            })
        }
    }
}
