//! Measures against a setting: means over the seeds, and how far they spread.

use maud::{Markup, html};

use super::points::{Points, Sum};
use crate::html::chart::{self, Curve, Plot, Scale};
use crate::html::text;
use crate::summary::unit;

/// Lines in one plot: values of the second setting.
const LINES_MAX: usize = 6;
/// Plots.
const PLOTS_MAX: usize = 8;

pub(super) fn body(points: &Points) -> Markup {
    let varied = points.varied();
    let Some((x, rest)) = varied.split_first() else {
        return html! {};
    };
    let drawn = points.measures.iter().enumerate().take(PLOTS_MAX);
    let plots: Vec<Plot> = drawn
        .filter_map(|(m, _)| plot(points, m, *x, rest))
        .collect();
    let what = &points.axes[*x];
    html! {
        @if !plots.is_empty() {
            p.faint {
                "Each against " (text::name(what.name())) ". "
                @match rest {
                    [] => { "The line is the mean over the seeds, the band behind it goes from the least to the greatest." }
                    [y] => { "One line for each value of " (text::name(points.axes[*y].name())) ": means over the seeds." }
                    [y, ..] => { "One line for each value of " (text::name(points.axes[*y].name())) ": means over the seeds and over all further settings." }
                }
            }
            div.plots { @for (i, plot) in plots.iter().enumerate() { (chart::plot(&format!("measure-{i}"), plot)) } }
        }
    }
}

/// A measure as lines; `None` when there was nothing to measure.
fn plot(points: &Points, measure: usize, x: usize, rest: &[usize]) -> Option<Plot> {
    let across = &points.axes[x];
    let places = across.places();
    let of = &points.measures[measure];
    let values: Vec<Option<usize>> = match rest.first() {
        None => vec![None],
        Some(y) => points.axes[*y].ascending().into_iter().map(Some).collect(),
    };
    let shown = values.iter().take(LINES_MAX).zip(0_u8..);
    let curves: Vec<Curve> = shown
        .map(|(value, number)| {
            let here = |i: usize| -> Vec<&Sum> {
                let line = |at: &[usize]| match (rest.first(), value) {
                    (Some(y), Some(value)) => at[*y] == *value,
                    _ => true,
                };
                let all = points.all.iter().filter(|(at, _)| at[x] == i && line(at));
                all.filter_map(|(_, point)| point.sums.get(measure))
                    .collect()
            };
            let mut spread = Vec::new();
            for i in across.ascending() {
                if let Some((least, mean, most)) = together(&here(i)) {
                    spread.push((places[i], least, mean, most));
                }
            }
            let name = match (rest.first(), value) {
                (Some(y), Some(value)) => points.axes[*y].labels()[*value].clone(),
                _ => "mean".into(),
            };
            Curve {
                name,
                number,
                points: spread.iter().map(|(x, _, mean, _)| (*x, *mean)).collect(),
                spread: match rest {
                    [] => spread
                        .iter()
                        .map(|(x, low, _, high)| (*x, *low, *high))
                        .collect(),
                    _ => Vec::new(),
                },
                dots: true,
            }
        })
        .collect();
    let top = |curve: &Curve| {
        let means = curve.points.iter().map(|(_, y)| *y);
        let most = curve.spread.iter().map(|(_, _, high)| *high);
        means.chain(most).fold(0.0, f64::max)
    };
    if curves.iter().all(|curve| curve.points.is_empty()) {
        return None;
    }
    let told: Vec<String> = curves.iter().map(|curve| ends(curve, of.unit)).collect();
    let more = match values.len().saturating_sub(LINES_MAX) {
        0 => String::new(),
        n => format!("The first {LINES_MAX} values are drawn; {n} more are in the table."),
    };
    Some(Plot {
        title: of.name.clone(),
        about: more,
        told: told.join(" "),
        across: super::map::scale(across),
        up: Scale::measure("", curves.iter().map(top).fold(0.0, f64::max), of.unit),
        curves,
        marks: Vec::new(),
    })
}

/// Least, mean and greatest of several sums.
fn together(sums: &[&Sum]) -> Option<(f64, f64, f64)> {
    let all: Vec<(f64, f64, f64)> = sums.iter().filter_map(|sum| sum.spread()).collect();
    let n = all.len() as f64;
    (!all.is_empty()).then(|| {
        (
            all.iter()
                .map(|(low, ..)| *low)
                .fold(f64::INFINITY, f64::min),
            all.iter().map(|(_, mean, _)| mean).sum::<f64>() / n,
            all.iter()
                .map(|(.., high)| *high)
                .fold(f64::NEG_INFINITY, f64::max),
        )
    })
}

fn ends(curve: &Curve, of: crate::record::Unit) -> String {
    match (curve.points.first(), curve.points.last()) {
        (Some((_, first)), Some((_, last))) => format!(
            "{}: from {} to {}.",
            curve.name,
            unit::measured(*first, of),
            unit::measured(*last, of)
        ),
        _ => format!("{}: nothing.", curve.name),
    }
}
