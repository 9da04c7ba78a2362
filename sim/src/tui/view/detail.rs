//! One service, pod or edge.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::chart::{Axis, bars, ticks};
use super::signs::Health;
use super::theme::Theme;
use super::topology::Now;
use super::{Canvas, below, error_span, split, top};
use crate::tui::film::{EdgeCell, EdgeId, Film, PartId, PodCell, PodId, PodState, What, acted};
use crate::tui::state::{State, Subject, View};
use crate::tui::text::{clock, columns, count, fit, pad, pad_left, percent, span};

/// Columns of what stands left of the charts.
const LABELS: u16 = 18;

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
            let rest = part_head(canvas, area, film, part);
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
    let film = state.film();
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
            (Subject::Pod(pod), _) => pod_line(theme, state, now, pod, attempts),
            (Subject::Edge(edge), _) => edge_line(theme, film, now, edge),
            (Subject::Part(_), _) => Vec::new(),
        })
    });
}

fn part_head(canvas: &mut Canvas<'_>, area: Rect, film: &Film, part: PartId) -> Rect {
    let theme = canvas.theme;
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
    canvas.line(area, super::cut(spans, usize::from(area.width)))
}

fn edge_head(canvas: &mut Canvas<'_>, area: Rect, state: &State, now: &Now, edge: EdgeId) -> Rect {
    let theme = canvas.theme;
    let film = state.film();
    let idle = EdgeCell::default();
    let cell = now.edges.get(&edge).unwrap_or(&idle);
    let spans = vec![theme.dim(" edge "), theme.strong(&film.edge_name(edge))];
    let rest = canvas.line(area, super::cut(spans, usize::from(area.width)));
    let until = film
        .frames
        .partition_point(|frame| frame.to <= state.cursor);
    let until = (until + 1).min(film.frames.len());
    let all = Film::edge_sums(&film.frames[..until]);
    let all = all.get(&edge).unwrap_or(&idle);
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
    let rest = canvas.line(rest, super::cut(pool, usize::from(area.width)));
    let mut acts = vec![theme.dim(" mechanisms ")];
    if all.acts.is_empty() {
        acts.push(theme.dim("none acted"));
    }
    for (mechanism, count) in &all.acts {
        let recent = cell.acts_of(*mechanism);
        let text = format!("{} {count}", acted(*mechanism));
        acts.push(if recent > 0 {
            theme.warn(&text)
        } else {
            theme.plain(&text)
        });
        if recent > 0 {
            acts.push(theme.warn(&format!(" (+{recent})")));
        }
        acts.push(Span::raw("   "));
    }
    canvas.line(rest, super::cut(acts, usize::from(area.width)))
}

/// What the mesh was told about an edge, in a few lines.
fn policy(canvas: &mut Canvas<'_>, area: Rect, film: &Film, edge: EdgeId) -> Rect {
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
    let told = ["timeout", "retry", "balancing", "ejection", "pool"];
    let settings = policy
        .settings
        .iter()
        .filter(|setting| told.contains(&setting.name.as_str()));
    let lines = settings.take(5).map(|setting| {
        let spans = vec![
            theme.dim(&format!(" {} ", pad(&setting.name, 10))),
            Span::raw(fit(&setting.value, 70)),
            theme.dim(&format!("  {}", fit(&setting.origin, 60))),
        ];
        super::cut(spans, usize::from(area.width))
    });
    let lines: Vec<Line<'_>> = lines.collect();
    canvas.lines(area, lines)
}

