//! The stages of a run, as its faults divide it.

use mesh_core::seam::Instant;

use super::occurrence::Occurrences;

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
        Self {
            first_began: occurrences.first_began(),
            healed: occurrences.last_healed(),
            end,
        }
    }

    pub(super) fn of(&self, at: Instant) -> Stage {
        let at = at.as_nanos();
        if self.first_began.is_none_or(|began| at < began) {
            return Stage::Before;
        }
        match self.healed {
            Some(healed) if at >= healed => match (self.last_third(), self.halfway()) {
                (last, _) if at < last => Stage::Settling,
                (_, half) if at < half => Stage::Earlier,
                _ => Stage::Later,
            },
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

    fn halfway(&self) -> u64 {
        self.end.saturating_sub(self.after() / 6)
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

    /// How long the last third of the time after the last heal is, in seconds.
    pub(super) fn last_s(&self) -> f64 {
        (self.after() / 3) as f64 / 1e9
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
        }
    }

    /// A fault has begun: what came after the last heal came between faults.
    pub(super) fn again(&mut self) {
        for after in [&mut self.settling, &mut self.earlier, &mut self.later] {
            self.during.add(&std::mem::take(after));
        }
    }

    /// The last third of the time after the last heal.
    pub(super) fn last(&self) -> T {
        let mut last = self.earlier.clone();
        last.add(&self.later);
        last
    }
}
