//! Rates over time: a base rate, steps and ramps, and bursts on top.

use std::time::Duration;

use mesh_core::document::Diagnostic;

use crate::plan::{Arrivals, BurstPlan, Load, RatePoint, RateProfile};
use crate::scenario::file::{BurstSpec, Placed, TrafficSpec};
use crate::scenario::problems::Problems;

/// Most bursts of one source, repetitions included.
const REPEATS_MAX: usize = 10_000;

/// More than this many times the rate is taken for a mistake.
const TIMES_MAX: f64 = 100_000.0;

/// The open load of a traffic source, and the bursts that are in it, which are called after the source.
pub(super) fn profile(
    spec: &TrafficSpec,
    name: &str,
    run: Duration,
    problems: &Problems,
) -> Result<(Load, Vec<BurstPlan>), Diagnostic> {
    let spacing = spec
        .rate
        .as_ref()
        .map_or(Arrivals::Poisson, |rate| rate.spacing);
    let base = base(spec, problems)?;
    let written = spec.bursts.iter();
    let written: Vec<Written<'_>> = written
        .map(|burst| Ok((burst, repeated(burst, run, problems)?)))
        .collect::<Result<_, Diagnostic>>()?;
    let load = Load::Open {
        rate: overlay(&base, &bursts(&written, problems)?),
        arrivals: spacing,
    };
    Ok((load, told(spec, name, written)))
}

/// A burst as it is written, and each time that it comes.
type Written<'a> = (&'a Placed<BurstSpec>, Vec<Burst>);

/// The bursts as they were written. One that changes nothing is none.
fn told(spec: &TrafficSpec, name: &str, bursts: Vec<Written<'_>>) -> Vec<BurstPlan> {
    let start = spec.start.as_ref().map_or(Duration::ZERO, |start| start.0);
    let stop = spec.stop.as_ref().map_or(Duration::MAX, |stop| stop.0);
    let mut told = Vec::new();
    let several = bursts.len() > 1;
    for (index, (written, times)) in bursts.into_iter().enumerate() {
        if written.times == Some(1.0) {
            continue;
        }
        let sent = |burst: Burst| (burst.from.max(start), burst.to.min(stop));
        let stretches = times.into_iter().map(sent);
        let stretches: Vec<_> = stretches.filter(|(from, to)| from < to).collect();
        if !stretches.is_empty() {
            let number = if several {
                format!(" {}", index + 1)
            } else {
                String::new()
            };
            told.push(BurstPlan {
                name: format!("burst{number} of {name}"),
                stretches,
                place: written.at().to_string(),
            });
        }
    }
    told
}

/// The rate without bursts.
fn base(spec: &TrafficSpec, problems: &Problems) -> Result<RateProfile, Diagnostic> {
    let mut rate = spec.rate.as_ref().map_or(0.0, |rate| rate.rate.0);
    let mut points = vec![point(Duration::ZERO, rate)];
    let mut settled = Duration::ZERO;
    for change in spec.stages.iter() {
        let at = change.at.0;
        if at < settled {
            return Err(problems
                .error(
                    change.at(),
                    "this change begins before the one above it has ended",
                )
                .help("write the changes in the order of time"));
        }
        let over = change.over.map(|over| over.0).unwrap_or_default();
        points.push(point(at, rate));
        rate = change.rate.0;
        settled = at + over;
        points.push(point(settled, rate));
    }
    Ok(RateProfile(simplified(points)))
}

fn point(at: Duration, per_second: f64) -> RatePoint {
    RatePoint { at, per_second }
}

/// One burst: from, to, and what becomes of the rate.
#[derive(Clone, Copy)]
struct Burst {
    from: Duration,
    to: Duration,
    effect: Effect,
}

#[derive(Clone, Copy)]
enum Effect {
    Rate(f64),
    Times(f64),
}

impl Effect {
    fn on(self, rate: f64) -> f64 {
        match self {
            Self::Rate(rate) => rate,
            Self::Times(times) => rate * times,
        }
    }
}

