//! The built binary as people use it: commands, files, exit codes, messages.

#![expect(clippy::unwrap_used, reason = "a test may panic, and its helpers too")]

use std::fs;
use std::path::Path;

use meshquake_tests::{binary, meshquake, root, run_json, stderr, stdout};
use serde_json::Value;

/// A mesh of two services that is over in an instant.
const SMALL: &str = "\
meshquake: v1
name: small
seed: 3
duration: 5s
services:
  web: { ports: [80], script: [call: api] }
  api: { ports: [80], replicas: 2, service-time: 2ms }
traffic:
  users: { to: \"http://web/\", rate: poisson(40/s), timeout: 1s }
expect:
  - { traffic: users, success: \">= 99%\" }
";

fn folder(scenario: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("small.yaml"), scenario).unwrap();
    folder
}

fn code(folder: &Path, args: &[&str]) -> Option<i32> {
    meshquake(folder, args).status.code()
}

#[test]
fn a_scenario_that_holds_exits_with_0() {
    let folder = folder(SMALL);
    let output = meshquake(folder.path(), &["run", "small.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.starts_with("✓ held  small"), "{text}");
    assert!(!text.contains('\u{1b}'), "colour only on a terminal");
    assert!(text.contains("meshquake run small.yaml --seed 3"), "{text}");
}

#[test]
fn an_expectation_that_fails_exits_with_1_and_says_where() {
    let folder = folder(&SMALL.replace(">= 99%", "< 10%"));
    let output = meshquake(folder.path(), &["run", "small.yaml", "--quiet"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output).contains("small.yaml:11"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn the_json_is_the_contract() {
    let folder = folder(SMALL);
    let report = run_json(folder.path(), "small.yaml", &[]);
    assert_eq!(report["schema"], "meshquake.run/v1");
    assert_eq!(report["scenario"], "small");
    assert_eq!(report["seed"], 3);
    assert_eq!(report["verdict"], "held");
    assert_eq!(report["virtual_seconds"], 5.0);
    assert!(report["wall_seconds"].as_f64().is_some_and(|s| s > 0.0));
    assert_eq!(report["digest"].as_str().map(str::len), Some(64));
    let users = &report["traffic"]["users"];
    let count = |key: &str| users[key].as_u64().unwrap();
    assert_eq!(count("succeeded"), users["status"]["200"].as_u64().unwrap());
    assert_eq!(count("failed"), 0);
    for quantile in ["mean", "p50", "p90", "p99", "p999", "max"] {
        assert!(
            users["latency_ms"][quantile].as_f64().is_some(),
            "{quantile}"
        );
    }
    let edges = report["edges"].as_array().unwrap();
    let edge = edges
        .iter()
        .find(|e| e["from"] == "web" && e["to"] == "api")
        .unwrap();
    assert_eq!(edge["requests"], edge["attempts"]);
    assert_eq!(edge["retries"], 0);
    assert!(
        report["expectations"]
            .as_array()
            .is_some_and(|all| all.len() == 1)
    );
    assert!(report["notes"].is_array());
}

#[test]
fn the_request_log_splits_each_latency_exactly() {
    let folder = folder(SMALL);
    let output = meshquake(
        folder.path(),
        &["run", "small.yaml", "-q", "--requests", "log.jsonl"],
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let log = fs::read_to_string(folder.path().join("log.jsonl")).unwrap();
    assert!(log.lines().count() > 100);
    for line in log.lines() {
        let request: Value = serde_json::from_str(line).unwrap();
        let Some(latency) = request["latency_ns"].as_u64() else {
            continue;
        };
        let split = request["split"].as_object().unwrap();
        let sum: u64 = split.values().map(|part| part.as_u64().unwrap()).sum();
        assert_eq!(sum, latency, "{line}");
    }
}

#[test]
fn the_access_log_has_a_line_for_every_sidecar_on_the_way() {
    let folder = folder(SMALL);
    let run = |args: &[&str]| {
        let mut all = vec!["run", "small.yaml", "-q"];
        all.extend(args);
        let output = meshquake(folder.path(), &all);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output)
    };
    let json = ["--access-log", "a.jsonl", "--access-log-format", "json"];
    run(&[&json[..], &["--requests", "r.jsonl"]].concat());
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let (log, requests) = (read("a.jsonl"), read("r.jsonl"));
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    // users → web → api: out of the client, into web, out of web, into api.
    let answered = requests.matches("\"answered\"").count();
    assert!(
        lines.len() >= 4 * answered && answered > 100,
        "{}",
        lines.len()
    );
    let into_api = lines
        .iter()
        .find(|line| line["pod"].as_str().unwrap().starts_with("api"))
        .unwrap();
    assert_eq!(into_api["protocol"], "HTTP/2");
    assert_eq!(into_api["upstream_cluster"], "inbound|80||");
    assert_eq!(into_api["response_code"], 200);
    // The same request in web's log, which called it.
    let same = |line: &&Value| line["request_id"] == into_api["request_id"];
    let from_web = lines.iter().filter(same).find(|line| {
        line["upstream_cluster"]
            .as_str()
            .is_some_and(|cluster| cluster.starts_with("outbound|80||api."))
    });
    let from_web = from_web.expect("web's own line");
    assert_eq!(
        from_web["upstream_host"],
        into_api["downstream_local_address"]
    );
    assert!(from_web["duration"].as_u64() >= into_api["duration"].as_u64());

    let plain = run(&["--access-log", "a.log"]);
    let text = read("a.log");
    assert_eq!(text.lines().count(), lines.len());
    let first = text.lines().next().unwrap();
    assert!(first.starts_with("[pod/"), "{first}");
    assert!(first.contains("/istio-proxy] [2"), "{first}");
    assert!(
        first.contains("\" 200 - via_upstream - \"-\" 0 "),
        "{first}"
    );
    assert_eq!(
        plain.rsplit(' ').next(),
        run(&[]).rsplit(' ').next(),
        "logs change no digest"
    );
}

#[test]
fn a_result_that_cannot_be_written_is_told_before_the_run() {
    let folder = folder(SMALL);
    for option in ["--json", "--requests", "--access-log"] {
        let output = meshquake(folder.path(), &["run", "small.yaml", option, "none/x"]);
        assert_eq!(output.status.code(), Some(2), "{option}");
        assert!(stderr(&output).contains("none/x: "), "{}", stderr(&output));
        let several = ["run", "small.yaml", "small.yaml", option, "x"];
        let output = meshquake(folder.path(), &several);
        assert_eq!(output.status.code(), Some(2), "{option}");
        assert!(stderr(&output).contains("--out DIR"), "{}", stderr(&output));
    }
    let same = ["run", "small.yaml", "--requests", "x", "--access-log", "x"];
    assert_eq!(code(folder.path(), &same), Some(2));
}

#[test]
fn a_result_does_not_take_the_place_of_what_it_is_made_from() {
    let folder = folder(SMALL);
    let kept = |file: &str| fs::read_to_string(folder.path().join(file)).unwrap();
    assert_eq!(
        code(folder.path(), &["run", "small.yaml", "--json", "a.json"]),
        Some(0)
    );
    let record = kept("a.json");
    for args in [
        &["run", "small.yaml", "--report", "small.yaml"][..],
        &["report", "a.json", "-o", "./a.json"],
        &["report", "a.json", "--markdown", "a.json"],
        &["compare", "a.json", "small.yaml", "--json", "a.json"],
    ] {
        let output = meshquake(folder.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains("lost"), "{}", stderr(&output));
    }
    assert_eq!(kept("small.yaml"), SMALL);
    assert_eq!(kept("a.json"), record);
}

#[test]
fn a_dash_is_standard_output() {
    let folder = folder(SMALL);
    let compare = [
        "compare",
        "small.yaml",
        "--set-b",
        "services.api.replicas=1",
    ];
    for (args, begins) in [
        (&[&compare[..], &["--markdown", "-"]].concat()[..], "## "),
        (&[&compare[..], &["--json", "-"]].concat(), "{"),
        (&["test", "small.yaml", "--markdown", "-"], "## "),
        (&["test", "small.yaml", "--junit", "-"], "<?xml"),
    ] {
        let output = meshquake(folder.path(), args);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(stdout(&output).starts_with(begins), "{}", stdout(&output));
    }
    for (args, why) in [
        (
            &["--json", "-", "--markdown", "-"][..],
            "both go to standard output",
        ),
        (&["--report", "-"], "takes the name of a file"),
    ] {
        for command in [&compare[..], &["test", "small.yaml"]] {
            let output = meshquake(folder.path(), &[command, args].concat());
            assert_eq!(output.status.code(), Some(2), "{args:?}");
            assert!(stderr(&output).contains(why), "{}", stderr(&output));
        }
    }
}

#[test]
fn a_page_is_not_given_another_kinds_name() {
    let folder = folder(SMALL);
    let run = ["run", "small.yaml", "--json", "a.json"];
    assert_eq!(code(folder.path(), &run), Some(0));
    for (name, help) in [
        ("a.pdf", "print it"),
        ("a.png", "--png"),
        ("b.json", ".html"),
    ] {
        let output = meshquake(folder.path(), &["report", "a.json", "-o", name]);
        assert_eq!(output.status.code(), Some(2), "{name}");
        assert!(stderr(&output).contains(help), "{}", stderr(&output));
    }
    let output = meshquake(folder.path(), &["run", "small.yaml", "--out", "a.json"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("it is a file"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn what_a_shorter_run_cannot_judge_is_told() {
    let late = "  - { traffic: users, during: 4s.., success: \">= 99%\", p99: \"< 1s\" }\n";
    let folder = folder(&format!("{SMALL}{late}"));
    let whole = run_json(folder.path(), "small.yaml", &[]);
    assert_eq!(whole["expectations"].as_array().map(Vec::len), Some(3));
    assert!(whole["expectations_unjudged"].is_null() && whole["notes"] == Value::from([0; 0]));
    let args = ["--duration", "3s", "--report", "a.html"];
    let cut = run_json(folder.path(), "small.yaml", &args);
    assert_eq!(cut["expectations_unjudged"], 2);
    assert_eq!(cut["notes"][0]["line"], 12);
    let page = fs::read_to_string(folder.path().join("a.html")).unwrap();
    assert!(page.contains("2 more demands are not judged"), "the page");
    let said = stdout(&meshquake(
        folder.path(),
        &["run", "small.yaml", "--duration", "3s"],
    ));
    assert!(said.contains("2 expectations not judged"), "{said}");
}

#[test]
fn a_named_fault_says_what_it_is() {
    let fault = "faults:\n  - { name: gray, at: 1s, for: 1s, errors: { pod: api-0, rate: 40%, status: 503 } }\n";
    let folder = folder(&format!("{SMALL}{fault}"));
    let report = run_json(folder.path(), "small.yaml", &[]);
    assert_eq!(report["faults"][0]["what"], "errors api-0 (40%, 503)");
    let said = stdout(&meshquake(folder.path(), &["run", "small.yaml"]));
    assert!(said.contains("errors api-0 (40%, 503); "), "{said}");
}

#[test]
fn the_same_seed_gives_the_same_bytes_in_another_process() {
    let folder = folder(SMALL);
    let strip = |mut report: Value| {
        report["wall_seconds"] = Value::Null;
        report.to_string()
    };
    let first = strip(run_json(folder.path(), "small.yaml", &[]));
    let second = strip(run_json(folder.path(), "small.yaml", &[]));
    assert_eq!(first, second);
    let other = run_json(folder.path(), "small.yaml", &["--seed", "4"]);
    assert!(!first.contains(other["digest"].as_str().unwrap()));
}

/// A delay that configuration injects, so that there is configuration with places in it to push.
const ROUTED: &str = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: api }
spec:
  hosts: [api]
  http: [{ timeout: 3s, route: [{ destination: { host: api } }] }]
";

#[test]
fn a_run_does_not_depend_on_where_it_is_started() {
    let scenario = SMALL.replace("services:", "mesh: { config: [mesh/*.yaml] }\nservices:");
    let folder = folder(&scenario);
    fs::create_dir_all(folder.path().join("mesh")).unwrap();
    fs::write(folder.path().join("mesh/api.yaml"), ROUTED).unwrap();
    let digest = |at: &Path, name: &str| run_json(at, name, &[])["digest"].clone();
    let here = digest(folder.path(), "small.yaml");
    let absolute = folder.path().join("small.yaml");
    assert_eq!(digest(folder.path(), "./mesh/../small.yaml"), here);
    assert_eq!(digest(&folder.path().join("mesh"), "../small.yaml"), here);
    assert_eq!(digest(root(), absolute.to_str().unwrap()), here);
}

#[test]
fn two_scenarios_of_one_name_do_not_share_a_result() {
    let folder = folder(SMALL);
    fs::create_dir_all(folder.path().join("other")).unwrap();
    fs::write(folder.path().join("other/small.yaml"), SMALL).unwrap();
    let args = ["run", "small.yaml", "other/small.yaml", "--out", "out"];
    let output = meshquake(folder.path(), &args);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("different names"),
        "{}",
        stderr(&output)
    );
    assert!(!folder.path().join("out/small.json").exists());
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_says_so_and_keeps_what_it_has() {
    interrupted_by("-INT");
}

/// How CI systems and `timeout` end a job.
#[cfg(unix)]
#[test]
fn a_terminated_run_says_so_and_keeps_what_it_has() {
    interrupted_by("-TERM");
}

#[cfg(unix)]
fn interrupted_by(signal: &str) {
    use std::io::Read as _;
    use std::process::{Command, Stdio};

    let folder = folder(&SMALL.replace("5s\n", "2h\n"));
    let mut child = Command::new(binary())
        .current_dir(folder.path())
        .args(["run", "small.yaml", "--json", "result.json"])
        .env("NO_COLOR", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // It is under way when its result file has been opened.
    while fs::read_dir(folder.path()).unwrap().count() < 2 {
        std::thread::yield_now();
    }
    let interrupted = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(interrupted.unwrap().success());
    let mut text = String::new();
    let mut told = child.stdout.take().unwrap();
    told.read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{text}");
    assert!(text.starts_with("✗ interrupted  small"), "{text}");
    let json = fs::read(folder.path().join("result.json")).unwrap();
    let json: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["verdict"], "interrupted");
    assert_eq!(json["failures"], serde_json::json!([]));
}

#[test]
fn verify_runs_twice() {
    let folder = folder(SMALL);
    let output = meshquake(folder.path(), &["run", "small.yaml", "-q", "--verify"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("verified"), "{}", stderr(&output));
}

#[test]
fn values_can_be_set_from_outside() {
    let folder = folder(SMALL);
    let slow = run_json(
        folder.path(),
        "small.yaml",
        &["--set", "services.api.service-time=30ms"],
    );
    assert!(
        slow["traffic"]["users"]["latency_ms"]["p50"]
            .as_f64()
            .unwrap()
            > 30.0
    );
    let short = run_json(folder.path(), "small.yaml", &["--duration", "1s"]);
    assert_eq!(short["virtual_seconds"], 1.0);

    let demand = [
        "run",
        "small.yaml",
        "-q",
        "--set",
        "expect[0].success=< 10%",
    ];
    assert_eq!(code(folder.path(), &demand), Some(1));
    let demand = [
        "run",
        "small.yaml",
        "-q",
        "--set",
        "expect[0].success=>= 90%",
    ];
    assert_eq!(code(folder.path(), &demand), Some(0));
    let wrong = meshquake(
        folder.path(),
        &["run", "small.yaml", "--set", "durration=1s"],
    );
    assert_eq!(wrong.status.code(), Some(2), "{}", stdout(&wrong));
}

#[test]
fn results_go_where_they_are_asked_to() {
    let folder = folder(SMALL);
    assert_eq!(
        code(
            folder.path(),
            &["run", "small.yaml", "-q", "--out", "results/today"]
        ),
        Some(0)
    );
    for file in [
        "small.json",
        "small.txt",
        "small.requests.jsonl",
        "small.access.log",
        "small.html",
    ] {
        assert!(
            folder.path().join("results/today").join(file).exists(),
            "{file}"
        );
    }
    let left: Vec<_> = fs::read_dir(folder.path().join("results/today"))
        .unwrap()
        .collect();
    assert_eq!(left.len(), 5, "nothing half-written stays behind");
}

#[test]
fn the_starter_runs() {
    let folder = tempfile::tempdir().unwrap();
    let wrote = meshquake(folder.path(), &["init", "checkout"]);
    assert_eq!(wrote.status.code(), Some(0), "{}", stderr(&wrote));
    let run = meshquake(folder.path(), &["run", "checkout.yaml", "-q"]);
    assert_eq!(
        run.status.code(),
        Some(0),
        "{}{}",
        stdout(&run),
        stderr(&run)
    );
    let again = meshquake(folder.path(), &["init", "checkout"]);
    assert_eq!(
        again.status.code(),
        Some(2),
        "a file that is there is not overwritten"
    );
}

#[test]
fn the_schema_is_json_and_knows_the_top_keys() {
    let output = meshquake(root(), &["schema"]);
    let schema: Value = serde_json::from_slice(&output.stdout).unwrap();
    let properties = schema["properties"].as_object().unwrap();
    for key in [
        "meshquake",
        "mesh",
        "topology",
        "services",
        "traffic",
        "faults",
        "expect",
    ] {
        assert!(properties.contains_key(key), "{key}");
    }
}

#[test]
fn every_command_has_help_with_examples() {
    for command in [
        "run", "test", "sweep", "compare", "replay", "validate", "schema", "init", "explain",
    ] {
        let output = meshquake(root(), &[command, "--help"]);
        assert_eq!(output.status.code(), Some(0));
        assert!(
            stdout(&output).contains("Examples:\n  meshquake"),
            "{command}"
        );
    }
    assert_eq!(code(root(), &["rum"]), Some(2));
    assert_eq!(code(root(), &[]), Some(2));
}

#[test]
fn explain_names_route_destination_and_sources() {
    let scenario = "scenarios/bookinfo/user-route.yaml";
    let ask = |headers: &[&str]| {
        let request = "GET http://reviews:9080/reviews/1";
        let mut args = vec![
            "explain",
            scenario,
            "--from",
            "productpage",
            "--request",
            request,
        ];
        args.extend(headers);
        let output = meshquake(root(), &args);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output)
    };
    let jason = ask(&["-H", "end-user: jason"]);
    assert!(jason.contains("outbound|9080|v2|reviews"), "{jason}");
    assert!(
        jason.contains("user-route.yaml:"),
        "the file and line: {jason}"
    );
    let anybody = ask(&[]);
    assert!(anybody.contains("outbound|9080|v3|reviews"), "{anybody}");
    assert!(
        anybody.contains("end-user"),
        "why the first route did not match: {anybody}"
    );
}
