//! A grid of settings × seeds, one row each.
//!
//! Rows are numbered in grid order, the seeds fastest. Threads take numbers and
//! put each finished row into a [journal](Journal), in whatever order they
//! finish; the journal knows of each row only where it stands, so memory does
//! not grow with what the rows hold. When all are there they are written out by
//! number. A sweep that was killed finds its rows in the journal and makes the
//! others: the result is the same bytes, however often it was interrupted and
//! on however many threads it ran.

mod journal;
mod row;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mesh_core::document::Diagnostic;
use meshquake_reports::suite::quoted;
use meshquake_reports::sweep::{Cell, Column};

pub use journal::{Header, Journal, JournalError};
use row::Shape;

use super::grid::Grid;
use super::single::{self, Single};
use super::workers;
use crate::plan::Plan;
use crate::scenario::{self, Overrides};

/// Most rows of a sweep.
pub const ROWS_MAX: u64 = 10_000_000;

/// What is swept.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// The scenario.
    pub file: PathBuf,
    /// The settings.
    pub grid: Grid,
    /// The seeds of every point.
    pub seeds: Vec<u64>,
    /// The length of each run instead of the scenario's own.
    pub duration: Option<Duration>,
    shape: Shape,
    fingerprint: String,
    warnings: Vec<Diagnostic>,
}

/// Why a sweep ended without all its rows.
#[derive(Debug)]
pub enum SweepError {
    /// The scenario is invalid with some settings.
    Invalid(Vec<(String, String)>, Vec<Diagnostic>),
    /// The journal cannot be written.
    Journal(JournalError),
    /// It is too large, or the machine has no thread left.
    Other(String),
}

impl From<JournalError> for SweepError {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

/// How a sweep is run.
pub struct SweepOptions<'a> {
    /// How many runs go on at once.
    pub jobs: usize,
    /// Set to end it early, with what has been done.
    pub stop: Arc<AtomicBool>,
    /// Told how many rows are there, of how many.
    pub progress: &'a (dyn Fn(u64, u64) + Sync),
}

impl Sweep {
    /// Checks every value of every setting, the others at their first, and finds out what the rows will hold.
    ///
    /// # Errors
    /// When the scenario is invalid with one of them, or there are too many rows.
    pub fn prepare(
        file: PathBuf,
        grid: Grid,
        seeds: &super::Seeds,
        duration: Option<Duration>,
    ) -> Result<Self, SweepError> {
        let (first, warnings) = load(&file, &grid.point(0), duration)?;
        let seeds = seeds.of(first.seed);
        let rows = grid.points().saturating_mul(seeds.len() as u64);
        if rows > ROWS_MAX {
            return Err(SweepError::Other(format!(
                "{rows} runs; {ROWS_MAX} are the most"
            )));
        }
        for (at, axis) in grid.axes.iter().enumerate() {
            for value in axis.values.iter().skip(1) {
                let mut set = grid.point(0);
                set[at].1.clone_from(value);
                load(&file, &set, duration)?;
            }
        }
        let shape = Shape::new(&grid, &first);
        Ok(Self {
            file,
            grid,
            seeds,
            duration,
            shape,
            fingerprint: first.fingerprint,
            warnings,
        })
    }

    /// What is probably not meant, at the first point.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// How many rows there will be.
    pub fn rows(&self) -> u64 {
        self.grid.points() * self.seeds.len() as u64
    }

    /// The columns of the rows.
    pub fn columns(&self) -> &[Column] {
        &self.shape.columns
    }

    /// What tells this sweep from any other.
    pub fn header(&self) -> Header {
        Header::new(
            &self.fingerprint,
            self.grid
                .axes
                .iter()
                .map(|axis| (axis.path.clone(), axis.values.clone()))
                .collect(),
            &self.seeds,
            self.shape
                .columns
                .iter()
                .map(|column| column.name.clone())
                .collect(),
        )
    }

