//! `meshquake compare`.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::Args;
use meshquake_reports::suite::quoted;
use meshquake_reports::{RunReport, SCHEMA, Style, comparison_html, comparison_markdown};

use super::args::{RESULTS, assignment, duration, options};
use super::interrupt::stop_on_interrupt;
use super::output::Pending;
use super::test::{jobs, shown};
use super::{Exit, invalid, output};
use crate::explore::compare::{CompareOptions, Compared, Scenario, Side, compare};
use crate::explore::{SEEDS_MAX, Seeds, jobs_by_default};
use crate::scenario::Overrides;

#[derive(Debug, Args)]
#[command(
    after_help = "\
Examples:
  meshquake compare without-budget.yaml with-budget.yaml
  meshquake compare checkout.yaml --set-b services.db.workers=16
  meshquake compare checkout.yaml --seeds 10 \\
    --set-b 'mesh:VirtualService/db.spec.http[0].retries.attempts=0'
  meshquake compare before/checkout.json after/checkout.json
  meshquake compare checkout.yaml --set-b services.db.workers=16 \\
    --report compared.html

Both are run with the same seeds, and so with the same arrivals and service
times: each request is compared with itself. A is a scenario or the JSON of a
run (`run --json`, `run --out`; the request log is looked for beside it); B is
another, or A again with what --set-b changes. With --seeds the differences are
judged seed by seed, by Student's paired t.

Exit codes: 0 compared, 2 invalid input, 4 a defect of Meshquake, 130
interrupted (the seeds that were done are told).",
    group = clap::ArgGroup::new("which seeds").args(["seeds", "seed_list"])
)]
pub(crate) struct CompareArgs {
    /// A scenario, or the JSON of a run.
    #[arg(value_name = "A")]
    a: PathBuf,
    /// Another; by default A, changed by --set-b.
    #[arg(value_name = "B")]
    b: Option<PathBuf>,
    /// Change a value in both; may be repeated.
    #[arg(long = "set", value_name = "PATH=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
    /// Change a value in A only; may be repeated.
    #[arg(long, value_name = "PATH=VALUE", value_parser = assignment)]
    set_a: Vec<(String, String)>,
    /// Change a value in B only; may be repeated.
    #[arg(long, value_name = "PATH=VALUE", value_parser = assignment)]
    set_b: Vec<(String, String)>,
    /// How many seeds: A's own, then 1, 2, 3…
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=SEEDS_MAX))]
    seeds: u64,
    /// Exactly these seeds.
    #[arg(long, value_name = "N,N,…", value_delimiter = ',')]
    seed_list: Vec<u64>,
    /// Run for this long instead of the scenarios' durations.
    #[arg(long, value_name = "D", value_parser = duration)]
    duration: Option<Duration>,
    /// How many seeds go on at once; by default one per core.
    #[arg(long, short, value_name = "N", value_parser = jobs)]
    jobs: Option<usize>,
    /// How many of the requests that changed to show.
    #[arg(long, value_name = "N", default_value_t = 6)]
    samples: u16,
    /// Write the result as JSON to FILE, or to standard output for `-`.
    #[arg(long, value_name = "FILE|-", help_heading = RESULTS)]
    json: Option<PathBuf>,
    /// Write a page with both side by side to FILE: the first seed's runs, and the requests of all.
    #[arg(long, value_name = "FILE", help_heading = RESULTS)]
    report: Option<PathBuf>,
    /// Write it as Markdown for a pull request to FILE, or to standard output for `-`.
    #[arg(long, value_name = "FILE|-", help_heading = RESULTS)]
    markdown: Option<PathBuf>,
}

pub(crate) fn execute(args: &CompareArgs) -> Exit {
    run(args).unwrap_or_else(|exit| exit)
}

