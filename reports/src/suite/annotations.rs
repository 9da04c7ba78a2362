//! The suite as GitHub Actions' workflow commands, which it shows beside the lines they name.
//!
//! `::error file=F,line=L,title=T::message`
//! (<https://docs.github.com/actions/reference/workflow-commands-for-github-actions>).
//! GitHub shows ten errors of a step and drops the rest, so one is said per
//! reason and not per seed.

use crate::record::SET;

use super::{Judgement, ScenarioReport, SuiteReport};

/// One line per reason why the suite failed, each with a line break. `folder` is where the suite's paths begin,
/// seen from the root of the repository: GitHub shows an error beside a line only if its path begins there.
pub fn github(report: &SuiteReport, folder: &str) -> String {
    let mut out = String::new();
    let command = |level: &str, file: &str, line, title: &str, message: &str| {
        let whole = match folder.is_empty() || file.starts_with('/') {
            true => file.to_owned(),
            false => format!("{folder}/{file}"),
        };
        command(level, &whole, line, title, message)
    };
    for scenario in &report.scenarios {
        match scenario.judgement {
            Judgement::AsDeclared | Judgement::NotRun => {}
            Judgement::Invalid => {
                for problem in &scenario.problems {
                    let (file, line) = place(&problem.place, &scenario.file);
                    out.push_str(&command(
                        "error",
                        file,
                        line,
                        "invalid scenario",
                        &problem.message,
                    ));
                }
            }
            _ => reasons(&mut out, report, scenario, command),
        }
    }
    if let Some(baseline) = &report.baseline {
        for change in baseline.regressions() {
            out.push_str(&command(
                "error",
                &change.scenario,
                None,
                "regression",
                &change.told(),
            ));
        }
    }
    if let Some(coverage) = report
        .coverage
        .as_ref()
        .filter(|coverage| coverage.is_short())
    {
        out.push_str(&format!(
            "::error title=coverage of resilience::{}\n",
            data(&coverage.told())
        ));
    }
    out
}

fn reasons(
    out: &mut String,
    report: &SuiteReport,
    scenario: &ScenarioReport,
    command: impl Fn(&str, &str, Option<u32>, &str, &str) -> String,
) {
    let title = format!("{}: {}", scenario.name, scenario.told());
    for reason in scenario.reasons() {
        let (file, line) = place(&reason.place, &scenario.file);
        let seeds: Vec<String> = reason.runs.iter().map(u64::to_string).collect();
        let run = scenario
            .disagreeing()
            .find(|run| Some(&run.seed) == reason.runs.first());
        let again = run.map(|run| report.replay(&run.run)).unwrap_or_default();
        let message = format!("{} (seed {})\n{again}", reason.message, seeds.join(", "));
        out.push_str(&command("error", file, line, &title, &message));
    }
}

/// `file:line`, or the file alone.
fn place<'a>(place: &'a str, file: &'a str) -> (&'a str, Option<u32>) {
    // A value set by path is in no file.
    let place = match place.starts_with(SET) {
        true => file,
        false => place,
    };
    let numbered = |text: &'a str| {
        let (file, line) = text.rsplit_once(':')?;
        Some((file, line.parse::<u32>().ok()?))
    };
    let Some((first, number)) = numbered(place) else {
        return (if place.is_empty() { file } else { place }, None);
    };
    // `file:line:column` has one number more.
    match numbered(first) {
        Some((file, line)) => (file, Some(line)),
        None => (first, Some(number)),
    }
}

fn command(level: &str, file: &str, line: Option<u32>, title: &str, message: &str) -> String {
    let line = line.map_or(String::new(), |line| format!(",line={line}"));
    let (file, title, message) = (property(file), property(title), data(message));
    format!("::{level} file={file}{line},title={title}::{message}\n")
}

/// Escaped as a message (actions/toolkit, command.ts).
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// Escaped as a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_escaped() {
        assert_eq!(
            command("error", "a,b.yaml", Some(3), "x: y", "50 %\nmore"),
            "::error file=a%2Cb.yaml,line=3,title=x%3A y::50 %25%0Amore\n"
        );
        assert_eq!(
            command("error", "a.yaml", None, "t", "m"),
            "::error file=a.yaml,title=t::m\n"
        );
    }

    #[test]
    fn places_have_a_line_and_perhaps_a_column() {
        assert_eq!(place("a/b.yaml:12", "s"), ("a/b.yaml", Some(12)));
        assert_eq!(place("a/b.yaml:12:4", "s"), ("a/b.yaml", Some(12)));
        assert_eq!(place("C:a.yaml", "s"), ("C:a.yaml", None));
        assert_eq!(place("", "s"), ("s", None));
    }
}
