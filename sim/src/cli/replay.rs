//! `meshquake replay`.

mod recorded;

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use meshquake_reports::suite::quoted;
use meshquake_reports::{RunReport, Style, Verdict};

use super::args::{ChangeArgs, options};
use super::interrupt::stop_on_interrupt;
use super::progress::Progress;
use super::{Exit, invalid, output};
use crate::explore::RunId;
use crate::scenario::Overrides;
use crate::world::{self, RunOptions};

/// Columns of what is told where there is no terminal.
const COLUMNS: usize = 100;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  meshquake replay scenarios/checkout.yaml@17
  meshquake replay scenarios/checkout.yaml@17 --set services.db.workers=2
  meshquake replay result.json      a run's JSON: again, with the same digest?
  meshquake replay test.json        each run of a suite that failed
  meshquake replay junit.xml --all  each run of a suite

What a file tells of is run again with the options it was run with, and its
digest compared.

Exit codes: those of `run`; 3 when a digest is another than was recorded.")]
pub(crate) struct ReplayArgs {
    /// A run as `meshquake test` prints it (SCENARIO@SEED), or a result file:
    /// JSON of `run` or `test`, or JUnit XML.
    #[arg(value_name = "RUN|FILE")]
    target: String,
    /// Of a suite, also the runs that came out as declared.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    changes: ChangeArgs,
    /// Print one line per run.
    #[arg(long, short)]
    quiet: bool,
}

/// A run to make again, and what is known of it.
#[derive(Clone, Debug, Default, PartialEq)]
struct Again {
    file: String,
    seed: u64,
    duration: Option<Duration>,
    set: Vec<(String, String)>,
    recorded: Option<Recorded>,
}

/// What a result file says of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Recorded {
    digest: String,
    fingerprint: String,
    version: String,
}

pub(crate) fn execute(args: &ReplayArgs) -> Exit {
    let stop = stop_on_interrupt();
    let runs = match runs(args) {
        Ok(runs) => runs,
        Err(why) => return invalid(&why),
    };
    let mut exit = Exit::Held;
    for run in &runs {
        let this = replay(args, run, &stop)
            .unwrap_or_else(|error| invalid(&format!("cannot print: {error}")));
        exit = exit.max(this);
        if stop.load(Ordering::Relaxed) {
            return Exit::Interrupted;
        }
    }
    exit
}

/// What is asked for.
fn runs(args: &ReplayArgs) -> Result<Vec<Again>, String> {
    let path = Path::new(&args.target);
    if !path.is_file() {
        let Some(id) = RunId::parse(&args.target) else {
            let target = &args.target;
            return Err(format!(
                "`{target}` is neither a file nor a run; a run is written SCENARIO@SEED, such as checkout.yaml@17"
            ));
        };
        return Ok(vec![Again {
            file: id.file,
            seed: id.seed,
            duration: args.changes.duration,
            set: args.changes.set.clone(),
            recorded: None,
        }]);
    }
    if args.changes.duration.is_some() || !args.changes.set.is_empty() {
        return Err(
            "a result file says what its runs were made with: leave --set and --duration out"
                .into(),
        );
    }
    recorded::runs(path, args.all)
}

fn replay(args: &ReplayArgs, again: &Again, stop: &Arc<AtomicBool>) -> io::Result<Exit> {
    let overrides = Overrides {
        seed: Some(again.seed),
        duration: again.duration,
        set: again.set.clone(),
    };
    let loaded = match crate::scenario::load(&PathBuf::from(&again.file), &overrides) {
        Ok(loaded) => loaded,
        Err(problems) => {
            output::diagnostics(&problems);
            return Ok(Exit::Invalid);
        }
    };
    let plan = loaded.plan;
    let progress = Rc::new(Progress::new(&plan.name, plan.duration, args.quiet));
    let shown = progress.clone();
    let (file, options) = (quoted(&again.file), options(again.duration, &again.set));
    let ran = world::run(
        &plan,
        RunOptions {
            reproduce: format!("meshquake run {file} --seed {}{options}", again.seed),
            stop: stop.clone(),
            progress: Box::new(move |at, requests| shown.at(at, requests)),
            ..RunOptions::default()
        },
    );
    progress.finish();
    let report = match ran {
        Ok(report) => report,
        Err(error) => {
            output::defect(&error.to_string());
            return Ok(Exit::Defect);
        }
    };
    output::print(&told(args, again, &report))?;
    let exit = match report.verdict {
        Verdict::Held => Exit::Held,
        Verdict::Failed | Verdict::Metastable => Exit::Failed,
        Verdict::Interrupted => return Ok(Exit::Interrupted),
    };
    Ok(
        match again
            .recorded
            .as_ref()
            .map(|recorded| verify(again, recorded, &report))
        {
            Some(false) => Exit::NotDeterministic,
            Some(true) | None => exit,
        },
    )
}

fn told(args: &ReplayArgs, again: &Again, report: &RunReport) -> String {
    if args.quiet {
        let verdict = format!("{:?}", report.verdict).to_lowercase();
        return format!(
            "{verdict:<10}  {}@{}  digest {}\n",
            again.file,
            again.seed,
            short(&report.digest)
        );
    }
    let terminal = io::stdout().is_terminal();
    let style = Style {
        color: output::colored(terminal),
        width: output::columns(terminal).unwrap_or(COLUMNS),
    };
    meshquake_reports::summary(report, style)
}

/// Whether the run was the one recorded; says so.
fn verify(again: &Again, recorded: &Recorded, report: &RunReport) -> bool {
    let run = format!("{}@{}", again.file, again.seed);
    if recorded.digest == report.digest {
        eprintln!("verified: {run} has the digest recorded");
        return true;
    }
    let version = report.meshquake_version.as_str();
    let why = if recorded.version != version {
        format!(
            "it was recorded by meshquake {}, and this is {version}",
            recorded.version
        )
    } else if recorded.fingerprint != report.fingerprint {
        "the scenario, or a file it names, has changed since".into()
    } else {
        "nothing it is made of has changed: it is not deterministic".into()
    };
    let (before, now) = (short(&recorded.digest), short(&report.digest));
    output::problem(&format!(
        "{run}: the digest was {before} and is {now}; {why}"
    ));
    false
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
