//! The page of several runs: first all of them in a table, then each as on its own page.
//!
//! A part of a page has an address, and headings of the page's rank. Here the same part is there once for each run, one
//! rank lower, so both are changed in what the part has written: maud escapes every quotation mark of a text, so what
//! looks like an attribute is one.

use maud::{Markup, PreEscaped, html};

use super::outcome::{self, Panel};
use super::page::{Page, Section};
use super::table::Table;
use super::{run, text};
use crate::record::{RunReport, Verdict};
use crate::summary::unit;

/// Several runs as one HTML file that needs nothing else, each with what it is to be called, such as its file.
pub fn runs_html(runs: &[(String, RunReport)]) -> String {
    let mut sections = vec![Section::new("runs", "The runs", table(runs))];
    for (i, (name, report)) in runs.iter().enumerate() {
        sections.push(Section {
            id: format!("run-{}", i + 1).into(),
            title: name.clone().into(),
            link: name.clone().into(),
            body: one(i + 1, report),
        });
    }
    let version = runs.first().map_or("", |(_, run)| &run.meshquake_version);
    let page = Page {
        title: &format!("{}: {}", count(runs), headline(runs)),
        head: head(runs),
        sections,
        foot: html! {
            p { "Made by Meshquake " (version) ". Times are virtual: seconds since a run began, unless said otherwise." }
        },
    };
    page.html()
}

fn count(runs: &[(String, RunReport)]) -> String {
    unit::counted(runs.len() as u64, "run")
}

/// `2 held, 1 failed`
fn headline(runs: &[(String, RunReport)]) -> String {
    let all = [
        Verdict::Held,
        Verdict::Failed,
        Verdict::Metastable,
        Verdict::Interrupted,
    ];
    let of = |verdict| {
        runs.iter()
            .filter(|(_, run)| run.verdict == verdict)
            .count()
    };
    let told = all.map(|verdict| (of(verdict), outcome::word(verdict)));
    let told = told.into_iter().filter(|(runs, _)| *runs > 0);
    let told: Vec<String> = told.map(|(runs, word)| format!("{runs} {word}")).collect();
    told.join(", ")
}

fn head(runs: &[(String, RunReport)]) -> Markup {
    let ranks = || runs.iter().map(|(_, run)| outcome::rank(run.verdict));
    let (class, mark) = match ranks().flatten().min() {
        Some(2) if ranks().all(|rank| rank.is_some()) => ("good", "✓"),
        Some(0 | 1) => ("bad", "✗"),
        _ => ("warn", "◼"),
    };
    let word = match class {
        "good" => "All held",
        "bad" => "Not all held",
        _ => "Interrupted",
    };
    let panel = Panel {
        class,
        mark,
        word,
        sentence: &match class {
            "good" => "Every run met what was demanded of it.".to_owned(),
            _ => format!("Of {}: {}.", count(runs), headline(runs)),
        },
        more: &[],
    };
    html! {
        p.brand { "Meshquake: the report of several runs" }
        h1 { (count(runs)) }
        (panel.markup())
    }
}

fn table(runs: &[(String, RunReport)]) -> Markup {
    let mut table = Table::new("What each run came to")
        .head("run")
        .text("verdict")
        .number("seed")
        .number("requests")
        .number("succeeded")
        .number("p99, worst source")
        .number("demands met");
    for (i, (name, report)) in runs.iter().enumerate() {
        let or_none = |told: Option<String>| html! { (told.as_deref().unwrap_or("–")) };
        let demands = report.expectations.len();
        let met = report.expectations.iter().filter(|e| e.held).count();
        table.row([
            html! { a href=(format!("#run-{}", i + 1)) { (text::name(name)) } },
            outcome::told(report.verdict),
            html! { (report.seed) },
            html! { (unit::count(report.traffic.values().map(|t| t.requests).sum())) },
            or_none(outcome::success(report).map(unit::share)),
            or_none(outcome::p99(report).map(unit::millis)),
            or_none((demands > 0).then(|| format!("{met} of {demands}"))),
        ]);
    }
    table.scrolled()
}

/// All that a run's own page says.
fn one(number: usize, report: &RunReport) -> Markup {
    html! {
        @if !report.scenario.is_empty() {
            p.about { "The scenario " (text::name(&report.scenario)) " with seed " (report.seed) ". " (text::said(&report.about)) }
        }
        (run::standing(report))
        @for section in run::sections(report).iter().filter(|section| !section.is_empty()) {
            div id=(format!("r{number}-{}", section.id)) {
                h3 { (section.title) }
                (nested(number, &section.body))
            }
        }
    }
}

/// `body` one rank lower, with addresses of its own.
fn nested(number: usize, body: &Markup) -> Markup {
    let mut out = body.0.clone();
    for rank in (2..=5).rev() {
        out = out.replace(&format!("<h{rank}"), &format!("<h{}", rank + 1));
        out = out.replace(&format!("</h{rank}"), &format!("</h{}", rank + 1));
    }
    for start in [
        " id=\"",
        " href=\"#",
        " aria-labelledby=\"",
        " aria-describedby=\"",
        " data-copies=\"",
    ] {
        out = out.replace(start, &format!("{start}r{number}-"));
    }
    PreEscaped(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_moves_one_rank_down_and_keeps_its_links() {
        let body = html! {
            h3 #a { "<h3 id=\"a\">" }
            h4 { a href="#a" aria-labelledby="a" { "there" } }
        };
        let wanted = "<h4 id=\"r7-a\">&lt;h3 id=&quot;a&quot;&gt;</h4>\
            <h5><a href=\"#r7-a\" aria-labelledby=\"r7-a\">there</a></h5>";
        assert_eq!(nested(7, &body).0, wanted);
    }
}
