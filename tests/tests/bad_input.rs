//! Bad input: a diagnostic with file, line and a suggestion, exit code 2, in bounded time and memory.

#![expect(clippy::unwrap_used, reason = "a test may panic, and its helpers too")]

use std::fs;
use std::io::Write as _;

use meshquake_tests::{meshquake, stderr};

const GOOD: &str = "\
meshquake: v1
name: x
duration: 1s
services:
  web: { ports: [80], script: [call: api] }
  api: { ports: [80] }
traffic:
  users: { to: \"http://web/\", rate: 10/s }
";

/// What the loader says about `text`.
fn complaint(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("bad.yaml"), text).unwrap();
    let output = meshquake(folder.path(), &["validate", "bad.yaml"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    said
}

#[test]
fn each_slip_of_the_pen_is_found_on_its_line() {
    for (from, to, line, hint) in [
        ("duration: 1s", "durration: 1s", "bad.yaml:3", "duration"),
        ("duration: 1s", "duration: 1 parsec", "bad.yaml:3", "s"),
        ("duration: 1s", "duration: 10", "bad.yaml:3", "250ms"),
        ("call: api", "call: appi", "bad.yaml:5", "api"),
        ("http://web/", "http://wed/", "bad.yaml:8", "web"),
        ("rate: 10/s", "rate: ten", "bad.yaml:8", "/s"),
        (
            "ports: [80] }\ntraffic",
            "ports: [80], script: [call: web] }\ntraffic",
            "bad.yaml:",
            "web",
        ),
        ("meshquake: v1", "meshquake: v9", "bad.yaml:1", "v1"),
        ("name: x", "name: x\nname: y", "bad.yaml:3", "name"),
        (
            "duration: 1s",
            "duration: 1s\nmesh: { config: [nothing/*.yaml] }",
            "bad.yaml:4",
            "nothing",
        ),
        (
            "duration: 1s",
            "duration: 1s\ntopology: { import: [absent.yaml] }",
            "bad.yaml:4",
            "absent.yaml",
        ),
        ("duration: 1s", "duration: [1s", "bad.yaml:", ""),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let said = complaint(&GOOD.replacen(from, to, 1));
        assert!(said.contains(line), "{to}: {said}");
        assert!(said.contains(hint), "{to}: {said}");
    }
}

#[test]
fn dangling_faults_and_expectations_are_found() {
    let fault = complaint(&format!(
        "{GOOD}faults:\n  - {{ at: 500ms, crash: {{ pod: wep-0 }} }}\n"
    ));
    assert!(fault.contains("web-0"), "{fault}");
    let expect = complaint(&format!(
        "{GOOD}expect:\n  - {{ traffic: user, success: \">= 1%\" }}\n"
    ));
    assert!(expect.contains("users"), "{expect}");
}

#[test]
fn empty_and_absent_files_are_said_to_be_so() {
    assert!(complaint("").contains("bad.yaml"));
    assert!(complaint("# nothing here\n").contains("bad.yaml"));
    let folder = tempfile::tempdir().unwrap();
    let output = meshquake(folder.path(), &["run", "no-such.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("no-such.yaml"));
}

#[test]
fn a_yaml_bomb_is_defused() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..12 {
        let refs = vec![format!("*a{}", i - 1); 10].join(", ");
        bomb.push_str(&format!("a{i}: &a{i} [{refs}]\n"));
    }
    assert!(complaint(&bomb).contains("bad.yaml"));
    let deep = format!("a: {}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(complaint(&deep).contains("bad.yaml"));
}

#[test]
fn a_file_of_50_mb_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.yaml");
    let mut file = std::io::BufWriter::new(fs::File::create(&path).unwrap());
    for _ in 0..1_000_000 {
        file.write_all(b"- { this: is, a: line, of: fifty, bytes: more }...\n")
            .unwrap();
    }
    drop(file);
    assert!(fs::metadata(&path).unwrap().len() > 50_000_000);
    let output = meshquake(folder.path(), &["validate", "huge.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("huge.yaml"), "{}", stderr(&output));
}

#[test]
fn mistakes_in_mesh_configuration_have_a_place_too() {
    let folder = tempfile::tempdir().unwrap();
    let mesh = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web }
spec:
  hosts: [web]
  http:
    - timeout: soon
      route: [{ destination: { host: web }, weight: many }]
";
    fs::write(folder.path().join("mesh.yaml"), mesh).unwrap();
    let scenario = GOOD.replace(
        "duration: 1s",
        "duration: 1s\nmesh: { config: [mesh.yaml] }",
    );
    fs::write(folder.path().join("bad.yaml"), scenario).unwrap();
    let output = meshquake(folder.path(), &["validate", "bad.yaml"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("mesh.yaml:8") && said.contains("whole number"),
        "{said}"
    );
    fs::write(folder.path().join("mesh.yaml"), mesh.replace("many", "1")).unwrap();
    let said = stderr(&meshquake(folder.path(), &["validate", "bad.yaml"]));
    assert!(
        said.contains("mesh.yaml:7") && said.contains("soon"),
        "{said}"
    );
}

#[test]
fn what_is_not_honoured_is_listed_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let mesh = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web }
spec:
  hosts: [web]
  http:
    - corsPolicy: { allowCredentials: true }
      route: [{ destination: { host: web } }]
";
    fs::write(folder.path().join("mesh.yaml"), mesh).unwrap();
    let scenario = GOOD.replace(
        "duration: 1s",
        "duration: 1s\nmesh: { config: [mesh.yaml] }",
    );
    fs::write(folder.path().join("fine.yaml"), scenario).unwrap();
    let output = meshquake(folder.path(), &["validate", "fine.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = meshquake_tests::stdout(&output);
    assert!(
        said.contains("mesh.yaml:7") && said.contains("corsPolicy"),
        "{said}"
    );
}
