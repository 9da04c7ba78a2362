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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_scenarios_have_two_hundred_pods() {
        for name in ["day", "crowd"] {
            let plan = plan(name, Vec::new());
            assert_eq!(plan.pods.len() + plan.traffic.len(), 200, "{name}");
        }
    }

    #[test]
    fn replicas_are_set_from_outside() {
        let set = ("services.shop-3.replicas".to_owned(), "4".to_owned());
        assert_eq!(plan("crowd", vec![set]).pods.len(), 190 - 15);
    }
}
