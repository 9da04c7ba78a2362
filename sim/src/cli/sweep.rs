//! `meshquake sweep`.

mod table;

use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::Args;
use meshquake_reports::sweep::{CsvRows, JsonRows, RowWriter};

use super::args::{RESULTS, assignment, duration};
use super::bar::Bar;
use super::interrupt::stop_on_interrupt;
use super::output::Pending;
use super::test::jobs;
use super::{Exit, invalid, output};
use crate::explore::grid::Grid;
use crate::explore::sweep::{Journal, Sweep, SweepError, SweepOptions};
use crate::explore::{SEEDS_MAX, Seeds, jobs_by_default};
use table::Points;

#[derive(Debug, Args)]
#[command(
    after_help = "\
Examples:
  meshquake sweep checkout.yaml --set traffic.users.rate=50/s..300/s/6
  meshquake sweep checkout.yaml --set services.db.workers=2,4,8 --seeds 10
  meshquake sweep checkout.yaml --csv rows.csv \\
    --set services.db.service-time='exponential(5ms..50ms/10)' \\
    --set 'mesh:VirtualService/db.spec.http[0].timeout=100ms..10s/5log'

Values:
  A..B/N       N values from A to B, evenly spaced; both ends have the unit
  A..B/Nlog    N values, each the same multiple of the one before
  V,V,V        these; ranges may be among them
  V            this one

Every combination is run with every seed, the last --set changing fastest, and
is one row: settings, seed, verdict, success, goodput, latencies, retries…,
digest. Rows are kept in FILE.journal as they come: a sweep that was stopped or
killed goes on where it was when the same command is given again. The result is
the same bytes whatever --jobs is.

Exit codes: 0 all rows are there, 2 invalid input, 4 a defect of Meshquake, 130
interrupted (the rows there are have been written).",
    group = clap::ArgGroup::new("which seeds").args(["seeds", "seed_list"])
)]
pub(crate) struct SweepArgs {
    /// The scenario.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A setting and its values; may be repeated. `mesh:KIND/NAME.PATH` sets a
    /// field of an imported object.
    #[arg(long = "set", value_name = "PATH=VALUES", value_parser = assignment)]
    set: Vec<(String, String)>,
    /// Seeds per combination: the scenario's own, then 1, 2, 3…
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=SEEDS_MAX))]
    seeds: u64,
    /// Run exactly these seeds.
    #[arg(long, value_name = "N,N,…", value_delimiter = ',')]
    seed_list: Vec<u64>,
    /// Run for this long instead of the scenario's duration (`30s`, `10m`, `24h`).
    #[arg(long, value_name = "D", value_parser = duration)]
    duration: Option<Duration>,
    /// How many runs go on at once; by default one per core.
    #[arg(long, short, value_name = "N", value_parser = jobs)]
    jobs: Option<usize>,
    /// Write the rows as CSV to FILE, or to standard output for `-`.
    #[arg(long, value_name = "FILE|-", help_heading = RESULTS, group = "format")]
    csv: Option<PathBuf>,
    /// Write the rows as JSON, one object per line.
    #[arg(long, value_name = "FILE|-", help_heading = RESULTS, group = "format")]
    json: Option<PathBuf>,
    /// Write the rows as Apache Parquet (needs the cargo feature `parquet`).
    #[arg(long, value_name = "FILE", help_heading = RESULTS, group = "format")]
    parquet: Option<PathBuf>,
    /// Throw away the journal of a sweep that was interrupted.
    #[arg(long)]
    fresh: bool,
    /// Print no table.
    #[arg(long, short)]
    quiet: bool,
}

pub(crate) fn execute(args: &SweepArgs) -> Exit {
    match run(args) {
        Ok(exit) => exit,
        Err(SweepError::Invalid(set, problems)) => {
            output::diagnostics(&problems);
            let set: Vec<String> = set
                .iter()
                .map(|(path, value)| format!("{path}={value}"))
                .collect();
            if !set.is_empty() {
                output::problem(&format!("the scenario is invalid with {}", set.join(", ")));
            }
            Exit::Invalid
        }
        Err(SweepError::Journal(error)) => invalid(&error.to_string()),
        Err(SweepError::Other(why)) => invalid(&why),
    }
}

fn run(args: &SweepArgs) -> Result<Exit, SweepError> {
    let target = Target::of(args).map_err(SweepError::Other)?;
    let grid = Grid::parse(&args.set).map_err(SweepError::Other)?;
    let sweep = Sweep::prepare(args.file.clone(), grid, &seeds(args), args.duration)?;
    if !args.quiet {
        output::diagnostics(sweep.warnings());
    }
    let header = sweep.header();
    let path = target.journal(&header.id());
    let writable = target
        .open()
        .map_err(|error| SweepError::Other(format!("cannot write: {error}")))?;
    let journal = Journal::open(&path, &header, sweep.rows(), args.fresh)?;
    let (rows, before) = (sweep.rows(), journal.len());
    if before > 0 {
        eprintln!(
            "going on: {before} of {rows} rows are in {}",
            path.display()
        );
    }
    let stop = stop_on_interrupt();
    let bar = Bar::new(args.quiet);
    bar.begin_at(before);
    let options = SweepOptions {
        jobs: args.jobs.unwrap_or_else(jobs_by_default),
        stop: stop.clone(),
        progress: &|there, rows| bar.at(there, rows, ""),
    };
    let journal = sweep.run(journal, &options)?;
    bar.finish();
    let cannot = |error: io::Error| SweepError::Other(format!("cannot write the rows: {error}"));
    let points = write(&sweep, &journal, writable, target.is_stdout()).map_err(cannot)?;
    if !args.quiet && !target.is_stdout() {
        let terminal = io::stdout().is_terminal();
        let width = output::columns(terminal).unwrap_or(100);
        output::print(&points.told(width, output::colored(terminal))).map_err(cannot)?;
    }
    if !journal.is_complete() {
        let there = journal.len();
        eprintln!("interrupted: {there} of {rows} rows; the same command goes on from there");
        return Ok(if stop.load(Ordering::Relaxed) {
            Exit::Interrupted
        } else {
            Exit::Defect
        });
    }
    let broken = points.broken;
    journal.remove().map_err(cannot)?;
    if broken > 0 {
        output::defect(&format!(
            "{broken} of {rows} runs broke; their rows say how"
        ));
        return Ok(Exit::Defect);
    }
    Ok(Exit::Held)
}

