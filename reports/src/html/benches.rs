//! The page of benches: what was measured, on what, and how it was before.

use maud::{Markup, html};

use super::page::{Page, Section};
use super::table::Table;
use super::text;
use crate::bench::{BenchLine, BenchReport, History, Machine};
use crate::markdown::sparkline;
use crate::summary::unit;

/// Runs drawn of a line's history.
const COURSE_MAX: usize = 40;
/// A change below this is as well the machine's.
const NOISE: f64 = 0.05;

/// The last run of each bench against the one before it, as one HTML file that needs nothing else. `now` are runs that
/// may or may not be in the history yet.
pub fn bench_html(now: &[BenchReport], history: &History) -> String {
    let mut all = history.clone();
    all.append(now);
    let page = Page {
        title: "Meshquake: benchmarks",
        head: head(now),
        sections: vec![
            Section::new("results", "Results", results(now, &all)),
            Section::new("history", "Runs before", runs(&all)),
        ],
        foot: html! { p { "Made by Meshquake " (env!("CARGO_PKG_VERSION")) "." } },
    };
    page.html()
}

fn head(now: &[BenchReport]) -> Markup {
    let ratios = || {
        now.iter()
            .flat_map(|run| &run.lines)
            .filter_map(|line| line.ratio.as_ref())
    };
    let judged: Vec<bool> = ratios().filter_map(crate::bench::Ratio::met).collect();
    let met = judged.iter().filter(|met| **met).count();
    html! {
        p.brand { "Meshquake" }
        h1 { "Benchmarks" }
        p.about { "Speed is a ratio, taken in one run against a baseline on the same machine. Absolute numbers say as much about the machine." }
        dl.totals {
            div { dt { "benches" } dd { (now.len()) } }
            @if !judged.is_empty() { div { dt { "targets met" } dd class=[(met < judged.len()).then_some("bad")] { (met) " of " (judged.len()) } } }
        }
    }
}

/// A number with three digits.
fn told(value: f64) -> String {
    match value.abs() {
        v if v >= 1_000.0 => unit::count(value.round() as u64),
        v if v >= 100.0 => unit::trimmed(value, 0),
        v if v >= 10.0 => unit::trimmed(value, 1),
        v if v >= 1.0 || v == 0.0 => unit::trimmed(value, 2),
        // A part of a microsecond has its digits further behind.
        v => unit::trimmed(value, (2.0 - libm::floor(libm::log10(v))).min(9.0) as usize),
    }
}

fn spread(bounds: Option<(f64, f64)>) -> Markup {
    html! { @if let Some((low, high)) = bounds { (told(low)) " to " (told(high)) } @else { "–" } }
}

fn machine(machine: &Machine) -> Markup {
    if machine.processor.is_empty() {
        return html! { "a machine that left no account" };
    }
    html! {
        (text::name(&machine.processor)) ", " (unit::counted(u64::from(machine.cores), "core"))
        ", " (text::name(&machine.system))
        @if let Some(load) = machine.load { ", load " (unit::trimmed(load, 1)) }
        ", " (text::name(&machine.rustc))
        @if !machine.commit.is_empty() { ", commit " code { (text::name(&machine.commit)) } }
    }
}

fn results(now: &[BenchReport], all: &History) -> Markup {
    html! {
        @for run in now {
            h3 { (text::name(&run.bench)) }
            p { (text::said(&run.about)) }
            (lines(run, all))
            p.faint { "On " (machine(&run.machine)) @if run.unix_s > 0 { ", " (date(run.unix_s)) } "." @if !run.note.is_empty() { " " (text::said(&run.note)) } }
        }
        @if now.is_empty() { p { "No bench has been run." } }
    }
}

fn lines(run: &BenchReport, all: &History) -> Markup {
    let compared = run.lines.iter().any(|line| line.ratio.is_some());
    let mut table = Table::new(&format!("Results of {}", run.bench))
        .head("what")
        .number("measured");
    let repeated = run.lines.iter().any(|line| line.spread.is_some());
    if repeated {
        table = table.number("repeats");
    }
    if compared {
        table = table
            .number("ratio")
            .number("its spread")
            .text("of")
            .text("target");
    }
    table = table.text("against the run before").text("history");
    for line in &run.lines {
        let mut cells = vec![
            text::name(&line.name),
            html! { (told(line.value)) " " (text::name(&line.unit)) },
        ];
        if repeated {
            cells.push(spread(line.spread));
        }
        if compared {
            cells.extend(ratio(line));
        }
        cells.extend(before(run, line, all));
        table.row(cells);
    }
    table.scrolled()
}

