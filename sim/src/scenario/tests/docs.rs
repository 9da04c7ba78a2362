//! The examples of the documents load.

use std::path::Path;

use super::super::load::{Overrides, load_source};
use super::shown;
use mesh_core::document::Source;

/// What the examples are about.
const SHOP: &str = r#"
meshquake: v1
duration: 10m
topology: { zones: [a, b, c], nodes: 2, regions: {} }
services:
  productpage: { replicas: 2, script: [ { call: reviews } ], ports: [9080] }
  reviews: { versions: { v1: { replicas: 4 }, v2: {} }, script: [ { call: ratings } ], ports: [9080] }
  ratings: { replicas: 3, ports: [9080] }
traffic:
  shoppers: { to: "http://productpage:9080/", rate: 50/s }
"#;

/// The YAML examples of a document, each with the line it begins at.
fn examples(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut current: Option<(usize, String)> = None;
    for (number, line) in text.lines().enumerate() {
        match (&mut current, line.trim_start()) {
            (None, "```yaml") => current = Some((number + 2, String::new())),
            (Some(_), "```") => found.extend(current.take()),
            (Some((_, example)), _) => *example += &format!("{line}\n"),
            _ => {}
        }
    }
    found
}

#[test]
fn every_fault_in_the_documents_loads() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let mut files = vec![root.join("faults.md")];
    let family = std::fs::read_dir(root.join("faults")).unwrap();
    files.extend(family.map(|entry| entry.unwrap().path()));
    files.sort();
    let mut count = 0;
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap();
        for (line, example) in examples(&text) {
            // Several files in one, or files beside it: a test of its family runs it.
            if example.contains(".yaml") || example.lines().any(|line| line == "---") {
                continue;
            }
            let body = match example.trim_start().starts_with("- ") {
                true => format!("faults:\n{example}"),
                false => example,
            };
            // An example that is a scenario of its own needs no world around it.
            let yaml = match body.contains("meshquake: v1") {
                true => body,
                false => format!("{SHOP}{body}"),
            };
            let source = Source::new("example.yaml", &yaml);
            let directory = file.parent().unwrap();
            let loaded = load_source(&source, directory, "example", &Overrides::default());
            if let Err(errors) = loaded {
                panic!("{}:{line}\n{}", file.display(), shown(&errors));
            }
            count += 1;
        }
    }
    assert!(count >= 15, "{count} examples");
}
