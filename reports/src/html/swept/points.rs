//! The points of a sweep: what the seeds of each combination of settings say together.

use indexmap::IndexMap;

use crate::record::Unit;
use crate::sweep::{Cell, Column, short};

/// What becomes of the mesh at a point, over all seeds. *Stable*, *vulnerable* and *metastable* are as in Bronson et al.,
/// "Metastable Failures in Distributed Systems" (HotOS 2021), and Huang et al., "Metastable Failures in the Wild" (OSDI
/// 2022): in a vulnerable state a trigger can bring about what lasts, and here some seeds' did. A demand that some seeds
/// miss, while nothing lasts, is no such thing. Nor is a slow way back: what comes back by itself, however late, is
/// stable by that word; how late tells the measure `recovery`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Every seed held.
    Stable,
    /// Some seeds held and some did not; none was metastable.
    Mixed,
    /// Some seeds held, and with some the overload outlived its cause.
    Vulnerable,
    /// No seed held, and with at least one the overload outlived its cause.
    Metastable,
    /// No seed held; none was metastable.
    Failing,
    /// Nothing was judged.
    Unknown,
}

impl State {
    pub(super) const ALL: [Self; 6] = [
        Self::Stable,
        Self::Mixed,
        Self::Vulnerable,
        Self::Metastable,
        Self::Failing,
        Self::Unknown,
    ];

    /// Its place in [`State::ALL`], and in [`Ink::STATES`](crate::html::palette::Ink::STATES).
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Stable => 0,
            Self::Mixed => 1,
            Self::Vulnerable => 2,
            Self::Metastable => 3,
            Self::Failing => 4,
            Self::Unknown => 5,
        }
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Mixed => "mixed",
            Self::Vulnerable => "vulnerable",
            Self::Metastable => "metastable",
            Self::Failing => "fails",
            Self::Unknown => "unknown",
        }
    }

    /// Its word after so many points.
    pub(super) const fn of(self, n: usize) -> &'static str {
        match (self, n) {
            (Self::Failing, 2..) => "fail",
            _ => self.word(),
        }
    }

    /// A sign that tells it from the others without its colour.
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Stable => "●",
            Self::Mixed => "◇",
            Self::Vulnerable => "◐",
            Self::Metastable => "■",
            Self::Failing => "✕",
            Self::Unknown => "?",
        }
    }

    /// What it means.
    pub(super) const fn meaning(self) -> &'static str {
        match self {
            Self::Stable => "every seed held.",
            Self::Mixed => {
                "some seeds held and some missed a demand: chance decides. None was metastable."
            }
            Self::Vulnerable => {
                "some seeds held, and with some the overload outlived the trigger that caused it: it takes the wrong moment."
            }
            Self::Metastable => {
                "no seed held, and with at least one the overload outlived the trigger that caused it."
            }
            Self::Failing => {
                "no seed held, and none was metastable: a demand was missed, and that is all."
            }
            Self::Unknown => "no run came to a verdict.",
        }
    }
}

/// A setting.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    /// Its path.
    pub(super) path: String,
    /// Its values, in the order in which they came.
    pub(super) values: Vec<String>,
}

impl Axis {
    /// The end of its path, by which people know it.
    pub(super) fn name(&self) -> &str {
        short(&self.path)
    }

    /// What its values are called where room is scarce: without what all of them begin and end with, such as the
    /// distribution of a rate.
    pub(super) fn labels(&self) -> Vec<String> {
        let inside = |value: &String| {
            let (head, rest) = value.split_once('(')?;
            Some((head.to_owned(), rest.strip_suffix(')')?.to_owned()))
        };
        let all: Option<Vec<(String, String)>> = self.values.iter().map(inside).collect();
        match all {
            Some(all) if all.windows(2).all(|pair| pair[0].0 == pair[1].0) => {
                all.into_iter().map(|(_, inside)| inside).collect()
            }
            _ => self.values.clone(),
        }
    }

    /// Where each value lies: by its number where all have one, else one after the other.
    pub(super) fn places(&self) -> Vec<f64> {
        let numbers: Option<Vec<f64>> = self.values.iter().map(|v| number(v)).collect();
        let Some(numbers) = numbers.filter(|all| distinct(all)) else {
            return (0..self.values.len()).map(|i| i as f64).collect();
        };
        let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
        let most = numbers.iter().copied().fold(0.0, f64::max);
        // Values over orders of magnitude were meant to be multiples of each other.
        match least > 0.0 && most / least > 30.0 {
            true => numbers.into_iter().map(libm::log10).collect(),
            false => numbers,
        }
    }

