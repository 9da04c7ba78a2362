//! The `meshquake` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    meshquake::cli::main()
}
