//! Counts and latencies over time, in bounded memory.
//!
//! A run is cut into at most 600 windows: 1 s each for a run of ten minutes,
//! 5 min for a day. A request belongs to the window of its start, so a window
//! tells what became of those who came in it. Requests end in any order, so
//! every window stays open; its latencies are therefore kept as a sorted list
//! of the few buckets in use, on a grid of 64 buckets to the octave (the width
//! of a bucket is at most 1/64 of its value, its middle at most 0.8 % off).

use std::time::Duration;

use mesh_core::seam::Instant;
use meshquake_reports::record::{millis, roundest, seconds};
use meshquake_reports::{Heat, Series};

use super::edge::nanos;

/// Most windows of a run.
const WINDOWS_MAX: u64 = 600;
/// Fewest windows wanted of a run shorter than a minute.
const WINDOWS_MIN: u64 = 60;
/// Lengths that people can read off an axis, in milliseconds.
const LENGTHS_MS: [u64; 18] = [
    10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 60_000, 120_000,
    300_000, 600_000, 1_800_000, 3_600_000,
];
/// Buckets to the octave, as a power of two.
const OCTAVE_BITS: u32 = 7;

/// How a run is cut into windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// When the scenario's clock shows zero.
    origin: Instant,
    window_ns: u64,
}

impl Cut {
    /// For a run of this length from `origin` on: windows of 1 s if that makes no more than 600, and if it makes no fewer than 60.
    pub(super) fn of(run: Duration, origin: Instant) -> Self {
        let run_ns = nanos(run).max(1);
        let lengths = LENGTHS_MS.iter().map(|ms| ms * 1_000_000);
        let few_enough = |ns: &u64| run_ns.div_ceil(*ns) <= WINDOWS_MAX;
        let wanted = (run_ns / WINDOWS_MIN).min(1_000_000_000);
        let mut fitting = lengths.filter(few_enough);
        let finest = fitting.next();
        let window_ns = match finest {
            None => run_ns.div_ceil(WINDOWS_MAX),
            Some(finest) => fitting
                .take_while(|ns| *ns <= wanted)
                .last()
                .unwrap_or(finest),
        };
        Self { origin, window_ns }
    }

    /// When the scenario's clock shows zero.
    pub(super) const fn origin(self) -> Instant {
        self.origin
    }

    /// Length of a window.
    pub(super) const fn window_ns(self) -> u64 {
        self.window_ns
    }

    /// The window of `at`; what lies outside the run belongs to its first or last one.
    pub(super) fn index(self, at: Instant) -> usize {
        let since = at.as_nanos().saturating_sub(self.origin.as_nanos());
        (since / self.window_ns).min(WINDOWS_MAX - 1) as usize
    }

    /// Windows begun in a run of this length in nanoseconds.
    pub(super) fn windows(self, length: u64) -> usize {
        length.div_ceil(self.window_ns).clamp(1, WINDOWS_MAX) as usize
    }
}

/// Counts and latencies of one thing over time.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    cut: Cut,
    windows: Vec<Window>,
}

#[derive(Clone, Debug, Default)]
struct Window {
    requests: u64,
    failed: u64,
    attempts: u64,
    latency: Buckets,
}

impl Windows {
    pub(super) fn new(cut: Cut) -> Self {
        Self {
            cut,
            windows: Vec::new(),
        }
    }

    fn at(&mut self, start: Instant) -> &mut Window {
        let index = self.cut.index(start);
        if index >= self.windows.len() {
            self.windows.resize_with(index + 1, Window::default);
        }
        &mut self.windows[index]
    }

    /// A request began at `start`.
    pub(super) fn begun(&mut self, start: Instant) {
        self.at(start).requests += 1;
    }

    /// So many attempts were made for the request that began at `start`, whenever each of them was made: counted where
    /// the request is, they can be no more for each than its retries allow.
    pub(super) fn attempts(&mut self, start: Instant, made: u64) {
        self.at(start).attempts += made;
    }

    /// The request that began at `start` ended; `latency` in nanoseconds if it was answered.
    pub(super) fn ended(&mut self, start: Instant, failed: bool, latency: Option<u64>) {
        let window = self.at(start);
        window.failed += u64::from(failed);
        if let Some(nanos) = latency {
            window.latency.record(nanos);
        }
    }

    /// As columns, one entry for every window begun in a run of this length in nanoseconds.
    pub(super) fn told(&self, length: u64) -> Series {
        let count = self.cut.windows(length).max(self.windows.len());
        let idle = Window::default();
        let windows = || (0..count).map(|i| self.windows.get(i).unwrap_or(&idle));
        let mut attempts: Vec<u64> = windows().map(|w| w.attempts).collect();
        if attempts.iter().all(|n| *n == 0) {
            attempts.clear();
        }
        let quantile = |q| move |w: &Window| w.latency.quantile(q).map(millis);
        Series {
            window_s: seconds(self.cut.window_ns),
            requests: windows().map(|w| w.requests).collect(),
            failed: windows().map(|w| w.failed).collect(),
            attempts,
            p50_ms: windows().map(quantile(0.5)).collect(),
            p99_ms: windows().map(quantile(0.99)).collect(),
        }
    }
}

/// Buckets of a heat map to one bucket here: eight to the octave, each a twelfth of its value wide at most.
const HEAT_BITS: u32 = OCTAVE_BITS - 3;

