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
mod written;

use director::Director;
pub(crate) use director::Feature;
use state::State;

/// How it was left.
pub(crate) struct Left {
    /// The commands that make again what was changed by hand.
    pub(crate) commands: Vec<String>,
    /// Whether a signal told it to end, and not the user.
    pub(crate) told_to: bool,
}

/// Shows `features`, one or two, until the user leaves.
///
/// # Errors
/// When the terminal cannot be used.
pub(crate) fn show(features: Vec<Feature>, color: bool) -> std::io::Result<Left> {
    let (mut director, sides) = Director::start(features)?;
    let mut state = State::new(sides, color);
    let told_to = terminal::run(&mut state, &mut director)?;
    Ok(Left {
        commands: director.farewell(&state),
        told_to,
    })
}