/// All bursts in order of time.
fn bursts(written: &[Written<'_>], problems: &Problems) -> Result<Vec<Burst>, Diagnostic> {
    let times = written.iter().flat_map(|(_, times)| times);
    let mut bursts: Vec<Burst> = times.copied().collect();
    let last = written.last().map(|(last, _)| last);
    if let Some(last) = last.filter(|_| bursts.len() > REPEATS_MAX) {
        let message = format!("bursts come more than {REPEATS_MAX} times");
        return Err(problems.error(last.at(), message));
    }
    bursts.sort_by_key(|burst| burst.from);
    let overlap = bursts.windows(2).any(|pair| pair[0].to > pair[1].from);
    match last {
        Some(last) if overlap => Err(problems.error(last.at(), "two bursts overlap")),
        _ => Ok(bursts),
    }
}

fn repeated(
    burst: &Placed<BurstSpec>,
    run: Duration,
    problems: &Problems,
) -> Result<Vec<Burst>, Diagnostic> {
    let effect = match (burst.rate, burst.times) {
        (Some(rate), None) => Effect::Rate(rate.0),
        (None, Some(times)) if (0.0..=TIMES_MAX).contains(&times) => Effect::Times(times),
        (None, Some(_)) => {
            let message = format!("`times` is a number from 0 to {TIMES_MAX}");
            return Err(problems.error(burst.at(), message));
        }
        _ => {
            return Err(problems.error(burst.at(), "a burst has exactly one of `rate` and `times`"));
        }
    };
    let lasts = burst.lasts.0;
    if lasts.is_zero() {
        return Err(problems.error(burst.at(), "a burst must last for some time"));
    }
    let Some(every) = burst.every else {
        let from = burst.at.0;
        return Ok(vec![Burst {
            from,
            to: from + lasts,
            effect,
        }]);
    };
    if every.0 < lasts {
        return Err(problems.error(burst.at(), "this burst begins again before it has ended"));
    }
    let bursts: Vec<Burst> = (0..=REPEATS_MAX as u32)
        .map(|turn| burst.at.0 + every.0 * turn)
        .take_while(|from| *from < run)
        .map(|from| Burst {
            from,
            to: from + lasts,
            effect,
        })
        .collect();
    if bursts.len() > REPEATS_MAX {
        let message = format!("this burst comes more than {REPEATS_MAX} times");
        return Err(problems.error(burst.at(), message));
    }
    Ok(bursts)
}

/// The base with bursts laid over it. Between two neighbouring points of either, both are linear, and so is the result.
fn overlay(base: &RateProfile, bursts: &[Burst]) -> RateProfile {
    if bursts.is_empty() {
        return base.clone();
    }
    let mut times: Vec<Duration> = base.0.iter().map(|point| point.at).collect();
    times.extend(bursts.iter().flat_map(|burst| [burst.from, burst.to]));
    times.sort_unstable();
    times.dedup();
    let mut points = Vec::with_capacity(2 * times.len());
    let mut next_burst = 0;
    for at in times {
        while bursts.get(next_burst).is_some_and(|burst| burst.to < at) {
            next_burst += 1;
        }
        let near = &bursts[next_burst..bursts.len().min(next_burst + 3)];
        let before = near.iter().find(|burst| burst.from < at && at <= burst.to);
        let after = near.iter().find(|burst| burst.from <= at && at < burst.to);
        let (left, right) = sides(base, at);
        points.push(point(
            at,
            before.map_or(left, |burst| burst.effect.on(left)),
        ));
        points.push(point(
            at,
            after.map_or(right, |burst| burst.effect.on(right)),
        ));
    }
    RateProfile(simplified(points))
}

/// The base rate just before and just after an instant.
fn sides(base: &RateProfile, at: Duration) -> (f64, f64) {
    let points = &base.0;
    let first_here = points.partition_point(|point| point.at < at);
    let first_later = points.partition_point(|point| point.at <= at);
    if first_here < first_later {
        let (first, last) = (points[first_here], points[first_later - 1]);
        return (first.per_second, last.per_second);
    }
    let value = match (
        first_here.checked_sub(1).map(|before| points[before]),
        points.get(first_here),
    ) {
        (None, None) => 0.0,
        (Some(only), None) => only.per_second,
        (None, Some(only)) => only.per_second,
        (Some(from), Some(to)) => {
            let share = (at - from.at).as_secs_f64() / (to.at - from.at).as_secs_f64();
            from.per_second + (to.per_second - from.per_second) * share
        }
    };
    (value, value)
}

/// Without points that change nothing: the same point twice, or a third on a level line.
fn simplified(points: Vec<RatePoint>) -> Vec<RatePoint> {
    let mut kept: Vec<RatePoint> = Vec::with_capacity(points.len());
    for point in points {
        if kept.last() == Some(&point) {
            continue;
        }
        let level = kept.len() >= 2
            && kept[kept.len() - 2..]
                .iter()
                .all(|other| other.per_second == point.per_second);
        if level {
            kept.pop();
        }
        kept.push(point);
    }
    let level = kept.len() == 2 && kept[0].per_second == kept[1].per_second;
    if level {
        kept.truncate(1);
    }
    kept
}

#[cfg(test)]
mod tests {
    use mesh_core::document::{Source, parse, read};

    use super::*;

    fn rates(yaml: &str) -> Result<Vec<(f64, f64)>, String> {
        let document = parse(&Source::new("t", yaml)).unwrap().remove(0);
        let spec: TrafficSpec = read(&document, &document.root).unwrap();
        match profile(&spec, "s", Duration::from_secs(60), &Problems::default()) {
            Ok((Load::Open { rate, .. }, _)) => Ok(rate
                .0
                .iter()
                .map(|point| (point.at.as_secs_f64(), point.per_second))
                .collect()),
            Ok(_) => unreachable!("an open load"),
            Err(error) => Err(error.message().to_owned()),
        }
    }

    fn told(yaml: &str) -> Vec<(String, Vec<(u64, u64)>)> {
        let document = parse(&Source::new("t", yaml)).unwrap().remove(0);
        let spec: TrafficSpec = read(&document, &document.root).unwrap();
        let run = Duration::from_secs(60);
        let (_, bursts) = profile(&spec, "users", run, &Problems::default()).unwrap();
        let seconds = |(from, to): &(Duration, Duration)| (from.as_secs(), to.as_secs());
        let told = |burst: BurstPlan| (burst.name, burst.stretches.iter().map(seconds).collect());
        bursts.into_iter().map(told).collect()
    }

    #[test]
    fn bursts_are_told_as_they_are_written() {
        let one = told("rate: 9/s\nbursts: [{at: 5s, for: 1s, times: 3, every: 20s}]");
        let times = vec![(5, 6), (25, 26), (45, 46)];
        assert_eq!(one, [("burst of users".to_owned(), times)]);
        let yaml = "start: 2s\nstop: 50s\nrate: 9/s\nbursts:\n\
            - {at: 0s, for: 5s, times: 3}\n- {at: 9s, for: 1s, times: 1}\n\
            - {at: 49s, for: 5s, rate: 1/s}\n- {at: 55s, for: 1s, rate: 8/s}";
        let of_many = |n: u32, at| (format!("burst {n} of users"), vec![at]);
        assert_eq!(told(yaml), [of_many(1, (2, 5)), of_many(3, (49, 50))]);
        assert_eq!(told("rate: 9/s\nstages: [{at: 5s, rate: 90/s}]"), []);
    }

    #[test]
    fn a_rate_alone_is_constant() {
        assert_eq!(rates("rate: 50/s").unwrap(), [(0.0, 50.0)]);
    }

    #[test]
    fn changes_are_steps_and_ramps() {
        let yaml = "rate: 10/s\nstages: [{at: 5s, rate: 20/s}, {at: 10s, rate: 40/s, over: 10s}]";
        assert_eq!(
            rates(yaml).unwrap(),
            [
                (0.0, 10.0),
                (5.0, 10.0),
                (5.0, 20.0),
                (10.0, 20.0),
                (20.0, 40.0)
            ]
        );
    }

    #[test]
    fn stages_need_no_base() {
        let yaml = "stages: [{at: 0s, rate: 5/s}, {at: 10s, rate: 0/s}]";
        assert_eq!(
            rates(yaml).unwrap(),
            [(0.0, 0.0), (0.0, 5.0), (10.0, 5.0), (10.0, 0.0)]
        );
    }

    #[test]
    fn bursts_lie_on_top() {
        let yaml = "rate: 10/s\nbursts: [{at: 5s, for: 1s, times: 3}]";
        assert_eq!(
            rates(yaml).unwrap(),
            [
                (0.0, 10.0),
                (5.0, 10.0),
                (5.0, 30.0),
                (6.0, 30.0),
                (6.0, 10.0)
            ]
        );
        // Half way up a ramp from 0 to 100 the rate is 50, and twice that is 100.
        let yaml =
            "stages: [{at: 0s, rate: 100/s, over: 10s}]\nbursts: [{at: 5s, for: 5s, times: 2}]";
        assert_eq!(
            rates(yaml).unwrap(),
            [
                (0.0, 0.0),
                (5.0, 50.0),
                (5.0, 100.0),
                (10.0, 200.0),
                (10.0, 100.0)
            ]
        );
    }

    #[test]
    fn a_burst_comes_again() {
        let yaml = "rate: 1/s\nbursts: [{at: 1s, for: 1s, rate: 9/s, every: 10s}]";
        let rates = rates(yaml).unwrap();
        assert_eq!(
            rates[..9],
            [
                (0.0, 1.0),
                (1.0, 1.0),
                (1.0, 9.0),
                (2.0, 9.0),
                (2.0, 1.0),
                (11.0, 1.0),
                (11.0, 9.0),
                (12.0, 9.0),
                (12.0, 1.0)
            ]
        );
        assert_eq!(rates.len(), 1 + 4 * 6);
    }

    #[test]
    fn bursts_may_follow_each_other_at_once() {
        let yaml =
            "rate: 1/s\nbursts: [{at: 0s, for: 2s, rate: 5/s}, {at: 2s, for: 2s, rate: 7/s}]";
        assert_eq!(
            rates(yaml).unwrap(),
            [
                (0.0, 1.0),
                (0.0, 5.0),
                (2.0, 5.0),
                (2.0, 7.0),
                (4.0, 7.0),
                (4.0, 1.0)
            ]
        );
    }

    #[test]
    fn mistakes_are_named() {
        let error = |yaml| rates(yaml).unwrap_err();
        assert_eq!(
            error("stages: [{at: 5s, rate: 1/s, over: 5s}, {at: 9s, rate: 2/s}]"),
            "this change begins before the one above it has ended"
        );
        assert_eq!(
            error("bursts: [{at: 1s, for: 2s, rate: 1/s}, {at: 2s, for: 1s, rate: 1/s}]"),
            "two bursts overlap"
        );
        assert_eq!(
            error("bursts: [{at: 1s, for: 2s}]"),
            "a burst has exactly one of `rate` and `times`"
        );
        assert_eq!(
            error("bursts: [{at: 1s, for: 0s, times: 2}]"),
            "a burst must last for some time"
        );
        assert_eq!(
            error("bursts: [{at: 1s, for: 2s, times: -2}]"),
            "`times` is a number from 0 to 100000"
        );
        assert_eq!(
            error("bursts: [{at: 1s, for: 2s, times: 2, every: 1s}]"),
            "this burst begins again before it has ended"
        );
    }
}