fn seeds(args: &SweepArgs) -> Seeds {
    match args.seed_list.is_empty() {
        true => Seeds::First(args.seeds),
        false => Seeds::list(&args.seed_list),
    }
}

/// Where the rows go.
enum Target<'a> {
    Csv(&'a Path),
    Json(&'a Path),
    Parquet(&'a Path),
    /// Nowhere: a table is all that is wanted.
    Table,
}

impl<'a> Target<'a> {
    fn of(args: &'a SweepArgs) -> Result<Self, String> {
        if args.parquet.is_some() && !cfg!(feature = "parquet") {
            return Err("this meshquake is built without Parquet: build it with \
                `cargo install --path sim --features parquet`, or write --csv"
                .into());
        }
        if args.parquet.as_deref() == Some(Path::new("-")) {
            return Err("--parquet takes the name of a file".into());
        }
        Ok(match (&args.csv, &args.json, &args.parquet) {
            (Some(path), _, _) => Self::Csv(path),
            (_, Some(path), _) => Self::Json(path),
            (_, _, Some(path)) => Self::Parquet(path),
            _ => Self::Table,
        })
    }

    fn path(&self) -> Option<&'a Path> {
        match self {
            Self::Csv(path) | Self::Json(path) | Self::Parquet(path) => Some(path),
            Self::Table => None,
        }
    }

    fn is_stdout(&self) -> bool {
        self.path() == Some(Path::new("-"))
    }

    /// Beside the file; where there is none, where the same sweep finds it again.
    fn journal(&self, id: &str) -> PathBuf {
        match self.path().filter(|_| !self.is_stdout()) {
            Some(path) => {
                let mut name = path.file_name().unwrap_or_default().to_owned();
                name.push(".journal");
                path.with_file_name(name)
            }
            None => std::env::temp_dir().join(format!("meshquake-sweep-{id}.journal")),
        }
    }

    /// Opens the file before the runs: what cannot be written is told at once.
    fn open(&self) -> io::Result<Writable> {
        let pending = self
            .path()
            .filter(|_| !self.is_stdout())
            .map(Pending::create)
            .transpose()?;
        Ok(match self {
            Self::Csv(_) => Writable::Csv(pending),
            Self::Json(_) => Writable::Json(pending),
            Self::Parquet(_) => Writable::Parquet(pending),
            Self::Table => Writable::Table,
        })
    }
}

enum Writable {
    Csv(Option<Pending>),
    Json(Option<Pending>),
    #[cfg_attr(
        not(feature = "parquet"),
        expect(dead_code, reason = "refused where it is asked for")
    )]
    Parquet(Option<Pending>),
    Table,
}

/// Writes the rows in grid order, and sums them up by point.
fn write(sweep: &Sweep, journal: &Journal, to: Writable, stdout: bool) -> io::Result<Points> {
    let mut points = Points::new(sweep);
    let mut out: Box<dyn Write> = if stdout {
        Box::new(io::stdout().lock())
    } else {
        Box::new(io::sink())
    };
    let mut file = None;
    let columns = sweep.columns();
    {
        let mut writer: Option<Box<dyn RowWriter + '_>> = None;
        match to {
            Writable::Csv(pending) => {
                file = pending;
                let out: &mut dyn Write = file
                    .as_mut()
                    .map_or(&mut out, |file| file as &mut dyn Write);
                writer = Some(Box::new(CsvRows::begin(columns, out)?));
            }
            Writable::Json(pending) => {
                file = pending;
                let out: &mut dyn Write = file
                    .as_mut()
                    .map_or(&mut out, |file| file as &mut dyn Write);
                writer = Some(Box::new(JsonRows::new(columns, out)));
            }
            #[cfg(feature = "parquet")]
            Writable::Parquet(pending) => {
                file = pending;
                let out: &mut (dyn Write + Send) = match file.as_mut() {
                    Some(file) => file,
                    None => return Err(io::Error::other("Parquet needs a file")),
                };
                writer = Some(Box::new(meshquake_reports::parquet::ParquetRows::begin(
                    columns, out,
                )?));
            }
            #[cfg(not(feature = "parquet"))]
            Writable::Parquet(_) => {}
            Writable::Table => {}
        }
        journal.rows(|row, cells| {
            points.add(row, cells);
            writer.as_mut().map_or(Ok(()), |writer| writer.row(cells))
        })?;
        if let Some(writer) = writer {
            writer.finish()?;
        }
    }
    file.map_or(Ok(()), Pending::finish)?;
    Ok(points)
}