impl Windows {
    /// The latencies of each of so many windows, coarsely.
    pub(super) fn heat(&self, windows: usize) -> Heat {
        let coarse = |bucket: u16| bucket >> HEAT_BITS;
        let all = || self.windows.iter().flat_map(|window| &window.latency.0);
        let least = all().map(|(bucket, _)| coarse(*bucket)).min().unwrap_or(0);
        let most = all().map(|(bucket, _)| coarse(*bucket) + 1).max();
        let mut counts: Vec<Vec<[u32; 2]>> = Vec::with_capacity(windows);
        for window in &self.windows {
            let mut merged: Vec<[u32; 2]> = Vec::new();
            for (bucket, n) in &window.latency.0 {
                let bucket = u32::from(coarse(*bucket) - least);
                match merged.last_mut().filter(|last| last[0] == bucket) {
                    Some(last) => last[1] = last[1].saturating_add(*n),
                    None => merged.push([bucket, *n]),
                }
            }
            counts.push(merged);
        }
        counts.resize(windows.max(counts.len()), Vec::new());
        let floors = least..most.unwrap_or(least);
        Heat {
            floors_ms: floors.map(|b| millis(bounds(b << HEAT_BITS).0)).collect(),
            counts,
        }
    }

    /// A quantile of each of so many windows.
    pub(super) fn quantiles(&self, q: f64, windows: usize) -> Vec<Option<f64>> {
        let told = self
            .windows
            .iter()
            .map(|w| w.latency.quantile(q).map(millis));
        let mut told: Vec<Option<f64>> = told.collect();
        told.resize(windows.max(told.len()), None);
        told
    }
}

/// A histogram of the buckets in use, by bucket.
#[derive(Clone, Debug, Default)]
struct Buckets(Vec<(u16, u32)>);

impl Buckets {
    fn record(&mut self, nanos: u64) {
        let bucket = bucket(nanos);
        match self.0.binary_search_by_key(&bucket, |(b, _)| *b) {
            Ok(i) => self.0[i].1 = self.0[i].1.saturating_add(1),
            Err(i) => self.0.insert(i, (bucket, 1)),
        }
    }

    /// By nearest rank.
    fn quantile(&self, q: f64) -> Option<u64> {
        let total: u64 = self.0.iter().map(|(_, n)| u64::from(*n)).sum();
        let rank = ((q * total as f64).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, n) in &self.0 {
            seen += u64::from(*n);
            if seen >= rank {
                let (low, high) = bounds(*bucket);
                return Some(roundest(low, high));
            }
        }
        None
    }
}

/// Values below 2⁸ are their own bucket; above, the leading eight bits tell.
pub(super) fn bucket(nanos: u64) -> u16 {
    let shift = (63 - (nanos | 1).leading_zeros()).saturating_sub(OCTAVE_BITS);
    ((u64::from(shift) << OCTAVE_BITS) + (nanos >> shift)) as u16
}

/// The least and the largest value of a bucket.
pub(super) fn bounds(bucket: u16) -> (u64, u64) {
    let bucket = u64::from(bucket);
    let shift = (bucket >> OCTAVE_BITS).saturating_sub(1);
    let lowest = (bucket - (shift << OCTAVE_BITS)) << shift;
    (lowest, lowest + ((1 << shift) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn window(seconds: f64) -> f64 {
        Cut::of(Duration::from_secs_f64(seconds), Instant::ZERO).window_ns as f64 / 1e9
    }

    #[test]
    fn a_run_has_at_most_600_windows() {
        for (run, length) in [
            (1.0, 0.01),
            (10.0, 0.1),
            (60.0, 1.0),
            (600.0, 1.0),
            (601.0, 2.0),
            (3_600.0, 10.0),
            (86_400.0, 300.0),
            (30.0 * 86_400.0, 4_320.0),
        ] {
            assert_eq!(window(run), length, "a run of {run} s");
        }
    }

    #[test]
    fn a_request_belongs_to_the_window_of_its_start() {
        let origin = Instant::from_nanos(10_000_000_000);
        let mut windows = Windows::new(Cut::of(Duration::from_secs(60), origin));
        let start = Instant::from_nanos(11_500_000_000);
        windows.begun(start);
        windows.ended(start, true, Some(9_000_000_000));
        let told = windows.told(4_000_000_000);
        assert_eq!(told.requests, [0, 1, 0, 0]);
        assert_eq!(told.failed, [0, 1, 0, 0]);
        assert!(told.attempts.is_empty());
        let p50 = told.p50_ms[1].unwrap();
        assert!((p50 - 9_000.0).abs() < 90.0, "{p50}");
    }

    #[test]
    fn what_comes_after_the_last_window_is_not_lost() {
        let mut windows = Windows::new(Cut::of(Duration::from_secs(600), Instant::ZERO));
        windows.begun(Instant::NEVER);
        let told = windows.told(600_000_000_000);
        assert_eq!(told.requests.len(), 600);
        assert_eq!(told.requests[599], 1);
    }

    proptest! {
        #[test]
        fn a_bucket_is_within_a_hundredth(nanos in 0..=u64::MAX) {
            let (low, high) = bounds(bucket(nanos));
            prop_assert!((low..=high).contains(&nanos), "{low}..={high} for {nanos}");
            prop_assert!((high - low) as f64 <= low as f64 * 0.008, "{low}..={high}");
        }

        #[test]
        fn buckets_keep_the_order(a in any::<u64>(), b in any::<u64>()) {
            prop_assert!(bucket(a.min(b)) <= bucket(a.max(b)));
        }
    }
}
