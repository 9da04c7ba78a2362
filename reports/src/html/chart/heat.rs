//! A heat map of latencies: time across, latency upwards on a scale of powers of ten, depth by how many.

use crate::record::Heat;

/// The widest that a map is drawn, in columns: beyond, neighbouring windows are counted together.
const COLUMNS_MAX: usize = 200;

/// How many requests took how long, in columns of time.
#[derive(Clone, Debug)]
pub(crate) struct HeatMap {
    /// The least latency of each bucket in milliseconds, ascending, and the end of the last.
    pub(super) floors_ms: Vec<f64>,
    /// For each column what is in its buckets.
    pub(super) columns: Vec<Vec<(usize, u64)>>,
    /// How many windows make one column.
    pub(super) windows: usize,
    /// The most in one cell.
    pub(super) most: u64,
}

impl HeatMap {
    /// Of `heat`, the longest latency in which is `longest_ms` where that is known; `None` when nothing is in it.
    pub(crate) fn new(heat: &Heat, longest_ms: Option<f64>) -> Option<Self> {
        let buckets = heat.floors_ms.len();
        let used = |[bucket, n]: &&[u32; 2]| *n > 0 && (*bucket as usize) < buckets;
        let all = || heat.counts.iter().flatten().filter(used);
        let low = all().map(|[bucket, _]| *bucket as usize).min()?;
        let high = all().map(|[bucket, _]| *bucket as usize).max()?;
        let mut floors_ms: Vec<f64> = heat.floors_ms[low..=high].to_vec();
        floors_ms.push(end(heat, high, longest_ms));
        let windows = heat.counts.len().div_ceil(COLUMNS_MAX).max(1);
        let columns: Vec<Vec<(usize, u64)>> = heat
            .counts
            .chunks(windows)
            .map(|chunk| {
                let mut sums = vec![0_u64; high - low + 1];
                for [bucket, n] in chunk.iter().flatten().filter(used) {
                    sums[*bucket as usize - low] += u64::from(*n);
                }
                let sums = sums.into_iter().enumerate();
                sums.filter(|(_, n)| *n > 0).collect()
            })
            .collect();
        let most = columns.iter().flatten().map(|(_, n)| *n).max()?;
        Some(Self {
            floors_ms,
            columns,
            windows,
            most,
        })
    }

    /// How deep a cell with `n` is, from 0 to `levels`: by orders of magnitude, for a few slow ones among
    /// thousands are what one looks for.
    pub(super) fn level(&self, n: u64, levels: u8) -> u8 {
        let (n, most) = (n.max(1) as f64, self.most.max(2) as f64);
        let depth = libm::log(n) / libm::log(most) * f64::from(levels);
        (depth.round() as u8).min(levels)
    }
}

/// Where the `top` bucket ends, which nothing lies above: at the longest latency, or else where its histogram ends it.
/// Buckets of a histogram (Tene, HdrHistogram) are twice as wide an octave further up.
fn end(heat: &Heat, top: usize, longest_ms: Option<f64>) -> f64 {
    let floors = &heat.floors_ms;
    let floor = floors[top];
    let next = floors.get(top + 1).copied();
    let octave_below = || {
        let half = |pair: &&[f64]| (pair[0] * 2.0 - floor).abs() <= floor * 1e-9;
        let pair = floors[..=top].windows(2).find(half)?;
        Some(floor + 2.0 * (pair[1] - pair[0]))
    };
    let bound = next.or_else(octave_below).unwrap_or(floor * 2.0);
    let longest = longest_ms.filter(|ms| *ms > floor);
    longest.map_or(bound, |ms| ms.min(bound))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_counted_together_and_none_is_lost() {
        let heat = Heat {
            floors_ms: vec![1.0, 2.0, 4.0, 8.0],
            counts: (0..450).map(|i| vec![[1, 2], [i % 2 + 2, 1]]).collect(),
        };
        let map = HeatMap::new(&heat, None).unwrap();
        assert_eq!((map.windows, map.columns.len()), (3, 150));
        assert_eq!(map.floors_ms, [2.0, 4.0, 8.0, 16.0]);
        let all: u64 = map.columns.iter().flatten().map(|(_, n)| n).sum();
        assert_eq!(all, 450 * 3);
        assert_eq!((map.level(1, 5), map.level(map.most, 5)), (0, 5));
        assert!(HeatMap::new(&Heat::default(), None).is_none());
    }

    #[test]
    fn the_top_row_ends_at_the_longest_latency() {
        // Four buckets to the octave from 1 ms on, the last in use from 1,792 ms to 2,048 ms.
        let floor = |i: i32| f64::from(1 << (i / 4)) * (1.0 + f64::from(i % 4) / 4.0);
        let heat = Heat {
            floors_ms: (0..44).map(floor).collect(),
            counts: vec![vec![[40, 5], [43, 2]]],
        };
        let top = |longest_ms| {
            *HeatMap::new(&heat, longest_ms)
                .unwrap()
                .floors_ms
                .last()
                .unwrap()
        };
        assert_eq!(top(Some(2_000.0)), 2_000.0);
        assert_eq!(top(None), 2_048.0, "where its bucket ends");
        assert_eq!(top(Some(9_000.0)), 2_048.0, "nothing longer is in it");
        let heat = Heat {
            counts: vec![vec![[40, 5]]],
            ..heat
        };
        let map = HeatMap::new(&heat, Some(1_279.0)).unwrap();
        assert_eq!(map.floors_ms, [1_024.0, 1_279.0]);
    }

    #[test]
    fn a_bucket_that_is_not_there_is_not_drawn() {
        let heat = Heat {
            floors_ms: vec![1.0],
            counts: vec![vec![[7, 3]]],
        };
        assert!(HeatMap::new(&heat, None).is_none());
    }
}
