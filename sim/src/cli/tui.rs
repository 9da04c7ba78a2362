//! `meshquake tui`.

use std::io::{self, IsTerminal as _};
use std::path::Path;

use meshquake_reports::suite::{SuiteReport, quoted};

use super::args::TuiArgs;
use super::report::input::{Told, look, result_in, typed, unwanted};
use super::{Exit, invalid, output};
use crate::scenario::Overrides;
use crate::tui::{self, Feature};

pub(crate) fn execute(args: &TuiArgs) -> Exit {
    let overrides = args.overrides.overrides();
    let mut features = Vec::new();
    for file in &args.files {
        match feature(file, &overrides) {
            Ok(feature) => features.push(feature),
            Err(exit) => return exit,
        }
    }
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        let why = "`meshquake tui` needs a terminal; `meshquake run` prints, and `--json` writes what it would show";
        return invalid(why);
    }
    match tui::show(features, output::colored(true)) {
        Ok(left) => {
            for command in left.commands {
                eprintln!("run it again:  {command}");
            }
            match left.told_to {
                true => Exit::Interrupted,
                false => Exit::Held,
            }
        }
        Err(error) => invalid(&format!("the terminal cannot be used: {error}")),
    }
}

/// Opens what is to be shown: a scenario, or the record of a run. What is wrong with it is told.
fn feature(path: &Path, overrides: &Overrides) -> Result<Feature, Exit> {
    let told = result_in(path, "meshquake tui").and_then(|path| Ok((look(&path)?, path)));
    let (told, path) = told.map_err(|why| invalid(&why))?;
    let why = match told {
        Told::Run(run) => return Ok(Feature::recorded(&path, *run)),
        Told::Scenario => {
            return Feature::live(&path, overrides).map_err(|problems| {
                output::diagnostics(&problems);
                Exit::Invalid
            });
        }
        Told::Suite(suite) => suite_of_runs(&path, &suite),
        Told::Sweep(_) => {
            let then = format!("`meshquake report {}` makes its page", typed(&path));
            unwanted(&path, "a table of many runs, of a sweep", &then, "")
        }
        Told::Other { is, then } => {
            let wanted = "a scenario or the record of a run, which `meshquake run SCENARIO --json FILE` writes";
            unwanted(&path, &is, &then, wanted)
        }
    };
    Err(invalid(&why))
}

/// What to do with a suite: its page, or the first run of it that is worth looking at.
fn suite_of_runs(path: &Path, suite: &SuiteReport) -> String {
    let all = || {
        let scenarios = suite.scenarios.iter();
        scenarios.flat_map(|scenario| scenario.runs.iter().map(move |run| (scenario, run)))
    };
    let run = all()
        .find(|(_, run)| !run.as_declared)
        .or_else(|| all().next());
    let play = run.map(|(scenario, run)| {
        let (file, options) = (quoted(&scenario.file), &suite.settings.options);
        format!(
            "; `meshquake tui {file} --seed {}{options}` plays one of its runs",
            run.seed
        )
    });
    let then = format!(
        "`meshquake report {}` makes its page{}",
        typed(path),
        play.unwrap_or_default()
    );
    unwanted(path, "the result of a suite, which is many runs", &then, "")
}
