//! What is known beyond two runs: the fate of each request, and what of the difference is chance.

use maud::{Markup, html};

use crate::comparison::{
    Change, ComparisonReport, LEVEL, MeasureChange, RequestChange, RequestChanges, RequestSide,
};
use crate::html::table::Table;
use crate::html::text;
use crate::record::{millis, seconds};
use crate::summary::table::NOTHING;
use crate::summary::unit;

pub(super) fn body(paired: Option<&ComparisonReport>) -> Markup {
    let Some(paired) = paired else {
        return html! {};
    };
    html! {
        (requests(paired))
        (sample(&paired.sample))
        (measures(paired))
        @for note in &paired.notes { p.faint { (text::said(note)) } }
    }
}

/// A request of A is the same request in B: it was saved, lost, or sped up.
fn requests(paired: &ComparisonReport) -> Markup {
    let mut all = RequestChanges::default();
    paired.requests.iter().for_each(|changes| all.add(changes));
    let mut table = Table::new("Each request of A against the same request in B")
        .head("source")
        .number("matched")
        .number("saved")
        .number("lost")
        .number("faster")
        .number("slower")
        .number("the same")
        .number("failed in both")
        .number("not ended")
        .number("only in A")
        .number("only in B");
    let number = |n: u64| html! { @if n == 0 { (NOTHING) } @else { (unit::count(n)) } };
    for r in &paired.requests {
        table.row([
            text::name(&r.traffic),
            number(r.matched),
            html! { @if r.saved > 0 { span.ok { (unit::count(r.saved)) } } @else { (NOTHING) } },
            html! { @if r.lost > 0 { span.no { (unit::count(r.lost)) } } @else { (NOTHING) } },
            number(r.faster),
            number(r.slower),
            number(r.same),
            number(r.failed),
            number(r.unknown),
            number(r.only_a),
            number(r.only_b),
        ]);
    }
    html! {
        @if !paired.requests.is_empty() {
            p {
                strong { (unit::counted(all.saved, "request")) " saved, " (unit::count(all.lost)) " lost" }
                ": they failed in A and succeeded in B, or the other way. "
                (unit::count(all.faster)) " became faster, " (unit::count(all.slower)) " slower, by more than 5% and 100 µs."
            }
            (table.scrolled())
        }
    }
}

fn sample(sample: &[RequestChange]) -> Markup {
    let mut table = Table::new("Some of the requests that changed most, of the first seed")
        .text("change")
        .head("request")
        .number("sent at")
        .text("in A")
        .text("in B");
    for request in sample {
        let (class, word) = match request.change {
            Change::Lost => ("no", "✗ lost"),
            Change::Saved => ("ok", "✓ saved"),
            Change::Slower => ("", "▲ slower"),
            Change::Faster => ("", "▼ faster"),
        };
        table.row([
            html! { span class=(class) { (word) } },
            text::name(&format!("{} {}", request.traffic, request.sequence)),
            html! { (format!("{:.3} s", seconds(request.intended_ns))) },
            side(&request.a),
            side(&request.b),
        ]);
    }
    html! { @if !table.is_empty() { (table.scrolled()) } }
}

fn side(side: &RequestSide) -> Markup {
    let status = side
        .status
        .map_or("no answer".to_owned(), |s| s.to_string());
    let time = side
        .latency_ns
        .map_or("never ended".into(), |ns| unit::millis(millis(ns)));
    html! {
        (status)
        @if !matches!(side.flags.as_str(), "" | "-") { " " (text::name(&side.flags)) }
        ", " (time)
        @if side.attempts > 1 { ", " (unit::count(side.attempts)) " attempts" }
    }
}

/// With several seeds, each measure with what is sure of its difference.
fn measures(paired: &ComparisonReport) -> Markup {
    let several = paired.seeds.len() > 1;
    let changed = paired.measures.iter().filter(|m| m.difference.mean != 0.0);
    let mut table = Table::new(&format!(
        "Measures that changed: means over {}",
        unit::counted(paired.seeds.len() as u64, "seed")
    ))
    .text("change")
    .head("measure")
    .number("A")
    .number("B")
    .number("95% of B − A")
    .number("p");
    for measure in changed {
        let told = |value: f64| measure.unit.told(value);
        let signed = |value: f64| measure.unit.difference(value);
        let interval = measure
            .difference
            .interval
            .map_or(NOTHING.to_owned(), |(low, high)| {
                format!("{} … {}", signed(low), signed(high))
            });
        table.row([
            judged(measure),
            text::name(&measure.name),
            html! { (told(measure.a)) },
            html! { (told(measure.b)) },
            html! { (interval) },
            html! { (chance(measure.difference.p)) },
        ]);
    }
    html! {
        @if several && !table.is_empty() {
            (table.scrolled())
            p.faint { "p is how likely a difference as large is when there is none (Student’s paired t, seed by seed); above " (LEVEL) " it is told as chance." }
        }
    }
}

fn chance(p: Option<f64>) -> String {
    match p {
        Some(p) if p < 0.0001 => "< 0.0001".into(),
        Some(p) => format!("{p:.4}"),
        None => NOTHING.into(),
    }
}

fn judged(measure: &MeasureChange) -> Markup {
    let told = |value| measure.unit.told(value);
    match measure.improved() {
        Some(true) => html! { span.ok { "✓ better" } },
        Some(false) => html! { span.no { "✗ worse" } },
        None if told(measure.a) == told(measure.b) => html! { span.faint { "same" } },
        None if measure.is_noise() => html! { span.faint { "≈ chance" } },
        None => html! { "changed" },
    }
}
