//! `meshquake tui`: a run in a terminal.
//!
//! Three parts that know little of each other. A [film](film) is a recorded run that can be looked at from any
//! instant; a [state](state) is what is shown of it, changed by keys and by nothing else; a [view](view) draws a
//! state. Around them the [terminal](terminal) reads keys and paints, and the [director](director) records films
//! and writes files. Only those two touch the world.

mod director;
mod film;
mod script;
mod state;
mod studio;
mod terminal;
mod text;
mod view;
mod wish;

use std::path::Path;

use meshquake_reports::{RunReport, SCHEMA};

use director::Director;
pub(crate) use director::{Feature, feature};
use film::Film;
use state::State;

/// Largest record that is read.
const RECORD_BYTES_MAX: u64 = 1 << 30;

/// Shows `features`, one or two, until the user leaves; tells the commands that make again what was changed by hand.
///
/// # Errors
/// When the terminal cannot be used.
pub(crate) fn show(features: Vec<Feature>, color: bool) -> std::io::Result<Vec<String>> {
    let (mut director, sides) = Director::start(features)?;
    let mut state = State::new(sides, color);
    terminal::run(&mut state, &mut director)?;
    Ok(director.farewell(&state))
}

/// The film of a record.
///
/// # Errors
/// Why the file is none, in a sentence.
fn record_of(path: &Path) -> Result<Film, String> {
    let name = path.display();
    let cannot = |error: &dyn std::fmt::Display| format!("cannot read `{name}`: {error}");
    let length = std::fs::metadata(path)
        .map_err(|error| cannot(&error))?
        .len();
    if length > RECORD_BYTES_MAX {
        return Err(format!(
            "`{name}` is larger than {} MiB",
            RECORD_BYTES_MAX >> 20
        ));
    }
    let text = std::fs::read_to_string(path).map_err(|error| cannot(&error))?;
    let report: RunReport = serde_json::from_str(&text)
        .map_err(|error| format!("`{name}` is not the record of a run: {error}"))?;
    if report.schema != SCHEMA {
        return Err(format!(
            "`{name}` is of schema `{}`, not `{SCHEMA}`",
            report.schema
        ));
    }
    Ok(Film::of_report(report))
}
