//! What a file given to a command is.
//!
//! People hand a command the file they have. It is told by what the file holds, not by how it is called: the one that
//! is wanted is taken, and of every other they are told what it is and which command takes it.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use meshquake_reports::baseline::BASELINE_SCHEMA;
use meshquake_reports::bench::BENCH_SCHEMA;
use meshquake_reports::comparison::COMPARE_SCHEMA;
use meshquake_reports::suite::{SuiteReport, TEST_SCHEMA, quoted};
use meshquake_reports::{RunReport, SCHEMA};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Largest file that is read.
const BYTES_MAX: u64 = 1 << 30;
/// So much of a file tells what it is.
const HEAD_BYTES: u64 = 4_096;
/// Most files that are named.
const NAMED_MAX: usize = 3;

/// What a file tells of.
pub(in crate::cli) enum Told {
    /// One run.
    Run(Box<RunReport>),
    /// A suite.
    Suite(Box<SuiteReport>),
    /// A sweep's rows, as CSV.
    Sweep(String),
    /// A scenario, by the look of it.
    Scenario,
    /// Something else.
    Other {
        /// What: it stands after `FILE is`.
        is: String,
        /// What to do with it, if there is something.
        then: String,
    },
}

fn other(is: impl Into<String>, then: impl Into<String>) -> Told {
    Told::Other {
        is: is.into(),
        then: then.into(),
    }
}

/// A path as it is typed.
pub(in crate::cli) fn typed(path: &Path) -> String {
    quoted(&path.display().to_string())
}

/// `path` is not what is `wanted`.
pub(in crate::cli) fn unwanted(path: &Path, is: &str, then: &str, wanted: &str) -> String {
    let shown = path.display();
    match then {
        "" => format!("{shown} is {is}, not {wanted}"),
        then => format!("{shown} is {is}: {then}"),
    }
}

/// The one result in the folder `path`, or `path` itself when it is a file. `command` is what would open one of many.
///
/// # Errors
/// When the folder has none, or more than one; in a sentence that says what to do.
pub(in crate::cli) fn result_in(path: &Path, command: &str) -> Result<PathBuf, String> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let shown = path.display();
    let cannot = |error: std::io::Error| format!("cannot read the folder {shown}: {error}");
    let mut results = Vec::new();
    let mut scenarios = Vec::new();
    for entry in std::fs::read_dir(path).map_err(cannot)? {
        let file = entry.map_err(cannot)?.path();
        let ends = |wanted: &str| file.extension().is_some_and(|end| end == wanted);
        if ends("json") && matches!(schema_of(&file).as_deref(), Some(SCHEMA | TEST_SCHEMA)) {
            results.push(file);
        } else if (ends("yaml") || ends("yml")) && matches!(look(&file), Ok(Told::Scenario)) {
            scenarios.push(file);
        }
    }
    results.sort();
    scenarios.sort();
    match (results.as_slice(), scenarios.first()) {
        ([one], _) => Ok(one.clone()),
        ([], None) => Err(format!(
            "{shown} is a folder without a result: `meshquake run SCENARIO --out {}` writes one into it",
            typed(path)
        )),
        ([], Some(first)) => Err(format!(
            "{shown} is a folder of scenarios without a result: name one of them, `meshquake tui {0}` plays it, `meshquake run {0}` runs it",
            typed(first)
        )),
        (many, _) => {
            let names = many.iter().take(NAMED_MAX);
            let names = names.map(|file| file.file_name().unwrap_or_default().to_string_lossy());
            let names: Vec<_> = names.collect();
            let more = many.len().saturating_sub(NAMED_MAX);
            let more = match more {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            Err(format!(
                "{shown} is a folder of {} results, {}{more}: name one, `{command} {}`",
                many.len(),
                names.join(", "),
                typed(&many[0])
            ))
        }
    }
}

/// The schema that a JSON file says it has.
fn schema_of(path: &Path) -> Option<String> {
    let text = whole(path).ok()?;
    serde_json::from_str::<Head>(&text).ok()?.schema
}

/// What JSON may say of itself.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Head {
    schema: Option<String>,
    meshquake: Option<IgnoredAny>,
    #[serde(rename = "traceEvents")]
    perfetto: Option<IgnoredAny>,
    #[serde(rename = "resourceSpans")]
    otlp: Option<IgnoredAny>,
}

