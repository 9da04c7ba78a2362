//! `--baseline` and `--update-baseline`.

use std::path::{Path, PathBuf};

use meshquake_reports::baseline::{Baseline, BaselineReport, Tolerance, compare};
use meshquake_reports::suite::{Judgement, ScenarioReport, SuiteReport};
use meshquake_reports::summary::unit::counted;

use super::{TestArgs, accepted, shown};
use crate::cli::output;

/// The file, read before the runs so that a mistake in it is told at once.
pub(super) struct BaselineFile {
    path: PathBuf,
    before: Option<Baseline>,
    tolerance: Tolerance,
    update: bool,
    whole: bool,
}

impl BaselineFile {
    /// What `args` ask for.
    pub(super) fn open(args: &TestArgs) -> Result<Option<Self>, String> {
        let update = args.update_baseline.is_some();
        let Some(path) = args.update_baseline.as_ref().or(args.baseline.as_ref()) else {
            return Ok(None);
        };
        let shown = path.display();
        let before = match std::fs::read_to_string(path) {
            Ok(text) => match Baseline::parse(&text) {
                Ok(baseline) => Some(baseline),
                Err(error) => return Err(format!("cannot read the baseline {shown}: {error}")),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && update => None,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(format!(
                    "there is no baseline {shown}; make one with --update-baseline {shown}"
                ));
            }
            Err(error) => return Err(format!("cannot read the baseline {shown}: {error}")),
        };
        Ok(Some(Self {
            path: path.clone(),
            before,
            tolerance: Tolerance::relative(args.tolerance / 100.0),
            update,
            whole: args.filter.is_none(),
        }))
    }

    /// Compares, and updates if that was asked for; nothing to tell when there was no baseline before.
    pub(super) fn settle(self, report: &SuiteReport) -> Result<Option<BaselineReport>, String> {
        let named: Vec<(String, &ScenarioReport)> = report
            .scenarios
            .iter()
            .map(|scenario| (self.name(&scenario.file), scenario))
            .collect();
        let version = report.meshquake_version.as_str();
        let options = report.settings.options.trim_start();
        let whole = self.whole && !self.update;
        let file = shown(&self.path);
        let compared = self.before.as_ref().map(|before| {
            compare(
                before,
                &file,
                &named,
                self.tolerance,
                (version, options),
                whole,
            )
        });
        if !self.update {
            return Ok(compared);
        }
        let mut after = Baseline::new(version, options);
        // Scenarios that were not run this time stay, as long as there is such a file.
        for (name, scenario) in self.before.iter().flat_map(|before| &before.scenarios) {
            if self.folder().join(name).is_file() {
                after.scenarios.insert(name.clone(), scenario.clone());
            }
        }
        for (name, scenario) in named {
            if !matches!(
                scenario.judgement,
                Judgement::Invalid | Judgement::Defect | Judgement::NotRun
            ) {
                after.take(name, scenario);
            }
        }
        let text = after.to_text().map_err(|error| error.to_string())?;
        output::replace(&self.path, text.as_bytes())
            .map_err(|error| format!("cannot write the baseline: {error}"))?;
        eprintln!(
            "baseline {file}: {} written",
            counted(after.scenarios.len() as u64, "scenario")
        );
        Ok(compared.map(accepted))
    }

    fn folder(&self) -> &Path {
        let parent = self
            .path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        parent.unwrap_or(Path::new("."))
    }

    /// A scenario's path from the baseline's folder, so that it is the same wherever a suite is started.
    fn name(&self, file: &str) -> String {
        let absolute = |path: &Path| std::fs::canonicalize(path).ok();
        let paths = absolute(self.folder()).zip(absolute(Path::new(file)));
        paths.map_or_else(|| file.to_owned(), |(from, to)| relative(&from, &to))
    }
}

/// The way from a folder to a file, both absolute.
fn relative(from: &Path, to: &Path) -> String {
    let shared = from
        .components()
        .zip(to.components())
        .take_while(|(a, b)| a == b)
        .count();
    let up = from.components().skip(shared).map(|_| "..".to_owned());
    let down = to
        .components()
        .skip(shared)
        .map(|part| part.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<String>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_from_a_folder_to_a_file() {
        let way = |from: &str, to: &str| relative(Path::new(from), Path::new(to));
        assert_eq!(way("/a/b", "/a/b/c/d.yaml"), "c/d.yaml");
        assert_eq!(way("/a/ci", "/a/b/d.yaml"), "../b/d.yaml");
        assert_eq!(way("/", "/d.yaml"), "d.yaml");
    }
}
