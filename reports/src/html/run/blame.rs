//! Where requests spent their time.
//!
//! The parts of a [`Split`] add up to the latency to the nanosecond, so a bar is a budget without a gap. The figures
//! beside it are sums over all requests, exact, because a mean that was rounded would no longer add up.

use maud::{Markup, html};

use crate::html::table::Table;
use crate::html::text;
use crate::record::{BlameReport, Blamed, RunReport, Split};
use crate::summary::unit;

/// A part of a latency: its name and how it is drawn, hatched where it is waiting.
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) class: &'static str,
    pub(super) ns: u64,
}

/// The parts of `split`, all of them, in the order in which a request meets them.
pub(super) const fn parts(split: &Split) -> [Part; 9] {
    const fn part(name: &'static str, class: &'static str, ns: u64) -> Part {
        Part { name, class, ns }
    }
    [
        part("client, before sending", "s6", split.client_ns),
        part("its sidecar", "s5", split.proxy_ns),
        part("injected delay", "s3", split.fault_ns),
        part("retry back-off", "w4", split.backoff_ns),
        part("connection or stream, handshakes", "w0", split.pool_ns),
        part("network and the callee’s sidecar", "s0", split.network_ns),
        part("in line for a worker", "w2", split.queue_ns),
        part("at work, own calls included", "s2", split.service_ns),
        part("attempts never answered", "s1", split.unanswered_ns),
    ]
}

pub(super) fn body(report: &RunReport) -> Markup {
    let Some(detail) = &report.detail else {
        return Markup::default();
    };
    let blamed: Vec<&BlameReport> = detail.blame.iter().filter(|b| b.requests > 0).collect();
    if blamed.is_empty() {
        return Markup::default();
    }
    let used = |i: usize| blamed.iter().any(|b| parts(&b.split)[i].ns > 0);
    let key = parts(&Split::default());
    html! {
        p.faint { "Each bar is the mean latency of its requests; its parts add up to it, to the nanosecond. Hatched is waiting." }
        ul.legend {
            @for (_, part) in key.iter().enumerate().filter(|(i, _)| used(*i)) {
                li { span class=(format!("key {}", part.class)) {} (part.name) }
            }
        }
        (bars(&blamed))
        details {
            summary { "The exact sums" }
            (sums(&blamed))
        }
    }
}

fn of(blame: &BlameReport) -> Markup {
    match (blame.of, blame.slower_than_ms) {
        (Blamed::All, _) => html! { "all" },
        (Blamed::Failed, _) => html! { span.no { "failed" } },
        (Blamed::Slow, Some(ms)) => html! { "succeeded, slower than " (unit::millis(ms)) },
        (Blamed::Slow, None) => html! { "the slowest that succeeded" },
    }
}

fn bars(blamed: &[&BlameReport]) -> Markup {
    let mean = |b: &BlameReport| b.split.total_ns() as f64 / b.requests as f64;
    html! {
        div.scroll.blame tabindex="0" role="group" aria-label="Mean latency and where it went" {
            table {
                caption { "Mean latency and where it went" }
                thead { tr {
                    th scope="col" { "traffic" } th scope="col" { "requests" } th scope="col" class="n" { "how many" }
                    th scope="col" class="n" { "mean" } th scope="col" { "where it went" } th scope="col" { "mostly" }
                } }
                tbody {
                    @for blame in blamed {
                        tr {
                            th scope="row" { (text::name(&blame.traffic)) }
                            td { (of(blame)) }
                            td.n { (unit::count(blame.requests)) }
                            td.n { (unit::millis(mean(blame) / 1e6)) }
                            td.barcell { (bar(&blame.split, "bar")) }
                            td { (mostly(&blame.split)) }
                        }
                    }
                }
            }
        }
    }
}

/// The parts of `split` side by side; all of them fill it.
pub(super) fn bar(split: &Split, class: &str) -> Markup {
    let total = split.total_ns().max(1) as f64;
    let mut end = 0.0;
    html! {
        svg class=(class) aria-hidden="true" focusable="false" {
            rect.back width="100%" height="100%" {}
            @for part in parts(split).iter().filter(|part| part.ns > 0) {
                @let width = part.ns as f64 / total * 100.0;
                @let from = end;
                @let () = end += width;
                rect class=(part.class) x=(percent(from)) width=(percent(width)) height="100%" {}
            }
        }
    }
}

pub(super) fn percent(percent: f64) -> String {
    format!("{}%", unit::trimmed(percent, 3))
}

/// The greatest part, in words: what a bar says at a glance.
pub(super) fn mostly(split: &Split) -> String {
    let total = split.total_ns();
    match parts(split).into_iter().max_by_key(|part| part.ns) {
        Some(part) if total > 0 => {
            format!(
                "{}% {}",
                unit::trimmed(part.ns as f64 / total as f64 * 100.0, 0),
                part.name
            )
        }
        _ => String::new(),
    }
}

fn sums(blamed: &[&BlameReport]) -> Markup {
    let mut table = Table::new("Sums over all requests, in seconds").head("part");
    for blame in blamed {
        let which = match blame.of {
            Blamed::All => "all",
            Blamed::Failed => "failed",
            Blamed::Slow => "slow",
        };
        table = table.number(&format!("{}, {which}", text::plain(&blame.traffic)));
    }
    let key = parts(&Split::default());
    for (i, part) in key.iter().enumerate() {
        let cells = blamed.iter().map(|b| exact(parts(&b.split)[i].ns));
        table.row(std::iter::once(part.name.to_owned()).chain(cells));
    }
    let totals = blamed.iter().map(|b| exact(b.split.total_ns()));
    table.row_of("sum", std::iter::once("latency".to_owned()).chain(totals));
    table.scrolled()
}

/// Nanoseconds as seconds, without rounding.
pub(super) fn exact(ns: u64) -> String {
    let (s, rest) = (ns / 1_000_000_000, ns % 1_000_000_000);
    format!("{}.{rest:09}", unit::count(s))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_all_of_the_latency() {
        let split = Split {
            client_ns: 1,
            fault_ns: 2,
            backoff_ns: 4,
            pool_ns: 8,
            queue_ns: 16,
            service_ns: 32,
            proxy_ns: 64,
            unanswered_ns: 128,
            network_ns: 256,
        };
        let sum: u64 = parts(&split).iter().map(|part| part.ns).sum();
        assert_eq!(sum, split.total_ns());
        assert_eq!(mostly(&split), "50% network and the callee’s sidecar");
    }

    #[test]
    fn sums_keep_every_nanosecond() {
        assert_eq!(exact(1_234_000_000_001), "1,234.000000001");
    }
}