fn run(args: &CompareArgs) -> Result<Exit, Exit> {
    let second = args.b.as_ref().unwrap_or(&args.a);
    if args.b.is_none() && args.set_a.is_empty() && args.set_b.is_empty() {
        return Err(invalid(
            "there is nothing to compare with: name B, or change A with --set-b PATH=VALUE",
        ));
    }
    let a = side(args, &args.a, &args.set_a)?;
    let b = side(args, second, &args.set_b)?;
    let seeds = seeds(args, &a, &b)?;
    let stdout = output::to_stdout(
        &[
            ("--json", &args.json),
            ("--markdown", &args.markdown),
            ("--report", &args.report),
        ],
        "--report",
    )
    .map_err(|why| invalid(&why))?;
    let inputs = || [args.a.as_path(), second.as_path()];
    for result in [&args.json, &args.report, &args.markdown] {
        output::spare(inputs(), result.as_deref()).map_err(|why| invalid(&why))?;
    }
    let cannot = |error: io::Error| invalid(&format!("cannot write the results: {error}"));
    let open = |path: &Option<PathBuf>| {
        let named = path.as_deref().filter(|path| path.as_os_str() != "-");
        named.map(Pending::create).transpose().map_err(cannot)
    };
    let (json, page, markdown) = (
        open(&args.json)?,
        open(&args.report)?,
        open(&args.markdown)?,
    );
    let stop = stop_on_interrupt();
    let options = CompareOptions {
        seeds,
        jobs: args.jobs.unwrap_or_else(jobs_by_default),
        samples: usize::from(args.samples),
        detail: args.report.is_some(),
        stop: stop.clone(),
    };
    let compared = compare(&a, &b, &options).map_err(|why| {
        // A request log that cannot be read is somebody's mistake; a run that breaks is ours.
        if why.starts_with("cannot read") || why.contains(" is no request") {
            return invalid(&why);
        }
        output::defect(&why);
        Exit::Defect
    })?;
    let Some(Compared { report, first }) = compared else {
        return Ok(Exit::Interrupted);
    };
    let told = report.to_json().map_err(|error| cannot(error.into()))?;
    let ((a, b), both) = (&first, Some(&report));
    output::fill(json, || Ok(&told)).map_err(cannot)?;
    output::fill(page, || Ok(comparison_html(a, b, both))).map_err(cannot)?;
    output::fill(markdown, || Ok(comparison_markdown(a, b, both))).map_err(cannot)?;
    let terminal = io::stdout().is_terminal();
    let style = Style {
        color: output::colored(terminal),
        width: output::columns(terminal).unwrap_or(100),
    };
    let text = match stdout {
        Some("--json") => told,
        Some(_) => comparison_markdown(a, b, both),
        None => report.told(style),
    };
    output::print(&text).map_err(cannot)?;
    Ok(if stop.load(Ordering::Relaxed) {
        Exit::Interrupted
    } else {
        Exit::Held
    })
}

/// A scenario, or the JSON of a run: told by the content.
fn side(args: &CompareArgs, path: &Path, own: &[(String, String)]) -> Result<Side, Exit> {
    if path.extension().is_some_and(|end| end == "json") {
        return recorded(args, path, own);
    }
    let set: Vec<(String, String)> = args.set.iter().chain(own).cloned().collect();
    let what = format!("{}{}", shown(path), options(None, own));
    let command = format!(
        "meshquake run {}{}",
        quoted(&shown(path)),
        options(args.duration, &set)
    );
    let overrides = Overrides {
        seed: None,
        duration: args.duration,
        set,
    };
    match crate::scenario::load(path, &overrides) {
        Ok(loaded) => {
            let plan = loaded.plan;
            Ok(Side::Scenario(what, Box::new(Scenario { plan, command })))
        }
        Err(problems) => {
            output::diagnostics(&problems);
            Err(Exit::Invalid)
        }
    }
}

fn recorded(args: &CompareArgs, path: &Path, own: &[(String, String)]) -> Result<Side, Exit> {
    let shown = shown(path);
    if !args.set.is_empty() || !own.is_empty() || args.duration.is_some() {
        return Err(invalid(&format!(
            "{shown} has been run: nothing can be set in it any more"
        )));
    }
    let text = std::fs::read_to_string(path)
        .map_err(|error| invalid(&format!("cannot read {shown}: {error}")))?;
    let json: serde_json::Value = serde_json::from_str(&text)
        .map_err(|error| invalid(&format!("{shown} is not JSON: {error}")))?;
    if json["schema"] != SCHEMA {
        return Err(invalid(&format!(
            "{shown} is not the result of a run: its `schema` is not `{SCHEMA}`"
        )));
    }
    let report: RunReport = serde_json::from_value(json).map_err(|error| {
        invalid(&format!(
            "{shown} is not as this version writes it: {error}"
        ))
    })?;
    let log = path.with_extension("requests.jsonl");
    let log = log.is_file().then_some(log);
    Ok(Side::Recorded(shown, Box::new(report), log))
}

fn seeds(args: &CompareArgs, a: &Side, b: &Side) -> Result<Vec<u64>, Exit> {
    let recorded = [a, b].into_iter().find_map(|side| match side {
        Side::Recorded(_, report, _) => Some(report.seed),
        Side::Scenario(..) => None,
    });
    let many = args.seeds > 1 || !args.seed_list.is_empty();
    match (recorded, a) {
        (Some(_), _) if many => Err(invalid("a recorded run has one seed: leave --seeds out")),
        (Some(seed), _) => Ok(vec![seed]),
        (None, Side::Scenario(_, scenario)) if args.seed_list.is_empty() => {
            Ok(Seeds::First(args.seeds).of(scenario.plan.seed))
        }
        (None, _) => Ok(Seeds::list(&args.seed_list).of(0)),
    }
}
