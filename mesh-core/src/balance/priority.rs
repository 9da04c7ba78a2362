//! How load spreads over locality priorities, and when a priority panics.
//!
//! The arithmetic is Envoy's, integer percent by integer percent
//! (`recalculatePerPriorityState`, `recalculatePerPriorityPanic` and
//! `recalculateLoadInTotalPanic` in `load_balancer_impl.cc`):
//!
//! - *health* of a priority = min(100, 140 × healthy / all); the factor 1.4 is
//!   the overprovisioning every service is assumed to have;
//! - priorities take load in order, each at most its health, scaled up when the
//!   sum of healths is below 100; the rest of the rounding goes to the first
//!   priority that has any health;
//! - a sum of 100 or more never panics, however bad a single priority is;
//!   below that a priority panics when its healthy share is under the threshold;
//! - when all panic, load follows the number of endpoints, healthy or not.

/// Envoy's default `overprovisioning_factor`, in percent.
pub(super) const OVERPROVISIONING_PERCENT: u64 = 140;

/// The endpoints of one priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Census {
    /// All endpoints.
    pub(super) endpoints: u64,
    /// Those that are available.
    pub(super) healthy: u64,
}

impl Census {
    fn health(self) -> u64 {
        let scaled = OVERPROVISIONING_PERCENT * self.healthy;
        scaled.checked_div(self.endpoints).unwrap_or(0).min(100)
    }

    fn below(self, panic_threshold: u64) -> bool {
        // Without endpoints the healthy share counts as 0 %, as in Envoy.
        100 * self.healthy < panic_threshold * self.endpoints
            || (self.endpoints == 0 && panic_threshold > 0)
    }
}

/// Percentages of load and panic, by priority.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spread {
    health: Vec<u64>,
    load: Vec<u64>,
    panic: Vec<bool>,
}

impl Spread {
    /// The spread over the priorities in `census`, first to last.
    pub(super) fn new(census: &[Census], panic_threshold_percent: u32) -> Self {
        let threshold = u64::from(panic_threshold_percent.min(100));
        let health: Vec<u64> = census.iter().map(|c| c.health()).collect();
        let total = health.iter().sum::<u64>().min(100);
        let mut panic = vec![false; census.len()];
        if total < 100 {
            for (panics, priority) in panic.iter_mut().zip(census) {
                *panics = priority.below(threshold);
            }
        }
        let load = if !panic.is_empty() && panic.iter().all(|panics| *panics) {
            by_endpoints(census)
        } else {
            by_health(&health)
        };
        Self {
            health,
            load,
            panic,
        }
    }

    /// Whether the priority uses every endpoint it has.
    pub(super) fn panics(&self, priority: usize) -> bool {
        self.panic.get(priority).copied().unwrap_or(false)
    }

    /// Whether one priority gets everything, so that no draw is needed.
    pub(super) fn sole(&self) -> Option<usize> {
        self.load.iter().position(|load| *load == 100)
    }

    /// The priority that `roll`, uniform in `0..100`, falls on.
    pub(super) fn choose(&self, roll: u64) -> usize {
        choose(&self.load, roll)
    }

    /// As [`Self::choose`], over the priorities that `avoid` does not name as
    /// long as any of them is healthy (Envoy's `previous_priorities` plugin).
    pub(super) fn choose_avoiding(&self, avoid: impl Fn(usize) -> bool, roll: u64) -> usize {
        let mut health = self.health.clone();
        for (priority, value) in health.iter_mut().enumerate() {
            if avoid(priority) {
                *value = 0;
            }
        }
        if health.iter().all(|value| *value == 0) {
            return self.choose(roll);
        }
        choose(&by_health(&health), roll)
    }
}

fn choose(load: &[u64], roll: u64) -> usize {
    let mut sum = 0;
    for (priority, share) in load.iter().enumerate() {
        sum += share;
        if roll < sum {
            return priority;
        }
    }
    0
}

fn by_health(health: &[u64]) -> Vec<u64> {
    let mut load = vec![0; health.len()];
    let total = health.iter().sum::<u64>().min(100);
    let mut left = 100;
    for (share, health) in load.iter_mut().zip(health) {
        *share = (health * 100).checked_div(total).unwrap_or(0).min(left);
        left -= *share;
    }
    // The rest is rounding, or all of it when nothing is healthy and nothing
    // panics: then nothing can be picked, whichever priority it falls on.
    let first = health.iter().position(|h| *h > 0).unwrap_or(0);
    if let Some(share) = load.get_mut(first) {
        *share += left;
    }
    load
}

