//! A run.

use super::sparkline;
use crate::record::{RunReport, TrafficReport, Verdict};
use crate::suite::markdown::{cell, fenced};
use crate::summary::unit;

/// Reasons told.
const REASONS_MAX: usize = 8;
/// Traffic sources told.
const SOURCES_MAX: usize = 10;
/// Bars of a course.
const BARS_MAX: usize = 40;

/// The share of ended requests that succeeded.
pub(super) fn success(traffic: &TrafficReport) -> Option<f64> {
    let ended = traffic.succeeded + traffic.failed;
    (ended > 0).then(|| traffic.succeeded as f64 / ended as f64)
}

/// Requests per window that succeeded, as bars.
pub(super) fn goodput(traffic: &TrafficReport) -> String {
    let good = traffic.succeeded_over_time().into_iter();
    let good: Vec<Option<f64>> = good.map(|n| Some(n as f64)).collect();
    sparkline(&good, BARS_MAX)
}

/// The mark and the word of a verdict.
pub(super) const fn verdict(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Held => ("✅", "held"),
        Verdict::Failed => ("❌", "failed"),
        Verdict::Metastable => ("❌", "metastable"),
        Verdict::Interrupted => ("⏹️", "interrupted"),
    }
}

/// `report` as GitHub-flavoured Markdown.
pub fn run_markdown(report: &RunReport) -> String {
    let (mark, word) = verdict(report.verdict);
    let mut out = format!("## {mark} {}: {word}\n\n", cell(&report.scenario));
    let missed = report.expectations.iter().filter(|e| !e.held).count();
    if !report.expectations.is_empty() {
        out.push_str(&format!(
            "{} of {} met, seed {}, {} simulated.\n\n",
            report.expectations.len() - missed,
            unit::counted(report.expectations.len() as u64, "demand"),
            report.seed,
            unit::span(report.virtual_seconds)
        ));
    }
    if report.expectations_unjudged > 0 {
        out.push_str(&format!(
            "Not judged, because the run was cut before: {}.\n\n",
            unit::counted(report.expectations_unjudged, "demand")
        ));
    }
    for failure in report.failures.iter().take(REASONS_MAX) {
        let place = match failure.place.as_str() {
            "" => String::new(),
            place => format!(" ({})", cell(place)),
        };
        out.push_str(&format!(
            "- {}{place}\n",
            cell(&unit::with_signs(&failure.message))
        ));
    }
    match report.failures.len().saturating_sub(REASONS_MAX) {
        0 if report.failures.is_empty() => {}
        0 => out.push('\n'),
        more => out.push_str(&format!("- and {more} more\n\n")),
    }
    if !report.traffic.is_empty() {
        out.push_str("| source | requests | succeeded | p99 | goodput over time |\n|---|---:|---:|---:|---|\n");
    }
    for (name, traffic) in report.traffic.iter().take(SOURCES_MAX) {
        let p99 = traffic
            .latency_ms
            .map_or("–".into(), |ms| unit::millis(ms.p99));
        out.push_str(&format!(
            "| {} | {} | {} | {p99} | {} |\n",
            cell(name),
            unit::count(traffic.requests),
            success(traffic).map_or("–".into(), unit::share),
            goodput(traffic),
        ));
    }
    if !report.reproduce.is_empty() {
        out.push('\n');
        out.push_str(&fenced(&report.reproduce));
    }
    out
}
