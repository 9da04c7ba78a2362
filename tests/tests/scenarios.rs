//! Every shipped scenario loads, runs and holds.

#![expect(clippy::unwrap_used, reason = "a test may panic, and its helpers too")]

use std::path::{Path, PathBuf};

use meshquake_tests::{meshquake, root, stderr, stdout};

fn scenarios(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            scenarios(&path, found);
        } else if path.extension().is_some_and(|e| e == "yaml") {
            let text = std::fs::read_to_string(&path).unwrap();
            if text.lines().any(|line| line.starts_with("meshquake:")) {
                found.push(path);
            }
        }
    }
}

fn shipped() -> Vec<PathBuf> {
    let mut found = Vec::new();
    scenarios(&root().join("scenarios"), &mut found);
    found.sort();
    assert!(found.len() >= 13, "{found:?}");
    found
}

#[test]
fn all_are_valid() {
    for path in shipped() {
        let output = meshquake(root(), &["validate", &path.display().to_string()]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
}

/// The longer ones run in release, in `.ci/run`.
#[test]
fn the_short_ones_hold() {
    let short = [
        "all-v1",
        "user-route",
        "ratings-delay",
        "ratings-abort",
        "strict",
        "chain",
    ];
    for path in shipped() {
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        if short.contains(&stem.as_str()) {
            let output = meshquake(root(), &["run", "--quiet", &path.display().to_string()]);
            assert_eq!(
                output.status.code(),
                Some(0),
                "{}{}",
                stdout(&output),
                stderr(&output)
            );
        }
    }
}

#[test]
fn a_canary_takes_its_share() {
    let report = meshquake_tests::run_json(
        root(),
        "scenarios/bookinfo/canary.yaml",
        &["--duration", "20s"],
    );
    let edges = report["edges"].as_array().unwrap();
    let requests = |from: &str, to: &str| {
        let edge = edges.iter().find(|e| e["from"] == from && e["to"] == to);
        edge.map_or(0, |e| e["requests"].as_u64().unwrap())
    };
    // Only versions 2 and 3 of reviews ask for ratings, and only version 2 gets traffic.
    let all = (requests("readers", "reviews") + requests("productpage", "reviews")) as f64;
    let canary = requests("reviews", "ratings") as f64;
    // Four standard deviations of a binomial share of 10 %.
    let tolerance = 4.0 * (0.1 * 0.9 / all).sqrt();
    assert!((canary / all - 0.1).abs() < tolerance, "{canary} of {all}");
}
