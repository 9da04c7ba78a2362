//! The instant that is looked at, and how it moves.

use std::time::Duration;

use super::{State, Step};
use crate::tui::film::{Entry, Row};

/// Virtual seconds in a second, to choose from.
pub(crate) const SPEEDS: [f64; 10] = [
    0.1,
    0.25,
    0.5,
    1.0,
    2.0,
    5.0,
    10.0,
    30.0,
    100.0,
    f64::INFINITY,
];
/// The speed at which a film begins.
pub(super) const SPEED_FIRST: usize = 3;
/// Doublings of the time axis at most.
const ZOOM_MAX: u32 = 10;

impl State {
    /// The longest film's length.
    pub(crate) fn length(&self) -> u64 {
        self.sides
            .iter()
            .map(|side| side.film.length)
            .max()
            .unwrap_or(0)
    }

    /// How far all films are recorded.
    pub(super) fn reached(&self) -> u64 {
        let open = self.sides.iter().filter(|side| !side.film.is_done());
        open.map(|side| side.film.reached)
            .min()
            .unwrap_or_else(|| self.length())
    }

    /// The stretch of time on the axes.
    pub(crate) fn axis(&self) -> (u64, u64) {
        let length = self.length().max(1);
        let shown = (length >> self.zoom).max(1);
        let from = self.cursor.saturating_sub(shown / 2).min(length - shown);
        (from, from + shown)
    }

    /// Time goes by on the wall; says whether anything moved.
    pub(crate) fn advance(&mut self, wall: Duration) -> bool {
        if !self.playing || self.overlay.is_some() {
            return false;
        }
        let before = self.cursor;
        let step = wall.as_nanos() as f64 * SPEEDS[self.speed];
        let to = if step.is_finite() {
            self.cursor.saturating_add(step as u64)
        } else {
            u64::MAX
        };
        self.go(to);
        self.playing = self.cursor < self.length();
        self.cursor != before || !self.playing
    }

    /// Looks at `at`, or as near as has been recorded.
    pub(crate) fn go(&mut self, at: u64) {
        self.cursor = at.min(self.reached()).min(self.length());
        self.picked = None;
    }

    /// Looks at `at`, and stays there.
    pub(super) fn stop_at(&mut self, at: u64) {
        self.playing = false;
        self.go(at);
    }

    /// Looks at `at` now, or as soon as it is recorded.
    pub(super) fn seek(&mut self, at: u64) {
        let at = at.min(self.length());
        self.go(at);
        self.wanted = (self.cursor < at).then_some(at);
    }

    pub(super) fn play(&mut self) {
        if !self.playing && self.cursor >= self.length() {
            self.go(0);
        }
        self.playing = !self.playing;
    }

    pub(super) fn faster(&mut self, by: isize) {
        let speed = self.speed.saturating_add_signed(by);
        self.speed = speed.min(SPEEDS.len() - 1);
    }

    pub(super) fn magnify(&mut self, by: i32) {
        self.zoom = self.zoom.saturating_add_signed(by).min(ZOOM_MAX);
    }

    /// Moves by so many two-hundredths of the axis.
    pub(super) fn scrub(&mut self, by: i64) {
        let step = ((self.length() >> self.zoom) / 200).max(1);
        let far = step.saturating_mul(by.unsigned_abs());
        self.stop_at(match by < 0 {
            true => self.cursor.saturating_sub(far),
            false => self.cursor.saturating_add(far),
        });
    }

    /// To the next of a kind, or the one before.
    pub(super) fn step(&mut self, step: Step, forward: bool) {
        self.playing = false;
        let film = self.film();
        let request = |wanted: fn(&Row) -> bool| {
            nearest(&film.rows, |row| row.at, self.cursor, forward, wanted)
        };
        let event = |wanted: &dyn Fn(&Entry) -> bool| {
            nearest(
                &film.entries,
                |entry| entry.at,
                self.cursor,
                forward,
                wanted,
            )
        };
        let (what, to) = match step {
            Step::Request => ("request", request(|_| true)),
            Step::Failure => ("failed request", request(|row| !row.succeeded)),
            Step::Event => ("event", event(&|entry| !entry.what.is_routine())),
            Step::Kind(kind) => (kind.name(), event(&|entry| entry.what.kind() == kind)),
        };
        match to {
            Some(at) => self.go(at),
            None => {
                let recording = forward && !film.is_done();
                let which = if forward { "later" } else { "earlier" };
                let so_far = if recording { " yet" } else { "" };
                self.say(format!("no {which} {what}{so_far}"));
            }
        }
    }

    /// To where two films part.
    pub(super) fn part(&mut self) {
        match &self.divergence {
            Some(Some(divergence)) => self.stop_at(divergence.at),
            Some(None) => self.say("the two runs do not differ"),
            None if self.sides.len() < 2 => self.say("there is nothing to compare with"),
            None => self.say("the runs are still being recorded"),
        }
    }
}

/// When the first wanted item after `now` is, or the last before it, in a list in order of time.
fn nearest<T>(
    items: &[T],
    at: impl Fn(&T) -> u64,
    now: u64,
    forward: bool,
    wanted: impl Fn(&T) -> bool,
) -> Option<u64> {
    let found = if forward {
        let next = items.partition_point(|item| at(item) <= now);
        items[next..].iter().find(|item| wanted(item))
    } else {
        let before = items.partition_point(|item| at(item) < now);
        items[..before].iter().rfind(|item| wanted(item))
    };
    found.map(at)
}
