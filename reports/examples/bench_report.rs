//! The page of benches: `cargo run -p meshquake-reports --example bench_report -- [--append] [PAGE.html]`.
//!
//! It reads what the benches left in `target/meshquake-bench/`, what criterion left in `target/criterion/`, and the
//! history in `benches/history/history.json`, and writes the page, by default `target/meshquake-bench/index.html`.
//! With `--append` what the benches left is added to the history, which is to be committed.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs, io, process::ExitCode};

use meshquake_reports::bench::{BENCH_SCHEMA, BenchLine, BenchReport, History, criterion};
use meshquake_reports::bench_html;

fn main() -> ExitCode {
    let mut append = false;
    let mut page = None;
    for arg in env::args().skip(1) {
        match arg.as_str() {
            "--append" => append = true,
            flag if flag.starts_with('-') || page.is_some() => {
                eprintln!("usage: bench_report [--append] [PAGE.html]");
                return ExitCode::from(2);
            }
            path => page = Some(PathBuf::from(path)),
        }
    }
    match draw(append, page) {
        Ok(page) => {
            println!("{}", page.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn draw(append: bool, page: Option<PathBuf>) -> Result<PathBuf, Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let file = root.join("benches/history/history.json");
    let mut history: History = match fs::read_to_string(&file) {
        Ok(text) => {
            serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => History::default(),
        Err(error) => return Err(error.into()),
    };
    let mut now = ours(&target.join("meshquake-bench"))?;
    keep(&mut now, criterions(&target.join("criterion"))?);
    // Where nothing was run here, the last run of each bench is told.
    if now.is_empty() {
        for run in &history.runs {
            now.retain(|other: &BenchReport| other.bench != run.bench);
            now.push(run.clone());
        }
    }
    let page = page.unwrap_or_else(|| target.join("meshquake-bench/index.html"));
    write(&page, &bench_html(&now, &history))?;
    if append {
        history.append(&now);
        write(&file, &(serde_json::to_string_pretty(&history)? + "\n"))?;
    }
    Ok(page)
}

fn write(file: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    fs::write(&part, text)?;
    fs::rename(part, file)
}

/// The entries of a folder by name; none when there is no such folder.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let read = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read?,
    };
    let mut all: Vec<PathBuf> = read
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<_>>()?;
    all.sort();
    Ok(all)
}

fn ours(folder: &Path) -> Result<Vec<BenchReport>, Box<dyn Error>> {
    let all = entries(folder)?.into_iter();
    let mut found = Vec::new();
    for file in all.filter(|file| file.extension().is_some_and(|end| end == "json")) {
        let report = serde_json::from_str(&fs::read_to_string(&file)?);
        found.push(report.map_err(|error| format!("{}: {error}", file.display()))?);
    }
    Ok(found)
}

/// Gives criterion's numbers to the bench that left an account without any: it says where and when they came about.
fn keep(now: &mut Vec<BenchReport>, lines: Vec<BenchLine>) {
    let own = now.iter_mut().find(|report| report.lines.is_empty());
    match own {
        Some(report) => report.lines = lines,
        None if lines.is_empty() => {}
        None => now.push(BenchReport {
            schema: BENCH_SCHEMA.into(),
            bench: "criterion".into(),
            about: "What criterion measured, with 95% confidence intervals.".into(),
            lines,
            ..BenchReport::default()
        }),
    }
}

/// All benchmarks below a folder, by name.
fn criterions(folder: &Path) -> Result<Vec<BenchLine>, Box<dyn Error>> {
    let (mut open, mut lines) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = open.pop() {
        let new = folder.join("new");
        let texts =
            ["benchmark.json", "estimates.json"].map(|name| fs::read_to_string(new.join(name)));
        if let [Ok(benchmark), Ok(estimates)] = &texts {
            let line = criterion(benchmark, estimates);
            lines.push(line.map_err(|error| format!("{}: {error}", new.display()))?);
        }
        open.extend(entries(&folder)?.into_iter().filter(|path| path.is_dir()));
    }
    lines.sort_by(|a: &BenchLine, b| a.name.cmp(&b.name));
    Ok(lines)
}
