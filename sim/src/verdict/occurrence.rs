//! When faults really began and healed.
//!
//! A fault may repeat, or be set off by something that happens, so its times
//! are known from its events only. Whether a request lies in a window that
//! speaks of faults is asked when the request has ended, and by then every
//! event up to its start has been seen; a window that goes back from a fault
//! (`before: cut - 2s`) is asked that much later. So nothing but the
//! occurrences themselves has to be kept.
//!
//! A fault that only strikes, and does not last (a restart), heals when it
//! begins, unless it says otherwise. One that is still there when the run ends
//! has not healed.

use mesh_core::seam::Instant;

use super::burst::Bursts;
use super::fault_facts;
use super::span::Spans;
use crate::plan::{FaultSet, FaultWindow, Mark, Plan, Turn, Window};
use crate::record::{FaultEvent, FaultPhase, nanos};

/// Occurrences kept of one fault; the last one stands for all that follow.
const OCCURRENCES_MAX: usize = 10_000;

/// One occurrence, in nanoseconds on the scenario's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Occurrence {
    began: u64,
    /// `None` while it lasts.
    healed: Option<u64>,
}

/// The occurrences of every fault of a plan.
#[derive(Clone, Debug)]
pub(crate) struct Occurrences {
    faults: Vec<Fault>,
    /// What traffic sources bring along.
    bursts: Bursts,
    end: u64,
}

#[derive(Clone, Debug)]
struct Fault {
    name: String,
    strikes: bool,
    seen: Vec<Occurrence>,
}

impl Occurrences {
    pub(crate) fn new(plan: &Plan) -> Self {
        let fault = |fault: &crate::plan::FaultPlan| Fault {
            name: fault.name.clone(),
            strikes: fault_facts::strikes(&fault.kind),
            seen: Vec::new(),
        };
        Self {
            faults: plan.faults.iter().map(fault).collect(),
            bursts: Bursts::new(plan),
            end: nanos(plan.duration),
        }
    }

    /// A fault began or ended at `at` on the scenario's clock.
    pub(crate) fn event(&mut self, at: Instant, event: &FaultEvent<'_>) {
        let Some(fault) = self.faults.get_mut(event.index as usize) else {
            return;
        };
        let at = at.as_nanos();
        match event.phase {
            FaultPhase::Began => fault.began(at),
            FaultPhase::Ended if at < self.end => fault.ended(at),
            // It ended because the run did.
            FaultPhase::Ended => {}
        }
    }

    /// Whether no fault is there now.
    pub(crate) fn quiet(&self) -> bool {
        let lasting = |fault: &Fault| fault.last().is_some_and(|last| last.healed.is_none());
        !self.faults.iter().any(lasting)
    }

    /// When the first fault began.
    pub(crate) fn first_began(&self) -> Option<u64> {
        let first = self.faults.iter().filter_map(|fault| fault.seen.first());
        first.map(|occurrence| occurrence.began).min()
    }

    /// When the last of all faults healed; `None` while one is there, or before any was.
    pub(crate) fn last_healed(&self) -> Option<u64> {
        let healed = self.faults.iter().filter_map(Fault::last);
        let healed = healed.filter_map(|occurrence| occurrence.healed).max();
        healed.filter(|_| self.quiet())
    }

    /// The bursts that are triggers as faults are. No window of an expectation speaks of them.
    pub(super) const fn bursts(&self) -> &Bursts {
        &self.bursts
    }

    /// Names of the faults that began and have not healed.
    pub(crate) fn lasting(&self) -> Vec<&str> {
        let lasting = |fault: &&Fault| fault.last().is_some_and(|last| last.healed.is_none());
        let lasting = self.faults.iter().filter(lasting);
        lasting.map(|fault| fault.name.as_str()).collect()
    }

    /// The first beginning among `faults`.
    pub(crate) fn began(&self, faults: &FaultSet) -> Option<u64> {
        let seen = self.of(faults).filter_map(|fault| fault.seen.first());
        seen.map(|occurrence| occurrence.began).min()
    }

    fn of<'a>(&'a self, set: &'a FaultSet) -> impl Iterator<Item = &'a Fault> {
        set.indices
            .iter()
            .filter_map(|index| self.faults.get(*index))
    }

