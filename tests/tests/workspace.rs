//! The shape of the workspace: who may know whom.

use std::collections::{BTreeMap, BTreeSet};

use std::process::Command;

use serde_json::Value;

/// What each crate of the workspace depends on, in its library and binaries.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let described = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps"])
        .current_dir(meshquake_tests::root())
        .output()
        .expect("cargo runs");
    let described: Value =
        serde_json::from_slice(&described.stdout).expect("cargo describes the workspace");
    let name = |of: &Value| of["name"].as_str().expect("it has a name").to_owned();
    let list = |of: &Value| of.as_array().expect("cargo lists them").clone();
    let edges = list(&described["packages"]).into_iter().map(|package| {
        let all = list(&package["dependencies"]);
        // A dependency without a kind is neither for tests nor for build scripts.
        let normal = all.iter().filter(|d| d["kind"].is_null());
        (name(&package), normal.map(name).collect())
    });
    edges.collect()
}

#[test]
fn arrows_point_down() {
    let all = dependencies();
    let own: BTreeSet<&String> = all.keys().collect();
    let knows = |krate: &str| -> BTreeSet<&String> {
        all[krate].iter().filter(|d| own.contains(d)).collect()
    };
    assert!(
        knows("mesh-core").is_empty(),
        "mesh-core knows nothing of this workspace"
    );
    assert!(
        knows("meshquake-reports").is_empty(),
        "reports know only the record"
    );
    let below = ["mesh-core", "meshquake-reports"].map(String::from);
    assert!(knows("meshquake").iter().all(|d| below.contains(d)));
}

#[test]
fn the_mesh_knows_no_simulator() {
    let all = dependencies();
    for krate in ["mesh-core", "meshquake-reports"] {
        let simulators = all[krate].iter().filter(|d| d.starts_with("turmoil"));
        assert_eq!(simulators.count(), 0, "{krate}");
    }
}

#[test]
fn no_source_file_allows_unsafe_code() {
    let manifest = std::fs::read_to_string(meshquake_tests::root().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("unsafe_code = \"forbid\""));
    for krate in ["mesh-core", "sim", "reports", "benches", "tests"] {
        let own = meshquake_tests::root().join(krate).join("Cargo.toml");
        let own = std::fs::read_to_string(own).unwrap();
        assert!(
            own.contains("[lints]\nworkspace = true"),
            "{krate} follows the workspace's lints"
        );
    }
}
