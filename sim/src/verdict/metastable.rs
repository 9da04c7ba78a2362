//! Metastability: overload that outlives what caused it.
//!
//! A system is in a *metastable failure state* when goodput stays too low
//! although the trigger is gone, because a *sustaining effect* keeps it
//! overloaded at a load it used to carry (Bronson, Aghayev, Charapko and Zhu,
//! *Metastable failures in distributed systems*, HotOS 2021; Huang et al.,
//! *Metastable failures in the wild*, OSDI 2022, who find retries to be the
//! sustaining effect of more than half of 22 incidents). To say so of a run is
//! to accuse the mesh of keeping itself broken, so each part of the definition
//! is tested, and all must hold. *The last third* is that of the time from the
//! last heal to the end of the run, without its last quarter (5 s at most), of
//! which slow requests have not been told; its two halves tell a trend.
//!
//! 1. *The trigger is gone.* Every fault that began has healed, and every
//!    [burst](super::burst) is over, ten seconds or more before the end, and no
//!    pod that a fault took away is still away.
//! 2. *It is broken.* Goodput ([`recovery`](super::recovery)) in the last third
//!    is below the share that `recovers` demands, or below half of what it was
//!    where nothing is demanded, and it was never back for good.
//! 3. *It does not get better.* The second half of the last third succeeds no
//!    more often than the first, by more than chance allows (three standard
//!    errors of the difference of two shares) and by more than a fiftieth of
//!    what it was; and no line in the chain gets shorter: the mean time in line
//!    and the length of the line do not both fall by more than a fiftieth from one half to the other. A drain
//!    of what the fault left behind is slow, not metastable, and it shows in the
//!    line long before it shows in goodput.
//! 4. *The load is what it was.* No open traffic source sends more than a tenth
//!    (and three standard deviations of a Poisson count) above its rate before
//!    the first fault. Too much load is overload, not metastability.
//! 5. *Something sustains it.* Somewhere down the chain the workers are busy
//!    for 85 % of the time or more, or requests wait for longer than their caller
//!    does; *and* the mesh adds to its own load: an edge carries at least a tenth
//!    more attempts per request of the traffic than before, or at least a tenth
//!    of the work is for callers that have gone.
//!
//! What fails 1 to 4 is a failure like any other; what fails only 5 is broken
//! for a reason that this module does not know, and it says that.

use meshquake_reports::record::seconds;
use meshquake_reports::summary::unit;
use meshquake_reports::{LayerReport, LoopReport, Phases, Recovered, RecoveryReport};

use super::layers::Layer;
use super::recovery::{Offered, Source};
use super::stage::Stages;

/// The shortest time after the last heal that can show anything, in nanoseconds.
const AFTER_MIN: u64 = 10_000_000_000;
/// Below this share of what it was, goodput is broken where nothing is demanded.
const BROKEN: f64 = 0.5;
/// A change by less than this is none.
const TREND: f64 = 0.02;
/// A load this much above what it was is another load.
const SAME_LOAD: f64 = 1.1;
/// Workers as busy as this are saturated.
const SATURATED: f64 = 0.85;
/// Work this much more than before adds to the load; so does such a share of wasted work.
const SUSTAINS: f64 = 0.1;

/// The state of the world at the end of the run.
pub(super) struct Aftermath<'a> {
    pub(super) stages: &'a Stages,
    /// The burst that was the last trigger, if one was.
    pub(super) burst: Option<&'a str>,
    /// Whether pods that a fault took away are still away.
    pub(super) pods_away: bool,
    /// Whether some source sends more than it did.
    pub(super) overloaded: bool,
}

/// What became of the traffic source `name`, whose requests go down `layers`; `None` when there is nothing to compare.
pub(super) fn judge(
    name: &str,
    source: &Source,
    layers: &[Layer],
    world: &Aftermath<'_>,
) -> Option<RecoveryReport> {
    let stages = world.stages;
    let healed = stages.healed()?;
    let last = source.load.last();
    let ratio = source.ratio(&last, stages.last_s(), stages)?;
    let back = source.back(source.threshold(), stages);
    let limit = source.demanded().unwrap_or(BROKEN);
    let mut report = RecoveryReport {
        traffic: name.to_owned(),
        healed_s: seconds(healed),
        burst: world.burst.map(str::to_owned),
        before_per_s: source.load.before.succeeded as f64 / source.before_s(stages),
        last_per_s: last.succeeded as f64 / stages.last_s(),
        threshold: source.threshold(),
        ratio,
        after_s: back,
        recovered: Recovered::Yes,
        sustained_by: None,
    };
    if back.is_some() {
        return Some(report);
    }
    if rises(source, stages) || drains(layers) {
        report.recovered = Recovered::NotYet;
        return Some(report);
    }
    report.recovered = Recovered::No;
    let gone = stages.after() >= AFTER_MIN && !world.pods_away && !world.overloaded;
    if gone && ratio < limit && sustained(source, layers, stages) {
        report.recovered = Recovered::Metastable;
        report.sustained_by = Some(told(layers));
    }
    Some(report)
}

/// Whether a source sends more than it did.
pub(super) fn sends_more(source: &Source, stages: &Stages) -> bool {
    if source.closed() {
        return false;
    }
    let was = source.load.before.offered as f64 / source.before_s(stages);
    let expected = was * stages.last_s();
    source.load.last().offered as f64 > expected * SAME_LOAD + 3.0 * libm::sqrt(expected)
}

