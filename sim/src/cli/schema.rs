//! `meshquake schema`.

use super::{Exit, output};

pub(crate) fn execute() -> Exit {
    let mut text = format!("{:#}", crate::scenario::schema());
    text.push('\n');
    match output::print(&text) {
        Ok(()) => Exit::Held,
        Err(error) => {
            output::problem(&format!("cannot print: {error}"));
            Exit::Invalid
        }
    }
}
