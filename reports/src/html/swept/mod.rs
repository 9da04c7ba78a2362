//! The page of a sweep: where, between its settings, a mesh is stable and where it is not.
//!
//! Two settings make a map, with the border of the stable region drawn into it; further settings make one map for each
//! of their combinations; a single setting makes lines. The map is a table, so its numbers are read by whoever cannot
//! see it, and each state has a sign beside its colour.

mod border;
mod lines;
mod map;
mod points;

use maud::{Markup, html};

use super::outcome::Panel;
use super::page::{Page, Section, command};
use super::table::Table;
use super::text;
use crate::summary::unit;
use crate::sweep::{Cell, Column};
use points::{Points, State};

/// Points in the table.
const POINTS_MAX: usize = 1_000;

/// The page of a sweep of `scenario` whose rows are at hand, made by `command`, which may be empty: one HTML file that
/// needs nothing else.
pub fn sweep_html(scenario: &str, command: &str, columns: &[Column], rows: &[Vec<Cell>]) -> String {
    let mut points = Points::new(columns);
    rows.iter().for_each(|row| points.add(row));
    let page = Page {
        title: &format!("Sweep: {scenario}"),
        head: head(&points, scenario),
        sections: vec![
            Section::new("map", "Where it is stable", map::body(&points)),
            Section::new("measures", "What was measured", lines::body(&points)),
            Section::new("points", "Every point", table(&points)),
            Section::new("again", "The same sweep again", again(command)),
        ],
        foot: html! { p { "Made by Meshquake " (env!("CARGO_PKG_VERSION")) "." } },
    };
    page.html()
}

fn count(points: &Points, state: State) -> usize {
    points.all.values().filter(|p| p.state() == state).count()
}

fn head(points: &Points, scenario: &str) -> Markup {
    let all = points.all.len();
    let stable = count(points, State::Stable);
    let (class, mark, word) = match stable {
        _ if all == 0 => ("warn", "◼", "Nothing was run"),
        n if n == all => ("good", "●", "Stable everywhere"),
        0 => ("bad", "✕", "Stable nowhere"),
        _ => ("warn", "◐", "Stable in part"),
    };
    let parts: Vec<String> = State::ALL
        .into_iter()
        .map(|state| (count(points, state), state))
        .filter(|(n, _)| *n > 0)
        .map(|(n, state)| format!("{} {}", unit::count(n as u64), state.of(n)))
        .collect();
    let combinations = match all {
        1 => "One combination of settings".to_owned(),
        n => format!("Of {} combinations of settings", unit::count(n as u64)),
    };
    let sentence = format!("{combinations}: {}.", parts.join(", "));
    let mut more = Vec::new();
    if points.broken > 0 {
        more.push(text::said(&format!(
            "{} came to no verdict and {} not counted.",
            unit::counted(points.broken, "run"),
            if points.broken == 1 { "is" } else { "are" }
        )));
    }
    let panel = Panel {
        class,
        mark,
        word,
        sentence: &sentence,
        more: &more,
    };
    let seeds = points.all.values().map(|p| p.seeds).max().unwrap_or(0);
    let rows: u64 = points.all.values().map(|p| p.seeds).sum();
    html! {
        p.brand { "Meshquake: the report of a sweep" }
        h1 { (text::name(scenario)) }
        p.about {
            @for (i, axis) in points.axes.iter().enumerate() {
                @if i > 0 { ", " }
                code { (text::name(&axis.path)) }
                @if let [only] = axis.values.as_slice() { " = " (text::name(only)) }
                @else { " (" (unit::counted(axis.values.len() as u64, "value")) ")" }
            }
        }
        (panel.markup())
        dl.totals {
            @for state in State::ALL {
                @let n = count(points, state);
                @if n > 0 { div { dt { (signed(state)) (state.word()) } dd { (unit::count(n as u64)) } } }
            }
            div { dt { "runs" } dd { (unit::count(rows)) } }
            div { dt { "seeds for each point" } dd { (unit::count(seeds)) } }
        }
    }
}

/// The sign of a state, coloured.
fn signed(state: State) -> Markup {
    html! { span class=(format!("sign {}", class(state))) aria-hidden="true" { (state.sign()) } }
}

fn class(state: State) -> String {
    super::palette::Ink::State(state.number()).name()
}

/// What the states mean: of those that occur.
fn key(points: &Points) -> Markup {
    html! {
        ul.states {
            @for state in State::ALL {
                @if count(points, state) > 0 { li { (signed(state)) strong { (state.word()) } ": " (state.meaning()) } }
            }
        }
    }
}

fn table(points: &Points) -> Markup {
    let mut table = Table::new("Every combination of settings: means over its seeds");
    for axis in &points.axes {
        table = table.head(axis.name());
    }
    table = table.text("state").number("held");
    for measure in &points.measures {
        table = table.number(&measure.name);
    }
    for (at, point) in points.all.iter().take(POINTS_MAX) {
        let settings = at.iter().zip(&points.axes);
        let mut cells: Vec<Markup> = settings
            .map(|(value, axis)| text::name(axis.values.get(*value).map_or("", String::as_str)))
            .collect();
        let state = point.state();
        cells.push(html! { (signed(state)) (state.word()) });
        cells.push(html! { (point.held) " of " (point.seeds) });
        cells.extend(point.sums.iter().zip(&points.measures).map(|(sum, measure)| {
            html! { (sum.mean().map_or_else(|| "–".into(), |mean| unit::measured(mean, measure.unit))) }
        }));
        table.row(cells);
    }
    let more = points.all.len().saturating_sub(POINTS_MAX) as u64;
    html! {
        @if !table.is_empty() { (table.scrolled()) }
        @if more > 0 { p.faint { "And " (unit::counted(more, "more point")) "; the file of rows has all." } }
    }
}

fn again(by: &str) -> Markup {
    html! {
        @if !by.is_empty() {
            (command("reproduce", by, "Copy the command", &html! {}))
            p.faint { "Each row of the file has its seed and the digest of its run: the same version of Meshquake makes the same rows on any machine." }
        }
    }
}
