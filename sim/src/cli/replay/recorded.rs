//! The runs that a result file tells of.

use std::path::Path;

use clap::Parser as _;
use meshquake_reports::suite::{SuiteReport, TEST_SCHEMA, junit};
use meshquake_reports::{RunReport, SCHEMA};

use super::{Again, Recorded};
use crate::cli::args::{Arguments, Command};
use crate::explore::RunId;

/// Reads `path`. Of a suite, the runs that did not come out as declared, or all of them.
pub(super) fn runs(path: &Path, all: bool) -> Result<Vec<Again>, String> {
    let shown = path.display();
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    let runs = read(&text, all).map_err(|why| format!("{shown}: {why}"))?;
    if runs.is_empty() {
        return Err(format!(
            "{shown} tells of no run that failed; --all takes those that did not, too"
        ));
    }
    Ok(runs)
}

fn read(text: &str, all: bool) -> Result<Vec<Again>, String> {
    if text.trim_start().starts_with('<') {
        return from_junit(text, all);
    }
    let json: serde_json::Value = serde_json::from_str(text).map_err(|_| {
        "it is neither JSON nor JUnit XML; a run of a scenario is written SCENARIO@SEED".to_owned()
    })?;
    let of = |error: serde_json::Error| format!("it is not as this version writes it: {error}");
    match json["schema"].as_str() {
        Some(SCHEMA) => from_run(&serde_json::from_value(json).map_err(of)?).map(|run| vec![run]),
        Some(TEST_SCHEMA) => from_suite(&serde_json::from_value(json).map_err(of)?, all),
        Some(other) => Err(format!("its schema is `{other}`, which tells of no runs")),
        None => Err("it has no `schema`, so it is no result of meshquake".into()),
    }
}

fn from_run(report: &RunReport) -> Result<Again, String> {
    let again = command(&report.reproduce).ok_or_else(|| {
        format!(
            "it says it was made by `{}`, which runs no scenario",
            report.reproduce
        )
    })?;
    Ok(Again {
        recorded: Some(Recorded {
            digest: report.digest.clone(),
            fingerprint: report.fingerprint.clone(),
            version: report.meshquake_version.clone(),
        }),
        ..again
    })
}

fn from_suite(report: &SuiteReport, all: bool) -> Result<Vec<Again>, String> {
    let mut runs = Vec::new();
    for scenario in &report.scenarios {
        for run in scenario.runs.iter().filter(|run| all || !run.as_declared) {
            let recorded = Recorded {
                digest: run.digest.clone(),
                fingerprint: scenario.fingerprint.clone(),
                version: report.meshquake_version.clone(),
            };
            runs.push(of_suite(&run.run, &report.settings.options, recorded)?);
        }
    }
    Ok(runs)
}

fn from_junit(text: &str, all: bool) -> Result<Vec<Again>, String> {
    let report = quick_junit::Report::deserialize_from_str(text)
        .map_err(|error| format!("it is not JUnit XML: {error}"))?;
    let mut runs = Vec::new();
    for suite in &report.test_suites {
        let of = |name: &str| property(&suite.properties, name);
        for case in &suite.test_cases {
            let passed = matches!(case.status, quick_junit::TestCaseStatus::Success { .. });
            let run = property(&case.properties, junit::RUN);
            if run.is_empty() || (passed && !all) {
                continue;
            }
            let recorded = Recorded {
                digest: property(&case.properties, junit::DIGEST),
                fingerprint: of(junit::FINGERPRINT),
                version: of(junit::VERSION),
            };
            runs.push(of_suite(&run, &of(junit::OPTIONS), recorded)?);
        }
    }
    Ok(runs)
}

fn property(properties: &[quick_junit::Property], name: &str) -> String {
    let found = properties
        .iter()
        .find(|property| property.name.as_str() == name);
    found.map_or_else(String::new, |property| property.value.as_str().to_owned())
}

/// A run of a suite. One that broke has no digest, and nothing to be compared with.
fn of_suite(run: &str, options: &str, recorded: Recorded) -> Result<Again, String> {
    let id = RunId::parse(run).ok_or_else(|| format!("`{run}` is no run"))?;
    let again = command(&format!(
        "meshquake run scenario --seed 0{}{options}",
        if options.is_empty() { "" } else { " " }
    ))
    .ok_or_else(|| format!("its options are not understood: {options}"))?;
    Ok(Again {
        file: id.file,
        seed: id.seed,
        recorded: Some(recorded).filter(|recorded| !recorded.digest.is_empty()),
        ..again
    })
}

/// What a `meshquake run` command runs.
fn command(line: &str) -> Option<Again> {
    let words = words(line)?;
    let Command::Run(args) = Arguments::try_parse_from(words).ok()?.command else {
        return None;
    };
    let [file] = args.files.as_slice() else {
        return None;
    };
    Some(Again {
        file: file.display().to_string(),
        seed: args.overrides.seed?,
        duration: args.overrides.duration,
        set: args.overrides.set,
        recorded: None,
    })
}

/// Words as a POSIX shell splits them, for what we quote ourselves; `None` when a quote is not closed.
fn words(line: &str) -> Option<Vec<String>> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(chars.next()?),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshquake_reports::suite::quoted;
    use proptest::prelude::*;

    #[test]
    fn a_command_says_what_it_runs() {
        let again =
            command("meshquake run 'a b.yaml' --seed 7 --duration 2s --set 'x.y=>= 9'").unwrap();
        assert_eq!(again.file, "a b.yaml");
        assert_eq!(again.seed, 7);
        assert_eq!(again.duration, Some(std::time::Duration::from_secs(2)));
        assert_eq!(again.set, [("x.y".to_owned(), ">= 9".to_owned())]);
        assert_eq!(command("meshquake validate a.yaml"), None);
        assert_eq!(command("meshquake run 'a"), None);
    }

    proptest! {
        #[test]
        fn what_is_quoted_is_one_word(text in ".*") {
            let line = format!("a {}", quoted(&text));
            prop_assert_eq!(words(&line), Some(vec!["a".to_owned(), text]));
        }
    }
}
