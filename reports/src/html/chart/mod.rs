//! Charts over time.
//!
//! A [`Chart`] says what is shown: series of numbers, one for each window of a run, and how to read them. [`figure`]
//! draws it with the faults shaded behind, beside a table of the same numbers: whoever cannot see the drawing reads
//! the table, and so does the page's script when it tells the numbers of an instant. Nothing is there twice.

mod against;
mod axis;
mod canvas;
mod draw;
mod figures;
mod heat;

use maud::{Markup, PreEscaped, html};

use crate::html::palette::Ink;
use crate::html::text;
use crate::record::{RunReport, Unit};

pub(crate) use against::{Curve, Mark, Plot, Scale, plot};
pub(crate) use heat::HeatMap;

/// Width of a drawing, in its own units.
pub(crate) const WIDTH: u32 = 560;
/// Height of a drawing.
pub(crate) const HEIGHT: u32 = 232;

/// A row of numbers over time.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// What they are of.
    pub(crate) name: String,
    /// How it is drawn.
    pub(crate) ink: Ink,
    /// A number for each window; `None` where there was nothing to measure.
    pub(crate) values: Vec<Option<f64>>,
}

impl Line {
    /// A line drawn as the `n`-th of several of a kind.
    pub(crate) fn new(name: impl Into<String>, n: usize, values: Vec<Option<f64>>) -> Self {
        let n = n % usize::from(Ink::SERIES);
        Self {
            name: name.into(),
            ink: Ink::Series(n as u8),
            values,
        }
    }

    /// Whether its name has room at its end.
    fn is_short(&self) -> bool {
        self.name.chars().count() <= 9
    }

    fn max(&self) -> f64 {
        finite(&self.values).fold(0.0, f64::max)
    }
}

fn finite(values: &[Option<f64>]) -> impl Iterator<Item = f64> + '_ {
    values.iter().flatten().copied().filter(|v| v.is_finite())
}

/// How the numbers are drawn.
#[derive(Clone, Debug)]
pub(crate) enum Marks {
    /// Lines on one scale; those in [`Ink::Area`] are filled down to 0.
    Lines(Vec<Line>),
    /// Lines on a scale of powers of ten.
    Logarithmic(Vec<Line>),
    /// Areas on top of each other, the first at the bottom.
    Stacked(Vec<Line>),
    /// How many requests took how long.
    Heat(HeatMap),
}

/// A chart over the time of a run.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    /// What is shown, in a few words.
    pub(crate) title: String,
    /// How to read it, and what is left out.
    pub(crate) about: String,
    /// The unit of every number in it.
    pub(crate) unit: Unit,
    /// The top of the scale is at least this.
    pub(crate) at_least: f64,
    /// Length of a window.
    pub(crate) window_s: f64,
    /// The numbers.
    pub(crate) marks: Marks,
}

impl Chart {
    /// Whether every line's name has room at its end.
    fn names_fit(&self) -> bool {
        match &self.marks {
            Marks::Lines(lines) | Marks::Logarithmic(lines) => lines.iter().all(Line::is_short),
            Marks::Stacked(_) | Marks::Heat(_) => false,
        }
    }
}

/// A fault behind the charts.
#[derive(Clone, Debug)]
pub(crate) struct Shade {
    /// Its name.
    pub(crate) name: String,
    /// When it was at work.
    pub(crate) spans: Vec<[f64; 2]>,
}

/// What all charts of a run share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Course {
    /// Length of the run.
    pub(crate) until_s: f64,
    /// Its faults.
    pub(crate) shades: Vec<Shade>,
}

impl Course {
    /// Of `report`: when each fault was at work as recorded, else from what the account of the fault says.
    pub(crate) fn of(report: &RunReport) -> Self {
        let known = report.detail.as_ref().map(|d| &d.fault_spans);
        let began = report.faults.iter().enumerate().filter(|(_, f)| f.began);
        let shades = began.map(|(i, fault)| {
            let spans = known.and_then(|all| all.get(i)).filter(|s| !s.is_empty());
            let over_s = fault.over_s.or(fault.for_s);
            let end_s = over_s.map_or(report.virtual_seconds, |over| fault.at_s + over);
            Shade {
                name: fault.name.clone(),
                spans: spans.cloned().unwrap_or_else(|| vec![[fault.at_s, end_s]]),
            }
        });
        Self {
            until_s: report.virtual_seconds,
            shades: shades.collect(),
        }
    }
}

/// `part` of `of`, window by window; `None` where there was nothing.
pub(crate) fn ratios(part: &[u64], of: &[u64]) -> Vec<Option<f64>> {
    let ratio = |(part, of): (&u64, &u64)| (*of > 0).then(|| *part as f64 / *of as f64);
    part.iter().zip(of).map(ratio).collect()
}

/// Where the time from 0 to `until_s` is marked, and with what words.
pub(crate) fn clock(until_s: f64) -> Vec<(f64, String)> {
    let ticks = axis::time(until_s).into_iter();
    ticks.map(|tick| (tick.at, tick.label)).collect()
}

/// The figure of `chart`, whose elements have ids that begin with `id`.
pub(crate) fn figure(id: &str, chart: &Chart, course: &Course) -> Markup {
    let (title, about) = (format!("{id}-title"), format!("{id}-about"));
    let drawing = draw::drawing(chart, course);
    let plot = draw::Frame::PLOT;
    let stacked = matches!(chart.marks, Marks::Stacked(_));
    let data_plot = format!("{} {} {}", plot.left, plot.right, course.until_s);
    html! {
        figure.chart id=(id) data-plot=(data_plot) data-window=(chart.window_s) {
            figcaption {
                span.what { (text::name(&chart.title)) }
                @if !chart.about.is_empty() { span.how { (text::said(&chart.about)) } }
            }
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) class=[stacked.then_some("stack")] role="img" aria-labelledby=(title) aria-describedby=(about) {
                title id=(title) { (text::plain(&chart.title)) }
                desc id=(about) { (draw::told(chart)) }
                (PreEscaped(drawing))
            }
            (figures::legend(chart))
            (figures::table(chart))
        }
    }
}
