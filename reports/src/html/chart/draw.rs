//! The drawing itself.

use std::convert::Infallible;

use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::{self, Tick};
use super::canvas::{Canvas, FINE};
use super::{Chart, Course, HEIGHT, HeatMap, Line, Marks, WIDTH, finite};
use crate::html::palette::Ink;
use crate::html::text;
use crate::summary::paint::shorten;
use crate::summary::unit;

/// Where the plot lies in the drawing, in its units.
pub(super) struct Frame {
    pub(super) left: i32,
    pub(super) right: i32,
    pub(super) top: i32,
    pub(super) bottom: i32,
}

impl Frame {
    pub(super) const PLOT: Self = Self {
        // `10,000/s` in the larger letters of a small screen.
        left: 76,
        right: WIDTH as i32 - 82,
        top: 26,
        bottom: HEIGHT as i32 - 28,
    };
}

/// Units that a character takes, about, at the size of labels.
const CHARACTER: i32 = 8;
/// Units between two labels one above the other.
const LEADING: i32 = 17;
/// Stretches of one fault that are drawn.
const SPANS_MAX: usize = 100;
/// The least height of a cell, in units.
const HAIR: f64 = 1.5;
/// Faults whose names are written.
const NAMES_MAX: usize = 8;

pub(super) type Area<'a> = DrawingArea<Canvas<'a>, Shift>;
type Plot<'a, 'b> = ChartContext<'b, Canvas<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
pub(super) type Drawn<T = ()> = Result<T, DrawingAreaErrorKind<Infallible>>;

