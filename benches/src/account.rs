//! The account that a bench leaves: `target/meshquake-bench/NAME.json`, for `bench_report` to draw.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

use meshquake_reports::bench::{BENCH_SCHEMA, BenchLine, BenchReport, Machine, Ratio};

use crate::cost::Costs;

/// What a bench measured, in the making.
#[derive(Clone, Debug)]
pub struct Account(BenchReport);

impl Account {
    /// Of the bench of this name, and what it measures in a sentence.
    pub fn new(bench: &str, about: &str) -> Self {
        Self(BenchReport {
            schema: BENCH_SCHEMA.into(),
            bench: bench.into(),
            about: about.into(),
            machine: machine(),
            unix_s: now(),
            note: env::var("MESHQUAKE_BENCH_NOTE").unwrap_or_default(),
            lines: Vec::new(),
        })
    }

    /// Adds a number.
    pub fn add(&mut self, name: &str, value: f64, unit: &str) {
        self.0.lines.push(BenchLine {
            name: name.into(),
            unit: unit.into(),
            value,
            ..BenchLine::default()
        });
    }

    /// Adds a number with how its repeats spread, and what it is of a baseline.
    pub fn compare(
        &mut self,
        name: &str,
        (value, unit): (f64, &str),
        repeats: &[f64],
        ratio: Ratio,
    ) {
        self.0.lines.push(BenchLine {
            name: name.into(),
            unit: unit.into(),
            value,
            spread: bounds(repeats),
            ratio: Some(ratio),
        });
    }

    /// Writes it where the page is made of it, and says so; that it cannot be written ends no bench.
    pub fn write(&self) {
        let folder = folder();
        if let Err(error) = self.write_to(&folder) {
            eprintln!("no account in {}: {error}", folder.display());
        }
    }

    fn write_to(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let file = folder.join(format!("{}.json", self.0.bench));
        let part = file.with_extension("json.part");
        fs::write(&part, serde_json::to_string_pretty(&self.0)? + "\n")?;
        fs::rename(part, file)
    }
}

/// A ratio to `of` whose repeats came out so; `value` is the one that is told.
pub fn ratio(of: &str, value: f64, repeats: &[f64]) -> Ratio {
    Ratio {
        of: of.into(),
        value,
        spread: bounds(repeats),
        ..Ratio::default()
    }
}

/// Four fifths of `repeats` lie within: the least and the greatest of a few.
fn bounds(repeats: &[f64]) -> Option<(f64, f64)> {
    if repeats.len() < 2 {
        return None;
    }
    let costs = Costs::new(repeats.to_vec());
    let out = if repeats.len() < 10 { 0.0 } else { 0.1 };
    Some((costs.quantile(out), costs.quantile(1.0 - out)))
}

/// Beside what cargo builds.
fn folder() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
        PathBuf::from,
    );
    target.join("meshquake-bench")
}

#[expect(
    clippy::disallowed_methods,
    reason = "an account says when its bench was run"
)]
fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// What a program says in its first line; empty when there is none.
fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(program)
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    let text = output.ok().filter(|o| o.status.success()).map(|o| o.stdout);
    let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
    text.lines().next().unwrap_or_default().trim().to_owned()
}

fn machine() -> Machine {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown processor", |(_, name)| name.trim());
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let commit = env::var("MESHQUAKE_COMMIT")
        .unwrap_or_else(|_| said("git", &["rev-parse", "--short=12", "HEAD"]));
    let dirty = !commit.is_empty() && !said("git", &["status", "--porcelain", "-uno"]).is_empty();
    Machine {
        processor: processor.to_owned(),
        cores: std::thread::available_parallelism().map_or(1, |n| n.get() as u32),
        system: format!("{} {}", env::consts::OS, env::consts::ARCH),
        load: load
            .split_whitespace()
            .next()
            .and_then(|load| load.parse().ok()),
        rustc: said("rustc", &["--version"]),
        commit: if dirty { commit + "-dirty" } else { commit },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_reads_back() {
        let folder = env::temp_dir().join(format!("meshquake-account-{}", std::process::id()));
        let mut account = Account::new("memory", "What a pod weighs.");
        account.add("50 pods", 314.0, "KiB");
        account.compare(
            "mesh",
            (22.3, "µs"),
            &[22.0, 25.0],
            ratio("bare", 1.4, &[1.4]),
        );
        account.write_to(&folder).unwrap();
        let text = fs::read_to_string(folder.join("memory.json")).unwrap();
        let read: BenchReport = serde_json::from_str(&text).unwrap();
        fs::remove_dir_all(folder).unwrap();
        assert_eq!(read, account.0);
        assert_eq!(read.lines[1].spread, Some((22.0, 25.0)));
        assert_eq!(read.lines[1].ratio.as_ref().unwrap().spread, None);
    }
}
