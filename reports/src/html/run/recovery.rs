//! What became of the traffic when the faults had healed, and what keeps broken what is: the ledger of amplification.

use maud::{Markup, html};

use crate::html::table::Table;
use crate::html::text;
use crate::record::{LayerReport, LoopReport, Phases, Recovered, RecoveryReport, RunReport};
use crate::summary::unit;

pub(super) fn body(report: &RunReport) -> Markup {
    let mut table =
        Table::new("Requests per second that succeed, before the faults and after them")
            .head("traffic")
            .text("state")
            .number("healed at")
            .number("before")
            .number("at the end")
            .number("of before")
            .number("back after");
    for source in &report.recovery {
        table.row([
            text::name(&source.traffic),
            state(source),
            html! { (unit::span(source.healed_s)) },
            html! { (per_s(source.before_per_s)) },
            html! { (per_s(source.last_per_s)) },
            html! { (unit::share(source.ratio)) },
            html! { (source.after_s.map_or_else(|| "never".into(), unit::span)) },
        ]);
    }
    html! {
        @if !table.is_empty() {
            (table.scrolled())
            @for source in &report.recovery {
                @if let Some(cause) = &source.sustained_by { (sustained(&source.traffic, cause)) }
            }
        }
    }
}

fn per_s(rate: f64) -> String {
    unit::per_second(rate)
}

fn state(source: &RecoveryReport) -> Markup {
    match source.recovered {
        Recovered::Yes if source.is_back_by_chance() => {
            html! { span.ok { "✓ recovered, within chance" } }
        }
        Recovered::Yes => html! { span.ok { "✓ recovered" } },
        Recovered::NotYet => html! { span.no { "◔ on its way" } },
        Recovered::No => html! { span.no { "✗ not recovered" } },
        Recovered::Metastable => html! { span.no { "✗ metastable" } },
    }
}

fn sustained(traffic: &str, cause: &LoopReport) -> Markup {
    html! {
        h3 { "What keeps " (text::name(traffic)) " broken" }
        p { (text::said(&cause.sentence)) }
        (amplification(cause))
        div.pair { @for layer in &cause.layers { div { (ledger(layer)) } } }
    }
}

/// How a request from the top becomes many at the bottom.
fn amplification(cause: &LoopReport) -> Markup {
    let factor = |phase: fn(&Phases) -> Option<f64>| -> Option<f64> {
        cause
            .layers
            .iter()
            .map(|layer| phase(&layer.attempts))
            .product()
    };
    let (before, after) = (factor(|p| p.before), factor(|p| p.after));
    html! {
        @if let (true, Some(before), Some(after)) = (cause.layers.len() > 1, before, after) {
            p {
                "Through " (unit::counted(cause.layers.len() as u64, "layer")) ", one request from the top is "
                strong { (unit::ratio(after)) } " at the bottom; before the faults it was " (unit::ratio(before)) "."
            }
        }
    }
}

fn ledger(layer: &LayerReport) -> Markup {
    let caption = format!("{} → {}", layer.from, layer.to);
    let mut table = Table::new(&caption)
        .head("number")
        .number("before")
        .number("during the faults")
        .number("after");
    let percent = |share: f64| format!("{}%", unit::trimmed(share * 100.0, 0));
    let mut row = |name: &str, phases: Phases, told: &dyn Fn(f64) -> String| {
        let cell = |value: Option<f64>| value.map_or_else(|| "–".into(), told);
        let all = [phases.before, phases.during, phases.after];
        if all.iter().any(Option::is_some) {
            table.row(std::iter::once(name.to_owned()).chain(all.into_iter().map(cell)));
        }
    };
    row("requests sent to it", layer.requests_per_s, &per_s);
    row("attempts for each of them", layer.attempts, &unit::ratio);
    row(
        "arrivals at its apps, from everybody",
        layer.arrivals_per_s,
        &per_s,
    );
    row("its workers’ time in use", layer.utilisation, &percent);
    row("of that, for callers that had gone", layer.wasted, &percent);
    row("mean time in line", layer.wait_ms, &unit::millis);
    html! {
        (table.scrolled())
        p.faint {
            @if let Some(capacity) = layer.capacity_per_s { "Its workers can do " strong { (per_s(capacity)) } ". " }
            @if let Some(timeout) = layer.timeout_ms { "The caller waits for an answer " strong { (unit::millis(timeout)) } "." }
        }
    }
}
