//! `meshquake schema`.

use super::{Exit, invalid, output};

pub(crate) fn execute() -> Exit {
    let mut text = format!("{:#}", crate::scenario::schema());
    text.push('\n');
    match output::print(&text) {
        Ok(()) => Exit::Held,
        Err(error) => invalid(&format!("cannot print: {error}")),
    }
}
