//! This crate's scenario files.

use std::path::Path;

use meshquake::plan::Plan;
use meshquake::scenario::{Overrides, load};

/// The plan of `scenarios/NAME.yaml` with some values set by path, such as `("services.shop-0.replicas", "4")`.
///
/// # Panics
/// When the scenario has a mistake.
pub fn plan(name: &str, set: Vec<(String, String)>) -> Plan {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios"));
    let overrides = Overrides {
        set,
        ..Overrides::default()
    };
    match load(&folder.join(name).with_extension("yaml"), &overrides) {
        Ok(loaded) => loaded.plan,
        Err(mistakes) => {
            let said: Vec<String> = mistakes.iter().map(|one| one.render(false)).collect();
            panic!("{}", said.join("\n"))
        }
    }
}
