//! How it goes, over time.

use meshquake_reports::summary::unit;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::chart::{Axis, LABELS, bars, mark, ticks};
use super::signs::{Health, event_sign};
use super::theme::Theme;
use super::{Canvas, below, error_span, expectations, side_letter, split, top};
use crate::tui::film::{Entry, Film, Frame, Kind, PartId, Tally};
use crate::tui::state::{Parting, Side, State, View};
use crate::tui::text::{clock, columns, fit, pad, percent, span};

/// What is told for the cursor is of so much time before it.
const RECENT_NS: u64 = 1_000_000_000;
/// Rows for faults at most.
const LANES_MAX: usize = 5;
/// Two films stand beside each other from so many columns on.
const BESIDE: u16 = 100;

pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State) {
    let [a, b] = state.sides.as_slice() else {
        return one(canvas, area, state, state.shown());
    };
    let area = parting(canvas, area, state);
    let sides = if area.width >= BESIDE {
        let (left, right) = split(area, area.width / 2 - 1);
        [left, right]
    } else {
        [top(area, area.height / 2), below(area, area.height / 2)]
    };
    for (number, (side, area)) in [a, b].into_iter().zip(sides).enumerate() {
        let looked = if number == state.side { "▸" } else { " " };
        let title = format!("{looked} {} {}", side_letter(number), side.file);
        let title = fit(&title, usize::from(area.width.saturating_sub(6)));
        let rest = canvas.title(area, &title);
        one(canvas, rest, state, side);
    }
}

/// Where two films part.
fn parting(canvas: &mut Canvas<'_>, area: Rect, state: &State) -> Rect {
    let theme = canvas.theme;
    match &state.divergence {
        None => canvas.line(area, theme.dim(" both runs are being recorded…")),
        Some(None) if state.sides.iter().any(|side| side.film.from_record) => {
            let told = " ✓ the two runs do not differ in anything that both tell of";
            canvas.line(area, theme.good(told))
        }
        Some(None) => canvas.line(area, theme.good(" ✓ the two runs do not differ")),
        Some(Some(divergence)) => {
            let at = clock(divergence.at);
            let when = match divergence.parting {
                Parting::Then => format!(" ≠ they part at {at}"),
                Parting::ByThen => format!(" ≠ they part at {at} at the latest"),
                Parting::Begun { until } => {
                    let until = clock(until);
                    format!(" ≠ they differ in what was begun from {at} to {until}")
                }
            };
            let mut rest = canvas.line(area, vec![theme.warn(&when), theme.dim("   D goes there")]);
            for (side, told) in divergence.told.iter().enumerate() {
                let told = match (told.is_empty(), divergence.parting) {
                    (false, _) => told,
                    (true, Parting::Then) => "nothing",
                    (true, _) => "nothing of the kind",
                };
                let text = format!("   {}: {}", side_letter(side), told);
                rest = canvas.line(rest, Span::raw(fit(&text, usize::from(area.width))));
            }
            rest
        }
    }
}

fn one(canvas: &mut Canvas<'_>, area: Rect, state: &State, side: &Side) {
    let (film, theme) = (&side.film, canvas.theme);
    let area = verdict(canvas, area, state, film);
    let lanes = film.cast.faults.len().min(LANES_MAX) as u16;
    let below_charts = 2 + lanes;
    // What is going on now gets what the charts leave, and four lines of it in any case.
    let now = if area.height < 16 { 2 } else { 4 };
    let room = area.height.saturating_sub(below_charts + now + 1);
    let each = (room / 4).clamp(1, 7);
    let source = state.chosen[View::Overview as usize]
        .checked_sub(1)
        .map(|s| s as PartId);
    let source = source.filter(|source| film.cast.is_source(*source));
    let axis = Axis::across(area, state);
    let mut charts = charts(theme, film, &axis, source);
    // Two films are drawn to one scale, or they could not be compared.
    for other in state.sides.iter().map(|side| &side.film) {
        if !std::ptr::eq(other, film) {
            let others = self::charts(theme, other, &axis, source);
            for (own, other) in charts.iter_mut().zip(others) {
                own.max = own.max.max(other.max);
            }
        }
    }
    let rest = draw_charts(canvas, area, &axis.shaded(film), &axis, &charts, each);
    let rest = timeline(canvas, rest, film, &axis);
    happening(canvas, rest, state, film);
}