    /// Makes the rows that `journal` lacks.
    ///
    /// # Errors
    /// When a combination of settings is invalid, or the journal cannot be written.
    pub fn run(&self, journal: Journal, options: &SweepOptions<'_>) -> Result<Journal, SweepError> {
        let work = Work {
            sweep: self,
            options,
            next: AtomicU64::new(0),
            shared: Mutex::new(Shared {
                journal,
                failed: None,
            }),
        };
        workers::each(options.jobs, || work.take()).map_err(SweepError::Other)?;
        let shared = work
            .shared
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        match shared.failed {
            Some(error) => Err(error),
            None => Ok(shared.journal),
        }
    }
}

fn load(
    file: &Path,
    set: &[(String, String)],
    duration: Option<Duration>,
) -> Result<(Plan, Vec<Diagnostic>), SweepError> {
    let overrides = Overrides {
        seed: None,
        duration,
        set: set.to_vec(),
    };
    match scenario::load(file, &overrides) {
        Ok(loaded) => Ok((loaded.plan, loaded.warnings)),
        Err(problems) => Err(SweepError::Invalid(set.to_vec(), problems)),
    }
}

struct Work<'a> {
    sweep: &'a Sweep,
    options: &'a SweepOptions<'a>,
    next: AtomicU64,
    shared: Mutex<Shared>,
}

struct Shared {
    journal: Journal,
    failed: Option<SweepError>,
}

impl Work<'_> {
    /// Takes rows until there are none.
    fn take(&self) {
        let seeds = self.sweep.seeds.len() as u64;
        // Rows of one point follow each other, so its plan is seldom loaded twice.
        let mut loaded: Option<(u64, Plan)> = None;
        while !self.options.stop.load(Ordering::Relaxed) {
            let Some(row) = self.next() else {
                return;
            };
            let point = row / seeds;
            let plan = match loaded.take().filter(|(known, _)| *known == point) {
                Some((_, plan)) => plan,
                None => match load(
                    &self.sweep.file,
                    &self.sweep.grid.point(point),
                    self.sweep.duration,
                ) {
                    Ok((plan, _)) => plan,
                    Err(error) => return self.fail(error),
                },
            };
            let seed = self.sweep.seeds[(row % seeds) as usize];
            if let Some(cells) = self.run(&plan, point, seed) {
                self.keep(row, &cells);
            }
            loaded = Some((point, plan));
        }
    }

    /// The next row that is not there yet.
    fn next(&self) -> Option<u64> {
        loop {
            let row = self.next.fetch_add(1, Ordering::Relaxed);
            if row >= self.sweep.rows() {
                return None;
            }
            let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            if shared.failed.is_some() {
                return None;
            }
            if !shared.journal.has(row) {
                return Some(row);
            }
        }
    }

    fn run(&self, plan: &Plan, point: u64, seed: u64) -> Option<Vec<Cell>> {
        let stop = self.options.stop.clone();
        let set = self.sweep.grid.point(point);
        let ended = single::run(Single {
            plan,
            seed,
            reproduce: format!(
                "meshquake run {} --seed {seed}",
                quoted(&self.sweep.file.display().to_string())
            ),
            requests: None,
            detail: false,
            wanted: Box::new(move || !stop.load(Ordering::Relaxed)),
        });
        match ended {
            Ok(None) => None,
            Ok(Some(report)) => Some(self.sweep.shape.row(&set, seed, Ok(&report))),
            Err(why) => Some(self.sweep.shape.row(&set, seed, Err(&why))),
        }
    }

    fn keep(&self, row: u64, cells: &[Cell]) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = shared.journal.add(row, cells) {
            shared.failed.get_or_insert(error.into());
        }
        let there = shared.journal.len();
        drop(shared);
        (self.options.progress)(there, self.sweep.rows());
    }

    fn fail(&self, error: SweepError) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.failed.get_or_insert(error);
    }
}
