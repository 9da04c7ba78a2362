//! One service, pod or edge.

mod course;
mod edge;
mod pod;
mod retries;

use meshquake_reports::summary::unit;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::theme::Theme;
use super::topology::Now;
use super::{Canvas, below, error_span, top};
use crate::tui::film::{EdgeId, Film, PartId, Pool, ToldService};
use crate::tui::state::{State, Subject, View};
use course::{Of, course};
use edge::{edge_head, edge_line, policy};
use pod::{ejection, pod_events, pod_head, pod_line, pods_heading};
use retries::retries;

/// From so many columns on a pod's line has room for its configuration and certificate.
const CERTIFIED: u16 = 110;

/// What is looked at.
fn subject(state: &State) -> Subject {
    state.subjects.last().copied().unwrap_or(Subject::Part(0))
}

/// What stands on each line of the list.
pub(super) fn rows(state: &State) -> Vec<Subject> {
    let film = state.film();
    match subject(state) {
        Subject::Part(part) => {
            let pods = film
                .cast
                .parts
                .get(part as usize)
                .map_or(&[][..], |part| &part.pods);
            let pods = pods.iter().map(|pod| Subject::Pod(*pod));
            pods.chain(edges_of(film, part).map(Subject::Edge))
                .collect()
        }
        Subject::Edge(edge) => {
            let to = film.edges.get(edge as usize).map_or(0, |(_, to)| *to);
            let pods = film
                .cast
                .parts
                .get(to as usize)
                .map_or(&[][..], |part| &part.pods);
            pods.iter().map(|pod| Subject::Pod(*pod)).collect()
        }
        Subject::Pod(pod) => {
            let ejected = film.standing(state.cursor);
            ejected
                .ejected_by(pod)
                .map(|(by, _)| Subject::Pod(by))
                .collect()
        }
    }
}

fn edges_of(film: &Film, part: PartId) -> impl Iterator<Item = EdgeId> + '_ {
    let edges = film.edges.iter().enumerate();
    let into = edges.clone().filter(move |(_, (_, to))| *to == part);
    let out = edges.filter(move |(_, (from, to))| *from == part && *to != part);
    into.chain(out).map(|(edge, _)| edge as EdgeId)
}

pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State) {
    let film = state.film();
    let now = Now::of(film, state.cursor);
    let chart = (area.height / 8).clamp(1, 4);
    let rest = match subject(state) {
        Subject::Part(part) => {
            let rest = part_head(canvas, area, state, &now, part);
            let rest = course(canvas, rest, state, Of::Part(part), chart);
            pods_heading(canvas, rest)
        }
        Subject::Edge(edge) => {
            let rest = edge_head(canvas, area, state, &now, edge);
            let rest = course(canvas, rest, state, Of::Edge(edge), chart);
            let rest = policy(canvas, rest, film, edge);
            pods_heading(canvas, rest)
        }
        Subject::Pod(pod) => {
            let rest = pod_head(canvas, area, state, &now, pod);
            let rest = course(canvas, rest, state, Of::Pod(pod), chart);
            let half = rest.height / 2;
            pod_events(canvas, top(rest, half), state, pod);
            let rest = below(rest, half);
            canvas.title(rest, "ejected by")
        }
    };
    list(canvas, rest, state, &now);
}

fn list(canvas: &mut Canvas<'_>, area: Rect, state: &State, now: &Now) {
    let theme = canvas.theme;
    let rows = rows(state);
    if rows.is_empty() {
        let nobody = match subject(state) {
            Subject::Pod(_) => " nobody",
            _ => " no pods known",
        };
        canvas.line(area, theme.dim(nobody));
        return;
    }
    let attempts: u32 = rows
        .iter()
        .filter_map(|row| match row {
            Subject::Pod(pod) => now.pods.get(pod).map(|cell| cell.attempts),
            _ => None,
        })
        .sum();
    let chosen = state.chosen[View::Detail as usize].min(rows.len() - 1);
    canvas.list(area, rows.len(), Some(chosen), |number| {
        Line::from(match (rows[number], subject(state)) {
            (Subject::Pod(by), Subject::Pod(pod)) => ejection(theme, state, now, pod, by),
            (Subject::Pod(pod), _) => {
                pod_line(theme, state, now, pod, (attempts, area.width >= CERTIFIED))
            }
            (Subject::Edge(edge), _) => edge_line(theme, state, now, edge),
            (Subject::Part(_), _) => Vec::new(),
        })
    });
}

/// What a record tells of a service: its pods are one.
fn service(theme: Theme, told: &ToldService) -> Vec<Span<'static>> {
    let rate = told.arrivals as f64 * 1e9 / told.ns.max(1) as f64;
    let errors = (told.arrivals > 0).then(|| told.errors as f64 / told.arrivals as f64);
    let queue = told
        .queue
        .map_or("–".into(), |queue| unit::count(u64::from(queue)));
    let mut spans = vec![
        theme.dim(" apps "),
        Span::raw(format!("{} arrive", unit::per_second(rate))),
        theme.dim("   errors "),
        error_span(theme, errors),
        theme.dim("   queue "),
        Span::raw(queue),
    ];
    for (count, what) in [(told.ejected, "ejected"), (told.down, "not ready")] {
        if count > 0 {
            spans.push(theme.warn(&format!("   {count} {what}")));
        }
    }
    spans
}

fn part_head(canvas: &mut Canvas<'_>, area: Rect, state: &State, now: &Now, part: PartId) -> Rect {
    let theme = canvas.theme;
    let film = state.film();
    let what = if film.cast.is_source(part) {
        "traffic source"
    } else {
        "service"
    };
    let pods = film
        .cast
        .parts
        .get(part as usize)
        .map_or(0, |part| part.pods.len());
    let spans = vec![
        theme.dim(&format!(" {what} ")),
        theme.strong(film.cast.part_name(part)),
        theme.dim(&match pods {
            1 => "   1 pod".to_owned(),
            pods => format!("   {pods} pods"),
        }),
    ];
    let mut rest = canvas.line(area, super::cut(spans, usize::from(area.width)));
    if let Some(told) = film.told_service(part, now.stretch) {
        let spans = service(theme, &told);
        rest = canvas.line(rest, super::cut(spans, usize::from(area.width)));
    }
    // Those that it makes itself.
    let own = |pool: &Pool| film.edges.get(pool.edge as usize).map(|(from, _)| *from) == Some(part);
    match retries(theme, film, (&now.standing, state.cursor), own) {
        Some(spans) => canvas.line(rest, super::cut(spans, usize::from(area.width))),
        None => rest,
    }
}