/// What `path` is.
///
/// # Errors
/// When it cannot be read, or is of another version; in a sentence.
pub(in crate::cli) fn look(path: &Path) -> Result<Told, String> {
    let shown = path.display();
    let cannot = |error: std::io::Error| format!("cannot read {shown}: {error}");
    let mut head = Vec::new();
    let file = File::open(path).map_err(cannot)?;
    file.take(HEAD_BYTES)
        .read_to_end(&mut head)
        .map_err(cannot)?;
    let Some(head) = text(&head) else {
        return Ok(binary(&head));
    };
    let start = head.trim_start_matches('\u{feff}').trim_start();
    let end = path.extension().unwrap_or_default();
    let begins = |what: &str| {
        let start = start.as_bytes().get(..what.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(what.as_bytes()))
    };
    let has = |key: &str| head.lines().any(|line| line.starts_with(key));
    Ok(match start.chars().next() {
        None => other(
            "empty",
            "whatever was to write it came to no end. `meshquake run SCENARIO --json FILE` writes the record of a run",
        ),
        Some('<') if begins("<!doctype html") || begins("<html") => {
            other("a page", "open it in a browser")
        }
        Some('<') if head.contains("<testsuite") => other(
            "JUnit XML",
            format!(
                "`meshquake replay {}` runs again what failed in it",
                typed(path)
            ),
        ),
        Some('{' | '[') if end != "yaml" && end != "yml" => json(path, &whole(path)?)?,
        _ if end == "csv" => Told::Sweep(whole(path)?),
        Some('#') if begins("# TYPE ") || begins("# HELP ") => {
            other("metrics in the OpenMetrics format", "Prometheus reads them")
        }
        Some(_) if has("meshquake:") => Told::Scenario,
        Some(_) if has("apiVersion:") => other(
            "configuration of a mesh or a cluster, and no scenario",
            "a scenario imports it; `meshquake init` writes one to begin with",
        ),
        Some(_) if end == "yaml" || end == "yml" => Told::Scenario,
        Some(_) => other("some text", ""),
    })
}

/// The text that a file begins with; a character may be cut in two at its end.
fn text(head: &[u8]) -> Option<&str> {
    match std::str::from_utf8(head) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    }
    .filter(|text| !text.contains('\0'))
}

fn binary(head: &[u8]) -> Told {
    match head {
        // The block type of a section header, and the magic numbers of Parquet and PNG.
        [0x0a, 0x0d, 0x0d, 0x0a, ..] => other("a packet capture", "Wireshark opens it"),
        [b'P', b'A', b'R', b'1', ..] => other(
            "a sweep as Parquet",
            "its page is made from the CSV that `meshquake sweep --csv FILE` writes",
        ),
        [0x89, b'P', b'N', b'G', ..] => other("a picture", "open it in a browser"),
        _ => other("no text", ""),
    }
}

fn whole(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let cannot = |error: std::io::Error| format!("cannot read {shown}: {error}");
    let length = std::fs::metadata(path).map_err(cannot)?.len();
    if length > BYTES_MAX {
        return Err(format!("{shown} is larger than {} MiB", BYTES_MAX >> 20));
    }
    std::fs::read_to_string(path).map_err(cannot)
}

fn json(path: &Path, text: &str) -> Result<Told, String> {
    let text = text.trim_start_matches('\u{feff}');
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        return Ok(no_json(path, text, &error));
    }
    let head: Head = serde_json::from_str(text).unwrap_or_default();
    let version = |error: serde_json::Error| {
        let shown = path.display();
        format!("{shown} is a result of another version of Meshquake: {error}")
    };
    Ok(match head.schema.as_deref() {
        Some(SCHEMA) => Told::Run(serde_json::from_str(text).map_err(version)?),
        Some(TEST_SCHEMA) => Told::Suite(serde_json::from_str(text).map_err(version)?),
        Some(BASELINE_SCHEMA) => other(
            "the baseline of a suite",
            format!(
                "`meshquake test SCENARIOS --baseline {}` compares with it",
                typed(path)
            ),
        ),
        Some(COMPARE_SCHEMA) => other(
            "what `meshquake compare` found",
            "`meshquake compare A B --report FILE` makes its page",
        ),
        Some(BENCH_SCHEMA) => other("what the project's own benches measured", ""),
        Some(schema) => other(format!("`{schema}`"), ""),
        None if head.meshquake.is_some() => Told::Scenario,
        None if head.perfetto.is_some() => {
            other("a run for Perfetto", "open it at https://ui.perfetto.dev")
        }
        None if head.otlp.is_some() => {
            other("a run's traces as OTLP", "Jaeger and its like read them")
        }
        None => other("JSON of something else", ""),
    })
}

