//! The head: which of the two is better, in a sentence, and both at a glance.

use maud::{Markup, html};

use super::chance::{self, Grounds, Sample};
use super::numbers::sample;
use crate::html::outcome::{self, Panel, p99, success};
use crate::html::text;
use crate::record::{RunReport, Verdict};
use crate::summary::unit;

/// Shares that differ by less are as good as each other: one request of a thousand.
const SHARE_HAIR: f64 = 0.001;
/// Latencies that differ by less of themselves are as good as each other.
const LATENCY_HAIR: f64 = 0.05;

/// How B compares with A.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// B does better.
    Better,
    /// B does worse.
    Worse,
    /// Neither.
    Alike,
    /// One of them was not judged.
    Unknown,
    /// They are of different scenarios that have no traffic in common: nothing is judged.
    Apart,
}

/// By verdict, then by what succeeded, then by how long it took.
pub(crate) fn standing(a: &RunReport, b: &RunReport) -> Standing {
    let grounds = Grounds::of(a, b);
    if !grounds.comparable {
        return Standing::Apart;
    }
    let (Some(rank_a), Some(rank_b)) = (outcome::rank(a.verdict), outcome::rank(b.verdict)) else {
        return Standing::Unknown;
    };
    let of = |better: bool| match better {
        true => Standing::Better,
        false => Standing::Worse,
    };
    if rank_a != rank_b {
        return of(rank_b > rank_a);
    }
    match (success(a), success(b)) {
        (Some(was), Some(is)) if (is - was).abs() > SHARE_HAIR.max(chance_of_success(a, b)) => {
            return of(is > was);
        }
        _ => {}
    }
    match (slowest(a), slowest(b)) {
        (Some(a), Some(b)) => {
            let (was, is) = (a.ms.p99, b.ms.p99);
            let doubt = grounds.of_quantile(0.99, a, b).max(LATENCY_HAIR * was);
            match (is - was).abs() > doubt {
                true => of(is < was),
                false => Standing::Alike,
            }
        }
        _ => Standing::Alike,
    }
}

/// The difference of what succeeded that chance explains.
fn chance_of_success(a: &RunReport, b: &RunReport) -> f64 {
    let of = |run: &RunReport| {
        let succeeded: u64 = run.traffic.values().map(|t| t.succeeded).sum();
        let failed: u64 = run.traffic.values().map(|t| t.failed).sum();
        (succeeded as f64, (succeeded + failed) as f64)
    };
    chance::of_shares(of(a), of(b))
}

/// The latencies of the source with the longest 99th percentile.
fn slowest(run: &RunReport) -> Option<Sample<'_>> {
    let all = run.traffic.values().filter_map(sample);
    all.max_by(|a, b| a.ms.p99.total_cmp(&b.ms.p99))
}

/// Both verdicts, and what clients felt.
pub(crate) fn sentence(a: &RunReport, b: &RunReport) -> String {
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
        (Some(a), Some(b)) if (b - a).abs() > LATENCY_HAIR * a => {
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
    format!("{verdicts}{shares}{latency}.")
}

/// What makes the comparison less than it seems.
fn reservations(a: &RunReport, b: &RunReport) -> Vec<Markup> {
    let mut told = Vec::new();
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

pub(super) fn head(a: &RunReport, b: &RunReport) -> Markup {
    let (class, mark, word) = match standing(a, b) {
        Standing::Better => ("good", "▲", "B is better"),
        Standing::Worse => ("bad", "▼", "B is worse"),
        Standing::Alike => ("", "=", "No difference to speak of"),
        Standing::Unknown => ("warn", "◼", "Not to be judged"),
        Standing::Apart => ("warn", "≠", "Different scenarios"),
    };
    let panel = Panel {
        class,
        mark,
        word,
        sentence: &sentence(a, b),
        more: &reservations(a, b),
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
