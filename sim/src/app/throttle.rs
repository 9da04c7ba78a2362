//! A processor that is taken away for a part of each period.
//!
//! Linux gives a group of processes a quota of processor time per period
//! (`cpu.cfs_quota_us` and `cpu.cfs_period_us`, 100 ms by default; kernel docs,
//! "CFS Bandwidth Control"); once it is used up, all of them stand still until
//! the next period. A busy app uses up its quota at the beginning of each
//! period, so it runs for the first `quota` of it and stands still for the
//! rest. That is the model here, exact in virtual time: work goes on only in
//! the running part of a period, whoever does it. What it leaves out: an app
//! that is idle saves no quota, and several workers do not use it up sooner.

use std::rc::Rc;
use std::time::Duration;

use mesh_core::seam::Instant;

use super::lever::Lever;
use crate::plan::AppEffect;

/// When an app may run: for the first `quota` nanoseconds of each `period`, counted from `since`.
pub(super) struct Throttle {
    since: u64,
    quota: u64,
    period: u64,
    lever: Rc<Lever>,
}

impl Throttle {
    /// What a fault of this kind makes of an app.
    pub(super) fn of(lever: &Rc<Lever>) -> Option<Self> {
        let AppEffect::Throttle { quota, period } = lever.effect else {
            return None;
        };
        let period = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX).max(1);
        let share = u128::from(period) * u128::from(quota.ppm()) / 1_000_000;
        Some(Self {
            since: lever.since.as_nanos(),
            quota: (share as u64).max(1),
            period,
            lever: lever.clone(),
        })
    }

    /// Time run from `since` until `at`.
    fn run_until(&self, at: Instant) -> u64 {
        let span = at.as_nanos().saturating_sub(self.since);
        (span / self.period) * self.quota + (span % self.period).min(self.quota)
    }

    /// How much work is done from `from` to `to`.
    pub(super) fn done(&self, from: Instant, to: Instant) -> Duration {
        Duration::from_nanos(self.run_until(to).saturating_sub(self.run_until(from)))
    }

    /// When work is done that begins at `from` and needs `work`. Even no work waits until the app runs.
    pub(super) fn ends(&self, from: Instant, work: Duration) -> Instant {
        let work = u64::try_from(work.as_nanos()).unwrap_or(u64::MAX);
        let total = self.run_until(from).saturating_add(work);
        let (periods, rest) = match (total / self.quota, total % self.quota) {
            // Work that ends with the quota ends before the pause; no work at all waits for the end of one.
            (full, 0) if work > 0 => (full - 1, self.quota),
            (full, rest) => (full, rest),
        };
        let end = self
            .since
            .saturating_add(periods.saturating_mul(self.period))
            .saturating_add(rest);
        Instant::from_nanos(end.max(from.as_nanos()))
    }

    /// A request ends later because of this.
    pub(super) fn touch(&self) {
        self.lever.touch(1);
    }
}

#[cfg(test)]
mod tests {
    use mesh_core::policy::Fraction;
    use mesh_core::seam::Rng;
    use proptest::prelude::*;

    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn at(time: u64) -> Instant {
        Instant::ZERO + ms(time)
    }

    /// Runs for 20 ms of every 100 ms, from 1000 ms on.
    fn throttle() -> Throttle {
        let effect = AppEffect::Throttle {
            quota: Fraction::from_percent(20.0).unwrap(),
            period: ms(100),
        };
        let lever = Lever::new(effect, at(1000), 1.0, Rng::named(1, "t"));
        Throttle::of(&Rc::new(lever)).unwrap()
    }

    #[test]
    fn work_goes_on_only_in_the_running_part() {
        let throttle = throttle();
        for (from, work, end) in [
            (1000, 5, 1005),
            (1000, 20, 1020),
            (1000, 21, 1101),
            (1010, 15, 1105),
            (1020, 1, 1101),
            (1050, 20, 1120),
            (1050, 0, 1100),
            (1010, 0, 1010),
            (1000, 50, 1210),
        ] {
            assert_eq!(throttle.ends(at(from), ms(work)), at(end), "{from} {work}");
        }
    }

    proptest! {
        /// What is done until the end is the work, and a nanosecond before it was not.
        #[test]
        fn the_end_is_the_first_instant_at_which_the_work_is_done(
            from in 1_000_000_000u64..3_000_000_000,
            work in 1u64..500_000_000,
        ) {
            let throttle = throttle();
            let (from, work) = (Instant::from_nanos(from), Duration::from_nanos(work));
            let end = throttle.ends(from, work);
            prop_assert_eq!(throttle.done(from, end), work);
            let before = Instant::from_nanos(end.as_nanos() - 1);
            prop_assert!(throttle.done(from, before) < work);
        }
    }
}
