//! Lanes: rows of a trace viewer in which nothing overlaps that is not nested.
//!
//! A viewer draws the slices of a thread as a stack: two may follow each
//! other, or one may lie within the other. A pod does many things at once, so
//! it gets as many lanes as it needs, lowest first. Traces are told when they
//! have ended, not in the order in which they began, so a lane remembers what
//! is taken of it; of the distant past it only remembers that it is past.

use std::collections::BTreeMap;

/// Stretches that a lane remembers.
const REMEMBERED_MAX: usize = 512;

/// The lanes of one pod.
#[derive(Default)]
pub(super) struct Lanes(Vec<Lane>);

#[derive(Default)]
struct Lane {
    /// Everything before is taken.
    begins: u64,
    /// Ends by beginnings.
    taken: BTreeMap<u64, u64>,
}

impl Lanes {
    /// The number of the first lane that is free from `start` to `end`, which it is no longer.
    pub(super) fn take(&mut self, start: u64, end: u64) -> usize {
        // What takes no time still needs a place of its own.
        let end = end.max(start.saturating_add(1));
        let free = self.0.iter().position(|lane| lane.is_free(start, end));
        let index = free.unwrap_or(self.0.len());
        if index == self.0.len() {
            self.0.push(Lane::default());
        }
        self.0[index].take(start, end);
        index
    }
}

impl Lane {
    fn is_free(&self, start: u64, end: u64) -> bool {
        let before = self.taken.range(..end).next_back();
        start >= self.begins && before.is_none_or(|(_, ended)| *ended <= start)
    }

    fn take(&mut self, start: u64, end: u64) {
        self.taken.insert(start, end);
        if self.taken.len() > REMEMBERED_MAX
            && let Some((_, ended)) = self.taken.pop_first()
        {
            self.begins = ended;
        }
    }
}

/// Sorts slices into stacks: in each, any two follow each other or one lies within the other. Returns the stack of each
/// slice, slices in the order given, which must be by beginning, the longer of two first.
pub(super) fn stacks(slices: &[(u64, u64)]) -> Vec<usize> {
    let mut open: Vec<Vec<u64>> = Vec::new();
    let place = |(start, end): &(u64, u64)| {
        for stack in &mut open {
            while stack.last().is_some_and(|ends| ends <= start) {
                stack.pop();
            }
        }
        let fits = |stack: &Vec<u64>| stack.last().is_none_or(|ends| ends >= end);
        let index = open.iter().position(fits).unwrap_or(open.len());
        if index == open.len() {
            open.push(Vec::new());
        }
        open[index].push(*end);
        index
    };
    slices.iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn calls_in_parallel_are_side_by_side() {
        // A call, two within it at once, and one after them.
        let slices = [(0, 100), (10, 50), (20, 60), (70, 80)];
        assert_eq!(stacks(&slices), [0, 0, 1, 0]);
    }

    #[test]
    fn what_began_earlier_may_be_told_later() {
        let mut lanes = Lanes::default();
        assert_eq!(lanes.take(50, 60), 0);
        assert_eq!(lanes.take(10, 40), 0);
        assert_eq!(lanes.take(30, 55), 1);
        assert_eq!(lanes.take(60, 70), 0);
    }

    proptest! {
        #[test]
        fn no_two_in_a_lane_overlap(
            slices in prop::collection::vec((0u64..100_000, 1u64..1_000), 1..2_000),
        ) {
            let mut lanes = Lanes::default();
            let mut taken: Vec<Vec<(u64, u64)>> = Vec::new();
            for (start, length) in slices {
                let lane = lanes.take(start, start + length);
                taken.resize_with(taken.len().max(lane + 1), Vec::new);
                taken[lane].push((start, start + length));
            }
            for mut lane in taken {
                lane.sort_unstable();
                prop_assert!(lane.windows(2).all(|two| two[0].1 <= two[1].0));
            }
        }

        #[test]
        fn a_stack_is_a_stack(
            mut slices in prop::collection::vec((0u64..1_000, 1u64..300), 1..40),
        ) {
            slices.iter_mut().for_each(|slice| slice.1 += slice.0);
            slices.sort_unstable_by_key(|(start, end)| (*start, u64::MAX - end));
            let places = stacks(&slices);
            for (i, a) in slices.iter().enumerate() {
                for (j, b) in slices.iter().enumerate().skip(i + 1) {
                    let apart = a.1 <= b.0;
                    let within = b.1 <= a.1;
                    prop_assert!(places[i] != places[j] || apart || within, "{a:?} {b:?}");
                }
            }
        }
    }
}
