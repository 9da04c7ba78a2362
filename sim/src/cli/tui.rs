//! `meshquake tui`.

use std::io::{self, IsTerminal as _};

use super::args::TuiArgs;
use super::{Exit, invalid, output};
use crate::tui;

pub(crate) fn execute(args: &TuiArgs) -> Exit {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        let why = "`meshquake tui` needs a terminal; `meshquake run` prints, and `--json` writes what it would show";
        return invalid(why);
    }
    let overrides = args.overrides.overrides();
    let mut features = Vec::new();
    for file in &args.files {
        match tui::feature(file, &overrides) {
            Ok(feature) => features.push(feature),
            Err(problems) => {
                output::diagnostics(&problems);
                return Exit::Invalid;
            }
        }
    }
    match tui::show(features, output::colored(true)) {
        Ok(commands) => {
            for command in commands {
                eprintln!("run it again:  {command}");
            }
            Exit::Held
        }
        Err(error) => invalid(&format!("the terminal cannot be used: {error}")),
    }
}
