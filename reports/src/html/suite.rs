//! The page of a suite: what `meshquake test` found.
//!
//! What did not come out as declared stands first, each with its reasons and the command that shows it again; then
//! every scenario in one table, and what the suite says of the mechanisms and against a baseline.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::outcome::Panel;
use super::page::{Page, Section, command};
use super::table::Table;
use super::text;
use crate::baseline::{BaselineReport, ChangeKind};
use crate::coverage::CoverageReport;
use crate::record::Declared;
use crate::suite::terminal::headline;
use crate::suite::{
    Judgement, Reason, ScenarioReport, SeedReport, SuiteReport, SuiteVerdict, seeds,
};
use crate::summary::unit;

/// Reasons told of one scenario.
const REASONS_MAX: usize = 10;
/// Commands told of one scenario.
const REPLAYS_MAX: usize = 3;
/// Seeds told by number.
const SEEDS_MAX: usize = 8;
/// Scenarios whose failures are told in full; the table has all.
const CASES_MAX: usize = 200;
/// Runs of one scenario that the table links to.
const LINKS_MAX: usize = 20;

/// Pages of single runs, by [`SeedReport::run`]: paths relative to the suite's page, with `/`.
pub type Links = BTreeMap<String, String>;

/// The suite as one HTML file that needs nothing else; `links` says where the pages of its runs are.
pub fn suite_html(report: &SuiteReport, links: &Links) -> String {
    let page = Page {
        title: &format!("Suite: {}", headline(report)),
        head: head(report),
        sections: vec![
            Section::new(
                "failures",
                "What did not come out as declared",
                failures(report, links),
            ),
            Section::new(
                "regressions",
                "Against the baseline",
                baseline(report.baseline.as_ref()),
            ),
            Section::new("scenarios", "Scenarios", scenarios(report, links)),
            Section::new(
                "coverage",
                "Coverage of resilience",
                coverage(report.coverage.as_ref()),
            ),
            Section::new("settings", "How it was run", settings(report)),
        ],
        foot: html! { p { "Made by Meshquake " (report.meshquake_version) "." } },
    };
    page.html()
}

