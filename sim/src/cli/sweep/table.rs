//! The points of a sweep in a table: what its seeds say together.

use meshquake_reports::suite::MeasureUnit;
use meshquake_reports::sweep::{Cell, Grid, GridRow};

use crate::explore::sweep::Sweep;

/// More points than this are for a file.
const POINTS_MAX: u64 = 60;

/// Sums by point, made while the rows go by.
pub(super) struct Points {
    settings: usize,
    seeds: u64,
    points: u64,
    columns: Vec<(&'static str, usize, MeasureUnit)>,
    titles: Vec<String>,
    rows: Vec<Point>,
    /// Runs that broke.
    pub(super) broken: u64,
}

#[derive(Default)]
struct Point {
    number: u64,
    settings: Vec<String>,
    held: u64,
    seeds: u64,
    /// Sums and counts of the columns.
    sums: Vec<(f64, u64)>,
}

impl Points {
    pub(super) fn new(sweep: &Sweep) -> Self {
        let at = |name: &str| {
            sweep
                .columns()
                .iter()
                .position(|column| column.name == name)
        };
        let ends = |end: &str| {
            sweep
                .columns()
                .iter()
                .position(|column| column.name.ends_with(end))
        };
        let columns = [
            ("success", at("success"), MeasureUnit::Share),
            ("goodput", at("goodput_rps"), MeasureUnit::PerSecond),
            ("recovery", at("recovery_ms"), MeasureUnit::Ms),
            ("tries/req", at("attempts_per_request"), MeasureUnit::Number),
            ("p50", ends(".p50_ms"), MeasureUnit::Ms),
            ("p99", ends(".p99_ms"), MeasureUnit::Ms),
        ];
        Self {
            settings: sweep.grid.axes.len(),
            seeds: sweep.seeds.len() as u64,
            points: sweep.grid.points(),
            columns: columns
                .into_iter()
                .filter_map(|(name, at, unit)| Some((name, at?, unit)))
                .collect(),
            titles: sweep
                .grid
                .axes
                .iter()
                .map(|axis| axis.path.clone())
                .collect(),
            rows: Vec::new(),
            broken: 0,
        }
    }

    /// Adds the next row.
    pub(super) fn add(&mut self, row: u64, cells: &[Cell]) {
        let verdict = cells
            .get(self.settings + 1)
            .map(Cell::text)
            .unwrap_or_default();
        self.broken += u64::from(verdict.starts_with("defect"));
        if self.points > POINTS_MAX {
            return;
        }
        let number = row / self.seeds;
        if self.rows.last().is_none_or(|point| point.number != number) {
            self.rows.push(Point {
                number,
                settings: cells.iter().take(self.settings).map(Cell::text).collect(),
                sums: vec![(0.0, 0); self.columns.len()],
                ..Point::default()
            });
        }
        let Some(point) = self.rows.last_mut() else {
            return;
        };
        point.seeds += 1;
        point.held += u64::from(verdict == "held");
        for ((sum, count), (_, at, _)) in point.sums.iter_mut().zip(&self.columns) {
            if let Some(value) = cells.get(*at).and_then(Cell::number) {
                *sum += value;
                *count += 1;
            }
        }
    }

    /// The table, or how to get the rows when there are too many points.
    pub(super) fn told(&self, width: usize, color: bool) -> String {
        if self.points > POINTS_MAX {
            let points = self.points;
            return format!(
                "{points} combinations; a table shows up to {POINTS_MAX}, --csv FILE all of them\n"
            );
        }
        let measures = self.columns.iter().map(|(name, _, _)| (*name).to_owned());
        let rows = self.rows.iter().map(|point| GridRow {
            settings: point.settings.clone(),
            held: (point.held, point.seeds),
            measures: point
                .sums
                .iter()
                .zip(&self.columns)
                .map(|((sum, count), (_, _, unit))| {
                    (*count > 0).then(|| unit.told(sum / *count as f64))
                })
                .collect(),
        });
        Grid {
            settings: self.titles.clone(),
            measures: measures.collect(),
            rows: rows.collect(),
        }
        .told(width, color)
    }
}