/// Whether what is demanded holds so far.
fn verdict(canvas: &mut Canvas<'_>, area: Rect, state: &State, film: &Film) -> Rect {
    let theme = canvas.theme;
    let mut spans = vec![Span::raw(" ")];
    spans.extend(expectations::summary(theme, film, state.cursor));
    let chosen = state.chosen[View::Overview as usize];
    if film.cast.sources > 1 {
        let source = match chosen.checked_sub(1) {
            Some(source) if source < film.cast.sources => film.cast.part_name(source as PartId),
            _ => "all traffic",
        };
        spans.push(theme.dim("   of "));
        spans.push(theme.strong(&fit(source, 30)));
        spans.push(theme.dim(" (j k)"));
    }
    canvas.line(area, super::cut(spans, usize::from(area.width)))
}

struct Chart {
    name: &'static str,
    /// What is told at the cursor.
    now: Span<'static>,
    /// The largest value, told where there is room.
    most: String,
    style: Style,
    values: Vec<Option<f64>>,
    max: f64,
}

fn charts(theme: Theme, film: &Film, axis: &Axis, source: Option<PartId>) -> [Chart; 4] {
    let tallies: Vec<Option<Tally>> = axis
        .frames(film)
        .into_iter()
        .map(|frames| (!frames.is_empty()).then(|| film.tally(frames, source)))
        .collect();
    let now = film.tally(film.frames_before(axis.cursor, RECENT_NS), source);
    let values = |of: &dyn Fn(&Tally) -> Option<f64>| -> Vec<Option<f64>> {
        tallies
            .iter()
            .map(|tally| tally.as_ref().and_then(of))
            .collect()
    };
    let most = |values: &[Option<f64>]| values.iter().flatten().copied().fold(0.0, f64::max);
    let goodput = values(&|tally| Some(tally.rate(tally.succeeded)));
    let offered = values(&|tally| Some(tally.rate(tally.sent)));
    let errors = values(&|tally| Some(tally.error_share().unwrap_or(0.0)));
    let p99 = values(&|tally| Some(tally.p99().map_or(0.0, |ns| ns as f64)));
    let top_rate = most(&goodput).max(most(&offered));
    [
        Chart {
            name: "goodput",
            now: theme.strong(&unit::per_second(now.rate(now.succeeded))),
            most: format!("of {}", unit::per_second(now.rate(now.sent))),
            style: theme.good_style(),
            values: goodput,
            max: top_rate,
        },
        Chart {
            name: "errors",
            now: error_span(theme, now.error_share()),
            most: match now.kinds.iter().max_by_key(|(_, count)| **count) {
                Some((kind, _)) => film.kind_name(*kind).to_owned(),
                None => format!("max {}", percent(most(&errors))),
            },
            style: theme.bad_style(),
            max: most(&errors).max(0.01),
            values: errors,
        },
        Chart {
            name: "p99",
            now: theme.strong(&now.p99().map_or("–".into(), span)),
            most: format!("max {}", span(most(&p99) as u64)),
            style: theme.warn_style(),
            max: most(&p99),
            values: p99,
        },
        attempts(theme, film, axis, source),
    ]
}

fn draw_charts(
    canvas: &mut Canvas<'_>,
    area: Rect,
    shaded: &[bool],
    axis: &Axis,
    charts: &[Chart],
    each: u16,
) -> Rect {
    let mut rest = area;
    for chart in charts {
        let (labels, plot) = split(top(rest, each), LABELS);
        label(canvas, labels, chart);
        let values = &chart.values;
        bars(canvas, plot, axis, values, chart.max, shaded, chart.style);
        rest = below(rest, each);
    }
    rest
}

/// Attempts for each request of the edge that retries most: retries multiply from edge to edge, so a mean over them
/// would say nothing of any.
fn attempts(theme: Theme, film: &Film, axis: &Axis, source: Option<PartId>) -> Chart {
    let values = |of: &dyn Fn(&[Frame]) -> f64| -> Vec<Option<f64>> {
        let frames = axis.frames(film).into_iter();
        frames
            .map(|frames| (!frames.is_empty()).then(|| of(frames)))
            .collect()
    };
    let Some(edge) = film.most_retried(source) else {
        return Chart {
            name: "attempts each",
            now: theme.strong(&unit::ratio(1.0)),
            most: "nobody retries".into(),
            style: theme.load_style(),
            values: values(&|_| 0.0),
            max: 2.0,
        };
    };
    let each = |frames: &[Frame]| Film::edge_sum(frames, edge).attempts_each();
    let values = values(&|frames| each(frames).unwrap_or(0.0));
    let most = values.iter().flatten().copied().fold(0.0, f64::max);
    let usual = each(film.frames_between(axis.from, axis.to)).unwrap_or(1.0);
    Chart {
        name: "attempts each",
        now: match each(film.frames_before(axis.cursor, RECENT_NS)) {
            Some(each) if each > 1.2 => theme.warn(&unit::ratio(each)),
            Some(each) => theme.strong(&unit::ratio(each)),
            None => theme.dim("–"),
        },
        most: film.edge_name(edge),
        style: theme.load_style(),
        // A moment in which many attempts end and hardly a request must not flatten all others.
        max: most.min(3.0 * usual).max(2.0),
        values,
    }
}

