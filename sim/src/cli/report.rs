//! `meshquake report`.

use std::path::{Path, PathBuf};

use clap::Args;
use meshquake_reports::report_html;
use meshquake_reports::{RunReport, SCHEMA};

use super::{Exit, output};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  meshquake run scenario.yaml --json run.json
  meshquake report run.json                    writes run.html
  meshquake report run.json -o report.html
  meshquake report results/*.json -o pages/    one page each
  meshquake run scenario.yaml --report report.html   in one go

A page is one file that needs nothing else: open it in a browser, send it, keep
it. It shows the verdict, what was demanded and measured, charts with the faults
behind them, who called whom, where failed and slow requests spent their time,
and the command that makes the run again.

Exit codes: 0 written, 2 invalid input.")]
pub(crate) struct ReportArgs {
    /// Results of `meshquake run --json`.
    #[arg(required = true, value_name = "RUN.json")]
    files: Vec<PathBuf>,
    /// Where the page goes; a folder for several. By default beside each file.
    #[arg(long, short, value_name = "FILE|DIR")]
    output: Option<PathBuf>,
}

pub(crate) fn execute(args: &ReportArgs) -> Exit {
    match write(args) {
        Ok(()) => Exit::Held,
        Err(why) => {
            output::problem(&why);
            Exit::Invalid
        }
    }
}

fn write(args: &ReportArgs) -> Result<(), String> {
    for file in &args.files {
        let page = report_html(&read(file)?);
        let target = target(file, args)?;
        output::replace(&target, page.as_bytes()).map_err(|error| error.to_string())?;
        eprintln!("{}", target.display());
    }
    Ok(())
}

/// Where the page of `file` goes.
fn target(file: &Path, args: &ReportArgs) -> Result<PathBuf, String> {
    let beside = file.with_extension("html");
    let Some(wanted) = &args.output else {
        return Ok(beside);
    };
    let folder = wanted.is_dir() || wanted.to_string_lossy().ends_with('/');
    match (folder, args.files.as_slice()) {
        (true, _) => {
            std::fs::create_dir_all(wanted)
                .map_err(|error| output::at(wanted, &error).to_string())?;
            Ok(wanted.join(beside.file_name().unwrap_or_default()))
        }
        (false, [_]) => Ok(wanted.clone()),
        (false, _) => Err(format!(
            "{} is one file: name a folder for the pages of several runs, such as `-o {}/`",
            wanted.display(),
            wanted.with_extension("").display(),
        )),
    }
}

/// The run that a file tells of.
///
/// # Errors
/// When it cannot be read or is no run, in a sentence that says what to do.
pub(crate) fn read(path: &Path) -> Result<RunReport, String> {
    let shown = path.display();
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    let wants = "the JSON of a run, as `meshquake run SCENARIO --json FILE` writes it";
    if path
        .extension()
        .is_some_and(|end| end == "yaml" || end == "yml")
    {
        return Err(format!(
            "{shown} is a scenario: `meshquake run {shown} --report report.html` runs it and writes the page"
        ));
    }
    let json: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| format!("{shown} is not {wants}: {error}"))?;
    let schema = json.get("schema").and_then(serde_json::Value::as_str);
    match schema {
        Some(SCHEMA) => serde_json::from_value(json)
            .map_err(|error| format!("{shown} is not {wants}, of this version: {error}")),
        Some(other) => Err(format!("{shown} is `{other}`, not {wants} (`{SCHEMA}`)")),
        None => Err(format!("{shown} is not {wants}")),
    }
}
