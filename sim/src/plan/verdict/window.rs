//! When.

use std::time::Duration;

/// A window of the run. Everything it says must hold: it is the part of `[from, to)` that lies in all of `faults`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Beginning, on the scenario's clock.
    pub from: Duration,
    /// End, on the scenario's clock.
    pub to: Duration,
    /// In relation to faults, whose times may be known only when they happen.
    pub faults: Vec<FaultWindow>,
    /// As it was written, such as `during fault cut`; empty for the whole run.
    pub text: String,
}

impl Window {
    /// A window of the scenario's clock.
    pub const fn clock(from: Duration, to: Duration) -> Self {
        Self {
            from,
            to,
            faults: Vec::new(),
            text: String::new(),
        }
    }

    /// How much later than an instant it may be decided whether the instant lies in the window: the largest offset
    /// back from a fault.
    pub fn foresight(&self) -> Duration {
        let back = |window: &FaultWindow| match window {
            FaultWindow::Each { from, to, .. } => {
                let to = to.map_or(Duration::ZERO, |mark| mark.offset.back());
                from.offset.back().max(to)
            }
            FaultWindow::Before { offset, .. } | FaultWindow::After { offset, .. } => offset.back(),
        };
        self.faults.iter().map(back).max().unwrap_or_default()
    }
}

/// Some of the plan's faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultSet {
    /// Their places in the plan. Never empty.
    pub indices: Vec<usize>,
    /// The name that was written; `faults` for all of them.
    pub name: String,
}

/// A stretch of time in relation to faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultWindow {
    /// From one moment of each occurrence to another, or to the end of the run.
    Each {
        /// Whose occurrences.
        faults: FaultSet,
        /// From here on…
        from: Mark,
        /// …until then.
        to: Option<Mark>,
    },
    /// Before the first of them began; the whole run if none did.
    Before {
        /// Which.
        faults: FaultSet,
        /// Added to that moment.
        offset: Offset,
    },
    /// After the last of them healed, none being left.
    After {
        /// Which.
        faults: FaultSet,
        /// Added to that moment.
        offset: Offset,
    },
}

/// A moment in relation to one occurrence of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Which of its ends.
    pub turn: Turn,
    /// Added to it.
    pub offset: Offset,
}

/// The ends of an occurrence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It begins.
    Begin,
    /// It heals.
    Heal,
}

/// A difference in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offset {
    nanos: i64,
}

impl Offset {
    /// So much later.
    pub fn later(by: Duration) -> Self {
        Self {
            nanos: i64::try_from(by.as_nanos()).unwrap_or(i64::MAX),
        }
    }

    /// So much earlier.
    pub fn earlier(by: Duration) -> Self {
        Self {
            nanos: -Self::later(by).nanos,
        }
    }

    /// How far it goes back; zero when it does not.
    pub fn back(self) -> Duration {
        Duration::from_nanos(self.nanos.min(0).unsigned_abs())
    }

    /// `nanos` moved by it; not before the run.
    pub const fn apply(self, nanos: u64) -> u64 {
        nanos.saturating_add_signed(self.nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_that_looks_ahead_is_decided_later() {
        let mut window = Window::clock(Duration::ZERO, Duration::from_secs(60));
        assert_eq!(window.foresight(), Duration::ZERO);
        window.faults.push(FaultWindow::Before {
            faults: FaultSet {
                indices: vec![0],
                name: "cut".into(),
            },
            offset: Offset::earlier(Duration::from_secs(2)),
        });
        assert_eq!(window.foresight(), Duration::from_secs(2));
        assert_eq!(Offset::earlier(Duration::from_secs(2)).apply(5), 0);
        assert_eq!(Offset::later(Duration::from_nanos(2)).apply(5), 7);
    }
}