    /// Whether `at` lies in `window`, as far as is known.
    pub(crate) fn covers(&self, window: &Window, at: Instant) -> bool {
        let nanos = at.as_nanos();
        let on_clock = window.from <= at.elapsed() && at.elapsed() < window.to;
        on_clock && window.faults.iter().all(|part| self.holds(part, nanos))
    }

    fn holds(&self, part: &FaultWindow, at: u64) -> bool {
        match part {
            FaultWindow::Each { faults, from, to } => {
                self.of(faults).any(|fault| fault.covers(*from, *to, at))
            }
            FaultWindow::Before { faults, offset } => self
                .began(faults)
                .is_none_or(|began| at < offset.apply(began)),
            FaultWindow::After { faults, offset } => self
                .over(faults)
                .is_some_and(|healed| at >= offset.apply(healed)),
        }
    }

    /// When the last of `faults` healed, if none is left.
    fn over(&self, faults: &FaultSet) -> Option<u64> {
        let mut last = None;
        for fault in self.of(faults) {
            if let Some(occurrence) = fault.last() {
                last = last.max(Some(occurrence.healed?));
            }
        }
        last
    }

    /// The stretches of `[0, end)` that `window` comes to.
    pub(crate) fn spans(&self, window: &Window, end: u64) -> Spans {
        let clock = Spans::one(nanos(window.from), nanos(window.to).min(end));
        let parts = window.faults.iter();
        parts.fold(clock, |all, part| all.and(&self.stretch(part, end)))
    }

    fn stretch(&self, part: &FaultWindow, end: u64) -> Spans {
        match part {
            FaultWindow::Each { faults, from, to } => {
                let all = self.of(faults).flat_map(|fault| &fault.seen);
                let spans = all.filter_map(|occurrence| {
                    let to = to.map_or(Some(end), |to| occurrence.at(to));
                    Some((occurrence.at(*from)?, to.unwrap_or(end)))
                });
                Spans::any(spans.collect())
            }
            FaultWindow::Before { faults, offset } => {
                let began = self.began(faults);
                Spans::one(0, began.map_or(end, |began| offset.apply(began)))
            }
            FaultWindow::After { faults, offset } => match self.over(faults) {
                Some(healed) => Spans::one(offset.apply(healed), end),
                None => Spans::default(),
            },
        }
    }
}

impl Fault {
    fn last(&self) -> Option<&Occurrence> {
        self.seen.last()
    }

    fn began(&mut self, at: u64) {
        let healed = self.strikes.then_some(at);
        let full = self.seen.len() >= OCCURRENCES_MAX;
        match self.seen.last_mut() {
            Some(last) if full || last.healed.is_none() => last.healed = healed,
            _ => self.seen.push(Occurrence { began: at, healed }),
        }
    }

    fn ended(&mut self, at: u64) {
        if let Some(last) = self.seen.last_mut() {
            last.healed = Some(at);
        }
    }

    /// Occurrences follow each other, so upper ends only fall on the way back.
    fn covers(&self, from: Mark, to: Option<Mark>, at: u64) -> bool {
        for occurrence in self.seen.iter().rev() {
            let over = to.and_then(|to| occurrence.at(to));
            if over.is_some_and(|over| over <= at) {
                return false;
            }
            if occurrence.at(from).is_some_and(|from| from <= at) {
                return true;
            }
        }
        false
    }
}

impl Occurrence {
    fn at(&self, mark: Mark) -> Option<u64> {
        let turn = match mark.turn {
            Turn::Begin => Some(self.began),
            Turn::Heal => self.healed,
        };
        turn.map(|nanos| mark.offset.apply(nanos))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::plan::Offset;
    use crate::record::sample;
    use proptest::prelude::*;
    use std::time::Duration;

    const S: u64 = 1_000_000_000;

    pub(in crate::verdict) fn event(index: u32, phase: FaultPhase) -> FaultEvent<'static> {
        FaultEvent {
            drawn: &[],
            index,
            name: "cut",
            phase,
            pods: 0,
            packets: 0,
            requests: 0,
        }
    }

