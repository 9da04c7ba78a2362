//! How many of some spans of time overlap, span by span.
//!
//! Spans come in the order of their ends. Each is put into a lane whose last
//! span ended no later than it begins, the latest such lane, or into a new one.
//! Taken so, no more lanes are needed than spans overlap anywhere (interval
//! partitioning; for this order Faigle and Nawijn, *Note on scheduling intervals
//! on-line*, Discrete Applied Mathematics 58, 1995). So a limit on what may go
//! on at once is broken exactly when the lanes outnumber it.

use std::collections::BTreeMap;

use mesh_core::seam::Instant;

/// Lanes by the end of their last span.
#[derive(Clone, Debug, Default)]
pub(super) struct Lanes {
    ends: BTreeMap<Instant, u32>,
    count: u32,
}

impl Lanes {
    /// Takes a span, and tells how many lanes there are now.
    pub(super) fn take(&mut self, from: Instant, to: Instant) -> u32 {
        let free = self.ends.range(..=from).next_back().map(|(end, _)| *end);
        match free {
            Some(end) => self.leave(end),
            None => self.count += 1,
        }
        *self.ends.entry(to.max(from)).or_default() += 1;
        self.count
    }

    /// The most spans that overlapped so far.
    pub(super) const fn most(&self) -> u32 {
        self.count
    }

    fn leave(&mut self, end: Instant) {
        if let Some(lanes) = self.ends.get_mut(&end) {
            *lanes -= 1;
            if *lanes == 0 {
                self.ends.remove(&end);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    #[test]
    fn one_after_the_other_is_one_lane() {
        let mut lanes = Lanes::default();
        assert_eq!(lanes.take(at(0), at(5)), 1);
        assert_eq!(lanes.take(at(5), at(9)), 1);
        assert_eq!(lanes.take(at(8), at(10)), 2);
    }

    proptest! {
        /// Against counting at every instant.
        #[test]
        fn lanes_are_as_many_as_spans_overlap(
            spans in prop::collection::vec((0u64..40, 1u64..15), 0..60),
        ) {
            let mut spans: Vec<(u64, u64)> = spans.into_iter().map(|(from, n)| (from, from + n)).collect();
            spans.sort_by_key(|(_, to)| *to);
            let open = |t: u64| spans.iter().filter(|(from, to)| *from <= t && t < *to).count();
            let most = (0..60).map(open).max().unwrap_or(0);
            let mut lanes = Lanes::default();
            for (from, to) in &spans {
                lanes.take(at(*from), at(*to));
            }
            prop_assert_eq!(lanes.most() as usize, most);
        }
    }
}