    /// Its values' numbers, from the least to the greatest.
    pub(super) fn ascending(&self) -> Vec<usize> {
        let places = self.places();
        let mut order: Vec<usize> = (0..places.len()).collect();
        order.sort_by(|a, b| places[*a].total_cmp(&places[*b]));
        order
    }
}

fn distinct(numbers: &[f64]) -> bool {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.windows(2).all(|pair| pair[0] < pair[1])
}

/// The first number in `text`, in seconds where it is a duration: `poisson(120/s)` is 120, `500ms` is 0.5.
fn number(text: &str) -> Option<f64> {
    let begin = text.find(|c: char| c.is_ascii_digit())?;
    let rest = &text[begin..];
    let end = rest
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(rest.len());
    let value: f64 = rest[..end].trim_end_matches('.').parse().ok()?;
    let unit: String = rest[end..]
        .chars()
        .take_while(|c| c.is_alphabetic())
        .collect();
    let scale = match unit.as_str() {
        "ns" => 1e-9,
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "m" | "min" => 60.0,
        "h" => 3_600.0,
        "KiB" => 1_024.0,
        "MiB" => 1_048_576.0,
        _ => 1.0,
    };
    (value * scale).is_finite().then_some(value * scale)
}

/// A measure that is told of each point.
#[derive(Clone, Debug)]
pub(super) struct Measure {
    pub(super) name: String,
    pub(super) unit: Unit,
    column: usize,
}

/// What a measure came to over the seeds of a point.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    sum: f64,
    count: u64,
    least: f64,
    most: f64,
}

impl Sum {
    fn add(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        let first = self.count == 0;
        self.least = if first { value } else { self.least.min(value) };
        self.most = if first { value } else { self.most.max(value) };
        self.sum += value;
        self.count += 1;
    }

    /// The mean; `None` when there was nothing to measure.
    pub(super) fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    /// Least, mean and greatest.
    pub(super) fn spread(&self) -> Option<(f64, f64, f64)> {
        Some((self.least, self.mean()?, self.most))
    }
}

/// A combination of settings.
#[derive(Clone, Debug, Default)]
pub(super) struct Point {
    pub(super) seeds: u64,
    pub(super) held: u64,
    metastable: u64,
    pub(super) judged: u64,
    pub(super) sums: Vec<Sum>,
}

impl Point {
    pub(super) fn state(&self) -> State {
        match (self.judged, self.held) {
            (0, _) => State::Unknown,
            (all, held) if held == all => State::Stable,
            (_, 0) if self.metastable > 0 => State::Metastable,
            (_, 0) => State::Failing,
            _ if self.metastable > 0 => State::Vulnerable,
            _ => State::Mixed,
        }
    }
}

/// A sweep, summed up point by point while its rows go by: none is kept.
#[derive(Clone, Debug)]
pub(super) struct Points {
    pub(super) axes: Vec<Axis>,
    pub(super) measures: Vec<Measure>,
    /// By the numbers of the settings' values.
    pub(super) all: IndexMap<Vec<usize>, Point>,
    verdict: Option<usize>,
    /// Runs that broke, or were ended early.
    pub(super) broken: u64,
}

/// Measures told, by how their columns end.
const MEASURES: [(&str, Unit); 6] = [
    ("success", Unit::Ratio),
    ("recovery_ms", Unit::Ms),
    ("goodput_rps", Unit::PerSecond),
    ("attempts_per_request", Unit::Number),
    ("p50_ms", Unit::Ms),
    ("p99_ms", Unit::Ms),
];
/// Measures told at most.
const MEASURES_MAX: usize = 12;