/// What a chart is of, in as many lines as it has.
fn label(canvas: &mut Canvas<'_>, area: Rect, chart: &Chart) {
    let theme = canvas.theme;
    let width = usize::from(area.width);
    let name = theme.dim(&format!(" {}", chart.name));
    let now = chart.now.clone();
    let most = |indent: &str| theme.dim(&format!("{indent}{}", chart.most));
    match area.height {
        0 | 1 => {
            canvas.line(area, super::cut(vec![name, Span::raw(" "), now], width));
        }
        // Beside the name where it finds room there, or else beside the number.
        2 if columns(chart.name) + columns(&chart.most) + 2 < width => {
            let gap = width - columns(chart.name) - columns(&chart.most) - 2;
            let rest = canvas.line(area, vec![name, most(&" ".repeat(gap))]);
            canvas.line(rest, super::cut(vec![Span::raw("  "), now], width));
        }
        2 => {
            let rest = canvas.line(area, name);
            canvas.line(
                rest,
                super::cut(vec![Span::raw("  "), now, most(" ")], width),
            );
        }
        _ => {
            let rest = canvas.line(area, name);
            let rest = canvas.line(rest, super::cut(vec![Span::raw("  "), now], width));
            // A pair of names that are too long for one line stands in two.
            match chart.most.split_once(" → ") {
                Some((from, to)) if area.height > 3 && columns(&chart.most) + 2 > width => {
                    let rest = canvas.line(
                        rest,
                        theme.dim(&format!("  {}", fit(from, width.saturating_sub(2)))),
                    );
                    canvas.line(
                        rest,
                        theme.dim(&format!("  → {}", fit(to, width.saturating_sub(4)))),
                    );
                }
                _ => {
                    canvas.line(rest, super::cut(vec![most("  ")], width));
                }
            }
        }
    }
}

/// The axis, the faults on it, and what happened.
fn timeline(canvas: &mut Canvas<'_>, area: Rect, film: &Film, axis: &Axis) -> Rect {
    let theme = canvas.theme;
    let (labels, plot) = split(top(area, 1), LABELS);
    canvas.line(labels, theme.dim(&format!(" {:>16} ", "")));
    ticks(canvas, plot, axis);
    let mut rest = below(area, 1);
    let spans = film.fault_spans();
    let faults = film.cast.faults.len();
    for fault in 0..faults.min(LANES_MAX) {
        let place = top(rest, 1);
        let (labels, plot) = split(place, LABELS);
        let hidden = faults - LANES_MAX.min(faults);
        let name = match hidden {
            hidden if hidden > 0 && fault + 1 == LANES_MAX => format!("+{} faults", hidden + 1),
            _ => film.cast.fault_name(fault as u32).to_owned(),
        };
        canvas.line(
            labels,
            theme.warn(&format!(" {}", fit(&name, usize::from(LABELS) - 2))),
        );
        for (which, from, to) in &spans {
            let own = *which as usize == fault
                || hidden > 0 && fault + 1 == LANES_MAX && *which as usize >= fault;
            if own {
                for column in axis.covered(*from, *to) {
                    if column < plot.width && plot.height > 0 {
                        canvas.buffer[(plot.x + column, plot.y)]
                            .set_symbol("▬")
                            .set_style(theme.warn_style());
                    }
                }
            }
        }
        mark(canvas, plot, axis);
        rest = below(rest, 1);
    }
    events(canvas, top(rest, 1), film, axis);
    below(rest, 1)
}