/// What `draw` draws on a canvas: the inside of an `<svg>`.
pub(super) fn canvas(draw: impl FnOnce(&Area<'_>) -> Drawn) -> String {
    let mut out = String::new();
    let area = Canvas::new(WIDTH, HEIGHT, &mut out).into_drawing_area();
    // The canvas takes everything; an error can only be of a plot without room, which has constant size.
    let drawn = draw(&area);
    drop(area);
    match drawn {
        Ok(()) => out,
        Err(_) => String::new(),
    }
}

/// The inside of the chart's `<svg>`; nothing when there is nothing to draw.
pub(super) fn drawing(chart: &Chart, course: &Course) -> String {
    canvas(|area| chart_on(area, chart, course))
}

fn chart_on(area: &Area<'_>, chart: &Chart, course: &Course) -> Drawn {
    let ticks = ticks(chart);
    let (Some(low), Some(high)) = (ticks.first(), ticks.last()) else {
        return Ok(());
    };
    let frame = Frame::PLOT;
    let mut builder = ChartBuilder::on(area);
    builder
        .margin_left(frame.left * FINE)
        .margin_right((WIDTH as i32 - frame.right) * FINE)
        .margin_top(frame.top * FINE)
        .margin_bottom((HEIGHT as i32 - frame.bottom) * FINE);
    let until_s = course.until_s.max(1e-3);
    let mut plot = builder.build_cartesian_2d(0.0..until_s, low.at..high.at)?;
    shades(area, &plot, course, (low.at, high.at))?;
    scale(area, &plot, &ticks, until_s)?;
    let mut ends = Vec::new();
    match &chart.marks {
        Marks::Lines(lines) => {
            for line in upwards(lines) {
                ends.extend(draw_line(&mut plot, line, chart.window_s, |v| v)?);
            }
        }
        Marks::Logarithmic(lines) => {
            for line in upwards(lines) {
                ends.extend(draw_line(&mut plot, line, chart.window_s, log)?);
            }
        }
        Marks::Stacked(layers) => stack(&mut plot, layers, chart.window_s)?,
        Marks::Heat(map) => {
            let hair = (high.at - low.at) * HAIR / f64::from(frame.bottom - frame.top);
            cells(&mut plot, map, chart.window_s, until_s, hair)?;
        }
    }
    // Long names stand in a key below.
    if chart.names_fit() {
        labels(area, &frame, ends)?;
    }
    Ok(())
}

/// The order in which `lines` are drawn. Where two coincide, the first of several alike is seen: a 99.9th percentile of
/// few requests is their 99th, and must not hide it. An area is told first, and lies beneath.
fn upwards(lines: &[Line]) -> Vec<&Line> {
    let alike = lines.iter().all(|line| matches!(line.ink, Ink::Series(_)));
    match alike {
        true => lines.iter().rev().collect(),
        false => lines.iter().collect(),
    }
}

fn log(value: f64) -> f64 {
    libm::log10(value.max(1e-6))
}

fn ticks(chart: &Chart) -> Vec<Tick> {
    let top = |max: f64| axis::linear(max.max(chart.at_least), chart.unit);
    match &chart.marks {
        Marks::Lines(lines) => top(lines.iter().map(Line::max).fold(0.0, f64::max)),
        Marks::Logarithmic(lines) => {
            let all = || lines.iter().flat_map(|line| finite(&line.values));
            let least = all().filter(|v| *v > 0.0).fold(f64::INFINITY, f64::min);
            let most = all().fold(0.0, f64::max);
            if least.is_finite() {
                axis::logarithmic(least, most, chart.unit)
            } else {
                top(0.0)
            }
        }
        Marks::Stacked(layers) => top(sums(layers).into_iter().fold(0.0, f64::max)),
        Marks::Heat(map) => match (map.floors_ms.first(), map.floors_ms.last()) {
            (Some(low), Some(high)) => axis::logarithmic(*low, *high, chart.unit),
            _ => Vec::new(),
        },
    }
}

/// What all layers come to, window by window.
fn sums(layers: &[Line]) -> Vec<f64> {
    let windows = layers.iter().map(|l| l.values.len()).max().unwrap_or(0);
    let of = |i: usize| {
        let parts = layers
            .iter()
            .filter_map(|l| l.values.get(i).copied().flatten());
        parts.filter(|v| v.is_finite()).sum()
    };
    (0..windows).map(of).collect()
}

/// A label in canvas points.
pub(super) fn write(area: &Area<'_>, ink: Ink, words: &str, (x, y): (i32, i32), at: HPos) -> Drawn {
    let (r, g, b) = ink.code();
    let color = RGBColor(r, g, b);
    let style = TextStyle::from(("sans-serif", 12).into_font())
        .color(&color)
        .pos(Pos::new(at, VPos::Bottom));
    area.draw_text(words, &style, (x, y))
}

pub(super) fn style(ink: Ink) -> ShapeStyle {
    let (r, g, b) = ink.code();
    ShapeStyle::from(&RGBColor(r, g, b))
}

/// The faults, from the bottom of the plot to its top, their names above.
fn shades<'a>(
    area: &Area<'a>,
    plot: &Plot<'a, '_>,
    course: &Course,
    (low, high): (f64, f64),
) -> Drawn {
    let mut names: Vec<(i32, &str)> = Vec::new();
    for shade in &course.shades {
        let begun = |[from, to]: &&[f64; 2]| *from < course.until_s && *to >= 0.0 && from <= to;
        for (i, [from, to]) in shade.spans.iter().filter(begun).take(SPANS_MAX).enumerate() {
            let (from, to) = (from.max(0.0), to.min(course.until_s));
            let (left, top) = plot.backend_coord(&(from, high));
            let (right, bottom) = plot.backend_coord(&(to, low));
            // A fault of an instant is still to be seen.
            let right = right.max(left + FINE);
            area.draw(&Rectangle::new(
                [(left, top), (right, bottom)],
                style(Ink::Fault).filled(),
            ))?;
            // The same fault again needs no name again: its colour is that of the first.
            if i == 0 && names.iter().all(|(_, name)| *name != shade.name) {
                names.push((left, &shade.name));
            }
        }
    }
    names.sort_unstable();
    names.truncate(NAMES_MAX);
    let frame = Frame::PLOT;
    for (i, (left, name)) in names.iter().enumerate() {
        let next = names
            .get(i + 1)
            .map_or(WIDTH as i32 * FINE, |(next, _)| *next);
        let Some(words) = fitting(&text::plain(name), (next - left) / FINE) else {
            continue;
        };
        write(
            area,
            Ink::FaultName,
            &words,
            (*left, (frame.top - 7) * FINE),
            HPos::Left,
        )?;
    }
    Ok(())
}

/// As much of `name` as has `room` in units before the next: all of it where it is narrow enough as it is, for most
/// letters are narrower than the widest.
fn fitting(name: &str, room: i32) -> Option<String> {
    let width: i32 = name.chars().map(breadth).sum();
    if width <= room * 2 {
        return Some(name.to_owned());
    }
    let characters = usize::try_from(room / CHARACTER).ok()?;
    (characters >= 4).then(|| shorten(name, characters))
}

/// Half units that a character takes at most in the fonts of pages at the size of labels, with a little between words.
const fn breadth(c: char) -> i32 {
    match c {
        'i' | 'j' | 'l' | 't' | 'f' | 'r' | ' ' | '.' | ',' | '-' | '1' | '/' | ':' => 10,
        'a'..='l' | 'n'..='v' | 'x'..='z' | '0'..='9' => 15,
        _ => 22,
    }
}

