//! Tries that a client makes by itself, whatever the mesh does.
//!
//! A request of a source stays one request, whose latency counts from its first
//! try; to the mesh each try is a request of its own. The waits between tries
//! grow as exponential back-off does, and vary by one of the ways that Brooker
//! compares ("Exponential Backoff And Jitter", AWS Architecture Blog, 2015).

use std::rc::Rc;
use std::time::Duration;

use mesh_core::seam::Rng;

use super::knobs::SourceLever;
use super::source::Source;
use crate::plan::{Jitter, RetryPlan, SourceEffect};

impl Source {
    /// How its client tries now, and the fault that makes it so.
    pub(super) fn retries(&self) -> (RetryPlan, Option<Rc<SourceLever>>) {
        let lever = self
            .knobs
            .find(|effect| matches!(effect, SourceEffect::Retries(_)));
        match lever.as_ref().map(|lever| &lever.effect) {
            Some(SourceEffect::Retries(plan)) => (*plan, lever),
            _ => (self.client_plan.retries, None),
        }
    }
}

/// The tries of one request.
pub(super) struct Waits {
    /// So far, with the one that is under way.
    pub(super) tries: u32,
    luck: u64,
    rng: Option<Rng>,
    last: Duration,
}

impl Waits {
    /// A first try is under way. All waits are made of `luck`, so that those of one request shift no other's.
    pub(super) fn new(luck: u64) -> Self {
        Self {
            tries: 1,
            luck,
            rng: None,
            last: Duration::ZERO,
        }
    }

    /// The wait before the next try, which is then under way.
    pub(super) fn next(&mut self, plan: &RetryPlan) -> Duration {
        let doublings = (self.tries - 1).min(30);
        let whole = plan.backoff.saturating_mul(1 << doublings);
        let whole = whole.min(plan.backoff_max);
        self.tries += 1;
        let luck = self.luck;
        let rng = self.rng.get_or_insert_with(|| seeded(luck));
        let mut between = |low: Duration, high: Duration| {
            let nanos = high.saturating_sub(low).as_nanos();
            let more = (u128::from(rng.bits()) * (nanos + 1)) >> 64;
            low + Duration::from_nanos(more as u64)
        };
        let wait = match plan.jitter {
            Jitter::None => whole,
            Jitter::Full => between(Duration::ZERO, whole),
            Jitter::Equal => between(whole / 2, whole),
            Jitter::Decorrelated => {
                let last = self.last.max(plan.backoff);
                between(plan.backoff, last.saturating_mul(3)).min(plan.backoff_max)
            }
        };
        self.last = wait;
        wait
    }
}

fn seeded(luck: u64) -> Rng {
    let mut seed = [0; 32];
    for (chunk, number) in seed.chunks_mut(8).zip(1u64..) {
        chunk.copy_from_slice(&luck.wrapping_mul(2 * number + 1).to_le_bytes());
    }
    Rng::from_seed(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(jitter: Jitter, luck: u64) -> Vec<u64> {
        let plan = RetryPlan {
            tries: 6,
            backoff: Duration::from_millis(100),
            backoff_max: Duration::from_millis(1000),
            jitter,
        };
        let mut waits = Waits::new(luck);
        (0..5)
            .map(|_| waits.next(&plan).as_millis() as u64)
            .collect()
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        assert_eq!(waits(Jitter::None, 1), [100, 200, 400, 800, 1000]);
    }

    #[test]
    fn jitter_keeps_within_its_bounds_and_has_its_mean() {
        let mut sums = [0u64; 3];
        for luck in 0..2000 {
            // Lucks are uniform words: spread them.
            let luck = Rng::named(luck, "luck").bits();
            let [full, equal, decorrelated] =
                [Jitter::Full, Jitter::Equal, Jitter::Decorrelated].map(|j| waits(j, luck));
            for (place, whole) in [100, 200, 400, 800, 1000].into_iter().enumerate() {
                assert!(full[place] <= whole);
                assert!((whole / 2..=whole).contains(&equal[place]));
            }
            let mut last = 100;
            for wait in &decorrelated {
                assert!(
                    (100..=(last * 3 + 3).min(1000)).contains(wait),
                    "{decorrelated:?}"
                );
                last = *wait;
            }
            sums[0] += full[0];
            sums[1] += equal[0];
            sums[2] += decorrelated[0];
        }
        // Means 50, 75 and 200; standard errors 0.65, 0.32 and 1.3 (and half a millisecond cut off).
        for (sum, mean) in sums.into_iter().zip([49.5, 74.5, 199.5]) {
            let found = sum as f64 / 2000.0;
            assert!((found - mean).abs() < 7.0, "{found} {mean}");
        }
    }
}
