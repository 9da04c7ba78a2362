//! Which of two runs is better, if either can be said to be.
//!
//! A single seed is one draw, and a change of configuration that helps one source often costs another. So B is called
//! better or worse only where every difference that weighs points the same way, and each of them is more than noise:
//! beyond what chance explains ([`chance`](super::chance)) and beyond a hair of the number itself. Whether requests
//! succeed weighs first; how long they took and how often they were tried count only where that is alike. With several
//! seeds a difference counts where Student's paired t says that it is none of chance.

use super::chance::{self, Grounds};
use super::numbers::sample;
use crate::comparison::ComparisonReport;
use crate::html::outcome;
use crate::record::{RunReport, TrafficReport, Verdict};
use crate::statistics::Paired;
use crate::suite::MeasureUnit;

/// Shares that differ by less are as good as each other: one request of a thousand.
const SHARE_HAIR: f64 = 0.001;
/// Latencies and attempts that differ by less of themselves are as good as each other.
pub(super) const HAIR: f64 = 0.05;
/// Differences named.
const NAMED_MAX: usize = 6;

/// How B compares with A.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// B does better.
    Better,
    /// B does worse.
    Worse,
    /// Better in one thing and worse in another.
    Mixed,
    /// Neither.
    Alike,
    /// One of them was not judged.
    Unknown,
    /// They are of different scenarios that have no traffic in common: nothing is judged.
    Apart,
}

/// The standing, and what it stands on.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub(crate) standing: Standing,
    differences: Vec<Difference>,
}

/// A difference of more than noise.
#[derive(Clone, Debug)]
struct Difference {
    /// `p99 of shoppers lower`.
    told: String,
    /// Whether B has the better of it.
    better: bool,
    /// Whether it is of what succeeded.
    first: bool,
}

impl Judged {
    /// Of `a` and `b`, the first seed's runs, and what is known of all seeds.
    pub(crate) fn of(a: &RunReport, b: &RunReport, paired: Option<&ComparisonReport>) -> Self {
        let alone = |standing| Self {
            standing,
            differences: Vec::new(),
        };
        let grounds = Grounds::of(a, b);
        if !grounds.comparable {
            return alone(Standing::Apart);
        }
        let several = paired.filter(|paired| paired.seeds.len() > 1);
        let (Some(rank_a), Some(rank_b)) = (outcome::rank(a.verdict), outcome::rank(b.verdict))
        else {
            return alone(Standing::Unknown);
        };
        let differences = match several {
            Some(paired) => of_seeds(paired),
            None => {
                let verdict = (rank_a != rank_b).then(|| verdict(rank_b > rank_a));
                verdict.into_iter().chain(of_runs(a, b, grounds)).collect()
            }
        };
        Self {
            standing: weighed(&differences),
            differences,
        }
    }

    /// What differs, where that is not all to be said by who is better: `B: p99 of shoppers lower, p99 of buyers higher.`
    pub(crate) fn told(&self) -> Option<String> {
        let all = &self.differences;
        let both = all.iter().any(|d| d.better) && all.iter().any(|d| !d.better);
        if !both {
            return None;
        }
        let named = all.iter().take(NAMED_MAX).map(|d| d.told.as_str());
        let more = match all.len().saturating_sub(NAMED_MAX) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        Some(format!(
            "B: {}{more}.",
            named.collect::<Vec<_>>().join(", ")
        ))
    }
}

/// What succeeded weighs first; the rest where that does not differ.
fn weighed(differences: &[Difference]) -> Standing {
    let first = differences.iter().any(|d| d.first);
    let mut counted = differences.iter().filter(|d| d.first == first);
    match counted.next() {
        None => Standing::Alike,
        Some(one) if counted.any(|other| other.better != one.better) => Standing::Mixed,
        Some(one) if one.better => Standing::Better,
        Some(_) => Standing::Worse,
    }
}

