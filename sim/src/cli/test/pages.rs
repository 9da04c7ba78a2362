//! The pages of single runs that a suite's page leads to.

use std::collections::BTreeMap;
use std::path::{Component, Path};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use meshquake_reports::suite::SuiteReport;
use meshquake_reports::{Links, report_html};

use crate::cli::bar::Bar;
use crate::cli::output;
use crate::explore::RunId;
use crate::explore::again::{self, Shown};
use crate::explore::suite::Case;

/// Where they stand, below the suite's.
const FOLDER: &str = "runs";

/// Characters of a page's name that tell its scenario.
const NAME_MAX: usize = 100;

/// Writes pages.
pub(super) struct Pages<'a> {
    pub(super) folder: &'a Path,
    pub(super) jobs: usize,
    pub(super) stop: &'a Arc<AtomicBool>,
    pub(super) bar: &'a Bar,
}

impl Pages<'_> {
    /// Makes the runs worth a page again, and writes it; where each stands, as the suite's page sees it.
    ///
    /// # Errors
    /// When a page cannot be written, or a run is not what it was.
    pub(super) fn write(
        &self,
        cases: &[Case],
        report: &SuiteReport,
        reproduce: &(dyn Fn(&RunId) -> String + Sync),
    ) -> Result<Links, String> {
        let runs = again::worth_a_page(cases, &report.scenarios);
        let names = names(&runs);
        let folder = self.folder.join(FOLDER);
        std::fs::create_dir_all(&folder)
            .map_err(|error| output::at(&folder, &error).to_string())?;
        let links = Mutex::new(Links::new());
        let written = AtomicUsize::new(0);
        again::each(&runs, self.jobs, self.stop, reproduce, &|told, run| {
            let Some(name) = names.get(&told.run) else {
                return Ok(());
            };
            let page = report_html(run);
            output::replace(&folder.join(name), page.as_bytes())
                .map_err(|error| error.to_string())?;
            let written = written.fetch_add(1, Ordering::Relaxed) + 1;
            self.bar.at(written as u64, runs.len() as u64, "pages");
            let mut links = links.lock().unwrap_or_else(PoisonError::into_inner);
            links.insert(told.run.clone(), format!("{FOLDER}/{name}"));
            Ok(())
        })?;
        Ok(links.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A file's name for each run, by [`SeedReport::run`](meshquake_reports::suite::SeedReport::run).
fn names(runs: &[Shown<'_>]) -> BTreeMap<String, String> {
    let mut taken = BTreeMap::new();
    let mut names = BTreeMap::new();
    for shown in runs {
        let name = format!("{}-seed-{}", stem(&shown.case.file), shown.told.seed);
        let before = taken.entry(name.clone()).or_insert(0_u32);
        *before += 1;
        let name = match before {
            1 => format!("{name}.html"),
            again => format!("{name}-{again}.html"),
        };
        names.insert(shown.told.run.clone(), name);
    }
    names
}

/// `scenarios/shop/checkout.yaml` as `scenarios-shop-checkout`: a name that any file system takes, of a path that any has.
fn stem(file: &str) -> String {
    let path = Path::new(file).with_extension("");
    let parts = path.components().filter_map(|part| match part {
        Component::Normal(part) => Some(part.to_string_lossy()),
        _ => None,
    });
    let joined = parts.collect::<Vec<_>>().join("-");
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '-' || c == '_' {
            c
        } else {
            '_'
        }
    };
    let mut name: Vec<char> = joined.chars().map(plain).collect();
    // What tells two files apart stands at the end.
    name.drain(..name.len().saturating_sub(NAME_MAX));
    name.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_names() {
        assert_eq!(
            stem("scenarios/shop/checkout.yaml"),
            "scenarios-shop-checkout"
        );
        assert_eq!(stem("../a b/../c.d.yaml"), "a_b-c_d");
        assert_eq!(stem("/etc/x.yaml"), "etc-x");
        assert_eq!(stem("<script>.yaml"), "_script_");
        assert_eq!(
            stem(&format!("{}/end.yaml", "ü".repeat(9000))).len(),
            NAME_MAX
        );
        assert!(stem(&format!("{}/end.yaml", "ü".repeat(9000))).ends_with("_-end"));
    }
}
