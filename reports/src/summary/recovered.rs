//! What became of the traffic when the faults had healed, and what keeps broken what is.

use super::paint::{Tone, clean};
use super::table::{Kind, NOTHING, Table};
use super::unit;
use crate::record::{LayerReport, LoopReport, Phases, Recovered, RecoveryReport, RunReport};

/// The recovery of every traffic source.
pub(super) fn lines(report: &RunReport, width: usize) -> Vec<String> {
    if report.recovery.is_empty() {
        return Vec::new();
    }
    let mut table = Table::default()
        .column("source", Kind::Name)
        .spare("healed", Kind::Number, 3)
        .column("before", Kind::Number)
        .column("at the end", Kind::Number)
        .spare("of before", Kind::Number, 2)
        .column("back after", Kind::Number)
        .spare("state", Kind::Text, 1);
    for source in &report.recovery {
        table.row(row(source));
    }
    let mut lines = table.lines(width);
    for source in &report.recovery {
        if let Some(cause) = &source.sustained_by {
            lines.push(String::new());
            lines.extend(sustained(&source.traffic, cause, width));
        }
    }
    lines
}

fn row(source: &RecoveryReport) -> Vec<String> {
    let per_s = unit::per_second;
    let state = match source.recovered {
        Recovered::Yes if source.is_back_by_chance() => {
            Tone::Good.paint("recovered, within chance")
        }
        Recovered::Yes => Tone::Good.paint("recovered"),
        Recovered::NotYet => Tone::Bad.paint("on its way"),
        Recovered::No => Tone::Bad.paint("not recovered"),
        Recovered::Metastable => Tone::Bad.paint("metastable"),
    };
    vec![
        clean(&source.traffic),
        unit::span(source.healed_s),
        per_s(source.before_per_s),
        per_s(source.last_per_s),
        unit::share(source.ratio),
        source
            .after_s
            .map_or_else(|| Tone::Bad.paint("never"), unit::span),
        state,
    ]
}

/// What sustains an overload, layer by layer, before the faults and after them. The sentence on it stands beside the
/// verdict.
fn sustained(traffic: &str, cause: &LoopReport, width: usize) -> Vec<String> {
    let title = format!("  What keeps {} broken, before → after", clean(traffic));
    let mut lines = vec![Tone::Strong.paint(&title)];
    let mut table = Table::default()
        .column("from", Kind::Name)
        .column("→ to", Kind::Name)
        .column("tries/req", Kind::Number)
        .column("arrivals", Kind::Number)
        .column("capacity", Kind::Number)
        .spare("busy", Kind::Number, 3)
        .spare("in line", Kind::Number, 1)
        .spare("timeout", Kind::Number, 2)
        .column("wasted", Kind::Number);
    for layer in &cause.layers {
        table.row(layer_row(layer));
    }
    lines.extend(table.lines(width));
    lines
}

fn layer_row(layer: &LayerReport) -> Vec<String> {
    let per_s = unit::per_second;
    let share = |share: f64| format!("{}%", unit::trimmed(share * 100.0, 0));
    vec![
        clean(&layer.from),
        clean(&format!("→ {}", layer.to)),
        change(layer.attempts, unit::ratio),
        change(layer.arrivals_per_s, per_s),
        layer.capacity_per_s.map_or_else(|| NOTHING.into(), per_s),
        change(layer.utilisation, share),
        change(layer.wait_ms, unit::millis),
        layer
            .timeout_ms
            .map_or_else(|| NOTHING.into(), unit::millis),
        change(layer.wasted, share),
    ]
}

/// `before → after`; one of them when that is all there is.
fn change(phases: Phases, told: impl Fn(f64) -> String) -> String {
    match (phases.before, phases.after) {
        (Some(before), Some(after)) => {
            let (before, after) = (told(before), told(after));
            if before == after {
                after
            } else {
                format!("{before} → {after}")
            }
        }
        (None, Some(after)) => told(after),
        (Some(before), None) => format!("{} → {NOTHING}", told(before)),
        (None, None) => NOTHING.into(),
    }
}
