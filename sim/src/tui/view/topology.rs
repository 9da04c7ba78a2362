//! Services with their pods, and under each the edges that leave it.

use std::collections::BTreeMap;

use meshquake_reports::summary::unit;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::signs::Health;
use super::theme::Theme;
use super::{Canvas, error_span};
use crate::tui::film::{EdgeCell, EdgeId, Film, PartId, PodCell, PodId, Standing};
use crate::tui::state::{State, Subject, View};
use crate::tui::text::{columns, fit, pad, pad_left, span};

/// What is told is of so much time before the cursor.
const RECENT_NS: u64 = 2_000_000_000;
/// Pods whose signs are shown one by one.
const SIGNS_MAX: usize = 24;
/// Width of an edge's load, drawn.
const LOAD_COLUMNS: usize = 8;

/// What stands on each line.
pub(super) fn rows(state: &State) -> Vec<Subject> {
    let film = state.film();
    let mut from: BTreeMap<PartId, Vec<EdgeId>> = BTreeMap::new();
    for (edge, (caller, _)) in film.edges.iter().enumerate() {
        from.entry(*caller).or_default().push(edge as EdgeId);
    }
    let mut rows = Vec::new();
    for part in 0..film.cast.parts.len() as PartId {
        rows.push(Subject::Part(part));
        rows.extend(from.remove(&part).into_iter().flatten().map(Subject::Edge));
    }
    rows
}

/// What lines are made of.
pub(super) struct Now {
    pub(super) standing: Standing,
    pub(super) edges: BTreeMap<EdgeId, EdgeCell>,
    pub(super) pods: BTreeMap<PodId, PodCell>,
    /// What was summed up, from and to.
    pub(super) stretch: (u64, u64),
    /// Length of what was summed up.
    pub(super) seconds: f64,
    /// The largest load of an edge.
    most: f64,
}

impl Now {
    /// At the cursor.
    pub(super) fn of(film: &Film, cursor: u64) -> Self {
        let frames = film.frames_before(cursor, RECENT_NS);
        let edges = Film::edge_sums(frames);
        let ns: u64 = frames.iter().map(|frame| frame.to - frame.from).sum();
        let seconds = (ns as f64 / 1e9).max(1e-9);
        let most = edges.values().map(|cell| cell.requests).max().unwrap_or(0);
        Self {
            standing: film.standing(cursor),
            pods: Film::pod_sums(frames),
            stretch: (
                frames.first().map_or(cursor, |frame| frame.from),
                frames.last().map_or(cursor, |frame| frame.to),
            ),
            most: f64::from(most) / seconds,
            seconds,
            edges,
        }
    }
}

pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State) {
    let theme = canvas.theme;
    let film = state.film();
    let now = Now::of(film, state.cursor);
    let rows = rows(state);
    let chosen = state.chosen[View::Topology as usize].min(rows.len().saturating_sub(1));
    let legend = legend(theme, film, &now, area.width);
    let rest = canvas.line(area, super::cut(legend, usize::from(area.width)));
    let names = names_width(film, area.width);
    let heading = format!(
        " {}{}{}{}{}{}",
        pad("service, edge", names + 1),
        pad_left("load", 10),
        " ".repeat(LOAD_COLUMNS + 2),
        pad_left("errors", 8),
        pad_left("p99", 10),
        pad_left("attempts", 10),
    );
    let rest = canvas.line(rest, theme.dim(&heading));
    let told = match rows.get(chosen) {
        Some(Subject::Edge(edge)) => in_full(theme, film, &now, *edge, area.width),
        _ => Vec::new(),
    };
    // Only where the list leaves room for it.
    let list = match usize::from(rest.height).checked_sub(told.len()) {
        Some(left) if left > rows.len() => super::top(rest, left as u16),
        _ => rest,
    };
    canvas.lines(super::below(rest, list.height), told);
    canvas.list(list, rows.len(), Some(chosen), |number| {
        match rows[number] {
            Subject::Part(part) => part_line(theme, film, &now, part, names),
            Subject::Edge(edge) => edge_line(theme, film, &now, edge, names),
            Subject::Pod(_) => Line::default(),
        }
    });
}

fn names_width(film: &Film, width: u16) -> usize {
    let names = film.cast.parts.iter().map(|part| columns(&part.name) + 5);
    let most = usize::from(width).saturating_sub(52).clamp(12, 44);
    names.max().unwrap_or(12).clamp(12, most)
}

fn legend(theme: Theme, film: &Film, now: &Now, width: u16) -> Vec<Span<'static>> {
    let mut spans = vec![theme.dim(" pods")];
    let all = [
        Health::Ready,
        Health::Ejected,
        Health::Cut,
        Health::Down,
        Health::Frozen,
        Health::NotReady,
    ];
    for health in all {
        spans.push(Span::styled(
            format!("  {} ", health.sign()),
            health.style(theme),
        ));
        spans.push(theme.dim(health.word()));
    }
    if film.from_record && film.cast.pods.is_empty() {
        spans.push(theme.dim("  (the record tells of no pods)"));
    }
    let version = now.standing.version;
    if version > 0 && width >= 100 {
        spans.push(theme.dim(&format!("   configuration v{version}")));
    }
    spans
}

