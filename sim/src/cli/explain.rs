//! `meshquake explain`.

use super::Exit;
use super::args::ExplainArgs;

pub(crate) fn execute(_args: &ExplainArgs) -> Exit {
    Exit::Held
}
