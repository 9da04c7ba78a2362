//! When an open loop sends: a point process with a rate that changes over time.
//!
//! A Poisson process of rate λ(t) is a unit-rate process in the time scale
//! Λ(t) = ∫λ: its k-th arrival is at Λ⁻¹(E₁ + … + E_k) with unit exponential
//! E (Çinlar, *Introduction to Stochastic Processes*, 1975, theorem 4.7.10). λ
//! is linear between two points, so Λ is quadratic there and its inverse has a
//! closed form; nothing is thinned, nothing is rounded but the result, and an
//! arrival costs one draw. Evenly spaced arrivals are Λ⁻¹(0), Λ⁻¹(1), …
//!
//! The k-th arrival depends on the profile and on the first k draws alone:
//! never on answers, so latency measured from it knows no coordinated omission
//! (Tene, "How NOT to measure latency", 2015), and the same seed gives two
//! policies the same load.

use std::time::Duration;

use mesh_core::seam::Rng;

use crate::app::unit_exponential;
use crate::plan::{Arrivals, RateProfile};

/// Rates above one arrival per nanosecond are cut to it: the clock can tell no more apart.
const RATE_MAX: f64 = 1e9;

/// A stretch of time over which the rate is linear.
#[derive(Clone, Copy, Debug)]
struct Segment {
    /// Seconds since the beginning of the run.
    from: f64,
    /// Seconds; infinite for the last one.
    length: f64,
    /// Requests per second at its beginning.
    rate: f64,
    /// Change of the rate per second.
    slope: f64,
}

impl Segment {
    /// Expected arrivals in it.
    fn mass(&self) -> f64 {
        if self.length.is_infinite() {
            return if self.rate > 0.0 { f64::INFINITY } else { 0.0 };
        }
        self.length * (self.rate + 0.5 * self.slope * self.length)
    }

    /// Seconds from its beginning until `mass` arrivals are expected.
    fn offset(&self, mass: f64) -> f64 {
        if mass <= 0.0 {
            return 0.0;
        }
        // The root of rate·x + slope·x²/2 = mass, in the form that loses no digits for small slopes.
        let root = libm::sqrt((self.rate * self.rate + 2.0 * self.slope * mass).max(0.0));
        (2.0 * mass / (self.rate + root)).min(self.length)
    }
}

/// The intended send times of an open loop, since the beginning of the run, in order.
pub(super) struct Schedule {
    segments: std::vec::IntoIter<Segment>,
    current: Option<Segment>,
    /// Expected arrivals between the beginning of the current segment and the next arrival.
    mass: f64,
    spacing: Spacing,
}

enum Spacing {
    Poisson(Rng),
    Constant,
}

impl Schedule {
    /// Arrivals at `rate` from `start` on. `rng` is used by Poisson arrivals only.
    pub(super) fn new(rate: &RateProfile, arrivals: Arrivals, start: Duration, rng: Rng) -> Self {
        let mut segments = segments(rate, start.as_secs_f64()).into_iter();
        let mut spacing = match arrivals {
            Arrivals::Poisson => Spacing::Poisson(rng),
            Arrivals::Constant => Spacing::Constant,
        };
        Self {
            current: segments.next(),
            segments,
            mass: match &mut spacing {
                Spacing::Poisson(rng) => unit_exponential(rng.bits()),
                Spacing::Constant => 0.0,
            },
            spacing,
        }
    }

    /// As [`Self::new`], for arrivals beside others: evenly spaced ones begin with half a gap, so as not to fall on them.
    pub(super) fn beside(
        rate: &RateProfile,
        arrivals: Arrivals,
        start: Duration,
        rng: Rng,
    ) -> Self {
        let mut schedule = Self::new(rate, arrivals, start, rng);
        if let Spacing::Constant = schedule.spacing {
            schedule.mass = 0.5;
        }
        schedule
    }

    fn step(&mut self) -> f64 {
        match &mut self.spacing {
            Spacing::Poisson(rng) => unit_exponential(rng.bits()),
            Spacing::Constant => 1.0,
        }
    }
}

impl Iterator for Schedule {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let mut segment = self.current?;
        // A segment's end belongs to the next one; so a rate of zero has no arrival at all.
        while self.mass >= segment.mass() {
            self.mass -= segment.mass();
            self.current = self.segments.next();
            segment = self.current?;
        }
        let seconds = segment.from + segment.offset(self.mass);
        self.mass += self.step();
        Some(Duration::from_nanos(libm::round(seconds * 1e9) as u64))
    }
}