fn verdict(better: bool) -> Difference {
    let word = if better { "better" } else { "worse" };
    Difference {
        told: format!("verdict {word}"),
        better,
        first: true,
    }
}

/// Of a number; `first` when it is of what succeeded.
fn number(what: &str, rose: bool, better: bool, first: bool) -> Difference {
    let word = if rose { "higher" } else { "lower" };
    Difference {
        told: format!("{what} {word}"),
        better,
        first,
    }
}

/// Of one seed: source by source, then over all edges.
fn of_runs(a: &RunReport, b: &RunReport, grounds: Grounds) -> Vec<Difference> {
    let both = a
        .traffic
        .iter()
        .filter_map(|(name, was)| Some((name, was, b.traffic.get(name)?)));
    let mut all = Vec::new();
    for (name, was, is) in both {
        let success = success(was, is);
        all.extend(success.map(|rose| number(&format!("success of {name}"), rose, rose, true)));
        let slow = slow(was, is, grounds);
        all.extend(slow.map(|rose| number(&format!("p99 of {name}"), rose, !rose, false)));
    }
    all.sort_by_key(|one| !one.first);
    if let (Some(was), Some(is)) = (a.attempts_per_request(), b.attempts_per_request())
        && (is - was).abs() > HAIR * was
    {
        let rose = is > was;
        all.push(number("attempts for each request", rose, !rose, false));
    }
    all
}

/// Whether more succeed, if the difference is more than noise.
fn success(was: &TrafficReport, is: &TrafficReport) -> Option<bool> {
    let of = |t: &TrafficReport| (t.succeeded as f64, (t.succeeded + t.failed) as f64);
    let (was, is) = (of(was), of(is));
    if was.1 <= 0.0 || is.1 <= 0.0 {
        return None;
    }
    let difference = is.0 / is.1 - was.0 / was.1;
    (difference.abs() > SHARE_HAIR.max(chance::of_shares(was, is))).then_some(difference > 0.0)
}

/// Whether the slowest take longer, likewise.
fn slow(was: &TrafficReport, is: &TrafficReport, grounds: Grounds) -> Option<bool> {
    let (was, is) = (sample(was)?, sample(is)?);
    let difference = is.ms.p99 - was.ms.p99;
    let doubt = grounds.of_quantile(0.99, was, is).max(HAIR * was.ms.p99);
    (difference.abs() > doubt).then_some(difference > 0.0)
}

/// Of several seeds: what Student's t tells from chance.
fn of_seeds(paired: &ComparisonReport) -> Vec<Difference> {
    let mut all: Vec<Difference> = verdicts(paired).into_iter().collect();
    // What expectations measure is measured of the sources too.
    let measures = paired
        .measures
        .iter()
        .filter(|m| !m.name.starts_with("expect "));
    for measure in measures {
        let Some(better) = measure.improved() else {
            continue;
        };
        let what = match measure.name.rsplit_once('.') {
            Some(("mesh", what)) => what.replace('_', " "),
            Some((of, what)) => format!(
                "{} of {of}",
                what.trim_end_matches("_ms").trim_end_matches("_rps")
            ),
            None => measure.name.clone(),
        };
        let first = matches!(measure.unit, MeasureUnit::Share | MeasureUnit::PerSecond);
        all.push(number(&what, measure.difference.mean > 0.0, better, first));
    }
    all.sort_by_key(|one| !one.first);
    all
}

/// Whether the verdicts differ by more than chance.
fn verdicts(paired: &ComparisonReport) -> Option<Difference> {
    let rank = |verdict: &Verdict| outcome::rank(*verdict).map(f64::from);
    let both = paired.a.verdicts.iter().zip(&paired.b.verdicts);
    let differences: Vec<f64> = both
        .filter_map(|(a, b)| Some(rank(b)? - rank(a)?))
        .collect();
    let paired = Paired::of(&differences)?;
    (paired.p? <= crate::comparison::LEVEL).then(|| verdict(paired.mean > 0.0))
}
