//! `meshquake init`.

use std::path::PathBuf;

use super::args::InitArgs;
use super::{Exit, invalid, output};

pub(crate) fn execute(args: &InitArgs) -> Exit {
    let name = args.name.trim_end_matches(".yaml").trim_end_matches(".yml");
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || !name.chars().all(legal) || name.starts_with('.') {
        return invalid("a scenario's name is made of letters, digits, '-', '_' and '.'");
    }
    let path = PathBuf::from(format!("{name}.yaml"));
    if path.exists() {
        let path = path.display();
        return invalid(&format!(
            "{path} is there already; choose another name or remove it"
        ));
    }
    if let Err(error) = output::replace(&path, crate::scenario::starter(name).as_bytes()) {
        return invalid(&format!("cannot write {}: {error}", path.display()));
    }
    println!("Wrote {0}. Run it with: meshquake run {0}", path.display());
    Exit::Held
}
