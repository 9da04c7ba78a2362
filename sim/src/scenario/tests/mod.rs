//! Tests of whole scenarios.

mod calls;
mod demands;
mod docs;
mod fault_mistakes;
mod fault_mistakes_capacity;
mod fault_mistakes_control;
mod format;
mod garbage;
mod imports;
mod mistakes;
mod places;
mod resolved;

use std::path::Path;

use mesh_core::document::{Diagnostic, Source};

use super::load::{Loaded, Overrides, load_source};

/// The shortest beginning of a scenario.
const HEAD: &str = "meshquake: v1\nduration: 1m\n";

fn try_load(yaml: &str) -> Result<Loaded, Vec<Diagnostic>> {
    let source = Source::new("shop.yaml", yaml);
    load_source(
        &source,
        Path::new("no-such-directory"),
        "shop",
        &Overrides::default(),
    )
}

/// A scenario that must load.
fn load(body: &str) -> Loaded {
    try_load(&format!("{HEAD}{body}")).unwrap_or_else(|errors| panic!("{}", shown(&errors)))
}

/// What is said of a scenario that must not load.
fn refused(body: &str) -> String {
    match try_load(&format!("{HEAD}{body}")) {
        Ok(_) => panic!("this loads:\n{body}"),
        Err(errors) => shown(&errors),
    }
}

fn shown(diagnostics: &[Diagnostic]) -> String {
    let shown: Vec<String> = diagnostics
        .iter()
        .map(|diagnostic| diagnostic.render(false))
        .collect();
    shown.join("\n\n")
}
