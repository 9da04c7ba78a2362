//! `meshquake run`.

use std::cell::RefCell;
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
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
    let ended = run_plan(args, file, &plan, stop);
    ended.unwrap_or_else(|error| {
        output::problem(&format!("cannot write the results: {error}"));
        Exit::Invalid
    })
}

fn run_plan(args: &RunArgs, file: &Path, plan: &Plan, stop: &Arc<AtomicBool>) -> io::Result<Exit> {
    let files = Files::choose(args, file, plan)?;
    let reproduce = reproduce(args, file, plan);
    let log = files.requests.as_deref().map(Pending::create).transpose()?;
    let log = log.map(|pending| Rc::new(RefCell::new(Some(pending))));
    let report = match run_once(args, plan, &reproduce, log.clone(), stop) {
        Ok(report) => report,
        Err(RunError::Log(error)) => return Err(error),
        Err(error) => return Ok(failed(&error)),
    };
    if let Some(pending) = log.and_then(|log| log.take()) {
        pending.finish()?;
    }
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
    write(args, &report, &files)?;
    Ok(if report.held() {
        Exit::Held
    } else {
        Exit::Failed
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
    log: Option<Rc<RefCell<Option<Pending>>>>,
    stop: &Arc<AtomicBool>,
) -> Result<RunReport, RunError> {
    let progress = Rc::new(Progress::new(&plan.name, plan.duration, args.quiet));
    let shown = progress.clone();
    let options = RunOptions {
        requests: log.map(|log| Box::new(SharedLog(log)) as Box<dyn Write>),
        reproduce: reproduce.to_owned(),
        stop: stop.clone(),
        progress: Box::new(move |at, requests| shown.at(at, requests)),
        ..RunOptions::default()
    };
    let report = world::run(plan, options);
    progress.finish();
    report
}

/// The request log while the run writes it.
struct SharedLog(Rc<RefCell<Option<Pending>>>);

impl Write for SharedLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut *self.0.borrow_mut() {
            Some(pending) => pending.write(bytes),
            None => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut *self.0.borrow_mut() {
            Some(pending) => pending.flush(),
            None => Ok(()),
        }
    }
}

/// Where results go.
struct Files {
    json: Option<PathBuf>,
    requests: Option<PathBuf>,
    summary: Option<PathBuf>,
}

impl Files {
    fn choose(args: &RunArgs, file: &Path, plan: &Plan) -> io::Result<Self> {
        let mut json = args.json.clone().filter(|path| path.as_os_str() != "-");
        let mut requests = args.requests.clone();
        let mut summary = None;
        if let Some(dir) = &args.out {
            std::fs::create_dir_all(dir)?;
            let stem = file
                .file_stem()
                .map(|stem| stem.to_string_lossy().into_owned());
            let stem = stem.unwrap_or_else(|| plan.name.clone());
            json.get_or_insert(dir.join(format!("{stem}.json")));
            requests.get_or_insert(dir.join(format!("{stem}.requests.jsonl")));
            summary = Some(dir.join(format!("{stem}.txt")));
        }
        Ok(Self {
            json,
            requests,
            summary,
        })
    }
}

fn write(args: &RunArgs, report: &RunReport, files: &Files) -> io::Result<()> {
    let json = report.to_json().map_err(io::Error::other)?;
    if let Some(path) = &files.json {
        output::replace(path, json.as_bytes())?;
    }
    if let Some(path) = &files.summary {
        let style = Style {
            color: false,
            width: 100,
        };
        output::replace(path, meshquake_reports::summary(report, style).as_bytes())?;
    }
    if args.json.as_deref() == Some(Path::new("-")) {
        return output::print(&json);
    }
    if args.quiet {
        return output::print(&one_line(report));
    }
    let terminal = io::stdout().is_terminal();
    let style = Style {
        color: output::colored(terminal),
        width: width(terminal),
    };
    output::print(&meshquake_reports::summary(report, style))
}

/// `held  bookinfo  6000 requests, 120 s in 1.1 s  digest 0123456789ab`
fn one_line(report: &RunReport) -> String {
    let verdict = if report.held() { "held  " } else { "FAILED" };
    let requests: u64 = report
        .traffic
        .values()
        .map(|traffic| traffic.requests)
        .sum();
    let digest = report.digest.get(..12).unwrap_or(&report.digest);
    let mut line = format!(
        "{verdict}  {}  {requests} requests, {} s in {:.2} s  digest {digest}\n",
        report.scenario, report.virtual_seconds, report.wall_seconds,
    );
    for failure in &report.failures {
        line.push_str(&format!(
            "        {} ({})\n",
            failure.message, failure.place
        ));
    }
    line
}

fn width(terminal: bool) -> usize {
    let columns = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
    let measured = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    let measured = measured.filter(|_| terminal);
    columns.or(measured).unwrap_or(100).clamp(60, 140)
}

/// The command that gives this very run again.
fn reproduce(args: &RunArgs, file: &Path, plan: &Plan) -> String {
    let mut command = format!(
        "meshquake run {} --seed {}",
        quoted(&file.display().to_string()),
        plan.seed
    );
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