/// Whether goodput rises within the last third.
fn rises(source: &Source, stages: &Stages) -> bool {
    let (a, b) = (&source.load.earlier, &source.load.later);
    let half = stages.last_s() / 2.0;
    let (Some(first), Some(second)) =
        (source.ratio(a, half, stages), source.ratio(b, half, stages))
    else {
        return false;
    };
    second - first > TREND.max(3.0 * deviation(a, b))
}

/// The standard error of the difference of two shares of successes, were they the same.
fn deviation(a: &Offered, b: &Offered) -> f64 {
    let (n, m) = (a.offered as f64, b.offered as f64);
    if n == 0.0 || m == 0.0 {
        return 0.0;
    }
    let share = (a.succeeded + b.succeeded) as f64 / (n + m);
    libm::sqrt(share * (1.0 - share) * (1.0 / n + 1.0 / m))
}

/// Whether a line that is longer than it was gets shorter.
fn drains(layers: &[Layer]) -> bool {
    layers.iter().any(|layer| {
        let before = layer.report.wait_ms.before.unwrap_or_default();
        let falls = |(first, second): (Option<f64>, Option<f64>)| {
            let halves = first.zip(second);
            halves.is_some_and(|(first, second)| second < first * (1.0 - TREND))
        };
        let long = layer
            .waits
            .0
            .is_some_and(|wait| wait > 2.0 * before.max(1.0));
        // In a line that is full the wait varies as the work does; in one that drains the length falls, too.
        long && falls(layer.waits) && falls(layer.lines)
    })
}

fn sustained(source: &Source, layers: &[Layer], stages: &Stages) -> bool {
    let loads = (
        source.load.before.offered as f64 / stages.before_s(),
        source.load.last().offered as f64 / stages.last_s(),
    );
    layers.iter().any(|layer| saturated(&layer.report))
        && layers.iter().any(|layer| adds(&layer.report, loads))
}

fn saturated(layer: &LayerReport) -> bool {
    let busy = layer
        .utilisation
        .after
        .is_some_and(|used| used >= SATURATED);
    let late = layer.wait_ms.after.zip(layer.timeout_ms);
    busy || late.is_some_and(|(wait, timeout)| wait >= timeout)
}

/// Whether a layer carries more than it did for the same requests of the traffic, whose rates before and after are given.
fn adds(layer: &LayerReport, (before, after): (f64, f64)) -> bool {
    let wasted = layer.wasted.after.is_some_and(|share| share >= SUSTAINS);
    let attempts = |requests: Option<f64>, each: Option<f64>| Some(requests? * each?);
    let was = attempts(layer.requests_per_s.before, layer.attempts.before);
    let is = attempts(layer.requests_per_s.after, layer.attempts.after);
    let more = was.zip(is).is_some_and(|(was, is)| {
        is / after.max(f64::MIN_POSITIVE) >= (1.0 + SUSTAINS) * was / before.max(f64::MIN_POSITIVE)
    });
    wasted || more
}

fn told(layers: &[Layer]) -> LoopReport {
    let layers: Vec<LayerReport> = layers.iter().map(|layer| layer.report.clone()).collect();
    // The layer to blame: the one that has most too much to do.
    let excess = |layer: &&LayerReport| {
        let arrivals = layer.arrivals_per_s.after.unwrap_or_default();
        let capacity = layer.capacity_per_s.unwrap_or(f64::INFINITY);
        arrivals / capacity
    };
    let worst = layers.iter().max_by(|a, b| excess(a).total_cmp(&excess(b)));
    LoopReport {
        sentence: worst.map(sentence).unwrap_or_default(),
        layers,
    }
}

/// `shoppers → api: 2.00 attempts per request (1.00 before) make 560/s on a capacity of about 300/s; 100% of the work is
/// for callers that have gone`.
fn sentence(layer: &LayerReport) -> String {
    let Phases { before, after, .. } = layer.attempts;
    let arrivals = layer.arrivals_per_s;
    let mut text = format!("{} → {}: ", layer.from, layer.to);
    let after_each = after.unwrap_or(1.0);
    let retried = after_each > before.unwrap_or(1.0) * (1.0 + SUSTAINS);
    if retried {
        text.push_str(&format!(
            "{} attempts per request ({} before) make ",
            unit::ratio(after_each),
            unit::ratio(before.unwrap_or(1.0))
        ));
    }
    text.push_str(&format!(
        "{}/s",
        unit::rate(arrivals.after.unwrap_or_default())
    ));
    if !retried && let Some(before) = arrivals.before {
        text.push_str(&format!(" ({}/s before)", unit::rate(before)));
    }
    if let Some(capacity) = layer.capacity_per_s {
        let capacity = unit::rate(capacity);
        text.push_str(&format!(" on a capacity of about {capacity}/s"));
    }
    if let Some(wasted) = layer.wasted.after.filter(|share| *share >= 0.005) {
        let wasted = unit::trimmed(wasted * 100.0, 0);
        text.push_str(&format!(
            "; {wasted}% of the work is for callers that have gone"
        ));
    }
    if let Some((wait, timeout)) = layer.wait_ms.after.zip(layer.timeout_ms)
        && wait >= timeout
    {
        text.push_str(&format!(
            "; requests wait {} in line, and their callers {}",
            unit::millis(wait),
            unit::millis(timeout)
        ));
    }
    text
}