    /// Of a plan of 60 s with one fault: `(begin, heal)` in seconds; a heal of 60 is the end of the run.
    fn seen(occurrences: &[(u64, u64)]) -> Occurrences {
        let mut all = Occurrences::new(&sample::plan());
        for (began, healed) in occurrences {
            all.event(at(began * S), &event(0, FaultPhase::Began));
            all.event(at(healed * S), &event(0, FaultPhase::Ended));
        }
        all
    }

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    fn cut() -> FaultSet {
        FaultSet {
            indices: vec![0],
            name: "cut".into(),
        }
    }

    fn mark(turn: Turn, offset: i64) -> Mark {
        Mark {
            turn,
            offset: offset_of(offset),
        }
    }

    fn offset_of(seconds: i64) -> Offset {
        let by = Duration::from_secs(seconds.unsigned_abs());
        if seconds < 0 {
            Offset::earlier(by)
        } else {
            Offset::later(by)
        }
    }

    fn window(part: FaultWindow) -> Window {
        let mut window = Window::clock(Duration::ZERO, Duration::from_secs(60));
        window.faults.push(part);
        window
    }

    fn during(from: Mark, to: Option<Mark>) -> Window {
        window(FaultWindow::Each {
            faults: cut(),
            from,
            to,
        })
    }

    fn told(all: &Occurrences, window: &Window) -> Vec<(u64, u64)> {
        let spans = all.spans(window, 60 * S);
        spans.iter().map(|(from, to)| (from / S, to / S)).collect()
    }

    #[test]
    fn a_fault_that_repeats_has_a_window_for_each_time() {
        let all = seen(&[(10, 15), (30, 35)]);
        let active = during(mark(Turn::Begin, 0), Some(mark(Turn::Heal, 0)));
        assert_eq!(told(&all, &active), [(10, 15), (30, 35)]);
        assert!(all.covers(&active, at(10 * S)) && !all.covers(&active, at(15 * S)));
        assert!(all.covers(&active, at(34 * S)) && !all.covers(&active, at(20 * S)));
        let later = during(mark(Turn::Begin, 2), Some(mark(Turn::Begin, 4)));
        assert_eq!(told(&all, &later), [(12, 14), (32, 34)]);
        let healed = during(mark(Turn::Heal, 1), None);
        assert_eq!(told(&all, &healed), [(16, 60)]);
    }

    #[test]
    fn before_is_before_the_first_and_after_is_after_the_last() {
        let all = seen(&[(10, 15), (30, 35)]);
        let before = window(FaultWindow::Before {
            faults: cut(),
            offset: offset_of(-3),
        });
        let after = window(FaultWindow::After {
            faults: cut(),
            offset: offset_of(5),
        });
        assert_eq!(told(&all, &before), [(0, 7)]);
        assert_eq!(told(&all, &after), [(40, 60)]);
        assert!(!all.covers(&after, at(20 * S)), "it came again");
        assert_eq!(all.last_healed(), Some(35 * S));
    }

    #[test]
    fn what_lasts_to_the_end_has_no_after() {
        let all = seen(&[(10, 60)]);
        let after = window(FaultWindow::After {
            faults: cut(),
            offset: offset_of(0),
        });
        assert_eq!(told(&all, &after), []);
        assert!(!all.quiet() && all.last_healed().is_none());
        assert_eq!(all.lasting(), ["crash reviews-v1-0"]);
        let never = seen(&[]);
        assert_eq!(told(&never, &after), [], "nothing ever healed");
        assert!(never.quiet());
    }

    proptest! {
        /// What is decided request by request and what is told at the end are the same.
        #[test]
        fn instants_and_spans_agree(
            times in prop::collection::btree_set(0u64..59, 0..8),
            turns in any::<(bool, bool)>(),
            offsets in (-5i64..10, -5i64..10),
            open: bool,
            at_s in 0u64..60,
        ) {
            let times: Vec<u64> = times.into_iter().collect();
            let pairs: Vec<(u64, u64)> = times.chunks_exact(2).map(|p| (p[0], p[1])).collect();
            let all = seen(&pairs);
            let turn = |heal| if heal { Turn::Heal } else { Turn::Begin };
            let from = mark(turn(turns.0), offsets.0);
            let to = mark(turn(turns.1), offsets.1);
            let window = during(from, (!open).then_some(to));
            let spans = all.spans(&window, 60 * S);
            let inside = spans.iter().any(|(from, to)| from <= at_s * S && at_s * S < to);
            prop_assert_eq!(all.covers(&window, at(at_s * S)), inside);
        }
    }
}
