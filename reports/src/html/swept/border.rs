//! The border between what is stable and what is not, and on which side of it stability lies.
//!
//! More load breaks a mesh and more workers mend it, so the stable side of a border may be below it or above. With
//! some settings it is neither: a retry budget can be too small and too large. Then there is no line with one side,
//! and the stable parts are drawn as what they are.

use super::points::{Axis, Point, State};

/// On which side of one line every map is stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Up to the line.
    Below,
    /// From the line up.
    Above,
    /// There is no such line.
    Parts,
}

/// One value across: its points upwards, and which stretches of them are stable.
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// The values upwards that were run, from the least.
    rows: Vec<usize>,
    /// The stable stretches of `rows`, first and last.
    stable: Vec<(usize, usize)>,
}

impl Column {
    /// Of the points of a column, which `at` knows by their value upwards.
    pub(super) fn new<'a>(up: &Axis, at: impl Fn(usize) -> Option<&'a Point>) -> Self {
        let mut column = Self {
            rows: Vec::new(),
            stable: Vec::new(),
        };
        for row in up.ascending() {
            let Some(point) = at(row) else {
                continue;
            };
            let here = column.rows.len();
            column.rows.push(row);
            if point.state() != State::Stable {
                continue;
            }
            match column.stable.last_mut() {
                Some((_, last)) if *last + 1 == here => *last = here,
                _ => column.stable.push((here, here)),
            }
        }
        column
    }

    /// Whether nothing was run in it.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn fits(&self, side: Side) -> bool {
        match (self.stable.as_slice(), side) {
            ([], _) => true,
            ([(first, _)], Side::Below) => *first == 0,
            ([(_, last)], Side::Above) => *last + 1 == self.rows.len(),
            _ => false,
        }
    }

    /// Half way down from the `i`-th point to the one below it.
    fn under(&self, i: usize, heights: &[f64]) -> f64 {
        let at = |i: usize| heights[self.rows[i]];
        match (i, self.rows.len()) {
            (0, 0..=1) => at(0) - 0.5,
            (0, _) => at(0) - (at(1) - at(0)) / 2.0,
            (i, _) => f64::midpoint(at(i - 1), at(i)),
        }
    }

    /// Half way up from the `i`-th point to the one above it.
    fn over(&self, i: usize, heights: &[f64]) -> f64 {
        let at = |i: usize| heights[self.rows[i]];
        match (i + 1 < self.rows.len(), i) {
            (true, _) => f64::midpoint(at(i), at(i + 1)),
            (false, 0) => at(0) + 0.5,
            (false, i) => at(i) + (at(i) - at(i - 1)) / 2.0,
        }
    }

    /// How high the line runs here that has what is stable on its `side`; `None` where nothing was run.
    pub(super) fn height(&self, side: Side, heights: &[f64]) -> Option<f64> {
        let last = self.rows.len().checked_sub(1)?;
        Some(match (side, self.stable.first()) {
            (Side::Above, Some((first, _))) => self.under(*first, heights),
            (Side::Above, None) => self.over(last, heights),
            (_, Some((_, last))) => self.over(*last, heights),
            (_, None) => self.under(0, heights),
        })
    }

    /// The stable stretches, from the lower end of each to its upper one.
    pub(super) fn parts(&self, heights: &[f64]) -> Vec<(f64, f64)> {
        let ends = |(first, last): &(usize, usize)| {
            (self.under(*first, heights), self.over(*last, heights))
        };
        self.stable.iter().map(ends).collect()
    }

    /// Where it is stable, in words.
    pub(super) fn told(&self, side: Side, up: &Axis) -> String {
        let name = |i: usize| &up.values[self.rows[i]];
        let top = self.rows.len().saturating_sub(1);
        let part = |(first, last): &(usize, usize)| match (*first, *last) {
            (0, last) if last == top && side == Side::Parts => "everywhere".to_owned(),
            (first, last) if last == top && (side == Side::Above || first > 0) => {
                format!("from {} up", name(first))
            }
            (0, last) => format!("up to {}", name(last)),
            (first, last) if first == last => format!("at {}", name(first)),
            (first, last) => format!("from {} to {}", name(first), name(last)),
        };
        match self.stable.as_slice() {
            [] => "nowhere stable".into(),
            all => {
                let parts: Vec<String> = all.iter().map(part).collect();
                format!("stable {}", parts.join(" and "))
            }
        }
    }
}

