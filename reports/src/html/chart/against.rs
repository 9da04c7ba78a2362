//! Plots of one thing against another that is not time: a measure against a setting, a border between two settings.

use maud::{Markup, PreEscaped, html};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::axis::{self, Tick};
use super::canvas::FINE;
use super::draw::{self, Area, Drawn, End, Frame, labels, style, write};
use super::{HEIGHT, WIDTH};
use crate::html::palette::Ink;
use crate::html::text;
use crate::record::Unit;
use crate::summary::paint::shorten;

/// Ticks across that have a label.
const LABELS_MAX: usize = 7;
/// Characters of a label across.
const LABEL_MAX: usize = 10;
/// Radius of a dot, in units.
const DOT: i32 = 3;

/// One axis.
#[derive(Clone, Debug)]
pub(crate) struct Scale {
    ticks: Vec<Tick>,
    low: f64,
    high: f64,
    title: String,
}

impl Scale {
    /// Of a measure from 0 to at least `max`.
    pub(crate) fn measure(title: &str, max: f64, unit: Unit) -> Self {
        let ticks = axis::linear(max, unit);
        Self {
            low: 0.0,
            high: ticks.last().map_or(1.0, |tick| tick.at),
            ticks,
            title: title.into(),
        }
    }

    /// Of the values of a setting: where each lies, and what stands there.
    pub(crate) fn setting(title: &str, values: impl IntoIterator<Item = (f64, String)>) -> Self {
        let ticks: Vec<Tick> = values
            .into_iter()
            .map(|(at, label)| Tick { at, label })
            .collect();
        let low = ticks.iter().map(|t| t.at).fold(f64::INFINITY, f64::min);
        let high = ticks.iter().map(|t| t.at).fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = match low.is_finite() && high.is_finite() {
            true => (low, high),
            false => (0.0, 1.0),
        };
        // A hair of room on both sides: the first value is not the axis.
        let room = ((high - low) * 0.06).max(1e-9);
        Self {
            ticks,
            low: low - room,
            high: high + room,
            title: title.into(),
        }
    }

    /// With more room on both sides, as a share of what there is.
    #[must_use]
    pub(crate) fn with_room(mut self, share: f64) -> Self {
        let room = (self.high - self.low) * share;
        self.low -= room;
        self.high += room;
        self
    }

    /// What lies within.
    pub(crate) const fn range(&self) -> (f64, f64) {
        (self.low, self.high)
    }
}

/// A line.
#[derive(Clone, Debug)]
pub(crate) struct Curve {
    /// What it is of.
    pub(crate) name: String,
    /// Which of several it is.
    pub(crate) number: u8,
    /// Where it goes.
    pub(crate) points: Vec<(f64, f64)>,
    /// How far the values spread about it: place, least, greatest.
    pub(crate) spread: Vec<(f64, f64, f64)>,
    /// Whether its points are dots: they are what was measured.
    pub(crate) dots: bool,
}

/// A sign at a place.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    /// Where.
    pub(crate) at: (f64, f64),
    /// Which of [`Ink::STATES`].
    pub(crate) state: u8,
    /// The sign.
    pub(crate) sign: &'static str,
}

/// A plot.
#[derive(Clone, Debug)]
pub(crate) struct Plot {
    /// What is shown, in a few words.
    pub(crate) title: String,
    /// How to read it.
    pub(crate) about: String,
    /// What it shows, for those who cannot see it.
    pub(crate) told: String,
    /// Across.
    pub(crate) across: Scale,
    /// Upwards.
    pub(crate) up: Scale,
    /// The lines.
    pub(crate) curves: Vec<Curve>,
    /// Signs over them.
    pub(crate) marks: Vec<Mark>,
}

const FRAME: Frame = Frame {
    left: 76,
    right: WIDTH as i32 - 82,
    top: 24,
    bottom: HEIGHT as i32 - 46,
};

/// The figure of `plot`, whose elements have ids that begin with `id`.
pub(crate) fn plot(id: &str, plot: &Plot) -> Markup {
    let (title, about) = (format!("{id}-title"), format!("{id}-about"));
    let long = plot.curves.iter().any(|c| c.name.chars().count() > 9);
    html! {
        figure.plot id=(id) {
            figcaption {
                span.what { (text::name(&plot.title)) }
                @if !plot.about.is_empty() { span.how { (text::said(&plot.about)) } }
            }
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-labelledby=(title) aria-describedby=(about) {
                title id=(title) { (text::plain(&plot.title)) }
                desc id=(about) { (text::description(&plot.told)) }
                (PreEscaped(draw::canvas(|area| draw_on(area, plot, !long))))
            }
            @if long && !plot.curves.is_empty() {
                ul.legend {
                    @for curve in &plot.curves {
                        li { span class=(format!("key {}", Ink::Series(curve.number).name())) {} (text::name(&curve.name)) }
                    }
                }
            }
        }
    }
}