/// The profile from `start` seconds on. Before its first point the rate is that point's.
fn segments(profile: &RateProfile, start: f64) -> Vec<Segment> {
    let mut points: Vec<(f64, f64)> = profile
        .0
        .iter()
        .map(|point| (point.at.as_secs_f64(), sane(point.per_second)))
        .collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0)); // stable: the order of a step's two points matters
    let (Some(first), Some(last)) = (points.first().copied(), points.last().copied()) else {
        return Vec::new();
    };
    points.insert(0, (0.0_f64.min(first.0), first.1));
    let mut segments: Vec<Segment> = points
        .windows(2)
        .filter_map(|pair| linear(pair[0], pair[1], start))
        .collect();
    segments.push(Segment {
        from: last.0.max(start),
        length: f64::INFINITY,
        rate: last.1,
        slope: 0.0,
    });
    segments
}

/// The part of a line between two points that lies after `start`.
fn linear((x0, y0): (f64, f64), (x1, y1): (f64, f64), start: f64) -> Option<Segment> {
    if x1 <= x0 || x1 <= start {
        return None;
    }
    let slope = (y1 - y0) / (x1 - x0);
    let from = x0.max(start);
    Some(Segment {
        from,
        length: x1 - from,
        rate: y0 + slope * (from - x0),
        slope,
    })
}

/// The rate at an instant; at a step, the one that it leads to.
pub(super) fn rate_at(profile: &RateProfile, at: Duration) -> f64 {
    let after = profile.0.partition_point(|point| point.at <= at);
    let before = after.checked_sub(1).and_then(|index| profile.0.get(index));
    match (before, profile.0.get(after)) {
        (Some(left), Some(right)) => {
            let share = (at - left.at).as_secs_f64() / (right.at - left.at).as_secs_f64();
            left.per_second + (right.per_second - left.per_second) * share
        }
        (Some(only), None) | (None, Some(only)) => only.per_second,
        (None, None) => 0.0,
    }
}

