//! Two runs.

use super::run::{goodput, success, verdict};
use crate::comparison::{ComparisonReport, RequestChanges};
use crate::html::standing::{Judged, Standing, sentence};
use crate::record::{RunReport, TrafficReport};
use crate::suite::markdown::cell;
use crate::summary::unit;

/// Traffic sources told.
const SOURCES_MAX: usize = 10;

/// `a` and `b` as GitHub-flavoured Markdown, with what `paired` knows of them.
pub fn comparison_markdown(
    a: &RunReport,
    b: &RunReport,
    paired: Option<&ComparisonReport>,
) -> String {
    let judged = Judged::of(a, b, paired);
    let (mark, word) = match judged.standing {
        Standing::Better => ("✅", "B is better"),
        Standing::Worse => ("❌", "B is worse"),
        Standing::Mixed => ("➖", "better in some, worse in other"),
        Standing::Alike => ("➖", "no difference to speak of"),
        Standing::Unknown => ("⏹️", "not to be judged"),
        Standing::Apart => ("⏹️", "different scenarios"),
    };
    let mut out = format!("## {mark} {word}\n\n{}\n\n", sentence(a, b, &judged));
    for (side, run) in [("A", a), ("B", b)] {
        let (mark, word) = verdict(run.verdict);
        out.push_str(&format!(
            "- {side}: {} (seed {}): {mark} {word}\n",
            cell(&run.scenario),
            run.seed
        ));
    }
    if let Some(paired) = paired.filter(|paired| !paired.requests.is_empty()) {
        let mut all = RequestChanges::default();
        paired.requests.iter().for_each(|changes| all.add(changes));
        out.push_str(&format!(
            "- {} saved, {} lost, {} faster, {} slower\n",
            unit::counted(all.saved, "request"),
            unit::count(all.lost),
            unit::count(all.faster),
            unit::count(all.slower)
        ));
    }
    out.push_str("\n| source | | succeeded | p99 | goodput over time |\n|---|---|---:|---:|---|\n");
    let both = a
        .traffic
        .iter()
        .filter_map(|(name, t)| Some((name, t, b.traffic.get(name)?)));
    for (name, first, second) in both.take(SOURCES_MAX) {
        for (side, name, traffic) in [("A", name.as_str(), first), ("B", "", second)] {
            out.push_str(&row(side, name, traffic));
        }
    }
    let missed = |run: &RunReport| run.expectations.iter().filter(|e| !e.held).count();
    out.push_str(&format!(
        "\nDemands missed: {} of {} in A, {} of {} in B.\n",
        missed(a),
        a.expectations.len(),
        missed(b),
        b.expectations.len()
    ));
    out
}

fn row(side: &str, name: &str, traffic: &TrafficReport) -> String {
    format!(
        "| {} | {side} | {} | {} | {} |\n",
        cell(name),
        success(traffic).map_or("–".into(), unit::share),
        traffic
            .latency_ms
            .map_or("–".into(), |ms| unit::millis(ms.p99)),
        goodput(traffic)
    )
}
