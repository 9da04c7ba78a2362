//! The suite for a person at a terminal.

use super::{Judgement, ScenarioReport, SuiteReport, SuiteVerdict, seeds};
use crate::summary::Style;
use crate::summary::paint::{Tone, clean, finish};
use crate::summary::table::{Kind, NOTHING, Table};
use crate::summary::{unit, wrapped};

/// Reasons shown of one scenario; the rest is in the files.
const REASONS_MAX: usize = 5;
/// Commands shown of one scenario.
const REPLAYS_MAX: usize = 3;
/// Seeds told by number.
const SEEDS_MAX: usize = 6;

/// `report` for a person.
pub fn text(report: &SuiteReport, style: Style) -> String {
    let width = style.width.clamp(60, 160);
    let mut blocks = Vec::new();
    if !report.scenarios.is_empty() {
        blocks.push(scenarios(report, width));
    }
    blocks.extend(
        report
            .scenarios
            .iter()
            .filter_map(|scenario| what_failed(report, scenario, width)),
    );
    blocks.extend(after_the_scenarios(report, width));
    let blocks: Vec<String> = blocks.iter().map(|lines| lines.join("\n")).collect();
    finish(&(blocks.join("\n\n") + "\n"), style.color)
}

/// What did not come out as declared, and one line for the whole.
pub fn brief(report: &SuiteReport, style: Style) -> String {
    let width = style.width.clamp(60, 160);
    let failed = report
        .scenarios
        .iter()
        .filter_map(|scenario| what_failed(report, scenario, width));
    let mut blocks: Vec<Vec<String>> = failed.collect();
    blocks.push(vec![verdict(report)]);
    let blocks: Vec<String> = blocks.iter().map(|lines| lines.join("\n")).collect();
    finish(&(blocks.join("\n\n") + "\n"), style.color)
}

fn after_the_scenarios(report: &SuiteReport, width: usize) -> Vec<Vec<String>> {
    let mut blocks = Vec::new();
    if let Some(coverage) = &report.coverage {
        let mut lines = vec![Tone::Strong.paint("Coverage of resilience")];
        lines.extend(coverage.lines(width));
        lines.push(format!("  {}", coverage.told()));
        blocks.push(lines);
    }
    if let Some(baseline) = &report.baseline {
        let mut lines = vec![Tone::Strong.paint(&format!("Baseline {}", clean(&baseline.file)))];
        lines.extend(baseline.lines(width));
        blocks.push(lines);
    }
    blocks.push(vec![verdict(report)]);
    blocks
}

fn scenarios(report: &SuiteReport, width: usize) -> Vec<String> {
    let mut table = Table::default()
        .column("", Kind::Text)
        .column("scenario", Kind::Name)
        .column("result", Kind::Text)
        .column("seeds", Kind::Number)
        .spare("of all seeds", Kind::Number, 1)
        .spare("time", Kind::Number, 2);
    for scenario in &report.scenarios {
        let ran = !scenario.runs.is_empty();
        let told = |text: String| if ran { text } else { NOTHING.to_owned() };
        let (share, interval) = (scenario.agreeing, scenario.agreeing.interval);
        table.row(vec![
            mark(scenario.judgement),
            clean(&scenario.file),
            tone(scenario.judgement).map_or(scenario.told(), |tone| tone.paint(&scenario.told())),
            told(format!("{} of {}", share.of, share.seeds)),
            told(format!(
                "{:.0}–{:.0} %",
                interval.low * 100.0,
                interval.high * 100.0
            )),
            told(unit::millis(scenario.wall_seconds() * 1e3)),
        ]);
    }
    table.lines(width)
}

fn tone(judgement: Judgement) -> Option<Tone> {
    match judgement {
        Judgement::AsDeclared => None,
        Judgement::NotRun => Some(Tone::Faint),
        _ => Some(Tone::Bad),
    }
}

