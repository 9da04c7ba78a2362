//! The suite as Markdown: a job's summary, a comment on a pull request.

use super::{Judgement, ScenarioReport, SuiteReport, SuiteVerdict};
use crate::baseline::{BaselineReport, ChangeKind};
use crate::coverage::CoverageReport;
use crate::summary::unit;

/// `report` as GitHub-flavoured Markdown.
pub fn markdown(report: &SuiteReport) -> String {
    let mut out = format!(
        "## {} {}\n\n",
        mark(report),
        super::terminal::headline(report)
    );
    if !report.scenarios.is_empty() {
        out.push_str("| | scenario | result | seeds | time |\n|---|---|---|---:|---:|\n");
    }
    for scenario in &report.scenarios {
        let (seeds, time) = match scenario.runs.len() {
            0 => ("–".to_owned(), "–".to_owned()),
            _ => (
                format!("{} of {}", scenario.agreeing.of, scenario.agreeing.seeds),
                unit::millis(scenario.wall_seconds() * 1e3),
            ),
        };
        out.push_str(&format!(
            "| {} | {} | {} | {seeds} | {time} |\n",
            icon(scenario.judgement),
            cell(&scenario.file),
            cell(&scenario.told()),
        ));
    }
    for scenario in &report.scenarios {
        details(&mut out, report, scenario);
    }
    if let Some(baseline) = &report.baseline {
        compared(&mut out, baseline);
    }
    if let Some(coverage) = &report.coverage {
        covered(&mut out, coverage);
    }
    out
}

fn mark(report: &SuiteReport) -> &'static str {
    match report.verdict() {
        SuiteVerdict::AsDeclared => "✅",
        SuiteVerdict::Interrupted => "⏹️",
        _ => "❌",
    }
}

fn icon(judgement: Judgement) -> &'static str {
    match judgement {
        Judgement::AsDeclared => "✅",
        Judgement::Flaky => "⚠️",
        Judgement::NotRun => "⏹️",
        Judgement::Otherwise | Judgement::Invalid | Judgement::Defect => "❌",
    }
}

fn details(out: &mut String, report: &SuiteReport, scenario: &ScenarioReport) {
    if !scenario.judgement.is_wrong() {
        return;
    }
    out.push_str(&format!(
        "\n### {}: {}\n\n",
        cell(&scenario.file),
        cell(&scenario.told())
    ));
    for problem in &scenario.problems {
        out.push_str(&fenced(&problem.text));
    }
    for reason in scenario.reasons() {
        let place = match reason.place.as_str() {
            "" => String::new(),
            place => format!(" `{}`", place.replace('`', "'")),
        };
        let seeds: Vec<String> = reason.runs.iter().map(u64::to_string).collect();
        out.push_str(&format!(
            "- {}{place} (seed {})\n",
            cell(&unit::with_signs(&reason.message)),
            seeds.join(", ")
        ));
    }
    if let Some(run) = scenario.disagreeing().next() {
        out.push('\n');
        out.push_str(&fenced(&report.replay(&run.run)));
    }
}

fn compared(out: &mut String, baseline: &BaselineReport) {
    out.push_str(&format!("\n### Baseline: {}\n\n", baseline.told()));
    if !baseline.changes.is_empty() {
        out.push_str("| | scenario | measure | before | now | |\n|---|---|---|---:|---:|---|\n");
    }
    for change in &baseline.changes {
        let mark = match change.kind {
            ChangeKind::Regression => "❌ worse",
            ChangeKind::Improvement => "✅ better",
        };
        let (scenario, measure, by) = (cell(&change.scenario), cell(&change.measure), change.by());
        let (before, after) = (cell(&change.before), cell(&change.after));
        out.push_str(&format!(
            "| {mark} | {scenario} | {measure} | {before} | {after} | {by} |\n"
        ));
    }
    let remarks = baseline.remarks();
    if !remarks.is_empty() {
        out.push('\n');
    }
    for remark in remarks {
        out.push_str(&format!("- {}\n", cell(&remark)));
    }
}

fn covered(out: &mut String, coverage: &CoverageReport) {
    out.push_str(&format!(
        "\n### Coverage of resilience: {}\n\n",
        coverage.told()
    ));
    out.push_str(
        "| | mechanism | armed in | acted in | times | armed by |\n|---|---|---|---|---:|---|\n",
    );
    for row in coverage.rows() {
        let cells: Vec<String> = row.iter().map(|text| cell(text)).collect();
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
}

/// Text in one line, with nothing in it that Markdown or HTML would obey.
pub(crate) fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '|' | '[' | ']' | '~' => out.extend(['\\', c]),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// A block of code that its content cannot leave.
pub(crate) fn fenced(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{text}\n{fence}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_speak_markdown() {
        assert_eq!(cell("a|b <i> *x*"), "a\\|b &lt;i&gt; \\*x\\*");
        assert_eq!(fenced("a ``` b"), "````text\na ``` b\n````\n");
    }
}
