//! `meshquake test`.

mod baseline;
mod pages;

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use mesh_core::document::Diagnostic;
use meshquake_reports::Style;
use meshquake_reports::baseline::BaselineReport;
use meshquake_reports::statistics::SequentialTest;
use meshquake_reports::suite::{
    Problem, ScenarioReport, Settings, SuiteReport, SuiteVerdict, TEST_SCHEMA, annotations, junit,
    markdown, quoted, terminal,
};
use meshquake_reports::{Links, suite_html};

use super::args::{ChangeArgs, RESULTS};
use super::bar::Bar;
use super::interrupt::stop_on_interrupt;
use super::output::Pending;
use super::{Exit, output};
use crate::explore::discover::{self, Filter};
use crate::explore::suite::{self, Case, SuiteOptions};
use crate::explore::{RunId, SEEDS_MAX, Seeds, coverage, jobs_by_default};
use baseline::BaselineFile;
use pages::Pages;

/// Columns of what is told where there is no terminal.
const COLUMNS: usize = 100;

#[derive(Debug, Args)]
#[command(
    after_help = "\
Examples:
  meshquake test scenarios/
  meshquake test scenarios/ --filter '*-resilient.yaml' --jobs 4
  meshquake test checkout.yaml --seeds 100 --exhaustive
  meshquake test scenarios/ --junit junit.xml --markdown summary.md
  meshquake test scenarios/ --report suite.html
  meshquake test scenarios/ --out results/     with a page per scenario
  meshquake test scenarios/ --update-baseline baseline.json
  meshquake test scenarios/ --baseline baseline.json
  meshquake test scenarios/ --coverage --fail-under 80

A scenario passes when every seed comes to the verdict it declares (`verdict:`,
by default `held`). A seed that does not is printed with the command that runs
it again.

Seeds are the scenario's own, then 1, 2, 3… A scenario stops early: after each
seed Wald's sequential test weighs \"99 % of seeds agree\" against \"half of them
do\", with 5 % error either way, and five agreeing seeds are enough for that.
As soon as two seeds differ the scenario is flaky, and all --seeds are run to
say how often. The result does not depend on --jobs.

Exit codes: 0 all as declared, 1 not, 2 invalid input, 4 a defect of Meshquake,
130 interrupted (what was done is written).",
    group = clap::ArgGroup::new("which seeds").args(["seeds", "seed_list"])
)]
pub(crate) struct TestArgs {
    /// Scenario files, or folders that hold some.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Most seeds per scenario.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=SEEDS_MAX))]
    seeds: u64,
    /// Run exactly these seeds.
    #[arg(long, value_name = "N,N,…", value_delimiter = ',')]
    seed_list: Vec<u64>,
    /// Run all seeds, also where fewer would do.
    #[arg(long)]
    exhaustive: bool,
    /// How many runs go on at once; by default one per core.
    #[arg(long, short, value_name = "N", value_parser = jobs)]
    jobs: Option<usize>,
    /// Only scenarios whose path matches this pattern, or contains this text.
    #[arg(long, value_name = "PATTERN", value_parser = filter)]
    filter: Option<String>,
    #[command(flatten)]
    changes: ChangeArgs,
    /// Write JUnit XML to FILE, or to standard output for `-`.
    #[arg(long, value_name = "FILE|-", help_heading = RESULTS)]
    junit: Option<PathBuf>,
    /// Write the result as JSON to FILE, or to standard output for `-`.
    #[arg(long, value_name = "FILE|-", help_heading = RESULTS)]
    json: Option<PathBuf>,
    /// Write a summary in Markdown to FILE, or to standard output for `-`.
    #[arg(long, value_name = "FILE|-", help_heading = RESULTS)]
    markdown: Option<PathBuf>,
    /// Write a page for a browser to FILE.
    #[arg(long, value_name = "FILE", help_heading = RESULTS)]
    report: Option<PathBuf>,
    /// Write all of these to DIR, with pages of single runs: of each scenario the first three that did not come out as
    /// declared, or else its first.
    #[arg(long, value_name = "DIR", help_heading = RESULTS, conflicts_with = "report")]
    out: Option<PathBuf>,
    /// Compare with what FILE says was measured before; worse is a failure.
    #[arg(long, value_name = "FILE", conflicts_with = "update_baseline")]
    baseline: Option<PathBuf>,
    /// Write what is measured to FILE, and show how it differs from before.
    #[arg(long, value_name = "FILE")]
    update_baseline: Option<PathBuf>,
    /// How much a measure may differ from the baseline; shares a tenth of it.
    #[arg(long, value_name = "PCT", default_value = "5%", value_parser = percent)]
    tolerance: f64,
    /// Show which resilience mechanisms acted, of those the mesh was given.
    #[arg(long)]
    coverage: bool,
    /// Fail when fewer of them acted; implies --coverage.
    #[arg(long, value_name = "PCT", value_parser = percent)]
    fail_under: Option<f64>,
    /// Print what failed, and one line.
    #[arg(long, short)]
    quiet: bool,
}

/// A number of threads.
pub(crate) fn jobs(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(jobs @ 1..=1024) => Ok(jobs),
        _ => Err("give a number from 1 to 1024".into()),
    }
}