/// `path` as an address that stays below, or beside, this page: whatever could make it another kind of address, or end
/// the attribute, is percent-encoded (RFC 3986 §2.1).
fn address(path: &str) -> String {
    let mut out = String::from("./");
    for byte in path.trim_start_matches('/').bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(byte as char);
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

fn link(links: &Links, run: &SeedReport, words: &Markup) -> Markup {
    match links.get(&run.run) {
        Some(path) => html! { a href=(address(path)) { (words) } },
        None => words.clone(),
    }
}

fn head(report: &SuiteReport) -> Markup {
    let (class, mark, word) = match report.verdict() {
        SuiteVerdict::AsDeclared => ("good", "✓", "As declared"),
        SuiteVerdict::Failed => ("bad", "✗", "Not as declared"),
        SuiteVerdict::Invalid => ("bad", "✗", "Invalid"),
        SuiteVerdict::Defect => ("bad", "✗", "A defect of Meshquake"),
        SuiteVerdict::Interrupted => ("warn", "◼", "Interrupted"),
    };
    let mut more = Vec::new();
    if report.interrupted {
        more.push(text::said(
            "It was ended before its time: what is told is true of the runs that ended.",
        ));
    }
    if report
        .scenarios
        .iter()
        .any(|s| s.declared != Declared::Held)
    {
        more.push(text::said("A scenario that shows what breaks a mesh declares that it fails; it is as declared when it does."));
    }
    let panel = Panel {
        class,
        mark,
        word,
        sentence: &format!("{}.", headline(report)),
        more: &more,
    };
    let wrong = [Judgement::Otherwise, Judgement::Invalid, Judgement::Defect]
        .map(|judgement| report.count(judgement))
        .iter()
        .sum::<usize>();
    let flaky = report.count(Judgement::Flaky);
    html! {
        p.brand { "Meshquake: the report of a suite" }
        h1 { (unit::counted(report.scenarios.len() as u64, "scenario")) }
        p.about { (unit::counted(report.runs() as u64, "run")) " in " (unit::millis(report.wall_seconds * 1e3)) }
        (panel.markup())
        dl.totals {
            div { dt { "as declared" } dd { (report.count(Judgement::AsDeclared)) " of " (report.scenarios.len()) } }
            div { dt { "not as declared" } dd class=[(wrong > 0).then_some("bad")] { (wrong) } }
            div { dt { "flaky" } dd class=[(flaky > 0).then_some("bad")] { (flaky) } }
            div { dt { "runs" } dd { (unit::count(report.runs() as u64)) } }
            @if let Some(coverage) = &report.coverage {
                div {
                    dt { "mechanisms that acted" }
                    dd class=[coverage.is_short().then_some("bad")] { (coverage.covered) " of " (coverage.armed) }
                }
            }
            @if let Some(baseline) = &report.baseline {
                @let worse = baseline.regressions().len();
                div { dt { "regressions" } dd class=[(worse > 0).then_some("bad")] { (worse) } }
            }
        }
    }
}

/// The judgement, marked.
fn judged(scenario: &ScenarioReport) -> Markup {
    let (class, mark) = match scenario.judgement {
        Judgement::AsDeclared => ("ok", "✓"),
        Judgement::Flaky => ("warned", "~"),
        Judgement::NotRun => ("faint", "·"),
        Judgement::Otherwise | Judgement::Invalid | Judgement::Defect => ("no", "✗"),
    };
    html! { span class=(class) { (mark) " " (scenario.told()) } }
}

fn scenarios(report: &SuiteReport, links: &Links) -> Markup {
    let linked = !links.is_empty();
    let mut table = Table::new("Every scenario, and what its seeds came to")
        .head("scenario")
        .text("result")
        .number("seeds as declared")
        .number("of all seeds (95%)")
        .number("time");
    if linked {
        table = table.text("runs");
    }
    for scenario in &report.scenarios {
        let ran = !scenario.runs.is_empty();
        let (share, interval) = (scenario.agreeing, scenario.agreeing.interval);
        let or_none = |told: String| html! { @if ran { (told) } @else { "–" } };
        let mut cells = vec![
            text::path(&scenario.file),
            judged(scenario),
            or_none(format!("{} of {}", share.of, share.seeds)),
            or_none(format!(
                "{:.0}–{:.0}%",
                interval.low * 100.0,
                interval.high * 100.0
            )),
            or_none(unit::millis(scenario.wall_seconds() * 1e3)),
        ];
        if linked {
            cells.push(runs(scenario, links));
        }
        let class = match scenario.judgement.is_wrong() {
            true => "missed",
            false => "",
        };
        table.row_of(class, cells);
    }
    html! {
        @if !table.is_empty() {
            (table.scrolled())
            p.faint { "Of all seeds: where the share of all seeds lies that come out as declared, with 95% confidence (Wilson), after those that were run." }
        }
    }
}

fn runs(scenario: &ScenarioReport, links: &Links) -> Markup {
    let shown = scenario
        .runs
        .iter()
        .filter(|run| links.contains_key(&run.run));
    html! {
        @for (i, run) in shown.take(LINKS_MAX).enumerate() {
            @if i > 0 { ", " }
            (link(links, run, &html! { "seed " (run.seed) }))
        }
    }
}

fn failures(report: &SuiteReport, links: &Links) -> Markup {
    let cases: Vec<&ScenarioReport> = report
        .scenarios
        .iter()
        .filter(|s| s.judgement.is_wrong())
        .collect();
    let more = cases.len().saturating_sub(CASES_MAX) as u64;
    html! {
        @for (i, scenario) in cases.iter().take(CASES_MAX).enumerate() { (case(i, report, scenario, links)) }
        @if more > 0 { p.faint { "And " (unit::counted(more, "more scenario")) "; the table has all." } }
    }
}

fn case(number: usize, report: &SuiteReport, scenario: &ScenarioReport, links: &Links) -> Markup {
    let flaky = scenario.judgement == Judgement::Flaky;
    let reasons = scenario.reasons();
    let disagreeing: Vec<&SeedReport> = scenario.disagreeing().collect();
    html! {
        div class=(if flaky { "case flaky" } else { "case" }) {
            h3 { (text::path(&scenario.file)) ": " (judged(scenario)) }
            @for problem in scenario.problems.iter().take(REASONS_MAX) {
                pre.text tabindex="0" { (text::said(&problem.text)) }
            }
            @if scenario.problems.len() > REASONS_MAX {
                p.faint { "And " (unit::counted((scenario.problems.len() - REASONS_MAX) as u64, "more problem")) "." }
            }
            @if !reasons.is_empty() {
                ul { @for reason in reasons.iter().take(REASONS_MAX) { li { (why(reason, scenario)) } } }
                @if reasons.len() > REASONS_MAX { p.faint { "And " (unit::counted((reasons.len() - REASONS_MAX) as u64, "more reason")) "." } }
            }
            @for (i, run) in disagreeing.iter().take(REPLAYS_MAX).enumerate() {
                @let id = format!("replay-{number}-{i}");
                @let page = html! {
                    @if links.contains_key(&run.run) {
                        (link(links, run, &html! { "Report of seed " (run.seed) }))
                    }
                };
                (command(&id, &report.replay(&run.run), "Copy", &page))
            }
            @if disagreeing.len() > REPLAYS_MAX {
                p.faint { "Likewise with seed " (seeds(disagreeing[REPLAYS_MAX..].iter().map(|run| run.seed), SEEDS_MAX)) "." }
            }
        }
    }
}

fn why(reason: &Reason, scenario: &ScenarioReport) -> Markup {
    html! {
        (text::said(&unit::with_signs(&reason.message))) " "
        @if !reason.place.is_empty() { (text::place(&reason.place)) " " }
        span.faint {
            @if reason.runs.len() == scenario.runs.len() { "with every seed" }
            @else { "with seed " (seeds(reason.runs.iter().copied(), SEEDS_MAX)) }
        }
    }
}

fn baseline(baseline: Option<&BaselineReport>) -> Markup {
    let Some(baseline) = baseline else {
        return html! {};
    };
    let mut table = Table::new(&format!(
        "Changes beyond the tolerance, against {}",
        baseline.file
    ))
    .text("change")
    .head("scenario")
    .text("measure")
    .number("before")
    .number("now")
    .text("how sure");
    for change in &baseline.changes {
        let (mark, class) = match change.kind {
            ChangeKind::Regression => (html! { span.no { "✗ worse" } }, "missed"),
            ChangeKind::Improvement => (html! { span.ok { "✓ better" } }, ""),
        };
        table.row_of(
            class,
            [
                mark,
                text::name(&change.scenario),
                text::name(&change.measure),
                text::name(&change.before),
                text::name(&change.after),
                html! { (change.by()) },
            ],
        );
    }
    let remarks = baseline.remarks();
    html! {
        p { (baseline.told()) "." @if baseline.updated { " What is measured now has replaced the baseline." } }
        @if !table.is_empty() { (table.scrolled()) }
        @if !remarks.is_empty() { ul.plain.faint { @for remark in &remarks { li { (text::said(remark)) } } } }
    }
}

fn coverage(coverage: Option<&CoverageReport>) -> Markup {
    let Some(coverage) = coverage else {
        return html! {};
    };
    let mut table =
        Table::new("Resilience mechanisms of the mesh, and whether any run made them act")
            .text("did it act?")
            .head("mechanism")
            .number("armed in")
            .number("acted in")
            .number("times")
            .words("armed by");
    for mechanism in &coverage.mechanisms {
        let (mark, class) = match (mechanism.is_armed(), mechanism.fired) {
            (true, 0) => (html! { span.no { "✗ never" } }, "missed"),
            (true, _) => (html! { span.ok { "✓ acted" } }, ""),
            (false, _) => (html! { span.faint { "not armed" } }, ""),
        };
        table.row_of(
            class,
            [
                mark,
                text::name(&mechanism.name.replace('_', " ")),
                places(&mechanism.armed_in),
                places(&mechanism.fired_in),
                html! { @if mechanism.fired == 0 { "–" } @else { (unit::count(mechanism.fired)) } },
                text::said(&mechanism.armed_by),
            ],
        );
    }
    html! {
        p { (coverage.told()) ". A mechanism is armed where the mesh’s configuration sets it up; until a run makes it act, nobody knows what it does." }
        @if !table.is_empty() { (table.scrolled()) }
    }
}

/// How many, and which when pointed at.
fn places(files: &[String]) -> Markup {
    let shown: Vec<String> = files
        .iter()
        .take(12)
        .map(|file| text::plain(file))
        .collect();
    html! {
        @if files.is_empty() { "–" } @else {
            span title=(shown.join(", ")) { (unit::counted(files.len() as u64, "scenario")) }
        }
    }
}

fn settings(report: &SuiteReport) -> Markup {
    let settings = &report.settings;
    html! {
        dl.facts {
            dt { "seeds for each scenario" } dd {
                (settings.seeds_max) " at most"
                @if settings.stops_early.is_some() { "; fewer where they agree so often that more would hardly change it (Wald’s sequential test)" }
            }
            @if let Some(length) = settings.duration_s { dt { "length of each run" } dd { (unit::span(length)) } }
            @if !settings.set.is_empty() {
                dt { "set from outside" } dd { @for (i, set) in settings.set.iter().enumerate() { @if i > 0 { ", " } code { (text::name(set)) } } }
            }
            dt { "took" } dd { (unit::millis(report.wall_seconds * 1e3)) }
            dt { "format of the record" } dd { code { (text::name(&report.schema)) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_never_another_site() {
        let told = [
            ("runs/a 1.html", "./runs/a%201.html"),
            ("javascript:alert(1)", "./javascript%3Aalert%281%29"),
            ("//evil.example/x", "./evil.example/x"),
            ("a\"><script>", "./a%22%3E%3Cscript%3E"),
            ("../out/a.html", "./../out/a.html"),
        ];
        for (path, href) in told {
            assert_eq!(address(path), href);
        }
    }
}
