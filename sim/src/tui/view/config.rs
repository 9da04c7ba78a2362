//! What the mesh was told to do, and by whom.

use meshquake_reports::PolicyReport;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::theme::Theme;
use super::{Canvas, LEAST, below, split, top};
use crate::tui::film::Film;
use crate::tui::state::{State, View};
use crate::tui::text::{columns, fit, inert, pad, span};

/// Edges and their settings stand beside each other from so many columns on.
const BESIDE: u16 = 100;

fn policies(film: &Film) -> &[PolicyReport] {
    let detail = film
        .report
        .as_ref()
        .and_then(|report| report.detail.as_ref());
    detail.map_or(&[], |detail| &detail.policy)
}

pub(super) fn length(state: &State) -> usize {
    policies(state.film()).len()
}

pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State) {
    let theme = canvas.theme;
    let film = state.film();
    let rest = versions(canvas, area, state);
    let policies = policies(film);
    if policies.is_empty() {
        let why = match &film.report {
            None => " told when the run is recorded",
            Some(_) => " this record does not tell the configuration in force",
        };
        canvas.line(rest, theme.dim(why));
        return;
    }
    let chosen = state.chosen[View::Config as usize].min(policies.len() - 1);
    let (list, settings) = if area.width >= BESIDE {
        split(rest, 34)
    } else {
        let lines = (policies.len() as u16).min(rest.height / 3).max(1);
        (top(rest, lines), below(rest, lines))
    };
    canvas.list(list, policies.len(), Some(chosen), |number| {
        let policy = &policies[number];
        let name = format!(" {} → {}", policy.from, policy.to);
        Line::from(pad(&name, usize::from(list.width)))
    });
    let settings = began_with(canvas, settings, film);
    settings_of(canvas, settings, &policies[chosen], state.scroll);
}

/// Which configuration the sidecars have at the cursor.
fn versions(canvas: &mut Canvas<'_>, area: Rect, state: &State) -> Rect {
    let theme = canvas.theme;
    let film = state.film();
    if film.from_record {
        return area;
    }
    let standing = film.standing(state.cursor);
    let newest = standing.version;
    let pods = standing.pods.iter().zip(&film.cast.pods);
    let behind: Vec<(&str, u64)> = pods
        .filter(|(pod, _)| pod.pushed.0 > pod.acked)
        .map(|(pod, known)| (&*known.name, state.cursor.saturating_sub(pod.pushed.1)))
        .collect();
    let lost = standing.pods.iter().filter(|pod| pod.lost).count();
    let mut spans = vec![
        theme.dim(" newest pushed "),
        theme.strong(&format!("v{newest}")),
    ];
    match behind.iter().max_by_key(|(_, ns)| *ns) {
        None => spans.push(theme.dim("   every sidecar has what it was pushed")),
        Some((name, ns)) => {
            let text = format!(
                "   {} sidecars behind, {} most: {}",
                behind.len(),
                fit(name, 30),
                span(*ns)
            );
            spans.push(theme.warn(&text));
        }
    }
    if lost > 0 {
        spans.push(theme.bad(&format!("   {lost} without control plane")));
    }
    canvas.line(area, super::cut(spans, usize::from(area.width)))
}

/// What is told is what the scenario begins with: says so where other configuration was pushed since.
fn began_with(canvas: &mut Canvas<'_>, area: Rect, film: &Film) -> Rect {
    if !film.cast.faults.iter().any(|fault| fault.configures) {
        return area;
    }
    let note = canvas
        .theme
        .warn(" as the scenario begins; faults of this run push other configuration");
    canvas.line(area, note)
}

/// Lines that the settings of the chosen edge take at most: on the narrowest screen.
pub(super) fn lines(state: &State) -> usize {
    let policies = policies(state.film());
    let chosen = state.chosen[View::Config as usize].min(policies.len().saturating_sub(1));
    policies.get(chosen).map_or(0, |policy| {
        told(Theme::new(false), policy, usize::from(LEAST.0)).len()
    })
}

/// The settings of an edge, from the line `scroll` on.
fn settings_of(canvas: &mut Canvas<'_>, area: Rect, policy: &PolicyReport, scroll: usize) {
    let theme = canvas.theme;
    let title = fit(&policy.request, usize::from(area.width.saturating_sub(6)));
    let rest = canvas.title(area, &title);
    let lines = told(theme, policy, usize::from(area.width));
    let room = usize::from(rest.height);
    if lines.len() <= room {
        canvas.lines(rest, lines);
        return;
    }
    let room = room.saturating_sub(1);
    let first = scroll.min(lines.len() - room);
    let below = lines.len() - room - first;
    let shown = lines.into_iter().skip(first).take(room);
    let rest = canvas.lines(rest, shown);
    let beyond = match (first, below) {
        (0, below) => format!(" … {below} more lines: PgDn"),
        (first, 0) => format!(" … {first} lines above: PgUp"),
        (first, below) => format!(" … {first} lines above, {below} below: PgUp PgDn"),
    };
    canvas.line(rest, theme.dim(&beyond));
}

fn told(theme: Theme, policy: &PolicyReport, width: usize) -> Vec<Line<'static>> {
    let mut lines: Vec<Line<'static>> = Vec::new();
    for setting in &policy.settings {
        let indent = 1 + 2 * usize::from(setting.depth.min(8));
        let label = pad(&setting.name, 13);
        let (value, origin) = (inert(&setting.value), inert(&setting.origin));
        let name = theme.dim(&format!("{}{label} ", " ".repeat(indent)));
        let column = indent + columns(&label) + 1;
        let mut pieces = folded(&value, width.saturating_sub(column));
        let first = if pieces.is_empty() {
            String::new()
        } else {
            pieces.remove(0)
        };
        let mut line = vec![name, Span::raw(first)];
        let ends = pieces.is_empty()
            && line.iter().map(|s| s.width()).sum::<usize>() + columns(&origin) + 3 <= width;
        if ends && !origin.is_empty() {
            line.push(theme.dim(&format!("  [{origin}]")));
        }
        lines.push(Line::from(line));
        for piece in pieces {
            lines.push(Line::from(format!("{}{piece}", " ".repeat(column))));
        }
        if !ends && !origin.is_empty() {
            let text = fit(&format!("[{origin}]"), width.saturating_sub(column));
            lines.push(Line::from(
                theme.dim(&format!("{}{text}", " ".repeat(column))),
            ));
        }
    }
    lines
}

/// A text in lines of at most `width`, broken at spaces.
pub(super) fn folded(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if columns(line) + 1 + columns(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(fit(word, width)),
        }
    }
    lines
}
