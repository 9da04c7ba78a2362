//! What clients, sidecars and apps saw.

use super::causes::causes;
use super::paint::{Tone, clean};
use super::table::{Kind, NOTHING, Table};
use super::{most, unit, wrapped};
use crate::record::{EdgeReport, LatencyMs, RunReport, ServiceReport, TrafficReport};

/// Rows of a table; a mesh may have a thousand edges.
const ROWS_MAX: usize = 20;

/// A cell for a latency that may not exist.
fn latency(summary: Option<&LatencyMs>, of: impl Fn(&LatencyMs) -> f64) -> String {
    summary.map_or_else(|| NOTHING.into(), |ms| unit::millis(of(ms)))
}

/// A share of successes, red when there were failures.
fn success(succeeded: u64, ended: u64) -> String {
    if ended == 0 {
        return NOTHING.into();
    }
    let text = unit::share(succeeded as f64 / ended as f64);
    if succeeded == ended {
        text
    } else {
        Tone::Bad.paint(&text)
    }
}

fn number(n: u64) -> String {
    if n == 0 {
        NOTHING.into()
    } else {
        unit::count(n)
    }
}

/// What each traffic source saw, and what its failures were.
pub(super) fn traffic(report: &RunReport, width: usize) -> Vec<String> {
    if report.traffic.is_empty() {
        return Vec::new();
    }
    let mut table = Table::default()
        .column("source", Kind::Name)
        .column("requests", Kind::Number)
        .spare("rps", Kind::Number, 4)
        .column("success", Kind::Number)
        .spare("failed", Kind::Number, 2)
        .spare("in flight", Kind::Number, 5)
        .column("p50", Kind::Number)
        .spare("p90", Kind::Number, 6)
        .column("p99", Kind::Number)
        .spare("p99.9", Kind::Number, 3)
        .spare("max", Kind::Number, 1);
    for (name, traffic) in &report.traffic {
        let ms = traffic.latency_ms.as_ref();
        table.row(vec![
            clean(name),
            unit::count(traffic.requests),
            unit::rate(traffic.rps),
            success(traffic.succeeded, traffic.succeeded + traffic.failed),
            number(traffic.failed),
            number(traffic.in_flight_at_end),
            latency(ms, |ms| ms.p50),
            latency(ms, |ms| ms.p90),
            latency(ms, |ms| ms.p99),
            latency(ms, |ms| ms.p999),
            latency(ms, |ms| ms.max),
        ]);
    }
    let mut lines = table.lines(width);
    for (name, traffic) in &report.traffic {
        let failures = failures(report, name, traffic);
        if !failures.is_empty() {
            let lead = Tone::Faint.paint(&format!("  {}:", clean(name)));
            lines.extend(wrapped(&format!("{lead} "), &failures, width));
        }
    }
    lines
}

/// What was not an ordinary answer, each request once: `URX,UF 503 ×2`.
fn failures(report: &RunReport, name: &str, traffic: &TrafficReport) -> String {
    let told = causes(report, name, traffic).into_iter().map(|cause| {
        let parts = [cause.flags, cause.result.replace('_', " ")];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        format!(
            "{} ×{}",
            clean(&parts.join(" ")),
            unit::count(cause.requests)
        )
    });
    told.collect::<Vec<_>>().join(" · ")
}

/// Who called whom.
pub(super) fn edges(report: &RunReport, width: usize) -> Vec<String> {
    if report.edges.is_empty() {
        return Vec::new();
    }
    let mut table = Table::default()
        .column("from", Kind::Name)
        .column("→ to", Kind::Name)
        .column("rps", Kind::Number)
        .column("success", Kind::Number)
        .column("tries/req", Kind::Number)
        .spare("mirrored", Kind::Number, 3)
        .spare("mTLS", Kind::Number, 1)
        .column("p50", Kind::Number)
        .column("p99", Kind::Number)
        .spare("max", Kind::Number, 2);
    let shown = most(&report.edges, ROWS_MAX, |edge| (edge.failed, edge.requests));
    let more = report.edges.len() - shown.len();
    for edge in shown {
        let ms = edge.latency_ms.as_ref();
        table.row(vec![
            clean(&edge.from),
            clean(&format!("→ {}", edge.to)),
            unit::rate(edge.rps),
            success(
                edge.requests - edge.failed.min(edge.requests),
                edge.requests,
            ),
            tries(edge),
            number(edge.mirrored),
            edge.mtls.map_or_else(|| NOTHING.into(), unit::share),
            latency(ms, |ms| ms.p50),
            latency(ms, |ms| ms.p99),
            latency(ms, |ms| ms.max),
        ]);
    }
    let mut lines = table.lines(width);
    lines.extend(remark(more, "edge", "most failures"));
    lines
}

fn tries(edge: &EdgeReport) -> String {
    if edge.requests == 0 {
        return NOTHING.into();
    }
    let text = unit::ratio(edge.attempts as f64 / edge.requests as f64);
    if edge.retries > 0 {
        Tone::Strong.paint(&text)
    } else {
        text
    }
}

/// What the apps did: only those that queued, failed or did work in vain.
pub(super) fn apps(report: &RunReport, width: usize) -> Vec<String> {
    let troubled = |service: &&ServiceReport| {
        service.errors + service.rejected + service.cancelled + service.wasted > 0
            || service.queue_max > 0
    };
    let services: Vec<&ServiceReport> = report.services.iter().filter(troubled).collect();
    if services.is_empty() {
        return Vec::new();
    }
    let mut table = Table::default()
        .column("service", Kind::Name)
        .column("requests", Kind::Number)
        .column("errors", Kind::Number)
        .spare("rejected", Kind::Number, 1)
        .spare("cancelled", Kind::Number, 3)
        .spare("wasted", Kind::Number, 2)
        .column("queue p99", Kind::Number)
        .spare("longest", Kind::Number, 4)
        .column("service p50", Kind::Number)
        .spare("p99", Kind::Number, 5);
    let all = services.len();
    let shown = most(services, ROWS_MAX, |s| (s.errors + s.rejected, s.requests));
    let more = all - shown.len();
    for service in shown {
        table.row(vec![
            clean(&service.name),
            unit::count(service.requests),
            number(service.errors),
            number(service.rejected),
            number(service.cancelled),
            number(service.wasted),
            latency(service.queue_ms.as_ref(), |ms| ms.p99),
            number(service.queue_max),
            latency(service.service_ms.as_ref(), |ms| ms.p50),
            latency(service.service_ms.as_ref(), |ms| ms.p99),
        ]);
    }
    let mut lines = table.lines(width);
    lines.extend(remark(more, "app", "most errors"));
    lines
}

fn remark(more: usize, noun: &str, chosen: &str) -> Option<String> {
    (more > 0).then(|| {
        let more = unit::counted(more as u64, &format!("more {noun}"));
        Tone::Faint.paint(&format!("  and {more}; these have the {chosen}"))
    })
}
