//! `meshquake compare`: the same seed under two configurations.

#![expect(clippy::unwrap_used, reason = "a test may panic, and its helpers too")]

use std::fs;
use std::process::Output;

use meshquake_tests::small::{SMALL, folder};
use meshquake_tests::{meshquake, stderr, stdout};
use serde_json::Value;

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn json(output: &Output) -> Value {
    assert_eq!(code(output), Some(0), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_scenario_and_itself_are_the_same() {
    let folder = folder(&[("s.yaml", SMALL)]);
    let report = json(&meshquake(
        folder.path(),
        &["compare", "s.yaml", "s.yaml", "--json", "-", "--seeds", "2"],
    ));
    let users = &report["requests"][0];
    assert!(users["matched"].as_u64().unwrap() > 40);
    assert_eq!(users["same"], users["matched"]);
    for none in [
        "saved", "lost", "faster", "slower", "moved", "only_a", "only_b", "unknown",
    ] {
        assert_eq!(users[none], 0, "{none}");
    }
    assert_eq!(report["sample"], serde_json::json!([]));
    assert_eq!(report["seeds"], serde_json::json!([3, 1]));
    let text = stdout(&meshquake(folder.path(), &["compare", "s.yaml", "s.yaml"]));
    assert!(
        text.contains("0 requests saved, 0 lost, 0 faster, 0 slower"),
        "{text}"
    );
    assert!(text.contains("Measures: the same"), "{text}");
}

#[test]
fn what_changed_is_told_per_request_edge_and_expectation() {
    let folder = folder(&[("s.yaml", SMALL)]);
    let args = [
        "compare",
        "s.yaml",
        "--set-b",
        "services.api.errors=20%",
        "--set",
        "duration=2s",
    ];
    let output = meshquake(folder.path(), &args);
    assert_eq!(code(&output), Some(0), "{}", stderr(&output));
    insta::assert_snapshot!(stdout(&output));
    let report = json(&meshquake(
        folder.path(),
        &[&args[..], &["--json", "-"]].concat(),
    ));
    let users = &report["requests"][0];
    let lost = users["lost"].as_u64().unwrap();
    assert!(lost > 0);
    assert_eq!(users["saved"], 0);
    let edge = report["edges"]
        .as_array()
        .unwrap()
        .iter()
        .find(|e| e["from"] == "users")
        .unwrap();
    assert_eq!(
        edge["a"]["requests"], edge["b"]["requests"],
        "the same arrivals"
    );
    assert_eq!(edge["b"]["failed"].as_u64().unwrap(), lost);
    let expectation = &report["expectations"][0];
    assert_eq!(
        (&expectation["a_met"], &expectation["b_met"]),
        (&1.into(), &0.into())
    );
}

#[test]
fn slower_is_slower_with_every_seed() {
    let folder = folder(&[("s.yaml", SMALL)]);
    let set = "services.api.service-time=exponential(8ms)";
    let args = [
        "compare", "s.yaml", "--set-b", set, "--seeds", "4", "--json", "-",
    ];
    let report = json(&meshquake(folder.path(), &args));
    let p50 = report["measures"]
        .as_array()
        .unwrap()
        .iter()
        .find(|m| m["name"] == "users.p50_ms")
        .unwrap();
    assert_eq!(p50["difference"]["pairs"], 4);
    assert!(p50["difference"]["p"].as_f64().unwrap() < 0.05, "{p50}");
    assert!(report["requests"][0]["slower"].as_u64().unwrap() > 50);
    let one = json(&meshquake(
        folder.path(),
        &[&args[..], &["--jobs", "1"]].concat(),
    ));
    assert_eq!(report, one, "whatever --jobs is");
}

#[test]
fn recorded_runs_are_compared_too() {
    let folder = folder(&[("s.yaml", SMALL)]);
    let run = |args: &[&str]| {
        let output = meshquake(folder.path(), &[&["run", "s.yaml", "-q"], args].concat());
        assert!(matches!(code(&output), Some(0 | 1)), "{}", stderr(&output));
    };
    run(&["--out", "a"]);
    run(&["--out", "b", "--set", "services.api.errors=20%"]);
    let live = [
        "compare",
        "s.yaml",
        "--set-b",
        "services.api.errors=20%",
        "--json",
        "-",
    ];
    let live = json(&meshquake(folder.path(), &live));
    let recorded = json(&meshquake(
        folder.path(),
        &["compare", "a/s.json", "b/s.json", "--json", "-"],
    ));
    for part in ["requests", "measures", "expectations", "edges", "sample"] {
        assert_eq!(live[part], recorded[part], "{part}");
    }
    fs::remove_file(folder.path().join("b/s.requests.jsonl")).unwrap();
    let bare = meshquake(folder.path(), &["compare", "a/s.json", "b/s.json"]);
    assert!(
        stdout(&bare).contains("no request log"),
        "{}",
        stdout(&bare)
    );
    let mixed = meshquake(
        folder.path(),
        &["compare", "a/s.json", "s.yaml", "--json", "-"],
    );
    assert_eq!(json(&mixed)["requests"][0]["lost"], 0);

    fs::write(folder.path().join("a/s.requests.jsonl"), "not a request\n").unwrap();
    fs::write(folder.path().join("x.json"), "{}").unwrap();
    for wrong in [
        &["s.yaml"][..],
        &["s.yaml", "nowhere.yaml"],
        &["s.yaml", "x.json"],
        &["a/s.json", "s.yaml"],
        &["a/s.json", "b/s.json", "--seeds", "3"],
        &["a/s.json", "--set-b", "duration=1s"],
        &["s.yaml", "--set-b", "durration=1s"],
    ] {
        let output = meshquake(folder.path(), &[&["compare"], wrong].concat());
        assert_eq!(code(&output), Some(2), "{wrong:?}");
        assert!(!stderr(&output).is_empty(), "{wrong:?}");
    }
}

#[test]
fn changed_arrivals_are_said() {
    let folder = folder(&[("s.yaml", SMALL)]);
    let output = meshquake(
        folder.path(),
        &["compare", "s.yaml", "--set-b", "traffic.users.rate=80/s"],
    );
    assert!(
        stdout(&output).contains("requests were sent at another time in B"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn a_page_has_both_runs_and_what_became_of_the_requests() {
    let folder = folder(&[("small.yaml", SMALL)]);
    let set = "services.api.service-time=30ms";
    let args = ["compare", "small.yaml", "--set-b", set, "--seeds", "2"];
    let to = ["--report", "c.html", "--markdown", "c.md"];
    let output = meshquake(folder.path(), &[&args[..], &to].concat());
    assert_eq!(code(&output), Some(0), "{}", stderr(&output));
    let page = std::fs::read_to_string(folder.path().join("c.html")).unwrap();
    for part in [
        "id=\"requests\"",
        "id=\"course\"",
        "meshquake run small.yaml --set services.api.service-time=30ms --seed 3",
    ] {
        assert!(page.contains(part), "{part}");
    }
    let markdown = std::fs::read_to_string(folder.path().join("c.md")).unwrap();
    assert!(markdown.starts_with("## "), "{markdown}");
}
