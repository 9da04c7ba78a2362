//! `meshquake report`.

pub(super) mod input;
mod pictures;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use meshquake_reports::suite::{SuiteReport, markdown};
use meshquake_reports::{
    Links, RunReport, comparison_html, comparison_markdown, report_html, run_markdown, runs_html,
    suite_html, sweep_html,
};

use self::input::{look, result_in, typed, unwanted};
use self::pictures::Pictures;
use super::{Exit, invalid, output};

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  meshquake run scenario.yaml --json run.json
  meshquake report run.json                    writes run.html
  meshquake report run.json -o report.html
  meshquake report results/*.json -o all.html  all runs on one page
  meshquake report results/*.json -o pages/    one page each
  meshquake report --compare before.json after.json -o compared.html
  meshquake report test.json                   a suite, of `test --json`
  meshquake report results/                    the one result in a folder
  meshquake report rows.csv                    a sweep, of `sweep --csv`
  meshquake report run.json --markdown -       for a pull request
  meshquake report run.json --png slides/      every drawing as a picture
  meshquake run scenario.yaml --report report.html   in one go

A page is one file that needs nothing else: open it in a browser, send it, keep
it. It shows the verdict, what was demanded and measured, charts with the faults
behind them, who called whom, where failed and slow requests spent their time,
and the command that makes the run again.

Exit codes: 0 written, 2 invalid input.")]
pub(crate) struct ReportArgs {
    /// Results: JSON of `run` or `test`, CSV of `sweep`; or a folder that holds one.
    #[arg(required = true, value_name = "RESULT")]
    files: Vec<PathBuf>,
    /// Where the page goes. Several runs go on one page, or into a folder as one page each. By default beside each
    /// file.
    #[arg(long, short, value_name = "FILE|DIR")]
    output: Option<PathBuf>,
    /// Put two runs side by side on one page, the first as A, the second as B.
    #[arg(long)]
    compare: bool,
    /// Write Markdown for a pull request to FILE, or to standard output for `-`, in place of a page.
    #[arg(long, value_name = "FILE|-", conflicts_with = "output")]
    markdown: Option<PathBuf>,
    /// Write every drawing of the page as a PNG file into DIR, in place of the page unless -o names one too (needs the
    /// cargo feature `png`).
    #[arg(long, value_name = "DIR", conflicts_with = "markdown")]
    png: Option<PathBuf>,
}

/// What a file tells of.
enum Told {
    Run(Box<RunReport>),
    Suite(Box<SuiteReport>),
    /// A sweep's rows, as CSV.
    Sweep(String),
}

pub(crate) fn execute(args: &ReportArgs) -> Exit {
    let files = args.files.iter();
    let files = files.map(|file| result_in(file, "meshquake report"));
    let args = match files.collect() {
        Ok(files) => &ReportArgs {
            files,
            ..args.clone()
        },
        Err(why) => return invalid(&why),
    };
    let inputs = || args.files.iter().map(PathBuf::as_path);
    let spared = [&args.output, &args.markdown]
        .into_iter()
        .try_for_each(|result| output::spare(inputs(), result.as_deref()));
    let named = spared.and_then(|()| is_page(args.output.as_deref()));
    let written = named.and_then(|()| match (args.compare, &args.markdown) {
        (true, _) => compared(args),
        (false, Some(target)) => told(args, target),
        (false, None) => Sheets::begin(args).and_then(|mut sheets| pages(args, &mut sheets)),
    });
    match written {
        Ok(()) => Exit::Held,
        Err(why) => invalid(&why),
    }
}

/// A page is HTML: a name that promises something else would be found out late.
fn is_page(output: Option<&Path>) -> Result<(), String> {
    let end = output
        .and_then(Path::extension)
        .map(|end| end.to_ascii_lowercase());
    let help = match end.as_ref().and_then(|end| end.to_str()) {
        Some("pdf") => "open the page in a browser and print it",
        Some("png" | "svg" | "jpg" | "jpeg") => "`--png DIR` makes pictures",
        Some("md" | "markdown") => "`--markdown FILE` writes Markdown",
        Some("json" | "jsonl" | "csv" | "xml" | "txt") => "name it `.html`",
        _ => return Ok(()),
    };
    let name = output.unwrap_or(Path::new("")).display().to_string();
    Err(format!("{name}: a page is HTML; {help}"))
}

/// Where pages go: into files, and their drawings into a folder.
struct Sheets {
    written: bool,
    pictures: Option<Pictures>,
}

impl Sheets {
    fn begin(args: &ReportArgs) -> Result<Self, String> {
        let pictures = args.png.as_deref().map(Pictures::into).transpose()?;
        let written = pictures.is_none() || args.output.is_some();
        Ok(Self { written, pictures })
    }

    /// Takes the page of `file`, which is `of` something where there are several; the page's own file is `target`.
    fn take(
        &mut self,
        (file, of): (&Path, &str),
        page: &str,
        target: impl FnOnce() -> Result<PathBuf, String>,
    ) -> Result<(), String> {
        if self.written {
            write(&target()?, page.as_bytes())?;
        }
        let Some(pictures) = &mut self.pictures else {
            return Ok(());
        };
        match pictures.write(page, of)? {
            0 => Err(format!(
                "{} has no pictures: its page is words and tables",
                file.display()
            )),
            _ => Ok(()),
        }
    }
}

fn pages(args: &ReportArgs, sheets: &mut Sheets) -> Result<(), String> {
    if let (Some(output), [_, _, ..]) = (&args.output, args.files.as_slice())
        && !is_folder(output)
    {
        let page = runs_html(&together(&args.files, output)?);
        return sheets.take((output, ""), &page, || Ok(output.clone()));
    }
    for file in &args.files {
        let page = match read(file)? {
            Told::Run(run) => report_html(&run),
            Told::Suite(suite) => suite_html(&suite, &Links::new()),
            Told::Sweep(csv) => {
                let rows = meshquake_reports::sweep::read_csv(&csv);
                let (columns, rows) = rows.map_err(|error| output::at(file, &error).to_string())?;
                let name = file.file_stem().unwrap_or_default().to_string_lossy();
                sweep_html(&name, "", &columns, &rows)
            }
        };
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let of = if args.files.len() > 1 { &*stem } else { "" };
        sheets.take((file, of), &page, || target(file, args))?;
    }
    Ok(())
}

/// The runs of `files`, for one page.
fn together(files: &[PathBuf], output: &Path) -> Result<Vec<(String, RunReport)>, String> {
    let stem = |file: &Path| file.file_stem().unwrap_or_default().to_os_string();
    let stems: BTreeSet<_> = files.iter().map(|file| stem(file)).collect();
    let run = |file: &PathBuf| {
        let name = match stems.len() == files.len() {
            true => stem(file).to_string_lossy().into_owned(),
            false => file.display().to_string(),
        };
        match read(file)? {
            Told::Run(run) => Ok((name, *run)),
            _ => Err(format!(
                "{} is no run, and only runs go on one page: name a folder for one page each, such as `-o {}/`",
                file.display(),
                output.with_extension("").display(),
            )),
        }
    };
    files.iter().map(run).collect()
}

fn compared(args: &ReportArgs) -> Result<(), String> {
    let [a, b] = args.files.as_slice() else {
        return Err(format!(
            "--compare takes two runs, and {} are given",
            args.files.len()
        ));
    };
    let run = |path: &Path| match read(path)? {
        Told::Run(run) => Ok(run),
        _ => Err(format!(
            "{} is no run: --compare takes two runs",
            path.display()
        )),
    };
    let (a_run, b_run) = (run(a)?, run(b)?);
    if let Some(target) = &args.markdown {
        return tell(target, &comparison_markdown(&a_run, &b_run, None));
    }
    let page = comparison_html(&a_run, &b_run, None);
    let beside = a.with_file_name("compared.html");
    let target = args.output.clone().unwrap_or(beside);
    Sheets::begin(args)?.take((a, ""), &page, || Ok(target))
}

fn told(args: &ReportArgs, target: &Path) -> Result<(), String> {
    let mut text = String::new();
    for file in &args.files {
        text.push_str(&match read(file)? {
            Told::Run(run) => run_markdown(&run),
            Told::Suite(suite) => markdown::markdown(&suite),
            Told::Sweep(_) => {
                return Err(format!(
                    "{} is a sweep: it has a page, and no Markdown",
                    file.display()
                ));
            }
        });
    }
    tell(target, &text)
}

fn tell(target: &Path, text: &str) -> Result<(), String> {
    if target.as_os_str() == "-" {
        return output::print(text).map_err(|error| format!("cannot print: {error}"));
    }
    write(target, text.as_bytes())
}

fn write(target: &Path, bytes: &[u8]) -> Result<(), String> {
    output::replace(target, bytes).map_err(|error| error.to_string())?;
    eprintln!("{}", target.display());
    Ok(())
}

/// Where the page of `file` goes.
fn target(file: &Path, args: &ReportArgs) -> Result<PathBuf, String> {
    let beside = file.with_extension("html");
    let Some(wanted) = &args.output else {
        return Ok(beside);
    };
    if !is_folder(wanted) {
        return Ok(wanted.clone());
    }
    std::fs::create_dir_all(wanted)
        .map_err(|error| output::not_a_folder(wanted, &error).to_string())?;
    Ok(wanted.join(beside.file_name().unwrap_or_default()))
}

fn is_folder(path: &Path) -> bool {
    path.is_dir() || path.to_string_lossy().ends_with('/')
}

/// What a file tells of.
///
/// # Errors
/// When it cannot be read or is no result, in a sentence that says what to do.
fn read(path: &Path) -> Result<Told, String> {
    match look(path)? {
        input::Told::Run(run) => Ok(Told::Run(run)),
        input::Told::Suite(suite) => Ok(Told::Suite(suite)),
        input::Told::Sweep(csv) => Ok(Told::Sweep(csv)),
        input::Told::Scenario => Err(format!(
            "{} is a scenario: `meshquake run {} --report report.html` runs it and writes the page",
            path.display(),
            typed(path)
        )),
        input::Told::Other { is, then } => {
            let wanted = "a result: JSON of `meshquake run` or `test`, or CSV of `sweep`";
            Err(unwanted(path, &is, &then, wanted))
        }
    }
}