fn filter(text: &str) -> Result<String, String> {
    Filter::parse(text).map(|_| text.to_owned())
}

/// `80` or `80%`.
fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim();
    match number.parse::<f64>() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent),
        _ => Err("give a percentage, such as 80".into()),
    }
}

pub(crate) fn execute(args: &TestArgs) -> Exit {
    let stop = stop_on_interrupt();
    match run(args, &stop) {
        Ok(exit) => exit,
        Err(why) => {
            output::problem(&why);
            Exit::Invalid
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a suite took is told to the user and nothing else depends on it"
)]
fn run(args: &TestArgs, stop: &Arc<AtomicBool>) -> Result<Exit, String> {
    let began = std::time::Instant::now();
    stdout(args)?;
    let files = files(args)?;
    let baseline = BaselineFile::open(args)?;
    for result in [&args.junit, &args.json, &args.markdown, &args.report] {
        output::spare(args.baseline.as_deref(), result.as_deref())?;
    }
    let results = Results::open(args).map_err(|error| format!("cannot write: {error}"))?;
    let (cases, invalid) = load(args, &files);
    let seeds_max = seeds(args).count();
    let stops_early = stops_early(args);
    let bar = Bar::new(args.quiet);
    let reproduce = |id: &RunId| {
        let (file, options) = (quoted(&id.file), args.changes.options());
        format!("meshquake run {file} --seed {}{options}", id.seed)
    };
    let jobs = args.jobs.unwrap_or_else(jobs_by_default);
    let options = SuiteOptions {
        stops_early,
        jobs,
        stop: stop.clone(),
        reproduce: &reproduce,
        progress: &|at| {
            let text = format!("{} of {} scenarios", at.decided, cases.len());
            bar.at(at.runs as u64, (at.runs + at.wanted) as u64, &text);
        },
    };
    let ran = suite::run(&cases, &options)?;
    let interrupted = stop.load(Ordering::Relaxed);
    let fail_under = args.fail_under;
    let covered = (args.coverage || fail_under.is_some())
        .then(|| coverage::coverage(&cases, &ran, fail_under));
    let mut scenarios: Vec<ScenarioReport> = ran.into_iter().chain(invalid).collect();
    // In the order in which they were named or found.
    let place = |file: &str| files.iter().position(|other| shown(other) == file);
    scenarios.sort_by_key(|scenario| place(&scenario.file));
    let mut report = SuiteReport {
        schema: TEST_SCHEMA.into(),
        meshquake_version: env!("CARGO_PKG_VERSION").into(),
        settings: Settings {
            seeds_max,
            stops_early,
            duration_s: args.changes.duration.map(|duration| duration.as_secs_f64()),
            set: args
                .changes
                .set
                .iter()
                .map(|(path, value)| format!("{path}={value}"))
                .collect(),
            options: args.changes.options(),
        },
        interrupted,
        scenarios,
        coverage: covered,
        baseline: None,
        wall_seconds: 0.0,
    };
    if !interrupted {
        report.baseline = baseline
            .map(|baseline| baseline.settle(&report))
            .transpose()?
            .flatten();
    }
    report.wall_seconds = began.elapsed().as_secs_f64();
    let links = match &args.out {
        Some(folder) => Pages {
            folder,
            jobs,
            stop,
            bar: &bar,
        }
        .write(&cases, &report, &reproduce)?,
        None => Links::new(),
    };
    bar.finish();
    tell(args, &report, &links, results)
        .map_err(|error| format!("cannot write the results: {error}"))?;
    Ok(match report.verdict() {
        SuiteVerdict::AsDeclared => Exit::Held,
        SuiteVerdict::Failed => Exit::Failed,
        SuiteVerdict::Invalid => Exit::Invalid,
        SuiteVerdict::Defect => Exit::Defect,
        SuiteVerdict::Interrupted => Exit::Interrupted,
    })
}

fn files(args: &TestArgs) -> Result<Vec<PathBuf>, String> {
    let mut files = discover::scenarios(&args.paths)?;
    let Some(text) = &args.filter else {
        return Ok(files);
    };
    let filter = Filter::parse(text)?;
    let found = files.len();
    files.retain(|file| filter.takes(&shown(file)));
    if files.is_empty() {
        return Err(format!(
            "--filter '{text}' takes none of the {found} scenarios found"
        ));
    }
    Ok(files)
}

/// A path as it is told, with `/` everywhere.
pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string().replace('\\', "/")
}

fn seeds(args: &TestArgs) -> Seeds {
    if args.seed_list.is_empty() {
        return Seeds::First(args.seeds);
    }
    Seeds::list(&args.seed_list)
}

/// Whoever lists seeds wants all of them.
fn stops_early(args: &TestArgs) -> Option<SequentialTest> {
    (!args.exhaustive && args.seed_list.is_empty()).then(SequentialTest::default)
}

