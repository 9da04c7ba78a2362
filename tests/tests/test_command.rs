//! `meshquake test` as a CI uses it.
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use meshquake_tests::small::{SMALL, demanding, folder};
use meshquake_tests::{binary, meshquake, stderr, stdout};
use serde_json::Value;

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

/// A demand that about half of the seeds meet: three or more requests in the last fiftieth of a second of one in 40/s.
const FLAKY: &str = "p99: \"< 9ms\"";

fn suite() -> tempfile::TempDir {
    let declared =
        demanding("declared", "success: \"< 10%\"").replace("seed: 3", "seed: 3\nverdict: failed");
    folder(&[
        ("s/holds.yaml", SMALL),
        ("s/fails.yaml", &demanding("fails", "success: \"< 10%\"")),
        ("s/deep/declared.yaml", &declared),
        (
            "s/mesh/service.yaml",
            "{apiVersion: v1, kind: Service, metadata: {name: x}}",
        ),
    ])
}

fn json(folder: &Path, args: &[&str]) -> Value {
    let mut all = vec!["test", "s", "--json", "-"];
    all.extend(args);
    let output = meshquake(folder, &all);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(&output)))
}

/// What is told, without the times it took.
fn timeless(text: &str) -> String {
    let time = |word: &str| word.ends_with("ms") || word.ends_with(" s");
    let lines = text.lines().map(|line| match line.rsplit_once("  ") {
        Some((rest, last)) if time(last) => rest.trim_end().to_owned(),
        _ => line.split(" in ").next().unwrap_or(line).to_owned(),
    });
    lines
        .filter(|line| !line.contains("scenario  "))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn a_suite_is_judged_against_what_it_declares() {
    let folder = suite();
    let output = meshquake(folder.path(), &["test", "s"]);
    assert_eq!(code(&output), Some(1), "{}", stderr(&output));
    insta::assert_snapshot!(timeless(&stdout(&output)));
}

#[test]
fn exit_codes() {
    let folder = suite();
    let run = |args: &[&str]| code(&meshquake(folder.path(), &[&["test"], args].concat()));
    assert_eq!(run(&["s/holds.yaml", "-q"]), Some(0));
    assert_eq!(run(&["s/deep", "-q"]), Some(0), "fails, as declared");
    assert_eq!(run(&["s/fails.yaml", "-q"]), Some(1));
    fs::write(
        folder.path().join("s/broken.yaml"),
        "meshquake: v1\nnmae: x\n",
    )
    .unwrap();
    assert_eq!(run(&["s", "-q"]), Some(2), "invalid is worse than failed");
    for wrong in [
        &["nowhere"][..],
        &["s/mesh"],
        &["s/mesh/service.yaml"],
        &["s", "--filter", "zzz"],
        &["s", "--filter", "["],
        &["s", "--seeds", "0"],
        &["s", "--seeds", "3", "--seed-list", "1"],
        &["s", "--jobs", "0"],
        &["s", "--baseline", "none.json"],
        &["s", "--baseline", "s/holds.yaml"],
        &["s", "--baseline", "a", "--update-baseline", "b"],
        &["s", "--junit", "no/such/folder.xml"],
        &["s", "--fail-under", "101"],
        &[],
    ] {
        let output = meshquake(folder.path(), &[&["test"], wrong].concat());
        assert_eq!(code(&output), Some(2), "{wrong:?}");
        assert!(!stderr(&output).is_empty(), "{wrong:?} is explained");
        assert!(!stderr(&output).contains("panicked"), "{wrong:?}");
    }
}

#[test]
fn an_invalid_scenario_does_not_stop_the_others() {
    let folder = suite();
    fs::write(
        folder.path().join("s/broken.yaml"),
        "meshquake: v1\nnmae: x\nduration: 1s\n",
    )
    .unwrap();
    let output = meshquake(folder.path(), &["test", "s", "--json", "j.json"]);
    assert_eq!(code(&output), Some(2));
    assert!(
        stderr(&output).contains("did you mean `name`?"),
        "{}",
        stderr(&output)
    );
    let report: Value =
        serde_json::from_slice(&fs::read(folder.path().join("j.json")).unwrap()).unwrap();
    let judged: Vec<(&str, &str)> = report["scenarios"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| {
            (
                s["file"].as_str().unwrap(),
                s["judgement"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("s/broken.yaml", "invalid"),
        ("s/deep/declared.yaml", "as_declared"),
        ("s/fails.yaml", "otherwise"),
        ("s/holds.yaml", "as_declared"),
    ];
    assert_eq!(judged, expected);
}

#[test]
fn the_result_does_not_depend_on_the_number_of_jobs() {
    let folder = suite();
    fs::write(
        folder.path().join("s/flaky.yaml"),
        demanding("flaky", FLAKY),
    )
    .unwrap();
    let strip = |mut report: Value| {
        report["wall_seconds"] = Value::Null;
        for scenario in report["scenarios"].as_array_mut().unwrap() {
            for run in scenario["runs"].as_array_mut().unwrap() {
                run["wall_seconds"] = Value::Null;
            }
        }
        report
    };
    let one = strip(json(folder.path(), &["--jobs", "1"]));
    for jobs in ["2", "7"] {
        assert_eq!(
            one,
            strip(json(folder.path(), &["--jobs", jobs])),
            "--jobs {jobs}"
        );
    }
}

#[test]
fn seeds_stop_early_unless_they_differ() {
    let folder = suite();
    fs::write(
        folder.path().join("s/flaky.yaml"),
        demanding("flaky", FLAKY),
    )
    .unwrap();
    let seeds = |report: &Value, file: &str| -> Vec<u64> {
        let scenarios = report["scenarios"].as_array().unwrap();
        let scenario = scenarios.iter().find(|s| s["file"] == file).unwrap();
        let runs = scenario["runs"].as_array().unwrap().iter();
        runs.map(|run| run["seed"].as_u64().unwrap()).collect()
    };
    let report = json(folder.path(), &[]);
    assert_eq!(
        seeds(&report, "s/holds.yaml"),
        [3, 1, 2, 4, 5],
        "its own first"
    );
    assert_eq!(seeds(&report, "s/fails.yaml"), [3, 1, 2, 4, 5]);
    assert_eq!(seeds(&report, "s/flaky.yaml").len(), 20);
    let flaky = report["scenarios"]
        .as_array()
        .unwrap()
        .iter()
        .find(|s| s["file"] == "s/flaky.yaml")
        .unwrap();
    assert_eq!(flaky["judgement"], "flaky");
    let all = json(
        folder.path(),
        &["--exhaustive", "--seeds", "8", "--filter", "holds"],
    );
    assert_eq!(seeds(&all, "s/holds.yaml"), [3, 1, 2, 4, 5, 6, 7, 8]);
    let listed = json(
        folder.path(),
        &["--seed-list", "9,4,9,11,12,13,14", "--filter", "s/holds*"],
    );
    assert_eq!(seeds(&listed, "s/holds.yaml"), [9, 4, 11, 12, 13, 14]);
}

#[test]
fn junit_and_markdown_say_what_failed() {
    let folder = suite();
    fs::write(
        folder.path().join("s/broken.yaml"),
        "meshquake: v1\nduration: 0s\n",
    )
    .unwrap();
    let args = [
        "test",
        "s",
        "-q",
        "--junit",
        "j.xml",
        "--markdown",
        "m.md",
        "--seeds",
        "1",
    ];
    let output = meshquake(folder.path(), &args);
    assert_eq!(code(&output), Some(2));
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let without_times = |text: String| {
        let mut out = String::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once("time=\"") {
            out.push_str(before);
            out.push_str("time=\"…");
            rest = &after[after.find('"').unwrap()..];
        }
        out + rest
    };
    let without_hashes = |text: String| {
        let hex = |word: &str| word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit());
        let words: Vec<String> = text
            .split('"')
            .map(|w| if hex(w) { "…".into() } else { w.to_owned() })
            .collect();
        words.join("\"")
    };
    let version = format!("value=\"{}\"", env!("CARGO_PKG_VERSION"));
    insta::assert_snapshot!(
        "junit",
        without_hashes(without_times(read("j.xml"))).replace(&version, "value=\"…\"")
    );
    let markdown = read("m.md");
    let times = markdown.lines().map(|line| match line.rsplit_once(" | ") {
        Some((rest, last)) if last.ends_with(" |") && line.contains("1 |") => {
            format!("{rest} | … |")
        }
        _ => line.to_owned(),
    });
    insta::assert_snapshot!("markdown", times.collect::<Vec<_>>().join("\n"));
}

#[test]
fn github_is_told_where() {
    let folder = suite();
    let summary = folder.path().join("summary.md");
    fs::write(&summary, "before\n").unwrap();
    let output = Command::new(binary())
        .current_dir(folder.path())
        .args(["test", "s", "-q", "--seeds", "2"])
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", &summary)
        .output()
        .unwrap();
    let text = stdout(&output);
    let error = text
        .lines()
        .find(|line| line.starts_with("::error"))
        .unwrap();
    assert_eq!(
        error,
        "::error file=s/fails.yaml,line=11,title=fails%3A fails::\
         success of users from 0 s to 1 s was 100%25, not < 10%25 (seed 3, 1)%0Ameshquake replay s/fails.yaml@3"
    );
    let page = fs::read_to_string(&summary).unwrap();
    assert!(page.starts_with("before\n## ❌ 2 of 3 scenarios"), "{page}");
    let silent = meshquake(folder.path(), &["test", "s/holds.yaml", "-q"]);
    assert!(!stdout(&silent).contains("::error"));
}

#[test]
fn a_baseline_notices_what_became_worse() {
    let folder = folder(&[
        ("s/a.yaml", SMALL),
        ("s/b.yaml", &demanding("b", "success: \">= 90%\"")),
    ]);
    let run = |args: &[&str]| meshquake(folder.path(), &[&["test", "s"], args].concat());
    let made = run(&["--update-baseline", "base/line.json"]);
    assert_eq!(code(&made), Some(2), "there is no such folder");
    fs::create_dir(folder.path().join("base")).unwrap();
    let made = run(&["-q", "--update-baseline", "base/line.json"]);
    assert_eq!(code(&made), Some(0), "{}", stderr(&made));
    let path = folder.path().join("base/line.json");
    let text = fs::read_to_string(&path).unwrap();
    assert!(
        text.contains("\"../s/a.yaml\": {"),
        "from the baseline's own folder: {text}"
    );
    let line = text
        .lines()
        .find(|line| line.contains("\"users.p99_ms\""))
        .unwrap();
    assert!(
        line.contains("\"better\":\"lower\",\"values\":["),
        "one line per measure: {line}"
    );

    let same = run(&["--baseline", "base/line.json"]);
    assert_eq!(code(&same), Some(0), "{}", stdout(&same));
    assert!(
        stdout(&same).contains("0 regressions, 0 improvements"),
        "{}",
        stdout(&same)
    );

    let slow = SMALL.replace("exponential(2ms)", "exponential(6ms)");
    fs::write(folder.path().join("s/a.yaml"), &slow).unwrap();
    fs::write(folder.path().join("s/c.yaml"), SMALL).unwrap();
    fs::remove_file(folder.path().join("s/b.yaml")).unwrap();
    let worse = run(&["--baseline", "base/line.json"]);
    assert_eq!(code(&worse), Some(1), "it holds, and is slower");
    let text = stdout(&worse);
    assert!(text.contains("✗ worse  s/a.yaml  users.p50_ms"), "{text}");
    assert!(
        text.contains("s/a.yaml: changed since the baseline was made"),
        "{text}"
    );
    assert!(text.contains("s/c.yaml: not in the baseline"), "{text}");
    assert!(text.contains("../s/b.yaml: in the baseline only"), "{text}");
    assert!(
        !text.contains("users.success"),
        "the share did not change: {text}"
    );

    let accepted = run(&["--update-baseline", "base/line.json"]);
    assert_eq!(code(&accepted), Some(0), "{}", stdout(&accepted));
    assert!(
        stdout(&accepted).contains("users.p50_ms"),
        "what is accepted is shown"
    );
    let after = fs::read_to_string(&path).unwrap();
    assert!(
        !after.contains("b.yaml") && after.contains("c.yaml"),
        "{after}"
    );
    assert_eq!(code(&run(&["-q", "--baseline", "base/line.json"])), Some(0));

    // Twice as slow is within a tolerance of 1000 %? No such thing: 100 % is the most that can be given.
    assert_eq!(
        code(&run(&[
            "--baseline",
            "base/line.json",
            "--tolerance",
            "1000%"
        ])),
        Some(2)
    );
}

#[test]
fn coverage_counts_what_is_armed() {
    let mesh = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: api }\n\
        spec: { hosts: [api], http: [{ timeout: 1ms, route: [{ destination: { host: api } }] }] }\n";
    let scenario = demanding("armed", "success: \">= 0%\"")
        .replace("services:", "mesh: { config: [mesh.yaml] }\nservices:");
    let folder = folder(&[("s/a.yaml", &scenario), ("s/mesh.yaml", mesh)]);
    let report = json(folder.path(), &["--coverage"]);
    let mechanisms = report["coverage"]["mechanisms"].as_array().unwrap();
    let of = |name: &str| mechanisms.iter().find(|m| m["name"] == name).unwrap();
    assert_eq!(of("timeout")["armed_in"][0], "s/a.yaml");
    assert!(of("timeout")["fired"].as_u64().unwrap() > 0);
    assert_eq!(
        of("retry")["fired"],
        0,
        "a timeout is not retried by default"
    );
    assert!(
        mechanisms.iter().all(|m| m["name"] != "ejection"),
        "not armed and not acted"
    );
    let enough = meshquake(folder.path(), &["test", "s", "-q", "--fail-under", "10"]);
    assert_eq!(code(&enough), Some(0), "{}", stdout(&enough));
    let output = meshquake(folder.path(), &["test", "s", "--fail-under", "80"]);
    assert_eq!(code(&output), Some(1));
    assert!(
        stdout(&output).contains("armed mechanisms acted (33.33%, 80% demanded)"),
        "{}",
        stdout(&output)
    );
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_suite_keeps_what_it_has() {
    let long = SMALL.replace("1s\ns", "10h\ns");
    let folder = folder(&[("s/a.yaml", SMALL), ("s/b.yaml", &long)]);
    let child = Command::new(binary())
        .current_dir(folder.path())
        .args([
            "test", "s", "--jobs", "1", "--json", "j.json", "--junit", "j.xml",
        ])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // The short one is done when the long one has been at work for a while: nothing tells from outside, so the
    // processor time it has used is asked.
    let stat = format!("/proc/{}/stat", child.id());
    let used = || -> u64 {
        let text = fs::read_to_string(&stat).unwrap_or_default();
        text.split(' ')
            .nth(13)
            .and_then(|ticks| ticks.parse().ok())
            .unwrap_or(0)
    };
    while used() < 200 {
        std::thread::yield_now();
    }
    assert!(
        Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), Some(130), "{}", stdout(&output));
    assert!(
        stdout(&output).contains("interrupted, 1 of 2 scenarios as declared, 1 not run"),
        "{}",
        stdout(&output)
    );
    let report: Value =
        serde_json::from_slice(&fs::read(folder.path().join("j.json")).unwrap()).unwrap();
    assert_eq!(report["interrupted"], true);
    assert_eq!(report["scenarios"][0]["runs"].as_array().unwrap().len(), 5);
    assert_eq!(report["scenarios"][1]["judgement"], "not_run");
    assert!(
        fs::read_to_string(folder.path().join("j.xml"))
            .unwrap()
            .contains("<skipped")
    );
}

#[test]
fn a_failing_seed_is_replayed() {
    let folder = suite();
    let tested = meshquake(
        folder.path(),
        &[
            "test",
            "s",
            "--json",
            "j.json",
            "--junit",
            "j.xml",
            "--set",
            "services.api.replicas=3",
        ],
    );
    let text = stdout(&tested);
    let command = text
        .lines()
        .find(|line| line.trim().starts_with("meshquake replay"))
        .unwrap();
    assert_eq!(
        command.trim(),
        "meshquake replay s/fails.yaml@3 --set services.api.replicas=3"
    );
    let words: Vec<&str> = command.split_whitespace().skip(1).collect();
    let replayed = meshquake(folder.path(), &words);
    assert_eq!(code(&replayed), Some(1));
    assert!(
        stdout(&replayed).starts_with("✗ failed  fails"),
        "{}",
        stdout(&replayed)
    );

    for file in ["j.json", "j.xml"] {
        let verified = meshquake(folder.path(), &["replay", file, "-q"]);
        assert_eq!(code(&verified), Some(1), "{}", stderr(&verified));
        assert_eq!(
            stderr(&verified).matches("has the digest recorded").count(),
            5,
            "{}",
            stderr(&verified)
        );
        assert_eq!(stdout(&verified).lines().count(), 5);
        let all = meshquake(folder.path(), &["replay", file, "-q", "--all"]);
        assert_eq!(stdout(&all).lines().count(), 15, "{file}");
    }
    // Another scenario under the same name: another digest, and why.
    fs::write(
        folder.path().join("s/fails.yaml"),
        demanding("fails", "success: \"< 20%\""),
    )
    .unwrap();
    fs::write(
        folder.path().join("s/fails.yaml"),
        SMALL.replace("2ms", "3ms"),
    )
    .unwrap();
    let other = meshquake(folder.path(), &["replay", "j.json", "-q"]);
    assert_eq!(code(&other), Some(3), "{}", stderr(&other));
    assert!(
        stderr(&other).contains("has changed since"),
        "{}",
        stderr(&other)
    );
}

#[test]
fn a_recorded_run_is_replayed() {
    let folder = suite();
    let run = [
        "run",
        "s/holds.yaml",
        "-q",
        "--seed",
        "9",
        "--duration",
        "500ms",
        "--json",
        "r.json",
    ];
    assert_eq!(code(&meshquake(folder.path(), &run)), Some(0));
    let again = meshquake(folder.path(), &["replay", "r.json"]);
    assert_eq!(code(&again), Some(0), "{}", stderr(&again));
    assert!(
        stderr(&again).contains("verified: s/holds.yaml@9"),
        "{}",
        stderr(&again)
    );
    let path = folder.path().join("r.json");
    let text = fs::read_to_string(&path).unwrap();
    let digest = serde_json::from_str::<Value>(&text).unwrap()["digest"]
        .as_str()
        .unwrap()
        .to_owned();
    fs::write(&path, text.replace(&digest, &"0".repeat(64))).unwrap();
    let broken = meshquake(folder.path(), &["replay", "r.json", "-q"]);
    assert_eq!(code(&broken), Some(3));
    assert!(
        stderr(&broken).contains("not deterministic"),
        "{}",
        stderr(&broken)
    );
    for wrong in [
        "s/holds.yaml",
        "nowhere.json",
        "holds@x",
        "s/nowhere.yaml@1",
    ] {
        let output = meshquake(folder.path(), &["replay", wrong]);
        assert_eq!(code(&output), Some(2), "{wrong}: {}", stderr(&output));
        assert!(!stderr(&output).is_empty());
    }
}

/// The addresses that a page leads to.
fn links(page: &str) -> Vec<&str> {
    let parts = page.split("href=\"").skip(1);
    let addresses = parts.filter_map(|part| part.split('"').next());
    addresses.filter(|to| !to.starts_with('#')).collect()
}

#[test]
fn a_folder_gets_every_result_and_a_page_per_scenario() {
    let folder = suite();
    let output = meshquake(folder.path(), &["test", "s", "--out", "results/today"]);
    assert_eq!(code(&output), Some(1), "{}", stderr(&output));
    let results = folder.path().join("results/today");
    for file in ["index.html", "test.json", "junit.xml", "summary.md"] {
        let size = fs::metadata(results.join(file)).map(|file| file.len());
        assert!(size.unwrap() > 300, "{file}");
    }
    let page = fs::read_to_string(results.join("index.html")).unwrap();
    let mut found: Vec<&str> = links(&page);
    found.sort_unstable();
    found.dedup();
    let wanted = [
        "./runs/s-deep-declared-seed-3.html",
        "./runs/s-fails-seed-1.html",
        "./runs/s-fails-seed-2.html",
        "./runs/s-fails-seed-3.html",
        "./runs/s-holds-seed-3.html",
    ];
    assert_eq!(found, wanted);
    for link in found {
        let run = fs::read_to_string(results.join(link)).unwrap();
        let file = link
            .trim_start_matches("./runs/s-")
            .split("-seed-")
            .next()
            .unwrap();
        let command = format!("meshquake run s/{}.yaml --seed", file.replace('-', "/"));
        assert!(
            run.contains(&command),
            "{link} tells how to run it again: {command}"
        );
        assert!(run.contains("<svg"), "{link} has charts");
    }
    let parts = fs::read_dir(&results).unwrap().filter_map(Result::ok);
    assert!(
        parts
            .map(|file| file.file_name())
            .all(|name| !name.to_string_lossy().ends_with(".part"))
    );

    let both = ["test", "s", "--out", "results", "--report", "x.html"];
    assert_eq!(
        code(&meshquake(folder.path(), &both)),
        Some(2),
        "where would the links lead?"
    );
}
