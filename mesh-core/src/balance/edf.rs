//! Earliest deadline first: weighted round robin without bursts.
//!
//! Every entry has a deadline; the earliest is picked and gets a new one,
//! `1 / weight` later. Equal deadlines go first in, first out. Weights 3:1:1
//! give `a a b c a`, again and again (Envoy's `edf_scheduler.h`).
//!
//! Deadlines are 64.64 fixed-point numbers: sums are exact, so the ratio holds
//! over any run, where accumulated floating-point error would in time swap
//! entries that are due together.

use std::collections::BinaryHeap;

/// One unit of virtual time: an entry of weight 1 is picked once in it.
const UNIT: f64 = 18_446_744_073_709_551_616.0; // 2^64

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    deadline: u128,
    order: u64,
    index: usize,
}

impl Ord for Entry {
    /// Reversed: the heap's greatest is the earliest deadline.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.deadline, other.order).cmp(&(self.deadline, self.order))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// A schedule over the indices of a list.
#[derive(Debug)]
pub(super) struct Edf {
    heap: BinaryHeap<Entry>,
    order: u64,
}

impl Edf {
    /// A schedule of entries with `weights`, entered at a point that `seed`
    /// decides, so that many proxies do not all begin with the first entry.
    pub(super) fn new(weights: &[f64], seed: u64) -> Self {
        let start = u128::from(seed); // up to one unit of time: one round of whole weights
        let heap = weights.iter().enumerate().map(|(index, &weight)| {
            let step = interval(weight);
            Entry {
                deadline: (start / step + 1) * step,
                order: index as u64,
                index,
            }
        });
        let mut edf = Self {
            heap: heap.collect(),
            order: weights.len() as u64,
        };
        // Equal weights are all due together: also begin somewhere among them.
        let skipped = (u128::from(seed.rotate_left(32)) * weights.len() as u128) >> 64;
        for _ in 0..skipped {
            edf.pick(|index| weights[index]);
        }
        edf
    }

    /// The next entry, which then gets the weight that `weight` says.
    pub(super) fn pick(&mut self, weight: impl FnOnce(usize) -> f64) -> Option<usize> {
        let mut entry = self.heap.peek_mut()?;
        let index = entry.index;
        entry.deadline = entry.deadline.saturating_add(interval(weight(index)));
        entry.order = self.order;
        self.order += 1;
        Some(index) // dropping `entry` moves it to its new place
    }
}

/// Virtual time between two picks of an entry.
fn interval(weight: f64) -> u128 {
    // The cast saturates, and a weight of zero or NaN becomes the least there is.
    ((UNIT / weight.max(1e-9)) as u128).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn picks(weights: &[f64], seed: u64, n: usize) -> Vec<usize> {
        let mut edf = Edf::new(weights, seed);
        (0..n).map(|_| edf.pick(|i| weights[i]).unwrap()).collect()
    }

    #[test]
    fn three_to_one_to_one_is_exact_in_every_window() {
        // Recorded from Envoy 1.40.0 (lb_weighted_rr): rotations of aaabc, 3:1:1 in every 5.
        for seed in [0, 1 << 60, 0x9E37_79B9_7F4A_7C15, u64::MAX] {
            let run = picks(&[3.0, 1.0, 1.0], seed, 20_000);
            for window in run.windows(5) {
                let a = window.iter().filter(|i| **i == 0).count();
                let b = window.iter().filter(|i| **i == 1).count();
                assert_eq!((a, b), (3, 1), "seed {seed}: {window:?}");
            }
        }
    }

    #[test]
    fn equal_weights_begin_anywhere() {
        let begins: std::collections::BTreeSet<usize> = (0..64u64)
            .map(|k| picks(&[1.0; 3], k.wrapping_mul(0x9E37_79B9_7F4A_7C15), 1)[0])
            .collect();
        assert_eq!(begins.len(), 3);
    }

    #[test]
    fn no_entries_no_pick() {
        assert_eq!(Edf::new(&[], 7).pick(|_| 1.0), None);
    }

    proptest! {
        /// In any run, an entry's share differs from its due by at most one round's rounding.
        #[test]
        fn shares_follow_weights(
            weights in prop::collection::vec(1u32..50, 1..8),
            seed: u64,
            n in 1usize..2000,
        ) {
            let float: Vec<f64> = weights.iter().copied().map(f64::from).collect();
            let total: f64 = float.iter().sum();
            let run = picks(&float, seed, n);
            for (index, weight) in float.iter().enumerate() {
                let got = run.iter().filter(|i| **i == index).count() as f64;
                let due = n as f64 * weight / total;
                prop_assert!((got - due).abs() <= 1.0 + weights.len() as f64, "{got} for {due}");
            }
        }

        #[test]
        fn absurd_weights_do_no_harm(weight in prop::num::f64::ANY, seed: u64) {
            let mut edf = Edf::new(&[weight, 1.0], seed);
            for _ in 0..10 {
                prop_assert!(edf.pick(|_| weight).is_some());
            }
        }
    }
}