fn by_endpoints(census: &[Census]) -> Vec<u64> {
    let total: u64 = census.iter().map(|c| c.endpoints).sum();
    let share = |c: &Census| (100 * c.endpoints).checked_div(total).unwrap_or(0);
    let mut load: Vec<u64> = census.iter().map(share).collect();
    let left = 100 - load.iter().sum::<u64>();
    let first = census.iter().position(|c| c.endpoints > 0).unwrap_or(0);
    if let Some(share) = load.get_mut(first) {
        *share += left;
    }
    load
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spread(healthy: &[(u64, u64)], threshold: u32) -> Spread {
        let census: Vec<Census> = healthy
            .iter()
            .map(|&(healthy, endpoints)| Census { endpoints, healthy })
            .collect();
        Spread::new(&census, threshold)
    }

    #[test]
    fn spills_as_envoy_spills() {
        // lb_priority_failover, Envoy 1.40.0: 10 endpoints first, 4 second.
        for (bad, second) in [(0, 0), (2, 0), (3, 2), (5, 30), (7, 58), (9, 86), (10, 100)] {
            for threshold in [0, 50] {
                let spread = spread(&[(10 - bad, 10), (4, 4)], threshold);
                assert_eq!(spread.load[1], second, "{bad} bad");
                assert!(!spread.panics(0), "enough health in sum: no panic");
            }
        }
    }

    #[test]
    fn local_share_by_health() {
        // The rule of 1.4 at healthy 71, 60, 50, 40, 25 of 100 (Envoy, priority levels).
        for (healthy, local) in [(71, 99), (60, 84), (50, 70), (40, 56), (25, 35)] {
            assert_eq!(spread(&[(healthy, 100), (10, 10)], 50).load[0], local);
        }
    }

    #[test]
    fn all_bad_spreads_by_number_or_not_at_all() {
        let panicking = spread(&[(0, 10), (0, 4)], 50);
        assert_eq!(panicking.load, [72, 28]);
        assert!(panicking.panics(0) && panicking.panics(1));
        let strict = spread(&[(0, 10), (0, 4)], 0);
        assert!(!strict.panics(0) && !strict.panics(1));
    }

    #[test]
    fn panic_is_strictly_below_the_threshold() {
        // hc_panic_threshold, od_panic_partial: 2 of 4 healthy is not yet panic.
        assert!(!spread(&[(2, 4)], 50).panics(0));
        assert!(spread(&[(1, 4)], 50).panics(0));
        assert!(!spread(&[(1, 4)], 0).panics(0));
        assert!(!spread(&[], 50).panics(0));
    }

    #[test]
    fn one_priority_may_panic_while_another_does_not() {
        // 7 % + 70 % healthy: not enough in sum, and only the first is below half.
        let spread = spread(&[(1, 20), (5, 10)], 50);
        assert!(spread.panics(0) && !spread.panics(1));
        assert_eq!(spread.load, [10, 90]); // 7·100/77 = 9, 70·100/77 = 90, rest to the first
    }

    #[test]
    fn retries_may_leave_a_priority() {
        let spread = spread(&[(10, 10), (4, 4)], 50);
        assert_eq!(spread.choose_avoiding(|p| p == 0, 0), 1);
        assert_eq!(spread.choose_avoiding(|_| true, 0), 0);
    }

    proptest! {
        #[test]
        fn load_always_sums_to_a_hundred(
            counts in prop::collection::vec((0u64..30, 0u64..30), 1..6),
            threshold in 0u32..=100,
        ) {
            let counts: Vec<_> = counts.iter().map(|&(a, b)| (a.min(b), b)).collect();
            let spread = spread(&counts, threshold);
            prop_assert_eq!(spread.load.iter().sum::<u64>(), 100);
            for (priority, load) in spread.load.iter().enumerate() {
                let idle = counts[priority].0 == 0 && !spread.panics(priority);
                prop_assert!(*load == 0 || !idle || counts.iter().all(|c| c.0 == 0));
            }
        }
    }
}