/// Both axes.
fn scale<'a>(area: &Area<'a>, plot: &Plot<'a, '_>, ticks: &[Tick], until_s: f64) -> Drawn {
    let frame = Frame::PLOT;
    let (left, right) = (frame.left * FINE, frame.right * FINE);
    for (i, tick) in ticks.iter().enumerate() {
        let (_, y) = plot.backend_coord(&(0.0, tick.at));
        let ink = if i == 0 { Ink::Axis } else { Ink::Grid };
        area.draw(&PathElement::new([(left, y), (right, y)], style(ink)))?;
    }
    let low = ticks.first().map_or(0.0, |tick| tick.at);
    let times = axis::time(until_s);
    for tick in &times {
        let (x, y) = plot.backend_coord(&(tick.at, low));
        area.draw(&PathElement::new(
            [(x, y), (x, y + 4 * FINE)],
            style(Ink::Axis),
        ))?;
    }
    // Many powers of ten: every other has its label.
    let every = ticks.len().div_ceil(6).max(1);
    for tick in ticks.iter().step_by(every) {
        let (_, y) = plot.backend_coord(&(0.0, tick.at));
        write(
            area,
            Ink::Label,
            &tick.label,
            (left - 7 * FINE, y + 4 * FINE),
            HPos::Right,
        )?;
    }
    for tick in &times {
        let (x, y) = plot.backend_coord(&(tick.at, low));
        write(
            area,
            Ink::Label,
            &tick.label,
            (x, y + 20 * FINE),
            HPos::Center,
        )?;
    }
    Ok(())
}

/// The end of a line, where its name is written.
pub(super) struct End {
    pub(super) y: i32,
    pub(super) ink: Ink,
    pub(super) name: String,
}

/// One line, broken where there was nothing to measure. Returns where it ends.
fn draw_line(
    plot: &mut Plot<'_, '_>,
    line: &Line,
    window_s: f64,
    height: impl Fn(f64) -> f64,
) -> Drawn<Option<End>> {
    let ink = match line.ink {
        Ink::Area(n) => Ink::Series(n),
        ink => ink,
    };
    let mut last = None;
    for run in runs(&line.values) {
        let points: Vec<(f64, f64)> = run
            .iter()
            .map(|(i, value)| ((*i as f64 + 0.5) * window_s, height(*value)))
            .collect();
        // A lone window is as wide as it lasts.
        let points = match points.as_slice() {
            [(x, y)] => vec![(x - window_s / 2.0, *y), (x + window_s / 2.0, *y)],
            _ => points,
        };
        last = points.last().copied().or(last);
        if let (Ink::Area(_), Some(first), Some(end)) = (line.ink, points.first(), points.last()) {
            let mut corners = vec![(first.0, 0.0)];
            corners.extend(&points);
            corners.push((end.0, 0.0));
            let area = std::iter::once(Polygon::new(corners, style(line.ink).filled()));
            plot.draw_series(area)?;
        }
        plot.draw_series(LineSeries::new(points, style(ink)))?;
    }
    Ok(last.map(|end| End {
        y: plot.backend_coord(&end).1,
        ink,
        name: line.name.clone(),
    }))
}

/// The stretches without a gap, each number with its window.
fn runs(values: &[Option<f64>]) -> Vec<Vec<(usize, f64)>> {
    let mut runs: Vec<Vec<(usize, f64)>> = Vec::new();
    let mut open = false;
    for (i, value) in values.iter().enumerate() {
        match value.filter(|v| v.is_finite()) {
            Some(value) if open => {
                if let Some(run) = runs.last_mut() {
                    run.push((i, value));
                }
            }
            Some(value) => runs.push(vec![(i, value)]),
            None => {}
        }
        open = value.is_some_and(f64::is_finite);
    }
    runs
}

/// Layers on top of each other, as steps: a window's share is the window's, not its neighbours'.
fn stack(plot: &mut Plot<'_, '_>, layers: &[Line], window_s: f64) -> Drawn {
    let windows = layers.iter().map(|l| l.values.len()).max().unwrap_or(0);
    let mut below = vec![0.0_f64; windows];
    for layer in layers {
        let value = |i: usize| {
            layer
                .values
                .get(i)
                .copied()
                .flatten()
                .unwrap_or(0.0)
                .max(0.0)
        };
        let above: Vec<f64> = below
            .iter()
            .enumerate()
            .map(|(i, b)| b + value(i))
            .collect();
        let ink = match layer.ink {
            Ink::Series(n) => Ink::Area(n),
            ink => ink,
        };
        // Only where it is more than nothing: a layer is many small shapes of one path.
        let mut i = 0;
        let mut shapes = Vec::new();
        while i < windows {
            let begin = i;
            while i < windows && above[i] > below[i] {
                i += 1;
            }
            if i > begin {
                shapes.push(band(&below[begin..i], &above[begin..i], begin, window_s));
            }
            i += usize::from(i == begin);
        }
        plot.draw_series(
            shapes
                .into_iter()
                .map(|corners| Polygon::new(corners, style(ink).filled())),
        )?;
        below = above;
    }
    Ok(())
}

