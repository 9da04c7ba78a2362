//! `meshquake run`.

use std::io::{IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use meshquake_reports::{RunReport, Style};

use super::args::RunArgs;
use super::output::Pending;
use super::progress::Progress;
use super::{Exit, output};
use crate::plan::Plan;
use crate::world::{self, RunError, RunOptions};

pub(crate) fn execute(args: &RunArgs) -> Exit {
    let stop = stop_on_interrupt();
    if args.json.is_some() && args.files.len() > 1 {
        output::problem("--json takes one scenario; use --out DIR for several");
        return Exit::Invalid;
    }
    let mut exit = Exit::Held;
    for file in &args.files {
        let this = run_file(args, file, &stop);
        exit = if exit as u8 >= this as u8 { exit } else { this };
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
    exit
}

/// Ctrl-C ends the run at the next virtual instant, with everything recorded so far;
/// a second one ends the process.
fn stop_on_interrupt() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    // Without a handler Ctrl-C still works, as the system has it.
    let _installed = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
    stop
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
    let files = match Files::open(args, file, &plan) {
        Ok(files) => files,
        Err(error) => {
            output::problem(&format!("cannot write the results: {error}"));
            return Exit::Invalid;
        }
    };
    let Files { json, requests, summary } = files;
    let mut report = match run_once(args, &plan, requests, stop) {
        Ok(report) => report,
        Err(error) => return failed(&error),
    };
    report.command = reproduce(args, file, &plan);
    if args.verify && !stop.load(Ordering::Relaxed) {
        match run_once(args, &plan, None, stop) {
            Ok(again) if again.digest == report.digest => report.verified = true,
            Ok(again) => {
                let (first, second) = (&report.digest, &again.digest);
                output::problem(&format!("not deterministic: {first} then {second}"));
                return Exit::NotDeterministic;
            }
            Err(error) => return failed(&error),
        }
    }
    match write(args, &report, json, summary) {
        Ok(()) if report.held() => Exit::Held,
        Ok(()) => Exit::Failed,
        Err(error) => {
            output::problem(&format!("cannot write the results: {error}"));
            Exit::Invalid
        }
    }
}

fn failed(error: &RunError) -> Exit {
    output::defect(&error.to_string());
    Exit::Defect
}

fn run_once(
    args: &RunArgs,
    plan: &Plan,
    requests: Option<Pending>,
    stop: &Arc<AtomicBool>,
) -> Result<RunReport, RunError> {
    let progress = Progress::new(&plan.name, plan.duration, args.quiet);
    let sink = requests.map(|file| Box::new(file) as Box<dyn FinishingWrite>);
    let options = RunOptions {
        requests: sink,
        stop: stop.clone(),
        progress: Box::new(move |at, requests| progress.at(at, requests)),
    };
    world::run(plan, options)
}

/// A request log that takes its name when the run is over.
pub trait FinishingWrite: Write {
    /// Completes the file.
    ///
    /// # Errors
    /// When it cannot be given its name.
    fn finish(self: Box<Self>) -> std::io::Result<()>;
}

impl FinishingWrite for Pending {
    fn finish(self: Box<Self>) -> std::io::Result<()> {
        Pending::finish(*self)
    }
}

/// Where results go.
struct Files {
    json: Option<PathBuf>,
    requests: Option<Pending>,
    summary: Option<PathBuf>,
}

impl Files {
    fn open(args: &RunArgs, file: &Path, plan: &Plan) -> std::io::Result<Self> {
        let mut json = args.json.clone().filter(|path| path.as_os_str() != "-");
        let mut requests = args.requests.clone();
        let mut summary = None;
        if let Some(dir) = &args.out {
            std::fs::create_dir_all(dir)?;
            let stem = file.file_stem().map_or_else(|| plan.name.clone(), |s| s.to_string_lossy().into());
            json.get_or_insert(dir.join(format!("{stem}.json")));
            requests.get_or_insert(dir.join(format!("{stem}.requests.jsonl")));
            summary = Some(dir.join(format!("{stem}.txt")));
        }
        let requests = requests.as_deref().map(Pending::create).transpose()?;
        Ok(Self { json, requests, summary })
    }
}

fn write(
    args: &RunArgs,
    report: &RunReport,
    json: Option<PathBuf>,
    summary: Option<PathBuf>,
) -> std::io::Result<()> {
    let mut text = serde_json::to_string_pretty(report).map_err(std::io::Error::other)?;
    text.push('\n');
    if let Some(path) = json {
        output::replace(&path, text.as_bytes())?;
    }
    if let Some(path) = summary {
        let style = Style { color: false, width: 100 };
        output::replace(&path, meshquake_reports::summary(report, style).as_bytes())?;
    }
    if args.json.as_deref() == Some(Path::new("-")) {
        return output::print(&text);
    }
    if args.quiet {
        return output::print(&format!("{}\n", meshquake_reports::one_line(report)));
    }
    let terminal = std::io::stdout().is_terminal();
    let style = Style {
        color: output::colored(terminal),
        width: width(terminal),
    };
    output::print(&meshquake_reports::summary(report, style))
}

fn width(terminal: bool) -> usize {
    let columns = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
    let measured = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    let measured = measured.filter(|_| terminal);
    columns.or(measured).unwrap_or(100).clamp(60, 140)
}

/// The command that gives this very run again.
fn reproduce(args: &RunArgs, file: &Path, plan: &Plan) -> String {
    let mut command = format!("meshquake run {} --seed {}", quoted(&file.display().to_string()), plan.seed);
    if let Some(duration) = args.overrides.duration {
        command.push_str(&format!(" --duration {}ms", duration.as_millis()));
    }
    for (path, value) in &args.overrides.set {
        command.push_str(&format!(" --set {}", quoted(&format!("{path}={value}"))));
    }
    command
}

fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,".contains(c);
    if text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}