/// What begins as JSON does and is none.
fn no_json(path: &Path, text: &str, error: &serde_json::Error) -> Told {
    let called = path.extension().is_some_and(|end| end == "json");
    if is_lines(text) {
        return other(
            "a log, one JSON object a line",
            "`jq` reads it. `meshquake run SCENARIO --json FILE` writes the record of a run",
        );
    }
    if error.is_eof() {
        return other(
            "JSON that breaks off",
            "whatever was to write it came to no end; make it again",
        );
    }
    match called {
        true => other(format!("broken JSON ({error})"), ""),
        false => other("some text", ""),
    }
}

/// Whether it is one JSON object on each line.
fn is_lines(text: &str) -> bool {
    let mut lines = text.lines().take(2);
    let object =
        |line: Option<&str>| line.is_some_and(|line| serde_json::from_str::<Head>(line).is_ok());
    object(lines.next()) && object(lines.next())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(name: &str, content: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        match look(&path) {
            Ok(Told::Run(_)) => "a run".into(),
            Ok(Told::Suite(_)) => "a suite".into(),
            Ok(Told::Sweep(_)) => "a sweep".into(),
            Ok(Told::Scenario) => "a scenario".into(),
            Ok(Told::Other { is, then }) => format!("{is}: {then}"),
            Err(why) => why,
        }
    }

    #[test]
    fn a_file_is_what_it_holds() {
        let is = |name: &str, content: &[u8], wanted: &str| {
            let told = told(name, content);
            assert!(told.contains(wanted), "{name}: {told}");
        };
        is(
            "a.yaml",
            b"# a shop\nmeshquake: v1\nname: shop\n",
            "a scenario",
        );
        is("a.json", b"{\"meshquake\": \"v1\"}", "a scenario");
        is(
            "a.yaml",
            b"apiVersion: v1\nkind: Service\n",
            "a scenario imports it",
        );
        is("a.yaml", b"name: shop\n", "a scenario");
        is("a.json", b"", "empty: whatever");
        is("a.yaml", b" \n\n", "empty: ");
        is(
            "a.json",
            b"<!DOCTYPE html><html>",
            "a page: open it in a browser",
        );
        is("a.yaml", b"<html lang=en>", "a page");
        is(
            "a.xml",
            b"<?xml version=\"1.0\"?>\n<testsuites>",
            "meshquake replay",
        );
        is("a.csv", b"seed,verdict\n", "a sweep");
        is("a.json", b"{\"schema\": \"other/v1\"}", "`other/v1`");
        is(
            "a.json",
            b"{\"schema\": \"meshquake.baseline/v1\"}",
            "--baseline",
        );
        is(
            "a.json",
            b"{\"schema\": \"meshquake.compare/v1\"}",
            "meshquake compare A B",
        );
        is(
            "a.json",
            b"{\"schema\": \"meshquake.run/v1\"}",
            "another version",
        );
        is("a.json", b"{\"schema\": \"meshquake.run", "breaks off");
        is("a.json", b"{\"schema\" 1}", "broken JSON");
        is("a.json", b"[1, 2]", "JSON of something else");
        is("a.jsonl", b"{\"a\": 1}\n{\"a\": 2}\n", "a log");
        is("a.json", b"{\"traceEvents\": []}", "ui.perfetto.dev");
        is("a.pcapng", &[0x0a, 0x0d, 0x0d, 0x0a, 0, 0], "Wireshark");
        is("a.yaml", &[0xff, 0xfe, 0, 1], "no text");
        is("a.txt", b"HELD  shop\n", "some text");
        is("a.log", b"[2026-01-01] \"GET / HTTP/2\" 200\n", "some text");
        is("a.txt", b"# TYPE a counter\n", "Prometheus");
        assert!(look(Path::new("/none/at/all.json")).is_err());
    }

    #[test]
    fn a_folder_is_the_one_result_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let write = |name: &str, text: &str| std::fs::write(path.join(name), text).unwrap();
        let result = || result_in(path, "meshquake tui");
        assert!(result().unwrap_err().contains("without a result"));
        write("shop.yaml", "meshquake: v1");
        let why = result().unwrap_err();
        assert!(why.contains("shop.yaml` plays it"), "{why}");
        write(
            "shop.json",
            &format!("{{\"a\": [], \"schema\": \"{SCHEMA}\"}}"),
        );
        write("shop.html", "<!doctype html>");
        write("other.json", "{}");
        assert_eq!(result(), Ok(path.join("shop.json")));
        write("test.json", &format!("{{\"schema\": \"{TEST_SCHEMA}\"}}"));
        let why = result().unwrap_err();
        assert!(why.contains("2 results, shop.json, test.json"), "{why}");
        assert!(why.contains("meshquake tui "), "{why}");
        assert_eq!(
            result_in(&path.join("none"), ""),
            Ok(path.join("none")),
            "what is no folder is looked at later"
        );
    }
}
