//! Charts over the run's time: every chart of a screen has the same axis, so that what happened together stands
//! one above the other.

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::Canvas;
use crate::tui::film::{Film, Frame};
use crate::tui::state::{Action, State};
use crate::tui::text::clock;

/// Columns that fill an eighth of a cell each.
const EIGHTHS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// Columns in front of a chart that say what it is of.
pub(super) const LABELS: u16 = 18;

/// An axis of time, a column of the screen for each part.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    /// Beginning.
    pub(super) from: u64,
    /// End.
    pub(super) to: u64,
    /// Columns.
    pub(super) columns: u16,
    /// The instant that is looked at.
    pub(super) cursor: u64,
}

impl Axis {
    /// The stretch that is looked at, across `area` but for the labels in front.
    pub(super) fn across(area: Rect, state: &State) -> Self {
        let (from, to) = state.axis();
        Self {
            from,
            to,
            columns: area.width.saturating_sub(LABELS + 1),
            cursor: state.cursor,
        }
    }

    /// Where a column begins.
    pub(super) fn at(&self, column: u16) -> u64 {
        let part = u128::from(self.to - self.from) * u128::from(column);
        self.from + (part / u128::from(self.columns.max(1))) as u64
    }

    /// The column of an instant; `None` outside.
    pub(super) fn column(&self, at: u64) -> Option<u16> {
        if at < self.from || at > self.to || self.columns == 0 {
            return None;
        }
        let part = u128::from(at - self.from) * u128::from(self.columns);
        let column = part / u128::from((self.to - self.from).max(1));
        Some((column as u16).min(self.columns - 1))
    }

    /// The frames of each column; none where nothing has been recorded.
    pub(super) fn frames<'f>(&self, film: &'f Film) -> Vec<&'f [Frame]> {
        (0..self.columns)
            .map(|column| {
                let (from, to) = (
                    self.at(column),
                    self.at(column + 1).max(self.at(column) + 1),
                );
                film.frames_between(from, to)
            })
            .collect()
    }

    /// The columns in which a fault is at work.
    pub(super) fn shaded(&self, film: &Film) -> Vec<bool> {
        let mut shaded = vec![false; usize::from(self.columns)];
        for (_, from, to) in film.fault_spans() {
            for column in self.covered(from, to) {
                shaded[usize::from(column)] = true;
            }
        }
        shaded
    }

    /// The columns that a stretch of time covers.
    pub(super) fn covered(&self, from: u64, to: u64) -> std::ops::Range<u16> {
        if to < self.from || from > self.to {
            return 0..0;
        }
        let first = self.column(from.max(self.from)).unwrap_or(0);
        let last = self.column(to.min(self.to)).unwrap_or(0);
        first..(last + 1).min(self.columns)
    }
}

/// A number for each column, over each other what is shown in `area`.
pub(super) fn bars(
    canvas: &mut Canvas<'_>,
    area: Rect,
    axis: &Axis,
    values: &[Option<f64>],
    max: f64,
    shaded: &[bool],
    style: Style,
) {
    let theme = canvas.theme;
    for (column, value) in values.iter().enumerate().take(usize::from(area.width)) {
        let x = area.x + column as u16;
        let share = value.map_or(0.0, |value| if max > 0.0 { value / max } else { 0.0 });
        let mut eighths = (share.clamp(0.0, 1.0) * f64::from(area.height) * 8.0).round() as usize;
        if value.is_some_and(|value| value > 0.0) {
            eighths = eighths.max(1);
        }
        for row in 0..area.height {
            let y = area.bottom() - 1 - row;
            let filled = eighths.saturating_sub(usize::from(row) * 8).min(8);
            let cell = &mut canvas.buffer[(x, y)];
            match (filled, value, row) {
                (0, None, 0) => cell.set_symbol("·").set_style(theme.dim_style()),
                (0, ..) if shaded.get(column) == Some(&true) && !theme.has_color() => {
                    cell.set_symbol("░").set_style(theme.dim_style())
                }
                (filled, ..) => cell.set_symbol(EIGHTHS[filled]).set_style(style),
            };
            if shaded.get(column) == Some(&true) {
                cell.set_style(theme.shade_style());
            }
        }
    }
    mark(canvas, area, axis);
}

/// Shows where the cursor is.
pub(super) fn mark(canvas: &mut Canvas<'_>, area: Rect, axis: &Axis) {
    if let Some(column) = axis
        .column(axis.cursor)
        .filter(|column| *column < area.width)
    {
        let place = Rect {
            x: area.x + column,
            width: 1,
            ..area
        };
        for y in place.top()..place.bottom() {
            let cell = &mut canvas.buffer[(place.x, y)];
            if matches!(cell.symbol(), " " | "·" | "░") {
                cell.set_symbol("│");
            } else {
                let theme = canvas.theme;
                cell.set_style(theme.chosen_style());
            }
        }
    }
    for column in 0..axis.columns.min(area.width) {
        let place = Rect {
            x: area.x + column,
            width: 1,
            ..area
        };
        canvas.hit(place, Action::Seek(axis.at(column)));
    }
}

/// The axis' own line.
pub(super) fn ticks(canvas: &mut Canvas<'_>, area: Rect, axis: &Axis) -> Rect {
    let theme = canvas.theme;
    canvas.line(area, theme.dim(&"─".repeat(usize::from(area.width))));
    let step = nice((axis.to - axis.from) / u64::from((area.width / 14).max(1)));
    let mut at = axis.from.div_ceil(step) * step;
    while at <= axis.to {
        if let Some(column) = axis.column(at) {
            let text = short(at);
            let x = area.x + column;
            if x + (text.len() as u16) < area.right() && area.height > 0 {
                canvas
                    .buffer
                    .set_string(x, area.y, format!("┴{text}"), theme.dim_style());
            }
        }
        at += step;
    }
    mark(canvas, super::top(area, 1), axis);
    super::below(area, 1)
}

/// An instant without what is nought.
fn short(at: u64) -> String {
    let text = clock(at);
    match text.strip_suffix(".000") {
        Some(whole) if whole.contains(':') => whole.to_owned(),
        Some(whole) => format!("{whole}s"),
        None => format!("{}s", text.trim_end_matches('0')),
    }
}

/// The next round length of time.
fn nice(ns: u64) -> u64 {
    const MS: u64 = 1_000_000;
    let lengths = [
        1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000,
        120_000, 300_000, 600_000, 900_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000,
        43_200_000, 86_400_000,
    ];
    let fitting = lengths
        .iter()
        .map(|ms| ms * MS)
        .find(|length| *length >= ns);
    fitting.unwrap_or_else(|| ns.div_ceil(86_400_000 * MS).max(1) * 86_400_000 * MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_and_its_columns_agree() {
        let axis = Axis {
            from: 1_000,
            to: 11_000,
            columns: 10,
            cursor: 0,
        };
        for column in 0..10 {
            assert_eq!(axis.column(axis.at(column)), Some(column));
        }
        assert_eq!(axis.column(11_000), Some(9));
        assert_eq!((axis.column(999), axis.column(11_001)), (None, None));
        assert_eq!(axis.covered(0, 2_500), 0..2);
        assert_eq!(axis.covered(20_000, 30_000), 0..0);
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(nice(7_000_000_000), 10_000_000_000);
        assert_eq!(short(10_000_000_000), "10s");
        assert_eq!(short(90_000_000_000), "1:30");
        assert_eq!(short(500_000_000), "0.5s");
    }
}
