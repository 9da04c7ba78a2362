//! `meshquake sweep`: grids, files, and what happens when it is killed.

#![expect(clippy::unwrap_used, reason = "a test may panic, and its helpers too")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use meshquake_tests::small::{SMALL, folder};
use meshquake_tests::{binary, meshquake, stderr, stdout};

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

const GRID: [&str; 4] = [
    "--set",
    "traffic.users.rate=20/s..60/s/3",
    "--set",
    "services.api.service-time=1ms,2ms",
];

fn sweep(folder: &Path, args: &[&str]) -> Output {
    meshquake(folder, &[&["sweep", "s.yaml"], args].concat())
}

fn csv(folder: &Path, args: &[&str]) -> String {
    let output = sweep(
        folder,
        &[&GRID, args, &["-q", "--csv", "rows.csv"]].concat(),
    );
    assert_eq!(code(&output), Some(0), "{}", stderr(&output));
    fs::read_to_string(folder.join("rows.csv")).unwrap()
}

#[test]
fn every_combination_and_seed_is_a_row() {
    let folder = folder(&[("s.yaml", SMALL)]);
    let rows = csv(folder.path(), &["--seeds", "2"]);
    let lines: Vec<&str> = rows.lines().collect();
    assert_eq!(
        lines[0],
        "traffic.users.rate,services.api.service-time,seed,verdict,failures,success,goodput_rps,\
         recovery_ms,attempts_per_request,retries,ejections,overflows,timeouts,users.requests,users.success,\
         users.goodput_rps,users.p50_ms,users.p99_ms,digest"
    );
    let settings: Vec<String> = lines[1..]
        .iter()
        .map(|line| line.split(',').take(4).collect::<Vec<_>>().join(" "))
        .collect();
    let mut expected = Vec::new();
    for rate in ["20/s", "40/s", "60/s"] {
        for time in ["1ms", "2ms"] {
            expected.extend([3, 1].map(|seed| format!("{rate} {time} {seed} held")));
        }
    }
    assert_eq!(
        settings, expected,
        "the last setting changes fastest, then the seed"
    );
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        2,
        "no journal is left behind"
    );
    assert_eq!(rows, csv(folder.path(), &["--seeds", "2", "--jobs", "1"]));
    assert_eq!(rows, csv(folder.path(), &["--seeds", "2", "--jobs", "5"]));

    // A row is the run that `run` makes of its settings.
    let args = [
        "run",
        "s.yaml",
        "--json",
        "-",
        "--seed",
        "1",
        "--set",
        "traffic.users.rate=60/s",
        "--set",
        "services.api.service-time=2ms",
    ];
    let report: serde_json::Value =
        serde_json::from_slice(&meshquake(folder.path(), &args).stdout).unwrap();
    let digest = lines[12].rsplit(',').next().unwrap();
    assert_eq!(report["digest"], digest);
}

#[test]
fn other_formats() {
    let folder = folder(&[("s.yaml", SMALL)]);
    let table = sweep(folder.path(), &[&GRID[..], &["--seeds", "2"]].concat());
    assert_eq!(code(&table), Some(0), "{}", stderr(&table));
    let text = stdout(&table);
    assert_eq!(text.lines().count(), 7, "{text}");
    assert!(
        text.contains("users.rate") && text.contains("2 of 2"),
        "{text}"
    );
    let json = sweep(folder.path(), &[&GRID[..], &["--json", "-"]].concat());
    let rows: Vec<serde_json::Value> = stdout(&json)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 6);
    assert_eq!(rows[0]["traffic.users.rate"], "20/s");
    assert_eq!(rows[0]["success"], 1.0);
    assert_eq!(rows[0]["seed"], 3);
    let to_stdout = sweep(folder.path(), &[&GRID[..], &["--csv", "-"]].concat());
    assert_eq!(stdout(&to_stdout), csv(folder.path(), &[]));
}

#[test]
fn mesh_configuration_is_swept_too() {
    let mesh = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: api }\n\
        spec: { hosts: [api], http: [{ route: [{ destination: { host: api } }] }] }\n";
    let scenario = SMALL.replace("services:", "mesh: { config: [mesh.yaml] }\nservices:");
    let folder = folder(&[("s.yaml", &scenario), ("mesh.yaml", mesh)]);
    let set = "mesh:VirtualService/api.spec.http[0].timeout=1ms..1s/2";
    let output = sweep(folder.path(), &["--set", set, "--csv", "-"]);
    assert_eq!(code(&output), Some(0), "{}", stderr(&output));
    let rows = stdout(&output);
    let header: Vec<&str> = rows.lines().next().unwrap().split(',').collect();
    let column = header.iter().position(|name| *name == "timeouts").unwrap();
    let timeouts = |line: usize| {
        let mut cells = rows.lines().nth(line).unwrap().split(',');
        cells.nth(column).unwrap().parse::<u64>().unwrap()
    };
    assert!(timeouts(1) > 0, "{rows}");
    assert_eq!(timeouts(2), 0, "{rows}");
}

