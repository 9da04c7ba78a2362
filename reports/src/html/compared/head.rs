//! The head: which of the two is better, in a sentence, and both at a glance.

use maud::{Markup, html};

use super::chance::Grounds;
use super::standing::HAIR;
pub(crate) use super::standing::{Judged, Standing};
use crate::comparison::ComparisonReport;
use crate::html::outcome::{self, Panel, p99, success};
use crate::html::text;
use crate::record::{RunReport, Verdict};
use crate::summary::unit;

/// Both verdicts, and what clients felt.
pub(crate) fn sentence(a: &RunReport, b: &RunReport, judged: &Judged) -> String {
    let comes = |verdict| match verdict {
        Verdict::Held => "holds",
        Verdict::Failed => "fails",
        Verdict::Metastable => "stays broken",
        Verdict::Interrupted => "was ended early",
    };
    let verdicts = match (a.verdict, b.verdict) {
        (Verdict::Held, Verdict::Held) => "Both hold".to_owned(),
        (Verdict::Failed, Verdict::Failed) => "Both fail".into(),
        (Verdict::Metastable, Verdict::Metastable) => "Both stay broken".into(),
        (Verdict::Interrupted, Verdict::Interrupted) => "Both were ended early".into(),
        (a, b) => format!("A {}, B {}", comes(a), comes(b)),
    };
    let shares = match (success(a), success(b)) {
        (Some(a), Some(b)) if a == b => {
            format!("; {} of the requests succeeded in both", unit::share(a))
        }
        (Some(a), Some(b)) => format!(
            "; {} of the requests succeeded in A, {} in B",
            unit::share(a),
            unit::share(b)
        ),
        _ => String::new(),
    };
    let latency = match (p99(a), p99(b)) {
        (Some(a), Some(b)) if (b - a).abs() > HAIR * a => {
            format!(
                "; 99% were faster than {} in A, than {} in B",
                unit::millis(a),
                unit::millis(b)
            )
        }
        _ => String::new(),
    };
    if !Grounds::of(a, b).comparable {
        return format!(
            "These are different scenarios without a traffic source in common, so neither is judged by the other. {verdicts}."
        );
    }
    let differences = judged
        .told()
        .map_or_else(String::new, |told| format!(" {told}"));
    format!("{verdicts}{shares}{latency}.{differences}")
}

/// What makes the comparison less than it seems.
fn reservations(a: &RunReport, b: &RunReport, paired: Option<&ComparisonReport>) -> Vec<Markup> {
    let mut told = Vec::new();
    match paired.map(|paired| paired.seeds.len()) {
        None | Some(0) => {}
        Some(1) => told.push(
            "One seed was run. How much of a difference is chance, several tell (--seeds).".into(),
        ),
        Some(n) => told.push(format!(
            "It is judged by all {n} seeds; what else is told here is of the first."
        )),
    }
    if a.seed != b.seed {
        told.push(format!(
            "The runs have different seeds ({} and {}), so different arrivals and service times: part of any difference is chance.",
            a.seed, b.seed
        ));
    }
    if !a.digest.is_empty() && a.digest == b.digest {
        told.push("Both runs have the same digest: they are the same run.".into());
    }
    if a.meshquake_version != b.meshquake_version {
        told.push(format!(
            "A was made by Meshquake {}, B by {}.",
            a.meshquake_version, b.meshquake_version
        ));
    }
    if (a.virtual_seconds - b.virtual_seconds).abs() > 1e-6 {
        told.push(format!(
            "A is {} long, B {}: compare shares and rates, not counts.",
            unit::span(a.virtual_seconds),
            unit::span(b.virtual_seconds)
        ));
    }
    told.iter().map(|told| text::said(told)).collect()
}

pub(super) fn head(a: &RunReport, b: &RunReport, paired: Option<&ComparisonReport>) -> Markup {
    let judged = Judged::of(a, b, paired);
    let (class, mark, word) = match judged.standing {
        Standing::Better => ("good", "▲", "B is better"),
        Standing::Worse => ("bad", "▼", "B is worse"),
        Standing::Mixed => ("warn", "◆", "Better in some, worse in other"),
        Standing::Alike => ("", "=", "No difference to speak of"),
        Standing::Unknown => ("warn", "◼", "Not to be judged"),
        Standing::Apart => ("warn", "≠", "Different scenarios"),
    };
    let panel = Panel {
        class,
        mark,
        word,
        sentence: &sentence(a, b, &judged),
        more: &reservations(a, b, paired),
    };
    html! {
        p.brand { "Meshquake: two runs side by side" }
        h1 { (text::name(&a.scenario)) " against " (text::name(&b.scenario)) }
        (panel.markup())
        div.sides {
            (side("A", a))
            (side("B", b))
        }
    }
}

fn side(name: &str, run: &RunReport) -> Markup {
    let sent: u64 = run.traffic.values().map(|t| t.requests).sum();
    let failed: u64 = run.traffic.values().map(|t| t.failed).sum();
    let met = run.expectations.iter().filter(|e| e.held).count();
    html! {
        div.side {
            p.who { strong { (name) } " " (text::name(&run.scenario)) " " span.faint { "seed " (run.seed) } }
            p { (outcome::told(run.verdict)) }
            @if let Some(first) = run.failures.first() { p.why { (text::said(&unit::with_signs(&first.message))) } }
            dl.totals {
                div { dt { "requests" } dd { (unit::count(sent)) } }
                div { dt { "failed" } dd class=[(failed > 0).then_some("bad")] { (unit::count(failed)) } }
                @if let Some(p99) = p99(run) { div { dt { "p99" } dd { (unit::millis(p99)) } } }
                @if !run.expectations.is_empty() { div { dt { "demands met" } dd { (met) " of " (run.expectations.len()) } } }
            }
        }
    }
}
