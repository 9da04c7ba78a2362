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
    /// Of `heat`; `None` when nothing is in it.
    pub(crate) fn new(heat: &Heat) -> Option<Self> {
        let buckets = heat.floors_ms.len();
        let used = |[bucket, n]: &&[u32; 2]| *n > 0 && (*bucket as usize) < buckets;
        let all = || heat.counts.iter().flatten().filter(used);
        let low = all().map(|[bucket, _]| *bucket as usize).min()?;
        let high = all().map(|[bucket, _]| *bucket as usize).max()?;
        let mut floors_ms: Vec<f64> = heat.floors_ms[low..=high].to_vec();
        let end = heat.floors_ms.get(high + 1).copied();
        floors_ms.push(end.unwrap_or(heat.floors_ms[high] * 2.0));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_counted_together_and_none_is_lost() {
        let heat = Heat {
            floors_ms: vec![1.0, 2.0, 4.0, 8.0],
            counts: (0..450).map(|i| vec![[1, 2], [i % 2 + 2, 1]]).collect(),
        };
        let map = HeatMap::new(&heat).unwrap();
        assert_eq!((map.windows, map.columns.len()), (3, 150));
        assert_eq!(map.floors_ms, [2.0, 4.0, 8.0, 16.0]);
        let all: u64 = map.columns.iter().flatten().map(|(_, n)| n).sum();
        assert_eq!(all, 450 * 3);
        assert_eq!((map.level(1, 5), map.level(map.most, 5)), (0, 5));
        assert!(HeatMap::new(&Heat::default()).is_none());
    }

    #[test]
    fn a_bucket_that_is_not_there_is_not_drawn() {
        let heat = Heat {
            floors_ms: vec![1.0],
            counts: vec![vec![[7, 3]]],
        };
        assert!(HeatMap::new(&heat).is_none());
    }
}