fn pod_head(canvas: &mut Canvas<'_>, area: Rect, state: &State, now: &Now, pod: PodId) -> Rect {
    let theme = canvas.theme;
    let film = state.film();
    let Some(known) = film.cast.pods.get(pod as usize) else {
        return canvas.line(area, theme.dim(" this run has no such pod"));
    };
    let health = Health::of(film, &now.standing, pod);
    let place = |name: &str, value: &str| match value {
        "" => String::new(),
        value => format!("   {name} {value}"),
    };
    let sidecar = if known.meshed { "" } else { "   no sidecar" };
    let about = format!(
        "   {}{}{}{}{sidecar}",
        film.cast.part_name(known.part),
        place("version", &known.version),
        place("zone", &known.zone),
        place("node", &known.node),
    );
    let spans = vec![
        theme.dim(" pod "),
        theme.strong(&known.name),
        Span::styled(
            format!("   {} {}", health.sign(), health.word()),
            health.style(theme),
        ),
        theme.dim(&about),
    ];
    let rest = canvas.line(area, super::cut(spans, usize::from(area.width)));
    let standing = now
        .standing
        .pods
        .get(pod as usize)
        .copied()
        .unwrap_or_default();
    if film.from_record {
        return rest;
    }
    let spans = vec![
        theme.dim(" configuration "),
        configuration(theme, &standing, state.cursor),
        theme.dim("   certificate "),
        certificate(theme, film, &standing, state.cursor),
    ];
    canvas.line(rest, super::cut(spans, usize::from(area.width)))
}

fn configuration(theme: Theme, pod: &PodState, cursor: u64) -> Span<'static> {
    let (pushed, at) = pod.pushed;
    if pod.lost {
        return theme.bad(&format!("v{}, and no control plane", pod.acked));
    }
    if pod.refused {
        return theme.bad(&format!("v{}, refuses v{pushed}", pod.acked));
    }
    if pushed > pod.acked {
        let waiting = span(cursor.saturating_sub(at));
        return theme.warn(&format!("v{}, v{pushed} pushed {waiting} ago", pod.acked));
    }
    match pod.acked {
        0 => theme.dim("none"),
        version => theme.plain(&format!("v{version}")),
    }
}

fn certificate(theme: Theme, film: &Film, pod: &PodState, cursor: u64) -> Span<'static> {
    let Some((not_after, since)) = pod.certificate else {
        return theme.dim("none");
    };
    let now = u128::from(film.cast.epoch_s) * 1_000_000_000 + u128::from(cursor);
    let end = u128::from(not_after) * 1_000_000_000;
    let age = span(cursor.saturating_sub(since));
    match end.checked_sub(now) {
        None => theme.bad(&format!("expired, {age} old")),
        Some(left) => {
            let left = u64::try_from(left).unwrap_or(u64::MAX);
            let text = format!("{age} old, {} left", span(left));
            if left < 600_000_000_000 {
                theme.warn(&text)
            } else {
                theme.plain(&text)
            }
        }
    }
}

fn pods_heading(canvas: &mut Canvas<'_>, area: Rect) -> Rect {
    let theme = canvas.theme;
    let heading = format!(
        "   {} {} {}{}{}{}  {}",
        pad("pod", 24),
        pad("zone", 8),
        pad_left("share", 7),
        pad_left("attempts", 10),
        pad_left("errors", 8),
        pad_left("queue", 7),
        "state",
    );
    canvas.line(area, theme.dim(&heading))
}

fn pod_line(
    theme: Theme,
    state: &State,
    now: &Now,
    pod: PodId,
    attempts: u32,
) -> Vec<Span<'static>> {
    let film = state.film();
    let health = Health::of(film, &now.standing, pod);
    let known = &film.cast.pods[pod as usize];
    let idle = PodCell::default();
    let cell = now.pods.get(&pod).unwrap_or(&idle);
    let share = match attempts {
        0 => "–".into(),
        all => percent(f64::from(cell.attempts) / f64::from(all)),
    };
    let failed = (cell.attempts > 0).then(|| f64::from(cell.failed) / f64::from(cell.attempts));
    let errors = error_span(theme, failed);
    let standing = now
        .standing
        .pods
        .get(pod as usize)
        .copied()
        .unwrap_or_default();
    let ejected = now.standing.ejected_by(pod).count();
    let mut spans = vec![
        Span::styled(format!(" {} ", health.sign()), health.style(theme)),
        Span::raw(pad(&known.name, 24)),
        theme.dim(&format!(" {} ", pad(&known.zone, 8))),
        Span::raw(pad_left(&share, 7)),
        Span::raw(pad_left(
            &format!("{}/s", count(f64::from(cell.attempts) / now.seconds)),
            10,
        )),
        Span::styled(pad_left(&errors.content, 8), errors.style),
        Span::raw(pad_left(&cell.queue.to_string(), 7)),
        Span::styled(format!("  {}", health.word()), health.style(theme)),
    ];
    if ejected > 0 {
        spans.push(theme.warn(&format!(", ejected by {ejected}")));
    }
    if known.meshed && !film.from_record {
        spans.push(theme.dim("  config "));
        spans.push(configuration(theme, &standing, state.cursor));
        spans.push(theme.dim("  cert "));
        spans.push(certificate(theme, film, &standing, state.cursor));
    }
    spans
}

