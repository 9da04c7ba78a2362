//! Argument parsing, exit codes, wiring; no logic.
//!
//! Exit codes: 0 everything held, 1 an expectation or invariant failed, 2 the
//! input is invalid, 3 the run is not deterministic, 4 a defect of Meshquake.

mod args;
mod bar;
mod compare;
mod explain;
mod exports;
mod files;
mod init;
mod interrupt;
mod output;
mod progress;
mod replay;
mod report;
mod run;
mod schema;
mod sweep;
mod test;
mod tui;
mod validate;

pub(crate) use args::options as overridden;
pub(crate) use output::replace;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Arguments, Command};

/// How a command ended; of several ends the greatest is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Everything held.
    Held = 0,
    /// An expectation or invariant failed.
    Failed = 1,
    /// The input is invalid.
    Invalid = 2,
    /// Two runs of one seed differ.
    NotDeterministic = 3,
    /// A defect of Meshquake.
    Defect = 4,
    /// Ctrl-C, as a shell tells it (128 + SIGINT).
    Interrupted = 130,
}

/// Says why the input is invalid.
fn invalid(why: &str) -> Exit {
    output::problem(why);
    Exit::Invalid
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let failed = error.use_stderr();
            // Nowhere is left to report that printing failed.
            let _printed = error.print();
            return if failed { Exit::Invalid } else { Exit::Held }.into();
        }
    };
    let ended = std::panic::catch_unwind(|| dispatch(&arguments.command));
    let exit = ended.unwrap_or_else(|_| {
        output::defect("the command panicked; the message above says where");
        Exit::Defect
    });
    exit.into()
}

fn dispatch(command: &Command) -> Exit {
    match command {
        Command::Run(args) => run::execute(args),
        Command::Test(args) => test::execute(args),
        Command::Compare(args) => compare::execute(args),
        Command::Sweep(args) => sweep::execute(args),
        Command::Replay(args) => replay::execute(args),
        Command::Report(args) => report::execute(args),
        Command::Validate(args) => validate::execute(args),
        Command::Schema => schema::execute(),
        Command::Init(args) => init::execute(args),
        Command::Explain(args) => explain::execute(args),
        Command::Tui(args) => tui::execute(args),
    }
}