impl Points {
    /// For rows with these columns: settings, then the seed, then what was measured.
    pub(super) fn new(columns: &[Column]) -> Self {
        let at = |name: &str| columns.iter().position(|column| column.name == name);
        let settings = at("seed").unwrap_or(0);
        let axis = |column: &Column| Axis {
            path: column.name.clone(),
            values: Vec::new(),
        };
        // One source's success and goodput are the whole run's.
        let sources = columns
            .iter()
            .filter(|c| c.name.ends_with(".requests"))
            .count();
        let measure = |(column, title): (usize, &Column)| {
            let name = &title.name;
            let end = |(end, unit): &(&str, Unit)| {
                let whole = name.as_str() == *end;
                let part = name
                    .strip_suffix(end)
                    .is_some_and(|rest| rest.ends_with('.'));
                let again = part && sources < 2 && matches!(unit, Unit::Ratio | Unit::PerSecond);
                ((whole || part) && !again).then_some(*unit)
            };
            let unit = MEASURES.iter().find_map(end)?;
            let name = match sources {
                0 | 1 => name.rsplit('.').next().unwrap_or(name),
                _ => name,
            };
            Some(Measure {
                name: name
                    .replace("goodput_rps", "goodput")
                    .replace("attempts_per_request", "attempts for each request")
                    .replace("_ms", ""),
                unit,
                column,
            })
        };
        let after = columns.iter().enumerate().skip(settings);
        Self {
            axes: columns.iter().take(settings).map(axis).collect(),
            measures: after.filter_map(measure).take(MEASURES_MAX).collect(),
            all: IndexMap::new(),
            verdict: at("verdict"),
            broken: 0,
        }
    }

    /// Adds a row.
    pub(super) fn add(&mut self, cells: &[Cell]) {
        let mut at = Vec::with_capacity(self.axes.len());
        for (axis, cell) in self.axes.iter_mut().zip(cells) {
            let value = cell.text();
            let known = axis.values.iter().position(|other| *other == value);
            at.push(known.unwrap_or_else(|| {
                axis.values.push(value);
                axis.values.len() - 1
            }));
        }
        let verdict = self.verdict.and_then(|at| cells.get(at)).map(Cell::text);
        let point = self.all.entry(at).or_default();
        point.sums.resize(self.measures.len(), Sum::default());
        point.seeds += 1;
        match verdict.as_deref() {
            Some("held") => {
                point.held += 1;
                point.judged += 1;
            }
            Some("failed") => point.judged += 1,
            Some("metastable") => {
                point.metastable += 1;
                point.judged += 1;
            }
            _ => self.broken += 1,
        }
        for (sum, measure) in point.sums.iter_mut().zip(&self.measures) {
            if let Some(value) = cells.get(measure.column).and_then(Cell::number) {
                sum.add(value);
            }
        }
    }

    /// The settings that have more than one value: the others only say what was set.
    pub(super) fn varied(&self) -> Vec<usize> {
        let many = |i: &usize| self.axes[*i].values.len() > 1;
        (0..self.axes.len()).filter(many).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(held: u64, failed: u64, metastable: u64) -> State {
        let point = Point {
            seeds: held + failed + metastable,
            judged: held + failed + metastable,
            held,
            metastable,
            sums: Vec::new(),
        };
        point.state()
    }

    #[test]
    fn states_are_of_all_seeds_together() {
        assert_eq!(point(3, 0, 0), State::Stable);
        assert_eq!(point(2, 1, 0), State::Mixed);
        assert_eq!(point(1, 1, 1), State::Vulnerable);
        assert_eq!(point(1, 0, 2), State::Vulnerable);
        assert_eq!(point(0, 1, 2), State::Metastable);
        assert_eq!(point(0, 3, 0), State::Failing);
        assert_eq!(point(0, 0, 0), State::Unknown);
        for (i, state) in State::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(state.number()), i);
        }
    }

    #[test]
    fn values_lie_where_their_numbers_are() {
        let axis = |values: &[&str]| Axis {
            path: "a.b.c".into(),
            values: values.iter().map(|v| (*v).into()).collect(),
        };
        assert_eq!(axis(&["500ms", "2s", "1s"]).places(), [0.5, 2.0, 1.0]);
        assert_eq!(axis(&["500ms", "2s", "1s"]).ascending(), [0, 2, 1]);
        assert_eq!(
            axis(&["poisson(120/s)", "poisson(80/s)"]).places(),
            [120.0, 80.0]
        );
        assert_eq!(axis(&["1", "10", "100"]).places(), [0.0, 1.0, 2.0]);
        assert_eq!(axis(&["lru", "none"]).places(), [0.0, 1.0]);
        assert_eq!(
            axis(&["lru-1", "lru-1b"]).places(),
            [0.0, 1.0],
            "one number twice is none"
        );
        assert_eq!(axis(&[]).name(), "b.c");
        assert_eq!(
            axis(&["poisson(1/s)", "poisson(2/s)"]).labels(),
            ["1/s", "2/s"]
        );
        assert_eq!(
            axis(&["poisson(1/s)", "even(2/s)"]).labels(),
            ["poisson(1/s)", "even(2/s)"]
        );
    }
}