/// The side of one line on which all of `columns` are stable; below it where both would do.
pub(super) fn side<'a>(mut columns: impl Iterator<Item = &'a Column> + Clone) -> Side {
    if columns.clone().all(|column| column.fits(Side::Below)) {
        return Side::Below;
    }
    match columns.all(|column| column.fits(Side::Above)) {
        true => Side::Above,
        false => Side::Parts,
    }
}

/// From where to where each value of `across` reaches: half way to its neighbours.
pub(super) fn widths(across: &Axis) -> Vec<(f64, f64)> {
    let places = across.places();
    let order = across.ascending();
    let mut widths = vec![(0.0, 0.0); places.len()];
    for (i, value) in order.iter().enumerate() {
        let here = places[*value];
        let half = |other: Option<&usize>| other.map(|other| (places[*other] - here).abs() / 2.0);
        let (left, right) = (
            half(i.checked_sub(1).and_then(|i| order.get(i))),
            half(order.get(i + 1)),
        );
        let left_s = left.or(right).unwrap_or(0.5);
        let right_s = right.or(left).unwrap_or(0.5);
        widths[*value] = (here - left_s, here + right_s);
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis() -> Axis {
        Axis {
            path: "workers".into(),
            values: ["1", "2", "4", "8"].map(str::to_owned).into(),
        }
    }

    /// A column whose points are stable where there is a `+`; a blank was not run.
    fn column(states: &str) -> Column {
        let points: Vec<Option<Point>> = states
            .chars()
            .map(|sign| match sign {
                ' ' => None,
                sign => {
                    let mut point = Point::default();
                    (point.judged, point.held) = (1, u64::from(sign == '+'));
                    Some(point)
                }
            })
            .collect();
        Column::new(&axis(), |row| points[row].as_ref())
    }

    fn told(columns: &[&str]) -> (Side, Vec<String>) {
        let columns: Vec<Column> = columns.iter().map(|states| column(states)).collect();
        let side = side(columns.iter());
        let words = columns.iter().map(|column| column.told(side, &axis()));
        (side, words.collect())
    }

    #[test]
    fn the_stable_side_is_the_one_that_is_told() {
        assert_eq!(
            told(&["++--", "----", "++++"]),
            (
                Side::Below,
                ["stable up to 2", "nowhere stable", "stable up to 8"]
                    .map(str::to_owned)
                    .into()
            )
        );
        assert_eq!(
            told(&["--++", "----", "+++ "]),
            (
                Side::Above,
                ["stable from 4 up", "nowhere stable", "stable from 1 up"]
                    .map(str::to_owned)
                    .into()
            )
        );
        assert_eq!(
            told(&["-++-", "+-+-", "++++", "-+-+"]),
            (
                Side::Parts,
                [
                    "stable from 2 to 4",
                    "stable up to 1 and at 4",
                    "stable everywhere",
                    "stable at 2 and from 8 up"
                ]
                .map(str::to_owned)
                .into()
            )
        );
    }

    #[test]
    fn the_line_runs_between_what_is_stable_and_what_is_not() {
        let heights = axis().places();
        let at = |states, side| column(states).height(side, &heights);
        assert_eq!(at("--++", Side::Above), Some(3.0));
        assert_eq!(at("----", Side::Above), Some(10.0), "over all of them");
        assert_eq!(at("++++", Side::Above), Some(0.5), "under all of them");
        assert_eq!(at("++--", Side::Below), Some(3.0));
        assert_eq!(at("----", Side::Below), Some(0.5));
        assert_eq!(at("    ", Side::Below), None);
        assert_eq!(column("-+-+").parts(&heights), [(1.5, 3.0), (6.0, 10.0)]);
    }

    #[test]
    fn values_reach_half_way_to_their_neighbours() {
        let expected = [(0.5, 1.5), (1.5, 3.0), (3.0, 6.0), (6.0, 10.0)];
        assert_eq!(widths(&axis()), expected);
    }
}
