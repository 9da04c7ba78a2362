//! What a row holds.

use meshquake_reports::RunReport;
use meshquake_reports::sweep::{Cell, Column, ColumnKind};

use crate::explore::grid::Grid;
use crate::plan::Plan;

/// Measures of the whole run.
const WHOLE: [(&str, ColumnKind); 10] = [
    ("verdict", ColumnKind::Text),
    ("failures", ColumnKind::Count),
    ("success", ColumnKind::Number),
    ("goodput_rps", ColumnKind::Number),
    ("recovery_ms", ColumnKind::Number),
    ("attempts_per_request", ColumnKind::Number),
    ("retries", ColumnKind::Count),
    ("ejections", ColumnKind::Count),
    ("overflows", ColumnKind::Count),
    ("timeouts", ColumnKind::Count),
];

/// Measures of each traffic source.
const SOURCE: [(&str, ColumnKind); 5] = [
    ("requests", ColumnKind::Count),
    ("success", ColumnKind::Number),
    ("goodput_rps", ColumnKind::Number),
    ("p50_ms", ColumnKind::Number),
    ("p99_ms", ColumnKind::Number),
];

/// The columns of a sweep: settings, seed, the whole run, each traffic source, digest.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) columns: Vec<Column>,
    sources: Vec<String>,
}

impl Shape {
    /// For the settings of `grid`, and the traffic of `first`, the plan of its first point.
    pub(super) fn new(grid: &Grid, first: &Plan) -> Self {
        let mut columns: Vec<Column> = Vec::new();
        let mut add = |name: String, kind| columns.push(Column { name, kind });
        for axis in &grid.axes {
            add(axis.path.clone(), ColumnKind::Text);
        }
        add("seed".into(), ColumnKind::Count);
        for (name, kind) in WHOLE {
            add(name.into(), kind);
        }
        let sources: Vec<String> = first
            .traffic
            .iter()
            .map(|traffic| traffic.name.clone())
            .collect();
        for source in &sources {
            for (name, kind) in SOURCE {
                add(format!("{source}.{name}"), kind);
            }
        }
        add("digest".into(), ColumnKind::Text);
        Self { columns, sources }
    }

    /// The row of a run, or of what broke instead.
    pub(super) fn row(
        &self,
        set: &[(String, String)],
        seed: u64,
        ran: Result<&RunReport, &str>,
    ) -> Vec<Cell> {
        let mut row: Vec<Cell> = set
            .iter()
            .map(|(_, value)| Cell::Text(value.clone()))
            .collect();
        row.push(Cell::Count(seed));
        match ran {
            Ok(report) => {
                row.extend(whole(report));
                for source in &self.sources {
                    row.extend(of_source(report, source));
                }
                row.push(Cell::Text(report.digest.clone()));
            }
            Err(why) => {
                row.push(Cell::Text(format!("defect: {why}")));
                row.resize(self.columns.len(), Cell::Empty);
            }
        }
        row
    }
}

fn whole(report: &RunReport) -> [Cell; 10] {
    let sum = |of: fn(&meshquake_reports::TrafficReport) -> u64| {
        report.traffic.values().map(of).sum::<u64>()
    };
    let (succeeded, ended) = (sum(|t| t.succeeded), sum(|t| t.succeeded + t.failed));
    let acted = |name: &str| Cell::Count(report.mechanisms.get(name).copied().unwrap_or(0));
    [
        Cell::Text(format!("{:?}", report.verdict).to_lowercase()),
        Cell::Count(report.failures.len() as u64),
        share(succeeded, ended),
        Cell::Number(succeeded as f64 / report.virtual_seconds),
        recovery_ms(report).into(),
        report.attempts_per_request().into(),
        acted("retry"),
        acted("ejection"),
        acted("overflow"),
        acted("timeout"),
    ]
}

/// From the last heal until the last traffic source was back for good; nothing where one never was, or nothing healed.
fn recovery_ms(report: &RunReport) -> Option<f64> {
    let back: Option<Vec<f64>> = report.recovery.iter().map(|one| one.after_s).collect();
    back?.into_iter().reduce(f64::max).map(|s| s * 1e3)
}

fn of_source(report: &RunReport, source: &str) -> [Cell; 5] {
    let Some(traffic) = report.traffic.get(source) else {
        return [const { Cell::Empty }; 5];
    };
    let latency = traffic.latency_ms;
    [
        Cell::Count(traffic.requests),
        share(traffic.succeeded, traffic.succeeded + traffic.failed),
        Cell::Number(traffic.succeeded as f64 / report.virtual_seconds),
        latency.map(|l| l.p50).into(),
        latency.map(|l| l.p99).into(),
    ]
}

fn share(part: u64, of: u64) -> Cell {
    (of > 0).then(|| part as f64 / of as f64).into()
}