fn mark(judgement: Judgement) -> String {
    match judgement {
        Judgement::AsDeclared => Tone::Good.paint("✓"),
        Judgement::Flaky => Tone::Bad.paint("~"),
        Judgement::NotRun => Tone::Faint.paint("·"),
        Judgement::Otherwise | Judgement::Invalid | Judgement::Defect => Tone::Bad.paint("✗"),
    }
}

/// Why a scenario did not come out as declared, and how to see it again.
fn what_failed(
    report: &SuiteReport,
    scenario: &ScenarioReport,
    width: usize,
) -> Option<Vec<String>> {
    if !scenario.judgement.is_wrong() {
        return None;
    }
    let title = format!("{}: {}", clean(&scenario.file), scenario.told());
    let mut lines = vec![format!(
        "{} {}",
        mark(scenario.judgement),
        Tone::Strong.paint(&title)
    )];
    // The diagnostics themselves have been shown when they were found.
    lines.extend(
        scenario
            .problems
            .iter()
            .take(REASONS_MAX)
            .flat_map(|problem| {
                let at = if problem.place.is_empty() {
                    String::new()
                } else {
                    format!("{}: ", problem.place)
                };
                wrapped("  ", &clean(&format!("{at}{}", problem.message)), width)
            }),
    );
    let reasons = scenario.reasons();
    for reason in reasons.iter().take(REASONS_MAX) {
        let place = match reason.place.as_str() {
            "" => String::new(),
            place => format!(" ({place})"),
        };
        let seeds = match reason.runs.len() {
            all if all == scenario.runs.len() => "every seed".into(),
            _ => format!("seed {}", seeds(reason.runs.iter().copied(), SEEDS_MAX)),
        };
        lines.extend(wrapped(
            "  · ",
            &clean(&format!(
                "{}{place}: {seeds}",
                unit::with_signs(&reason.message)
            )),
            width,
        ));
    }
    if reasons.len() > REASONS_MAX {
        lines.push(format!("  … and {} more", reasons.len() - REASONS_MAX));
    }
    // A command is pasted whole: it is not broken into lines.
    let runs = scenario.disagreeing().take(REPLAYS_MAX);
    lines.extend(runs.map(|run| format!("  {}", clean(&report.replay(&run.run)))));
    Some(lines)
}

fn verdict(report: &SuiteReport) -> String {
    let (mark, tone) = match report.verdict() {
        SuiteVerdict::AsDeclared => ("✓", Tone::Good),
        _ => ("✗", Tone::Bad),
    };
    let seconds = unit::millis(report.wall_seconds * 1e3);
    let runs = unit::counted(report.runs() as u64, "run");
    format!(
        "{} {}; {runs} in {seconds}",
        tone.paint(mark),
        headline(report)
    )
}

/// `7 of 9 scenarios as declared, 1 fails, 1 flaky`.
pub(crate) fn headline(report: &SuiteReport) -> String {
    let all = report.scenarios.len() as u64;
    let mut parts = vec![format!(
        "{} of {} as declared",
        report.count(Judgement::AsDeclared),
        unit::counted(all, "scenario")
    )];
    let others = [
        (Judgement::Otherwise, "otherwise"),
        (Judgement::Flaky, "flaky"),
        (Judgement::Invalid, "invalid"),
        (Judgement::Defect, "broken"),
        (Judgement::NotRun, "not run"),
    ];
    for (judgement, word) in others {
        match report.count(judgement) {
            0 => {}
            n => parts.push(format!("{n} {word}")),
        }
    }
    if let Some(baseline) = &report.baseline {
        match baseline.regressions().len() as u64 {
            0 => {}
            n => parts.push(unit::counted(n, "regression")),
        }
    }
    if report
        .coverage
        .as_ref()
        .is_some_and(crate::coverage::CoverageReport::is_short)
    {
        parts.push("coverage too low".into());
    }
    if report.interrupted {
        parts.insert(0, "interrupted".into());
    }
    parts.join(", ")
}
