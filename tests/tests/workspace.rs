//! The shape of the workspace: who may know whom.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// What each crate of the workspace depends on, in its library and binaries.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = MetadataCommand::new()
        .manifest_path(meshquake_tests::root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .expect("cargo describes the workspace");
    let edges = metadata.workspace_packages().into_iter().map(|package| {
        let normal = package.dependencies.iter();
        let normal = normal.filter(|d| d.kind == DependencyKind::Normal);
        (
            package.name.to_string(),
            normal.map(|d| d.name.to_string()).collect(),
        )
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
