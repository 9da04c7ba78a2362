//! The stages of a run, as its faults divide it, and the [bursts](super::burst) that are triggers like them. When a burst
//! comes is known beforehand, so a run is never in the stage after one that is still to come.

use mesh_core::seam::Instant;

use super::occurrence::Occurrences;

/// The longest tail: who waits longer than this for an answer is rare.
const TAIL_MAX: u64 = 5_000_000_000;

/// A stage of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Before the first fault.
    Before,
    /// From the first fault to the last heal.
    During,
    /// The first two thirds of the time after the last heal.
    Settling,
    /// The first half of the last third.
    Earlier,
    /// The second half of the last third.
    Later,
    /// The very end, of which the slowest requests have not been told yet.
    Tail,
}

/// When each stage begins and ends, in nanoseconds, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stages {
    first_began: Option<u64>,
    healed: Option<u64>,
    end: u64,
}

impl Stages {
    /// Of a run that is to end at `end`.
    pub(super) fn new(occurrences: &Occurrences, end: u64) -> Self {
        let bursts = occurrences.bursts();
        let first = [occurrences.first_began(), bursts.first_began(end)];
        let lasts = !occurrences.quiet() || bursts.lasting(end).next().is_some();
        let burst = bursts.last_healed(end).map(|(at, _)| at);
        let healed = occurrences.last_healed().max(burst);
        Self {
            first_began: first.into_iter().flatten().min(),
            healed: healed.filter(|_| !lasts),
            end,
        }
    }

    pub(super) fn of(&self, at: Instant) -> Stage {
        let at = at.as_nanos();
        if self.first_began.is_none_or(|began| at < began) {
            return Stage::Before;
        }
        match self.healed {
            Some(healed) if at >= healed => {
                if at < self.last_third() {
                    Stage::Settling
                } else if at < self.halfway() {
                    Stage::Earlier
                } else if at < self.tail() {
                    Stage::Later
                } else {
                    Stage::Tail
                }
            }
            _ => Stage::During,
        }
    }

    /// When the last fault healed.
    pub(super) const fn healed(&self) -> Option<u64> {
        self.healed
    }

    /// From the last heal to the end.
    pub(super) fn after(&self) -> u64 {
        self.healed
            .map_or(0, |healed| self.end.saturating_sub(healed))
    }

    fn last_third(&self) -> u64 {
        self.end.saturating_sub(self.after() / 3)
    }

    fn tail(&self) -> u64 {
        self.end.saturating_sub((self.after() / 12).min(TAIL_MAX))
    }

    fn halfway(&self) -> u64 {
        self.last_third().midpoint(self.tail())
    }

    /// How long the time before the first fault was, in seconds.
    pub(super) fn before_s(&self) -> f64 {
        self.first_began.unwrap_or(self.end) as f64 / 1e9
    }

    /// How long the time from the first fault to the last heal was, in seconds.
    pub(super) fn during_s(&self) -> f64 {
        let ended = self.healed.unwrap_or(self.end);
        ended.saturating_sub(self.first_began.unwrap_or(ended)) as f64 / 1e9
    }

    /// How long the last third of the time after the last heal is, but for its tail, in seconds.
    pub(super) fn last_s(&self) -> f64 {
        self.tail().saturating_sub(self.last_third()) as f64 / 1e9
    }
}

/// One thing for each stage.
#[derive(Clone, Debug, Default)]
pub(super) struct Staged<T> {
    pub(super) before: T,
    pub(super) during: T,
    pub(super) settling: T,
    pub(super) earlier: T,
    pub(super) later: T,
    tail: T,
}

/// Counts that can be put together.
pub(super) trait Sum: Default + Clone {
    /// With those of `other`.
    fn add(&mut self, other: &Self);
}

impl<T: Sum> Staged<T> {
    pub(super) fn at(&mut self, stage: Stage) -> &mut T {
        match stage {
            Stage::Before => &mut self.before,
            Stage::During => &mut self.during,
            Stage::Settling => &mut self.settling,
            Stage::Earlier => &mut self.earlier,
            Stage::Later => &mut self.later,
            Stage::Tail => &mut self.tail,
        }
    }

    /// A fault has begun: what came after the last heal came between faults.
    pub(super) fn again(&mut self) {
        let after = [
            &mut self.settling,
            &mut self.earlier,
            &mut self.later,
            &mut self.tail,
        ];
        for after in after {
            self.during.add(&std::mem::take(after));
        }
    }

    /// The last third of the time after the last heal, but for its tail.
    pub(super) fn last(&self) -> T {
        let mut last = self.earlier.clone();
        last.add(&self.later);
        last
    }
}