fn edge_line(theme: Theme, film: &Film, now: &Now, edge: EdgeId) -> Vec<Span<'static>> {
    let idle = EdgeCell::default();
    let cell = now.edges.get(&edge).unwrap_or(&idle);
    let errors = error_span(theme, cell.error_share());
    let name = film.edge_name(edge);
    let width = columns(&name).clamp(33, 60);
    vec![
        theme.dim(" ⇄ "),
        Span::raw(pad(&name, width)),
        Span::raw(pad_left(
            &format!("{}/s", count(f64::from(cell.requests) / now.seconds)),
            10,
        )),
        Span::styled(pad_left(&errors.content, 9), errors.style),
        Span::raw(pad_left(
            &cell.latency.quantile(0.99).map_or("–".into(), span),
            10,
        )),
        theme.dim(" p99"),
    ]
}

fn ejection(theme: Theme, state: &State, now: &Now, pod: PodId, by: PodId) -> Vec<Span<'static>> {
    let until = now.standing.ejected_by(pod).find(|(known, _)| *known == by);
    let left = until.map_or(0, |(_, until)| until.saturating_sub(state.cursor));
    vec![
        theme.warn(" ◌ "),
        Span::raw(pad(state.film().cast.pod_name(by), 30)),
        theme.dim(&match left {
            0 => " may be taken back".to_owned(),
            left => format!(" for {} more at least", span(left)),
        }),
    ]
}

/// What happened to a pod up to the cursor, the newest first.
fn pod_events(canvas: &mut Canvas<'_>, area: Rect, state: &State, pod: PodId) {
    let theme = canvas.theme;
    let film = state.film();
    let rest = canvas.title(area, "happened to it");
    let until = film
        .entries
        .partition_point(|entry| entry.at <= state.cursor);
    let own = film.entries[..until]
        .iter()
        .rev()
        .filter(|entry| match &entry.what {
            What::Pod { pod: id, .. }
            | What::Ejected { pod: id, .. }
            | What::Returned { pod: id, .. } => *id == pod,
            What::Config { pod: id, .. } | What::Certificate { pod: id, .. } => *id == Some(pod),
            _ => false,
        });
    let lines = own.take(usize::from(rest.height)).map(|entry| {
        let (_, text) = entry.what.tell(film);
        let spans = vec![
            theme.dim(&format!(" {:>10}  ", clock(entry.at))),
            Span::raw(text),
        ];
        super::cut(spans, usize::from(area.width))
    });
    let lines: Vec<Line<'_>> = lines.collect();
    if lines.is_empty() {
        canvas.line(rest, theme.dim(" nothing yet"));
        return;
    }
    canvas.lines(rest, lines);
}

/// What is drawn over time.
#[derive(Clone, Copy)]
enum Of {
    Part(PartId),
    Edge(EdgeId),
    Pod(PodId),
}

/// Load and errors over time.
fn course(canvas: &mut Canvas<'_>, area: Rect, state: &State, of: Of, each: u16) -> Rect {
    let theme = canvas.theme;
    let film = state.film();
    let (from, to) = state.axis();
    let axis = Axis {
        from,
        to,
        columns: area.width.saturating_sub(LABELS + 1),
        cursor: state.cursor,
    };
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
    let what = match of {
        Of::Pod(_) => "attempts",
        _ => "requests",
    };
    let charts = [
        (
            what,
            format!("max {}/s", count(most(&load))),
            &load,
            most(&load),
            theme.good_style(),
        ),
        (
            "errors",
            format!("max {}", percent(most(&errors))),
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
fn counts(film: &Film, frame: &crate::tui::film::Frame, of: Of) -> (u32, u32) {
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
