//! `meshquake run`.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use meshquake_reports::suite::quoted;
use meshquake_reports::summary::unit;
use meshquake_reports::{RunReport, Style, Verdict};

use super::args::{RunArgs, options};
use super::files::Files;
use super::interrupt::stop_on_interrupt;
use super::progress::Progress;
use super::{Exit, invalid, output};
use crate::plan::Plan;
use crate::record::AccessLog;
use crate::world::{self, RunError, RunOptions};

pub(crate) fn execute(args: &RunArgs) -> Exit {
    let stop = stop_on_interrupt();
    if let Err(why) = fits(args) {
        return invalid(&why);
    }
    let mut exit = Exit::Held;
    for file in &args.files {
        let this = run_file(args, file, &stop);
        exit = exit.max(this);
        if stop.load(Ordering::Relaxed) {
            exit = Exit::Interrupted;
            break;
        }
    }
    exit
}

/// Whether each result has a file of its own.
fn fits(args: &RunArgs) -> Result<(), String> {
    if let (Some(dir), Some(twice)) = (&args.out, same_stem(&args.files)) {
        return Err(format!(
            "{} and another scenario would both be written to {}: give them different names",
            twice.display(),
            dir.join(twice.file_stem().unwrap_or_default()).display(),
        ));
    }
    let files = [
        ("--json", &args.json),
        ("--report", &args.report),
        ("--requests", &args.requests),
        ("--access-log", &args.access_log),
    ];
    for (option, path) in files.into_iter().chain(args.exports.named()) {
        let Some(path) = path else {
            continue;
        };
        if args.files.len() > 1 {
            let several = match args
                .exports
                .named()
                .iter()
                .any(|(export, _)| *export == option)
            {
                true => "run them one by one",
                false => "use --out DIR for several",
            };
            return Err(format!("{option} takes one scenario; {several}"));
        }
        if option != "--json" && path.as_os_str() == "-" {
            return Err(format!("{option} takes the name of a file"));
        }
    }
    Ok(())
}

/// A scenario whose results would have the names of another's.
fn same_stem(files: &[PathBuf]) -> Option<&PathBuf> {
    let mut seen = BTreeSet::new();
    files.iter().find(|file| !seen.insert(file.file_stem()))
}

fn run_file(args: &RunArgs, file: &Path, stop: &Arc<AtomicBool>) -> Exit {
    let loaded = match crate::scenario::load(file, &args.overrides.overrides()) {
        Ok(loaded) => loaded,
        Err(problems) => {
            output::diagnostics(&problems);
            return Exit::Invalid;
        }
    };
    output::diagnostics(&loaded.warnings);
    let plan = loaded.plan;
    let ended = run_plan(args, file, &plan, stop);
    ended.unwrap_or_else(|error| invalid(&format!("cannot write the results: {error}")))
}

fn run_plan(args: &RunArgs, file: &Path, plan: &Plan, stop: &Arc<AtomicBool>) -> io::Result<Exit> {
    let files = Files::open(args, file, plan)?;
    let reproduce = reproduce(args, file, plan);
    let report = match run_once(args, plan, &reproduce, Some(&files), stop) {
        Ok(report) => report,
        Err(RunError::Log(error)) => return Err(error),
        Err(error) => return Ok(failed(&error)),
    };
    if args.verify && !stop.load(Ordering::Relaxed) {
        match run_once(args, plan, &reproduce, None, stop) {
            Ok(again) if again.digest == report.digest => {
                eprintln!("verified: two runs, one digest");
            }
            Ok(again) => {
                let (first, second) = (&report.digest, &again.digest);
                output::problem(&format!("not deterministic: {first} then {second}"));
                return Ok(Exit::NotDeterministic);
            }
            Err(error) => return Ok(failed(&error)),
        }
    }
    write(args, &report, files)?;
    Ok(match report.verdict {
        Verdict::Held => Exit::Held,
        Verdict::Failed | Verdict::Metastable => Exit::Failed,
        Verdict::Interrupted => Exit::Interrupted,
    })
}

fn failed(error: &RunError) -> Exit {
    output::defect(&error.to_string());
    Exit::Defect
}

fn run_once(
    args: &RunArgs,
    plan: &Plan,
    reproduce: &str,
    files: Option<&Files>,
    stop: &Arc<AtomicBool>,
) -> Result<RunReport, RunError> {
    let progress = Rc::new(Progress::new(&plan.name, plan.duration, args.quiet));
    let shown = progress.clone();
    let mut options = RunOptions {
        requests: files.and_then(|files| Some(files.requests.as_ref()?.sink())),
        access_log: files.and_then(|files| {
            Some(AccessLog {
                sink: files.access_log.as_ref()?.sink(),
                format: args.access_log_format.into(),
            })
        }),
        reproduce: reproduce.to_owned(),
        // Whoever reads a result may want to draw it.
        detail: files.is_some()
            && (args.json.is_some() || args.report.is_some() || args.out.is_some()),
        stop: stop.clone(),
        progress: Box::new(move |at, requests| shown.at(at, requests)),
        ..RunOptions::default()
    };
    if let Some(files) = files {
        files.exports.attach(&mut options);
    }
    let report = world::run(plan, options);
    progress.finish();
    report
}

fn write(args: &RunArgs, report: &RunReport, files: Files) -> io::Result<()> {
    let json = report.to_json().map_err(io::Error::other)?;
    files.finish(report, &json)?;
    if args.json.as_deref() == Some(Path::new("-")) {
        return output::print(&json);
    }
    if args.quiet {
        return output::print(&one_line(report));
    }
    let terminal = io::stdout().is_terminal();
    let style = Style {
        color: output::colored(terminal),
        width: output::columns(terminal).unwrap_or(100),
    };
    output::print(&meshquake_reports::summary(report, style))
}

/// `held  bookinfo  6000 requests, 120 s in 1.1 s  digest 0123456789ab`
fn one_line(report: &RunReport) -> String {
    let verdict = match report.verdict {
        Verdict::Held => "held  ",
        Verdict::Failed => "FAILED",
        Verdict::Metastable => "METASTABLE",
        Verdict::Interrupted => "interrupted",
    };
    let requests: u64 = report
        .traffic
        .values()
        .map(|traffic| traffic.requests)
        .sum();
    let digest = report.digest.get(..12).unwrap_or(&report.digest);
    let notes = match report.notes.len() as u64 {
        0 => String::new(),
        some => format!(
            "  {}, see `meshquake validate`",
            unit::counted(some, "note")
        ),
    };
    let mut line = format!(
        "{verdict}  {}  {requests} requests, {} s in {:.2} s  digest {digest}{notes}\n",
        inert(&report.scenario),
        report.virtual_seconds,
        report.wall_seconds,
    );
    for failure in &report.failures {
        line.push_str(&format!("        {}", inert(&failure.message)));
        if !failure.place.is_empty() {
            line.push_str(&format!(" ({})", failure.place));
        }
        line.push('\n');
    }
    line
}

/// Text that a terminal shows and does not obey.
fn inert(text: &str) -> String {
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(shown).collect()
}

/// The command that gives this very run again.
fn reproduce(args: &RunArgs, file: &Path, plan: &Plan) -> String {
    let mut command = format!(
        "meshquake run {} --seed {}",
        quoted(&file.display().to_string()),
        plan.seed
    );
    command.push_str(&options(args.overrides.duration, &args.overrides.set));
    command
}