/// Loads the scenarios; those that cannot be are told at once, and do not stop the others.
fn load(args: &TestArgs, files: &[PathBuf]) -> (Vec<Case>, Vec<ScenarioReport>) {
    let (mut cases, mut invalid) = (Vec::new(), Vec::new());
    for file in files {
        match crate::scenario::load(file, &args.changes.overrides()) {
            Ok(loaded) => {
                if !args.quiet {
                    output::diagnostics(&loaded.warnings);
                }
                let seeds = seeds(args).of(loaded.plan.seed);
                let file = shown(file);
                cases.push(Case {
                    file,
                    plan: loaded.plan,
                    seeds,
                });
            }
            Err(problems) => {
                output::diagnostics(&problems);
                invalid.push(ScenarioReport::invalid(
                    shown(file),
                    problems.iter().map(problem).collect(),
                ));
            }
        }
    }
    (cases, invalid)
}

fn problem(diagnostic: &Diagnostic) -> Problem {
    let place = diagnostic.position();
    Problem {
        message: diagnostic.message().to_owned(),
        place: place.map_or(String::new(), |at| format!("{}:{}", at.file, at.line)),
        text: diagnostic.render(false),
    }
}

/// The files asked for, opened before the runs: what cannot be written is told at once.
struct Results {
    junit: Option<Pending>,
    json: Option<Pending>,
    markdown: Option<Pending>,
    page: Option<Pending>,
}

impl Results {
    fn open(args: &TestArgs) -> io::Result<Self> {
        if let Some(folder) = &args.out {
            std::fs::create_dir_all(folder)
                .map_err(|error| output::not_a_folder(folder, &error))?;
        }
        let open = |path: &Option<PathBuf>, name: &str| {
            let in_folder = args.out.as_ref().map(|folder| folder.join(name));
            let named = path.clone().filter(|path| path.as_os_str() != "-");
            let path = named.or(in_folder);
            path.as_deref().map(Pending::create).transpose()
        };
        Ok(Self {
            junit: open(&args.junit, "junit.xml")?,
            json: open(&args.json, "test.json")?,
            markdown: open(&args.markdown, "summary.md")?,
            page: open(&args.report, "index.html")?,
        })
    }

    fn finish(self, report: &SuiteReport, links: &Links, json: &str) -> io::Result<()> {
        output::fill(self.junit, || junit::xml(report).map_err(io::Error::other))?;
        output::fill(self.json, || Ok(json))?;
        output::fill(self.page, || Ok(suite_html(report, links)))?;
        output::fill(self.markdown, || Ok(markdown::markdown(report)))
    }
}

/// The option whose result takes the place of the table.
fn stdout(args: &TestArgs) -> Result<Option<&'static str>, String> {
    let options = [
        ("--json", &args.json),
        ("--junit", &args.junit),
        ("--markdown", &args.markdown),
        ("--report", &args.report),
    ];
    output::to_stdout(&options, "--report")
}

fn tell(args: &TestArgs, report: &SuiteReport, links: &Links, results: Results) -> io::Result<()> {
    let json = report.to_json().map_err(io::Error::other)?;
    results.finish(report, links, &json)?;
    let terminal = io::stdout().is_terminal();
    let style = Style {
        color: output::colored(terminal),
        width: output::columns(terminal).unwrap_or(COLUMNS),
    };
    let stdout = stdout(args).map_err(io::Error::other)?;
    let text = match stdout {
        Some("--json") => json,
        Some("--junit") => junit::xml(report).map_err(io::Error::other)?,
        Some(_) => markdown::markdown(report),
        None if args.quiet => terminal::brief(report, style),
        None => terminal::text(report, style),
    };
    output::print(&text)?;
    on_github(report, stdout.is_some())
}

/// In a job of GitHub Actions: errors beside the lines they name, and the summary on the job's page.
fn on_github(report: &SuiteReport, stdout_is_taken: bool) -> io::Result<()> {
    if std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true") {
        let commands = annotations::github(report, &folder_in_repository());
        // Commands are read from either stream.
        if stdout_is_taken {
            eprint!("{commands}");
        } else {
            output::print(&commands)?;
        }
    }
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else {
        return Ok(());
    };
    let path = PathBuf::from(path);
    let opened = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(&path);
    let written = opened.and_then(|mut file| file.write_all(markdown::markdown(report).as_bytes()));
    // The job's page is a courtesy of its runner: the verdict stands without it.
    if let Err(error) = written {
        output::problem(&format!(
            "no summary for the job: {}",
            output::at(&path, &error)
        ));
    }
    Ok(())
}

/// The current folder as seen from the root of the repository that the job checked out; empty at the root, and where
/// nobody says which that is.
fn folder_in_repository() -> String {
    let root = std::env::var_os("GITHUB_WORKSPACE").map(PathBuf::from);
    let here = std::env::current_dir().ok();
    let inside = root.zip(here).and_then(|(root, here)| {
        let root = root.canonicalize().ok()?;
        Some(
            here.canonicalize()
                .ok()?
                .strip_prefix(root)
                .ok()?
                .to_owned(),
        )
    });
    inside.map_or_else(String::new, |path| path.display().to_string())
}

/// A comparison whose regressions have been accepted.
fn accepted(report: BaselineReport) -> BaselineReport {
    BaselineReport {
        updated: true,
        ..report
    }
}
