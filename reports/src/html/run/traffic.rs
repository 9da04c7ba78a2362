//! What clients saw, why requests failed, and what the apps did.

use maud::{Markup, html};

use super::flags;
use crate::html::table::Table;
use crate::html::text;
use crate::record::{LatencyMs, RunReport, ServiceReport, TrafficReport};
use crate::summary::causes::{Cause, causes};
use crate::summary::table::NOTHING;
use crate::summary::unit;

/// Services in the table.
const SERVICES_MAX: usize = 100;
/// Causes of failure told of one source.
const CAUSES_MAX: usize = 30;
/// Traffic sources in the table.
const SOURCES_MAX: usize = 100;

pub(super) fn body(report: &RunReport) -> Markup {
    html! {
        (sources(report))
        (failures(report))
        (services(report))
        (plane(report))
    }
}

fn ms(latency: Option<&LatencyMs>, of: impl Fn(&LatencyMs) -> f64) -> Markup {
    html! { (latency.map_or_else(|| "–".into(), |ms| unit::millis(of(ms)))) }
}

fn number(n: u64) -> Markup {
    html! { @if n == 0 { "–" } @else { (unit::count(n)) } }
}

fn sources(report: &RunReport) -> Markup {
    let mut table = Table::new("Traffic sources, as their clients saw it")
        .head("source")
        .number("requests")
        .number("per second")
        .number("succeeded")
        .number("failed")
        .number("under way at the end")
        .number("p50")
        .number("p90")
        .number("p99")
        .number("p99.9")
        .number("longest");
    for (name, traffic) in report.traffic.iter().take(SOURCES_MAX) {
        table.row(source(name, traffic));
    }
    let more = report.traffic.len().saturating_sub(SOURCES_MAX) as u64;
    html! {
        @if !table.is_empty() { (table.scrolled()) }
        @if more > 0 { p.faint { "And " (unit::counted(more, "more source")) "." } }
    }
}

fn source(name: &str, traffic: &TrafficReport) -> [Markup; 11] {
    let ended = traffic.succeeded + traffic.failed;
    let latency = traffic.latency_ms.as_ref();
    [
        text::name(name),
        number(traffic.requests),
        html! { (unit::rate(traffic.rps)) },
        html! { @if ended == 0 { "–" } @else { (unit::share(traffic.succeeded as f64 / ended as f64)) } },
        html! { @if traffic.failed > 0 { span.no { (unit::count(traffic.failed)) } } @else { "–" } },
        number(traffic.in_flight_at_end),
        ms(latency, |ms| ms.p50),
        ms(latency, |ms| ms.p90),
        ms(latency, |ms| ms.p99),
        ms(latency, |ms| ms.p999),
        ms(latency, |ms| ms.max),
    ]
}

/// What was not an ordinary answer, each request once.
fn failures(report: &RunReport) -> Markup {
    let mut rows: Vec<(&String, Cause)> = Vec::new();
    for (name, traffic) in &report.traffic {
        let all = causes(report, name, traffic).into_iter();
        rows.extend(all.take(CAUSES_MAX).map(|cause| (name, cause)));
    }
    let flagged = rows.iter().any(|(_, cause)| !cause.flags.is_empty());
    let mut table = Table::new("Why requests failed, each of them once").head("source");
    if flagged {
        table = table.text("flags");
    }
    table = table.text("answer").number("requests").words("in words");
    for (name, cause) in rows {
        let mut cells = vec![text::name(name)];
        if flagged {
            cells.push(text::name(&cause.flags));
        }
        cells.push(answer(&cause.result));
        cells.push(number(cause.requests));
        let words = flags::meaning(&cause.flags).or_else(|| flags::reason(&cause.result));
        cells.push(text::said(&words.unwrap_or_default()));
        table.row(cells);
    }
    html! { @if !table.is_empty() { (table.scrolled()) } }
}

/// A status with its name, or why there was none.
fn answer(result: &str) -> Markup {
    html! {
        @match (result, flags::status(result)) {
            ("", _) => { (NOTHING) }
            (_, Some(words)) => { (result) " " (words) }
            _ if flags::reason(result).is_some() => { "none: " (text::name(&result.replace('_', " "))) }
            _ => { (text::name(result)) }
        }
    }
}

fn services(report: &RunReport) -> Markup {
    let mut table = Table::new("Services, as their apps saw it")
        .head("service")
        .number("requests")
        .number("errors")
        .number("turned away")
        .number("given up")
        .number("done in vain")
        .number("longest line")
        .number("in line, p99")
        .number("at work, p50")
        .number("at work, p99");
    let mut shown: Vec<&ServiceReport> =
        report.services.iter().filter(|s| s.requests > 0).collect();
    let all = shown.len();
    if all > SERVICES_MAX {
        shown.sort_by_key(|s| std::cmp::Reverse((s.errors + s.rejected, s.requests)));
        shown.truncate(SERVICES_MAX);
    }
    for service in &shown {
        table.row([
            text::name(&service.name),
            number(service.requests),
            html! { @if service.errors > 0 { span.no { (unit::count(service.errors)) } } @else { "–" } },
            number(service.rejected),
            number(service.cancelled),
            number(service.wasted),
            number(service.queue_max),
            ms(service.queue_ms.as_ref(), |ms| ms.p99),
            ms(service.service_ms.as_ref(), |ms| ms.p50),
            ms(service.service_ms.as_ref(), |ms| ms.p99),
        ]);
    }
    html! {
        @if !table.is_empty() { (table.scrolled()) }
        @if all > shown.len() { p.faint { "And " (all - shown.len()) " more services; these have the most errors and requests." } }
    }
}

/// The control plane and the network, in a few numbers.
fn plane(report: &RunReport) -> Markup {
    let plane = &report.control_plane;
    let network = &report.network;
    let mut facts: Vec<(&str, String)> = Vec::new();
    if plane.pushes + plane.connects + plane.svids_issued > 0 {
        let p99 = plane
            .push_to_ack_ms
            .map(|ms| format!(", acknowledged within {} (p99)", unit::millis(ms.p99)));
        let refused = match plane.nacks {
            0 => String::new(),
            n => format!(", {} refused", unit::count(n)),
        };
        facts.push((
            "configuration",
            format!(
                "{}{}{refused}",
                unit::counted(plane.pushes, "push").replace("pushs", "pushes"),
                p99.unwrap_or_default()
            ),
        ));
        // What is refused has failed too, as its pod tells it.
        let trouble = plane.svids_refused.max(plane.svids_failed);
        let trouble = match trouble {
            0 => String::new(),
            n => format!(", {} refused or failed", unit::count(n)),
        };
        facts.push((
            "certificates",
            format!(
                "{} issued, {} rotated{trouble}",
                unit::count(plane.svids_issued),
                unit::count(plane.svids_rotated)
            ),
        ));
    }
    if network.packets > 0 {
        facts.push((
            "network",
            format!(
                "{} with {}; {} lost, {} held back by a partition, {} reset",
                unit::counted(network.packets, "packet"),
                unit::bytes(network.bytes as f64),
                unit::count(network.lost),
                unit::count(network.parked),
                unit::counted(network.reset, "connection"),
            ),
        ));
    }
    html! {
        @if !facts.is_empty() {
            h3 { "Control plane and network" }
            dl.facts { @for (what, told) in &facts { dt { (what) } dd { (told) } } }
        }
    }
}