/// One sign for each column in which something happened.
fn events(canvas: &mut Canvas<'_>, area: Rect, film: &Film, axis: &Axis) {
    let theme = canvas.theme;
    let (labels, plot) = split(area, LABELS);
    canvas.line(labels, theme.dim(" events"));
    let mut signs: Vec<Option<Kind>> = vec![None; usize::from(axis.columns)];
    for entry in film.entries.iter().filter(|entry| !entry.what.is_routine()) {
        // What faults do has lines of its own.
        let kind = entry.what.kind();
        if kind == Kind::Fault {
            continue;
        }
        if let Some(column) = axis.column(entry.at) {
            let sign = &mut signs[usize::from(column)];
            *sign = Some(sign.map_or(kind, |known| known.min(kind)));
        }
    }
    for (column, kind) in signs.iter().enumerate() {
        let Some(kind) = kind else {
            continue;
        };
        let style = match kind {
            Kind::Pod => theme.bad_style(),
            Kind::Ejection | Kind::Breaker => theme.warn_style(),
            _ => theme.dim_style(),
        };
        if (column as u16) < plot.width && plot.height > 0 {
            canvas.buffer[(plot.x + column as u16, plot.y)]
                .set_symbol(event_sign(*kind))
                .set_style(style);
        }
    }
    mark(canvas, plot, axis);
}

/// How things stand at the cursor, and what happened last.
fn happening(canvas: &mut Canvas<'_>, area: Rect, state: &State, film: &Film) {
    let theme = canvas.theme;
    if area.height == 0 {
        return;
    }
    let standing = film.standing(state.cursor);
    let active: Vec<&str> = (0..film.cast.faults.len())
        .filter(|fault| standing.faults[*fault].active)
        .map(|fault| film.cast.fault_name(fault as u32))
        .collect();
    let mut now = vec![theme.dim(" now  ")];
    now.push(match active.is_empty() {
        true => theme.dim("no fault"),
        false => theme.warn(&format!("↯ {}", fit(&active.join(", "), 60))),
    });
    for health in [
        Health::Down,
        Health::Frozen,
        Health::Cut,
        Health::Ejected,
        Health::NotReady,
    ] {
        let pods = (0..film.cast.pods.len() as u32)
            .filter(|pod| Health::of(film, &standing, *pod) == health)
            .filter(|pod| !film.cast.is_source(film.cast.pods[*pod as usize].part));
        let pods = pods.count();
        if pods > 0 {
            let text = format!("   {} {pods} {}", health.sign(), health.word());
            now.push(Span::styled(text, health.style(theme)));
        }
    }
    let behind = standing.pods.iter().filter(|pod| pod.pushed.0 > pod.acked);
    let behind = behind.count();
    if behind > 0 {
        now.push(theme.warn(&format!(
            "   ↓ {behind} sidecars behind v{}",
            standing.version
        )));
    }
    let rest = canvas.line(area, super::cut(now, usize::from(area.width)));
    recent(canvas, rest, state, film);
}

/// The last events up to the cursor, the newest first.
fn recent(canvas: &mut Canvas<'_>, area: Rect, state: &State, film: &Film) {
    let theme = canvas.theme;
    let until = film
        .entries
        .partition_point(|entry| entry.at <= state.cursor);
    let news = film.entries[..until]
        .iter()
        .rev()
        .filter(|entry| !entry.what.is_routine());
    // What many tell is one line, as told by the first of them.
    let mut lines: Vec<(&Entry, u32)> = Vec::new();
    for entry in news.take(2_000) {
        if entry.what.kind() == Kind::Mechanism {
            continue;
        }
        let full = lines.len() >= usize::from(area.height);
        match lines.last_mut() {
            Some((first, more)) if first.what.same_news(&entry.what) => {
                *first = entry;
                *more += 1;
            }
            _ if full => break,
            _ => lines.push((entry, 0)),
        }
    }
    let width = usize::from(area.width);
    let lines = lines.into_iter().map(|(entry, more)| {
        let (subject, text) = entry.what.tell(film);
        let text = match more {
            0 => text,
            more => format!("{text} and {more} more"),
        };
        let when = format!(" {:>10}  ", clock(entry.at));
        let subject = if columns(&subject) > 24 {
            fit(&subject, 24)
        } else {
            pad(&subject, 24)
        };
        super::cut(
            vec![
                theme.dim(&when),
                Span::raw(format!("{} ", event_sign(entry.what.kind()))),
                Span::raw(format!("{subject} ")),
                theme.dim(&text),
            ],
            width,
        )
    });
    let lines: Vec<Line<'_>> = lines.collect();
    canvas.lines(area, lines);
}