fn sane(rate: f64) -> f64 {
    if rate.is_nan() {
        0.0
    } else {
        rate.clamp(0.0, RATE_MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert, proptest};

    use super::*;
    use crate::plan::RatePoint;

    fn profile(points: &[(f64, f64)]) -> RateProfile {
        let point = |&(at, per_second): &(f64, f64)| RatePoint {
            at: Duration::from_secs_f64(at),
            per_second,
        };
        RateProfile(points.iter().map(point).collect())
    }

    fn times(points: &[(f64, f64)], arrivals: Arrivals, start: f64, stop: f64) -> Vec<u64> {
        let (start, stop) = (
            Duration::from_secs_f64(start),
            Duration::from_secs_f64(stop),
        );
        let rng = Rng::named(3, "arrivals");
        Schedule::new(&profile(points), arrivals, start, rng)
            .take_while(|at| *at < stop)
            .map(|at| u64::try_from(at.as_nanos()).unwrap())
            .collect()
    }

    #[test]
    fn constant_arrivals_are_even_to_the_nanosecond() {
        let found = times(&[(0.0, 50.0)], Arrivals::Constant, 0.0, 10.0);
        let expected: Vec<u64> = (0..500).map(|i| i * 20_000_000).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_step_takes_effect_at_its_instant() {
        let points = [
            (0.0, 10.0),
            (1.0, 10.0),
            (1.0, 100.0),
            (2.0, 100.0),
            (2.0, 0.0),
        ];
        let found = times(&points, Arrivals::Constant, 0.0, 60.0);
        assert_eq!(found.iter().filter(|t| **t < 1_000_000_000).count(), 10);
        assert_eq!(found.len(), 110);
        assert_eq!(found[10..13], [1_000_000_000, 1_010_000_000, 1_020_000_000]);
    }

    #[test]
    fn a_ramp_follows_its_quadratic() {
        // 0 to 100/s over 10 s: the k-th arrival is expected at sqrt(k/5) seconds.
        let found = times(&[(0.0, 0.0), (10.0, 100.0)], Arrivals::Constant, 0.0, 10.0);
        assert_eq!(found.len(), 500);
        for (k, at) in found.iter().enumerate() {
            let expected = (k as f64 / 5.0).sqrt() * 1e9;
            assert!((*at as f64 - expected).abs() <= 2.0, "{k}: {at} {expected}");
        }
        // And down again, which has the negative slope.
        let down = times(&[(0.0, 100.0), (10.0, 0.0)], Arrivals::Constant, 0.0, 10.0);
        assert_eq!(down.len(), 500);
        let expected = (10.0 - (100.0_f64 - 100.0 / 5.0).sqrt()) * 1e9;
        assert!((down[100] as f64 - expected).abs() <= 2.0);
    }

    #[test]
    fn nothing_is_sent_where_the_rate_is_zero() {
        let points = [(0.0, 0.0), (30.0, 0.0), (30.0, 5.0)];
        assert_eq!(
            times(&points, Arrivals::Constant, 0.0, 31.0)[0],
            30_000_000_000
        );
        assert!(times(&[(0.0, 0.0)], Arrivals::Poisson, 0.0, 1e6).is_empty());
        assert!(times(&[], Arrivals::Poisson, 0.0, 1e6).is_empty());
        assert!(times(&[(0.0, f64::NAN)], Arrivals::Poisson, 0.0, 1e6).is_empty());
    }

    #[test]
    fn a_load_starts_and_stops() {
        let found = times(&[(0.0, 10.0)], Arrivals::Constant, 2.05, 3.0);
        assert_eq!(found[0], 2_050_000_000);
        assert_eq!(found.len(), 10);
        // Started in the middle of a ramp from 0 to 10/s over 10 s, it begins with half the rate.
        let ramp = times(&[(0.0, 0.0), (10.0, 10.0)], Arrivals::Constant, 5.0, 10.0);
        assert_eq!(ramp.len(), 38); // 37.5 expected, one of them at the very beginning
    }

    #[test]
    fn poisson_gaps_are_exponential() {
        let found = times(&[(0.0, 1000.0)], Arrivals::Poisson, 0.0, 100.0);
        // Count: mean 100 000, standard deviation 316.
        assert!(found.len().abs_diff(100_000) < 1300, "{}", found.len());
        let gaps: Vec<f64> = found
            .windows(2)
            .map(|w| (w[1] - w[0]) as f64 / 1e6)
            .collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let square = gaps.iter().map(|g| g * g).sum::<f64>() / gaps.len() as f64;
        assert!((mean - 1.0).abs() < 0.015, "{mean}");
        assert!((square - 2.0).abs() < 0.08, "{square}"); // E[X²] = 2 for a unit exponential
        let long = gaps.iter().filter(|g| **g > 3.0).count() as f64 / gaps.len() as f64;
        assert!((long - libm::exp(-3.0)).abs() < 0.003, "{long}");
    }

    #[test]
    fn a_changing_rate_keeps_its_counts() {
        // 100/s to 300/s over 100 s: 20 000 expected, 7500 of them in the first half.
        let found = times(
            &[(0.0, 100.0), (100.0, 300.0)],
            Arrivals::Poisson,
            0.0,
            100.0,
        );
        assert!(found.len().abs_diff(20_000) < 600, "{}", found.len());
        let half = found.iter().filter(|t| **t < 50_000_000_000).count();
        assert!(half.abs_diff(7500) < 380, "{half}");
    }

    proptest! {
        /// Doubling a constant rate halves every arrival time: the draws are the same.
        #[test]
        fn the_same_draws_under_another_rate(rate in 0.1f64..1e5) {
            let slow = times(&[(0.0, rate)], Arrivals::Poisson, 0.0, 50.0 / rate);
            let fast = times(&[(0.0, rate * 2.0)], Arrivals::Poisson, 0.0, 25.0 / rate);
            prop_assert!(slow.len().abs_diff(fast.len()) <= 1);
            for (s, f) in slow.iter().zip(&fast) {
                prop_assert!(s.abs_diff(f * 2) <= 2);
            }
        }

        #[test]
        fn any_profile_gives_rising_times(
            points in proptest::collection::vec((0.0f64..10.0, 0.0f64..200.0), 0..6),
            start in 0.0f64..10.0,
        ) {
            let found = times(&points, Arrivals::Poisson, start, 12.0);
            prop_assert!(found.windows(2).all(|w| w[0] <= w[1]));
            let (from, to) = ((start * 1e9) as u64, 12_000_000_000);
            prop_assert!(found.iter().all(|t| (from..to).contains(t)));
        }
    }
}