/// The outline of a layer from window `begin` on.
fn band(below: &[f64], above: &[f64], begin: usize, window_s: f64) -> Vec<(f64, f64)> {
    let edge = |i: usize| (begin + i) as f64 * window_s;
    let upper = above
        .iter()
        .enumerate()
        .flat_map(|(i, y)| [(edge(i), *y), (edge(i + 1), *y)]);
    let lower = below
        .iter()
        .enumerate()
        .rev()
        .flat_map(|(i, y)| [(edge(i + 1), *y), (edge(i), *y)]);
    upper.chain(lower).collect()
}

/// The cells, each at least a `hair` high: where the longest latency hardly exceeds its bucket's floor, it is still seen.
fn cells(plot: &mut Plot<'_, '_>, map: &HeatMap, window_s: f64, until_s: f64, hair: f64) -> Drawn {
    let width_s = window_s * map.windows as f64;
    for level in 0..=Ink::HEAT_MAX {
        let mut rectangles = Vec::new();
        for (i, column) in map.columns.iter().enumerate() {
            let (from, to) = (i as f64 * width_s, ((i + 1) as f64 * width_s).min(until_s));
            for (bucket, _) in column
                .iter()
                .filter(|(_, n)| map.level(*n, Ink::HEAT_MAX) == level)
            {
                let low = log(map.floors_ms[*bucket]);
                let high = log(map.floors_ms[bucket + 1]).max(low + hair);
                if from < to {
                    rectangles.push(Rectangle::new(
                        [(from, high), (to, low)],
                        style(Ink::Heat(level)).filled(),
                    ));
                }
            }
        }
        plot.draw_series(rectangles)?;
    }
    Ok(())
}

/// Names at the ends of their lines, moved apart where they would cover each other.
pub(super) fn labels(area: &Area<'_>, frame: &Frame, mut ends: Vec<End>) -> Drawn {
    ends.sort_by_key(|end| end.y);
    let (top, bottom) = ((frame.top + 6) * FINE, (frame.bottom + 4) * FINE);
    let mut floor = top;
    let mut places: Vec<i32> = Vec::new();
    for end in &ends {
        let y = (end.y + 4 * FINE).max(floor);
        places.push(y);
        floor = y + LEADING * FINE;
    }
    let mut ceiling = bottom;
    for y in places.iter_mut().rev() {
        *y = (*y).min(ceiling);
        ceiling = *y - LEADING * FINE;
    }
    let room = usize::try_from((WIDTH as i32 - frame.right - 8) / CHARACTER).unwrap_or(0);
    for (end, y) in ends.iter().zip(places) {
        let words = shorten(&text::plain(&end.name), room);
        write(
            area,
            end.ink,
            &words,
            ((frame.right + 6) * FINE, y),
            HPos::Left,
        )?;
    }
    Ok(())
}

/// What the drawing shows, for those who cannot see it.
pub(super) fn told(chart: &Chart) -> String {
    let lines = match &chart.marks {
        Marks::Lines(lines) | Marks::Logarithmic(lines) | Marks::Stacked(lines) => lines,
        Marks::Heat(map) => {
            let low = map.floors_ms.first().copied().unwrap_or(0.0);
            let high = map.floors_ms.last().copied().unwrap_or(0.0);
            return format!(
                "Latencies within {} and {}.",
                unit::millis(low),
                unit::millis(high)
            );
        }
    };
    let line = |line: &Line| {
        let values = || finite(&line.values);
        let most = values().fold(f64::NEG_INFINITY, f64::max);
        let least = values().fold(f64::INFINITY, f64::min);
        if values().next().is_none() {
            return format!("{}: nothing.", text::plain(&line.name));
        }
        format!(
            "{}: from {} to {}.",
            text::plain(&line.name),
            unit::measured(least, chart.unit),
            unit::measured(most, chart.unit)
        )
    };
    lines.iter().map(line).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_cut_only_where_it_has_no_room() {
        // Ten letters at 7.5 units at most; eight units to a letter would leave room for nine.
        assert_eq!(fitting("flash sale", 75).as_deref(), Some("flash sale"));
        assert!(fitting("flash sale", 56).is_some_and(|told| told.contains('…')));
        assert_eq!(fitting("flash sale", 20), None);
    }

    #[test]
    fn the_first_of_lines_alike_is_drawn_last() {
        let line = |name: &str, ink| Line {
            ink,
            ..Line::new(name, 0, Vec::new())
        };
        let names = |lines: &[Line]| -> Vec<String> {
            upwards(lines).iter().map(|l| l.name.clone()).collect()
        };
        let quantiles = ["p99", "p99.9"].map(|name| line(name, Ink::Series(1)));
        assert_eq!(names(&quantiles), ["p99.9", "p99"]);
        let goodput = [
            line("goodput", Ink::Area(2)),
            line("offered", Ink::Reference),
        ];
        assert_eq!(names(&goodput), ["goodput", "offered"]);
    }
}