#[test]
fn mistakes_are_told_before_anything_runs() {
    let folder = folder(&[("s.yaml", SMALL)]);
    for (args, why) in [
        (
            &["--set", "traffic.users.rate=20/s..60/h/3"][..],
            "same unit at both ends",
        ),
        (
            &["--set", "services.api.replicas=1..2/3"],
            "invalid with services.api.replicas=1.5",
        ),
        (
            &["--set", "services.api.replica=2"],
            "did you mean `replicas`?",
        ),
        (
            &["--set", "mesh:VirtualService/api.spec=1"],
            "imports no objects",
        ),
        (&["--set", "seed=1", "--set", "seed=2"], "set twice"),
        (
            &["--seeds", "100000", "--set", "epoch=1..9999/9999"],
            "are the most",
        ),
        (&["--csv", "a", "--json", "b"], "cannot be used with"),
        (&["--csv", "no/such/folder.csv"], "cannot write"),
        (&["--set", "rate"], "PATH=VALUE"),
    ] {
        let output = sweep(folder.path(), args);
        assert_eq!(code(&output), Some(2), "{args:?}");
        assert!(
            stderr(&output).contains(why),
            "{args:?}: {}",
            stderr(&output)
        );
    }
    let output = sweep(folder.path(), &["--parquet", "rows.parquet"]);
    assert_eq!(code(&output), Some(2));
    assert!(
        stderr(&output).contains("--features parquet"),
        "{}",
        stderr(&output)
    );
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing is left behind"
    );
}

#[cfg(unix)]
#[test]
fn a_killed_sweep_goes_on_where_it_was() {
    let folder = folder(&[("s.yaml", SMALL)]);
    let args = [
        "--set",
        "traffic.users.rate=10/s..100/s/40",
        "--seeds",
        "3",
        "-q",
        "--csv",
        "rows.csv",
    ];
    let output = sweep(folder.path(), &args);
    assert_eq!(code(&output), Some(0), "{}", stderr(&output));
    let rows = folder.path().join("rows.csv");
    let whole = fs::read_to_string(&rows).unwrap();
    fs::remove_file(&rows).unwrap();
    let journal = folder.path().join("rows.csv.journal");
    let lines = || fs::read_to_string(&journal).map_or(0, |text| text.matches('\n').count());
    let mut kills = 0;
    // SIGKILL, as often as it takes, each time when some more rows are there.
    while !rows.exists() {
        let before = lines();
        let mut child = Command::new(binary())
            .current_dir(folder.path())
            .args(["sweep", "s.yaml"])
            .args(args)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while child.try_wait().unwrap().is_none() {
            if kills < 3 && lines() >= before + 20 {
                child.kill().unwrap();
                kills += 1;
                break;
            }
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(kills <= 3);
    }
    assert!(kills > 0, "it was too fast to be killed");
    assert_eq!(
        fs::read_to_string(&rows).unwrap(),
        whole,
        "no row lost, none doubled"
    );
    assert!(!journal.exists());
}

#[test]
fn a_journal_of_another_sweep_is_refused() {
    let folder = folder(&[("s.yaml", SMALL)]);
    let journal = folder.path().join("rows.csv.journal");
    // As a killed sweep leaves it: the header and a torn row.
    let header = |args: &[&str]| {
        let output = sweep(
            folder.path(),
            &[&["-q", "--csv", "rows.csv"], args].concat(),
        );
        assert_eq!(code(&output), Some(0), "{}", stderr(&output));
    };
    fs::write(
        &journal,
        "{\"schema\":\"meshquake.sweep-journal/v1\",\"meshq",
    )
    .unwrap();
    header(&["--set", "seed=1,2"]);
    assert!(!journal.exists(), "a torn beginning is begun anew");
    fs::write(&journal, "something else\n").unwrap();
    let refused = sweep(folder.path(), &["--csv", "rows.csv"]);
    assert_eq!(code(&refused), Some(2));
    assert!(
        stderr(&refused).contains("--fresh starts over"),
        "{}",
        stderr(&refused)
    );
    header(&["--fresh"]);
    assert!(!journal.exists());
}