fn part_line(theme: Theme, film: &Film, now: &Now, part: PartId, names: usize) -> Line<'static> {
    let known = &film.cast.parts[part as usize];
    let name = pad(&known.name, names + 1);
    let mut spans = vec![Span::raw(" "), theme.strong(&name), Span::raw(" ")];
    if film.cast.is_source(part) {
        spans.push(theme.dim("traffic source  "));
    }
    let pods = &known.pods;
    let mut ready = 0;
    // Pods of a zone stand together.
    let mut zones: Vec<(&str, Vec<Health>)> = Vec::new();
    for pod in pods {
        let health = Health::of(film, &now.standing, *pod);
        ready += usize::from(matches!(health, Health::Ready));
        let zone = &*film.cast.pods[*pod as usize].zone;
        match zones.iter_mut().find(|(known, _)| *known == zone) {
            Some((_, healths)) => healths.push(health),
            None => zones.push((zone, vec![health])),
        }
    }
    if film.cast.is_source(part) {
        return Line::from(spans);
    }
    if pods.is_empty() {
        spans.push(theme.dim("outside the mesh, or pods not told"));
        return Line::from(spans);
    }
    let tally = format!("{ready}/{}", pods.len());
    spans.push(match ready == pods.len() {
        true => theme.plain(&tally),
        false => theme.warn(&tally),
    });
    spans.push(Span::raw(" "));
    let mut shown = 0;
    for (zone, healths) in zones {
        spans.push(theme.dim(&format!(" {zone}")));
        for health in healths {
            shown += 1;
            if shown <= SIGNS_MAX {
                spans.push(Span::styled(health.sign(), health.style(theme)));
            }
        }
    }
    if shown > SIGNS_MAX {
        spans.push(theme.dim(&format!(" +{}", shown - SIGNS_MAX)));
    }
    let queue = film.queue(part, now.stretch);
    if let Some(queue) = queue.filter(|queue| *queue > 0) {
        spans.push(theme.dim(&format!("  queue {queue}")));
    }
    Line::from(spans)
}

fn edge_line(theme: Theme, film: &Film, now: &Now, edge: EdgeId, names: usize) -> Line<'static> {
    let (from, to) = film.edges[edge as usize];
    let idle = EdgeCell::default();
    let cell = now.edges.get(&edge).unwrap_or(&idle);
    let load = f64::from(cell.requests) / now.seconds;
    let filled = match now.most > 0.0 && load > 0.0 {
        true => ((load / now.most * LOAD_COLUMNS as f64).round() as usize).max(1),
        false => 0,
    };
    let share = cell.error_share();
    let bar_style = match share {
        Some(share) if share >= 0.01 => theme.bad_style(),
        Some(share) if share > 0.0 => theme.warn_style(),
        _ => theme.load_style(),
    };
    let errors = error_span(theme, share);
    let errors_text = pad_left(&errors.content, 8);
    // A record may keep an edge's load over time for none of them.
    let told = match film.tells_edge(edge) {
        true => unit::per_second(load),
        false => "–".into(),
    };
    let each = cell.attempts_each().map_or("–".into(), unit::ratio);
    let mut spans = vec![
        theme.dim("   → "),
        Span::raw(pad(film.cast.part_name(to), names - 3)),
        Span::raw(pad_left(&told, 10)),
        Span::raw("  "),
        Span::styled("▬".repeat(filled), bar_style),
        Span::raw(" ".repeat(LOAD_COLUMNS - filled)),
        Span::styled(errors_text, errors.style),
        Span::raw(pad_left(&cell.p99().map_or("–".into(), span), 10)),
        Span::raw(pad_left(&each, 10)),
    ];
    for sign in troubles(film, now, cell, (from, to)) {
        spans.push(theme.warn(&format!("  {sign}")));
    }
    Line::from(spans)
}

/// What acts on an edge and what is wrong on it, in lines of their own; none where nothing is.
fn in_full(theme: Theme, film: &Film, now: &Now, edge: EdgeId, width: u16) -> Vec<Line<'static>> {
    let idle = EdgeCell::default();
    let cell = now.edges.get(&edge).unwrap_or(&idle);
    let told = troubles(film, now, cell, film.edges[edge as usize]).into_iter();
    let told: Vec<Span<'static>> = told.map(|text| theme.warn(&text)).collect();
    match told.is_empty() {
        true => Vec::new(),
        false => {
            let lead = theme.strong(&format!(" {}   ", fit(&film.edge_name(edge), 40)));
            super::flow(lead, told, usize::from(width))
        }
    }
}

/// What is wrong on an edge, in a few words.
fn troubles(film: &Film, now: &Now, cell: &EdgeCell, ends: (PartId, PartId)) -> Vec<String> {
    let mut told = Vec::new();
    let faults = film.cast.faults.iter().zip(&now.standing.faults);
    let cut = faults
        .filter(|(fault, state)| fault.cuts && state.active)
        .any(|(fault, _)| {
            let of = |part: PartId| film.cast.parts[part as usize].pods.iter();
            of(ends.0)
                .chain(of(ends.1))
                .any(|pod| fault.pods.contains(pod))
        });
    if cut {
        told.push("⌁ cut".into());
    }
    if cell.refused > 0 {
        let refused = u64::from(cell.refused);
        told.push(format!("{} failed", unit::counted(refused, "connection")));
    }
    for (mechanism, count) in &cell.acts {
        let count = unit::count(u64::from(*count));
        told.push(format!("{} ×{count}", crate::tui::film::acted(*mechanism)));
    }
    told.iter().map(|text| fit(text, 40)).collect()
}
