//! A fault's hold on one app.
//!
//! A lever belongs to one fault and one pod: it has a random stream of its own,
//! so that neither another fault nor another pod shifts its draws, and it counts
//! the requests that it has treated otherwise than they would have been.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use mesh_core::policy::Fraction;
use mesh_core::seam::{Instant, Rng};

use super::sample::scaled;
use crate::plan::AppEffect;

/// A fault's hold on one app.
pub(crate) struct Lever {
    pub(super) effect: AppEffect,
    /// When it took hold, on the global clock.
    pub(super) since: Instant,
    strength: Cell<f64>,
    rng: RefCell<Rng>,
    touched: Cell<u64>,
}

impl Lever {
    /// A lever that takes hold now, with a strength from 0 to 1.
    pub(crate) fn new(effect: AppEffect, since: Instant, strength: f64, rng: Rng) -> Self {
        Self {
            effect,
            since,
            strength: Cell::new(strength),
            rng: RefCell::new(rng),
            touched: Cell::new(0),
        }
    }

    /// From now on it has this strength.
    pub(crate) fn set_strength(&self, share: f64) {
        self.strength.set(share);
    }

    /// Requests treated otherwise so far.
    pub(crate) fn touched(&self) -> u64 {
        self.touched.get()
    }

    /// One more, or several, were treated otherwise.
    pub(super) fn touch(&self, requests: u64) {
        self.touched.set(self.touched.get() + requests);
    }

    /// Whether the next request is hit, at this rate and the present strength. Takes one word of the stream.
    fn hits(&self, rate: Fraction) -> bool {
        let exact = f64::from(rate.ppm()) * self.strength.get();
        let hit = scaled(self.rng.borrow_mut().bits(), 1_000_000) < libm::round(exact) as u64;
        self.touch(u64::from(hit));
        hit
    }

    /// The time that work takes, if it is slow because of this.
    pub(super) fn slowed(&self, span: Duration, method: &str, path: &str) -> Duration {
        let AppEffect::Slow { on, times, add } = &self.effect else {
            return span;
        };
        if !on.holds(method, path) {
            return span;
        }
        self.touch(1);
        let strength = self.strength.get();
        let factor = 1.0 + (times - 1.0) * strength;
        let add = add.sample(&mut self.rng.borrow_mut());
        stretched(span, factor).saturating_add(stretched(add, strength))
    }

    /// The status that a request is answered because of this, and whether it is before any work.
    pub(super) fn failure(&self, method: &str, path: &str) -> Option<(u16, bool)> {
        match &self.effect {
            AppEffect::Errors {
                on,
                rate,
                status,
                fast,
            } if on.holds(method, path) && self.hits(*rate) => Some((*status, *fast)),
            _ => None,
        }
    }

    /// Whether a request keeps its worker for ever because of this.
    pub(super) fn leaks(&self) -> bool {
        match &self.effect {
            AppEffect::Leak { rate } => self.hits(*rate),
            _ => false,
        }
    }

    /// Bytes that a request leaves behind because of this.
    pub(super) fn leaked_bytes(&self) -> u64 {
        match &self.effect {
            AppEffect::Memory { leak_bytes } => {
                self.touch(1);
                *leak_bytes
            }
            _ => 0,
        }
    }

    /// The most workers that may be given out because of this.
    pub(super) fn workers(&self) -> Option<u32> {
        match self.effect {
            AppEffect::Workers { to } => Some(to),
            _ => None,
        }
    }
}

/// A time `factor` times as long, to the nearest nanosecond.
pub(super) fn stretched(span: Duration, factor: f64) -> Duration {
    if factor == 1.0 {
        return span;
    }
    Duration::from_nanos(libm::round(span.as_nanos() as f64 * factor.max(0.0)) as u64)
}
