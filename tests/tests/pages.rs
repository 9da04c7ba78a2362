//! Pages in a real browser: axe-core finds nothing on them, their HTML is valid, names run no script and nothing is
//! fetched.
//!
//! Needs Debian's `chromium`, Node.js, and a folder of npm packages (axe-core, playwright-core, html-validate) that
//! `MESHQUAKE_NODE_MODULES` names; `.ci/run` sees to all of it. Skipped where one of them is absent.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A scenario whose every name wants to be something else.
const HOSTILE: &str = r#"
meshquake: v1
name: "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
about: "\u202Eright to left\u202C </title><script>alert(3)</script>"
duration: 12s
services:
  web: { ports: [80], script: [call: db], errors: 5% }
  db: { ports: [80], service-time: exponential(5ms), workers: 2 }
traffic:
  users: { to: "http://web/%3Csvg/onload=alert(4)%3E?q='", headers: { x-name: "<svg/onload=alert(4)>" }, rate: poisson(60/s), timeout: 300ms }
faults:
  - { name: "--><script>alert(5)</script>", at: 4s, for: 3s, crash: { service: db } }
expect:
  - { traffic: users, success: ">= 99%" }
"#;

fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut all = std::env::split_paths(&path).map(|folder| folder.join(name));
    all.find(|file| file.is_file())
}

/// Runs a scenario and writes its page.
fn page(scenario: &Path, target: &Path) {
    let run = Command::new(meshquake_tests::binary())
        .args(["run", "--quiet", "--report"])
        .arg(target)
        .arg("--json")
        .arg(target.with_extension("json"))
        .arg(scenario)
        .output()
        .expect("the binary starts");
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.code().is_some_and(|code| code <= 1), "{said}");
}

#[test]
fn a_browser_finds_nothing_wrong() {
    let modules =
        std::env::var_os("MESHQUAKE_NODE_MODULES").filter(|path| Path::new(path).is_dir());
    let (Some(modules), Some(chromium), Some(node)) =
        (modules, program("chromium"), program("node"))
    else {
        eprintln!("skipped: needs chromium, node and MESHQUAKE_NODE_MODULES (see .ci/run)");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let root = meshquake_tests::root();
    let hostile = folder.path().join("hostile.yaml");
    std::fs::write(&hostile, HOSTILE).expect("it can be written");
    let scenarios = [
        root.join("scenarios/bookinfo/zone-outage.yaml"),
        root.join("scenarios/incidents/metastable-retry/metastable-retry-fragile.yaml"),
        hostile,
    ];
    let mut pages = Vec::new();
    for (index, scenario) in scenarios.iter().enumerate() {
        let target = folder.path().join(format!("{index}.html"));
        page(scenario, &target);
        pages.push(target);
    }
    let (all, suite) = (folder.path().join("all.html"), folder.path().join("suite"));
    let written = |args: &[&std::ffi::OsStr]| {
        let told = Command::new(meshquake_tests::binary()).args(args).output();
        let told = told.expect("the binary starts");
        let said = String::from_utf8_lossy(&told.stderr);
        assert!(told.status.code().is_some_and(|code| code <= 1), "{said}");
    };
    let recorded = |n: &str| {
        folder
            .path()
            .join(n)
            .with_extension("json")
            .into_os_string()
    };
    written(&[
        "report".as_ref(),
        &recorded("0"),
        &recorded("2"),
        "-o".as_ref(),
        all.as_ref(),
    ]);
    pages.push(all);
    let hostile = scenarios[2].as_os_str();
    written(&[
        "test".as_ref(),
        hostile,
        "--seed-list=1,2".as_ref(),
        "--out".as_ref(),
        suite.as_ref(),
    ]);
    pages.push(suite.join("index.html"));
    let checked = Command::new(node)
        .arg(root.join("tests/pages/check.mjs"))
        .arg(modules)
        .arg(chromium)
        .args(&pages)
        .output()
        .expect("node starts");
    let found = String::from_utf8_lossy(&checked.stdout);
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{found}\n{said}");
}