fn ratio(line: &BenchLine) -> [Markup; 4] {
    let Some(ratio) = &line.ratio else {
        return [html! { "–" }, html! { "–" }, html! {}, html! {}];
    };
    let sign = if ratio.more_is_better { "≥" } else { "≤" };
    [
        html! { strong { (told(ratio.value)) } },
        spread(ratio.spread),
        text::name(&ratio.of),
        html! {
            @match (ratio.target, ratio.met()) {
                (Some(target), Some(true)) => { span.ok { "✓ " (sign) " " (told(target)) } }
                (Some(target), _) => { span.no { "✗ " (sign) " " (told(target)) } }
                (None, _) => {}
            }
        },
    ]
}

/// How it changed since the run before, and all runs as a line of bars.
fn before(run: &BenchReport, line: &BenchLine, all: &History) -> [Markup; 2] {
    let mut course = all.course(&run.bench, &line.name);
    let more_is_better = line.ratio.as_ref().is_some_and(|r| r.more_is_better);
    let change = match course.as_slice() {
        [.., was, is] if *was != 0.0 => {
            let by = (is - was) / was;
            let (class, word) = match (by.abs() < NOISE, (by > 0.0) == more_is_better) {
                (true, _) => ("faint", "as before"),
                (false, true) => ("ok", "better"),
                (false, false) => ("no", "worse"),
            };
            let sign = if by < 0.0 { "−" } else { "+" };
            html! { span class=(class) { (sign) (unit::trimmed(by.abs() * 100.0, 1)) "% " (word) } }
        }
        _ => html! { span.faint { "first run" } },
    };
    let skip = course.len().saturating_sub(COURSE_MAX);
    course.drain(..skip);
    let values: Vec<Option<f64>> = course.iter().map(|v| Some(*v)).collect();
    let said = format!("{} runs, the last {}", course.len(), told(line.compared()));
    [
        change,
        html! {
            @if course.len() > 1 { span.spark role="img" aria-label=(said) { (sparkline(&values, COURSE_MAX)) } }
        },
    ]
}

fn runs(all: &History) -> Markup {
    let mut table = Table::new("Runs in the history, the newest first")
        .text("when")
        .head("bench")
        .words("machine")
        .words("what is to be known");
    for run in all.runs.iter().rev().take(200) {
        table.row([
            html! { @if run.unix_s > 0 { (date(run.unix_s)) } @else { "–" } },
            text::name(&run.bench),
            machine(&run.machine),
            text::said(&run.note),
        ]);
    }
    html! { @if !table.is_empty() { (table.scrolled()) } }
}

/// The day of a moment, `2026-11-23` (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": `civil_from_days`).
fn date(unix_s: u64) -> String {
    let days = unix_s / 86_400 + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Ratio;

    #[test]
    fn numbers_have_three_digits() {
        let all = [1_234.5, 123.4, 12.34, 1.234, 0.337, 0.039_2, 0.000_391, 0.0];
        let told: Vec<String> = all.into_iter().map(told).collect();
        assert_eq!(
            told,
            [
                "1,235", "123", "12.3", "1.23", "0.337", "0.0392", "0.000391", "0"
            ]
        );
    }

    #[test]
    fn days_have_their_dates() {
        let told = [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (1_709_164_800, "2024-02-29"),
            (1_735_689_599, "2024-12-31"),
        ];
        for (unix_s, day) in told {
            assert_eq!(date(unix_s), day);
        }
    }

    #[test]
    fn a_line_is_told_against_the_run_before() {
        let run = |unix_s, value| BenchReport {
            bench: "mesh_path".into(),
            unix_s,
            lines: vec![BenchLine {
                name: "<script>".into(),
                unit: "µs".into(),
                value: 22.0,
                ratio: Some(Ratio {
                    of: "bare".into(),
                    value,
                    target: Some(1.5),
                    ..Ratio::default()
                }),
                ..BenchLine::default()
            }],
            ..BenchReport::default()
        };
        let mut history = History::default();
        history.append(&[run(1, 2.0)]);
        let page = bench_html(&[run(2, 1.4)], &history);
        for part in ["−30% better", "✓ ≤ 1.5", "█▁", "&lt;script&gt;"] {
            assert!(page.contains(part), "{part}");
        }
    }
}