fn draw_on(area: &Area<'_>, plot: &Plot, named: bool) -> Drawn {
    let (across, up) = (plot.across.range(), plot.up.range());
    let at = |(x, y): (f64, f64)| place((across, up), (x, y));
    grid(area, plot, &at)?;
    for curve in &plot.curves {
        let Some((first, _, _)) = curve.spread.first() else {
            continue;
        };
        let mut corners: Vec<(i32, i32)> = curve
            .spread
            .iter()
            .map(|(x, low, _)| at((*x, *low)))
            .collect();
        corners.extend(
            curve
                .spread
                .iter()
                .rev()
                .map(|(x, _, high)| at((*x, *high))),
        );
        if first.is_finite() && curve.spread.len() > 1 {
            area.draw(&Polygon::new(
                corners,
                style(Ink::Area(curve.number)).filled(),
            ))?;
        }
    }
    let mut ends = Vec::new();
    for curve in &plot.curves {
        let ink = Ink::Series(curve.number);
        let points: Vec<(i32, i32)> = curve.points.iter().map(|point| at(*point)).collect();
        if let Some((_, y)) = points.last() {
            ends.push(End {
                y: *y,
                ink,
                name: curve.name.clone(),
            });
        }
        if curve.dots {
            for point in &points {
                area.draw(&Circle::new(*point, DOT * FINE, style(ink).filled()))?;
            }
        }
        area.draw(&PathElement::new(points, style(ink)))?;
    }
    for mark in &plot.marks {
        let (x, y) = at(mark.at);
        write(
            area,
            Ink::State(mark.state),
            mark.sign,
            (x, y + 5 * FINE),
            HPos::Center,
        )?;
    }
    if named {
        labels(area, &FRAME, ends)?;
    }
    Ok(())
}

/// Where a point lies on the canvas.
fn place(((x0, x1), (y0, y1)): ((f64, f64), (f64, f64)), (x, y): (f64, f64)) -> (i32, i32) {
    let share = |v: f64, low: f64, high: f64| match high > low {
        true => ((v - low) / (high - low)).clamp(0.0, 1.0),
        false => 0.5,
    };
    let width = f64::from((FRAME.right - FRAME.left) * FINE);
    let height = f64::from((FRAME.bottom - FRAME.top) * FINE);
    (
        FRAME.left * FINE + (share(x, x0, x1) * width).round() as i32,
        FRAME.bottom * FINE - (share(y, y0, y1) * height).round() as i32,
    )
}

fn grid(area: &Area<'_>, plot: &Plot, at: &impl Fn((f64, f64)) -> (i32, i32)) -> Drawn {
    let (left, right) = (FRAME.left * FINE, FRAME.right * FINE);
    let bottom = FRAME.bottom * FINE;
    let every = plot.up.ticks.len().div_ceil(LABELS_MAX).max(1);
    for tick in plot.up.ticks.iter().step_by(every) {
        let (_, y) = at((plot.across.low, tick.at));
        area.draw(&PathElement::new([(left, y), (right, y)], style(Ink::Grid)))?;
        let words = shorten(&text::plain(&tick.label), LABEL_MAX);
        write(
            area,
            Ink::Label,
            &words,
            (left - 7 * FINE, y + 4 * FINE),
            HPos::Right,
        )?;
    }
    area.draw(&PathElement::new(
        [(left, bottom), (right, bottom)],
        style(Ink::Axis),
    ))?;
    let every = plot.across.ticks.len().div_ceil(LABELS_MAX).max(1);
    for tick in plot.across.ticks.iter().step_by(every) {
        let (x, _) = at((tick.at, plot.up.low));
        area.draw(&PathElement::new(
            [(x, bottom), (x, bottom + 4 * FINE)],
            style(Ink::Axis),
        ))?;
        let words = shorten(&text::plain(&tick.label), LABEL_MAX);
        write(
            area,
            Ink::Label,
            &words,
            (x, bottom + 19 * FINE),
            HPos::Center,
        )?;
    }
    let title = |words: &str| shorten(&text::plain(words), 40);
    let middle = i32::midpoint(left, right);
    write(
        area,
        Ink::Label,
        &title(&plot.across.title),
        (middle, bottom + 38 * FINE),
        HPos::Center,
    )?;
    write(
        area,
        Ink::Label,
        &title(&plot.up.title),
        (0, (FRAME.top - 9) * FINE),
        HPos::Left,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Plot {
        Plot {
            title: "success".into(),
            about: String::new(),
            told: "from 0 to 1".into(),
            across: Scale::setting("rate", [(1.0, "1/s".into()), (3.0, "3/s".into())]),
            up: Scale::measure("", 1.0, Unit::Ratio),
            curves: vec![Curve {
                name: "s".into(),
                number: 0,
                points: vec![(1.0, 1.0), (3.0, 0.0)],
                spread: vec![(1.0, 0.9, 1.0), (3.0, 0.0, 0.1)],
                dots: true,
            }],
            marks: vec![Mark {
                at: (1.0, 1.0),
                state: 0,
                sign: "●",
            }],
        }
    }

    #[test]
    fn ends_of_the_scales_are_ends_of_the_frame() {
        let scales = ((0.0, 10.0), (0.0, 1.0));
        assert_eq!(
            place(scales, (0.0, 0.0)),
            (FRAME.left * FINE, FRAME.bottom * FINE)
        );
        assert_eq!(
            place(scales, (10.0, 1.0)),
            (FRAME.right * FINE, FRAME.top * FINE)
        );
        assert_eq!(
            place(scales, (1e300, f64::NAN)).0,
            FRAME.right * FINE,
            "nothing leaves it"
        );
    }

    #[test]
    fn a_plot_has_its_line_its_spread_and_its_signs() {
        let page = plot("p", &sample()).into_string();
        for part in [
            r#"class="f a0""#,
            r#"class="l s0""#,
            r#"<text class="stable""#,
            ">3/s<",
            ">rate<",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }

    #[test]
    fn a_plot_of_nothing_is_drawn_too() {
        let nothing = Plot {
            across: Scale::setting("", []),
            curves: Vec::new(),
            marks: Vec::new(),
            ..sample()
        };
        assert!(plot("p", &nothing).into_string().contains("<svg"));
    }
}
