//! Injected faults: one draw for the delay, another for the abort.
//!
//! The two are independent: with 50 % each, a quarter of the requests is
//! delayed and then aborted (case fault_percentages). Both numbers are always
//! drawn, so that the n-th request meets the same luck under another policy.

use std::time::Duration;

use crate::policy::{AbortKind, FaultPolicy, Fraction};
use crate::seam::Rng;

/// What befalls one request: first the delay, then the abort.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultDraw {
    /// Wait this long (`DI`).
    pub delay: Option<Duration>,
    /// Then answer this instead of forwarding (`FI`).
    pub abort: Option<AbortKind>,
}

impl FaultDraw {
    /// Draws for one request.
    pub fn new(policy: &FaultPolicy, rng: &mut Rng) -> Self {
        Self {
            delay: befalls(&policy.delay, rng),
            abort: befalls(&policy.abort, rng),
        }
    }
}

fn befalls<T: Copy>(fault: &Option<(T, Fraction)>, rng: &mut Rng) -> Option<T> {
    let (kind, share) = fault.map_or((None, Fraction::ZERO), |(kind, share)| (Some(kind), share));
    if rng.chance_ppm(share.ppm()) {
        kind
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Origin;

    const DELAY: Duration = Duration::from_millis(20);

    fn policy(delay_ppm: u32, abort_ppm: u32) -> FaultPolicy {
        FaultPolicy {
            delay: Some((DELAY, Fraction::from_ppm(delay_ppm))),
            abort: Some((AbortKind::Http(503), Fraction::from_ppm(abort_ppm))),
            origin: Origin::default_of("test"),
        }
    }

    #[test]
    fn delay_and_abort_are_independent() {
        // fault_percentages: all four combinations at about a quarter.
        let mut rng = Rng::named(1, "fault");
        let mut counts = [0u32; 4];
        for _ in 0..4000 {
            let draw = FaultDraw::new(&policy(500_000, 500_000), &mut rng);
            let place = usize::from(draw.delay.is_some()) + 2 * usize::from(draw.abort.is_some());
            counts[place] += 1;
        }
        // 6 standard deviations of a binomial(4000, 1/4) are 164.
        assert!(counts.iter().all(|c| c.abs_diff(1000) < 164), "{counts:?}");
    }

    #[test]
    fn nothing_and_everything() {
        let mut rng = Rng::named(1, "fault");
        for _ in 0..100 {
            assert_eq!(
                FaultDraw::new(&policy(0, 0), &mut rng),
                FaultDraw::default()
            );
            let all = FaultDraw::new(&policy(1_000_000, 1_000_000), &mut rng);
            assert_eq!(
                (all.delay, all.abort),
                (Some(DELAY), Some(AbortKind::Http(503)))
            );
        }
    }

    #[test]
    fn another_policy_meets_the_same_luck() {
        let mut only_abort = policy(0, 250_000);
        only_abort.delay = None;
        let (mut a, mut b) = (Rng::named(3, "fault"), Rng::named(3, "fault"));
        for _ in 0..200 {
            let with_delay = FaultDraw::new(&policy(500_000, 250_000), &mut a);
            assert_eq!(with_delay.abort, FaultDraw::new(&only_abort, &mut b).abort);
        }
    }
}
