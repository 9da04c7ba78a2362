//! What faults change in a traffic source.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use mesh_core::seam::Rng;
use tokio::sync::watch;

use crate::plan::{LoadChange, SourceEffect};

/// The knobs of one traffic source.
pub struct TrafficKnobs {
    levers: RefCell<Vec<Rc<SourceLever>>>,
    /// How often anything about them has changed.
    changes: watch::Sender<u64>,
}

impl Default for TrafficKnobs {
    fn default() -> Self {
        Self {
            levers: RefCell::default(),
            changes: watch::Sender::new(0),
        }
    }
}

impl TrafficKnobs {
    /// Puts a fault in force.
    pub(crate) fn add(&self, lever: Rc<SourceLever>) {
        self.levers.borrow_mut().push(lever);
        self.changed();
    }

    /// Takes it out of force.
    pub(crate) fn remove(&self, lever: &Rc<SourceLever>) {
        lever.in_force.set(false);
        self.levers
            .borrow_mut()
            .retain(|other| !Rc::ptr_eq(other, lever));
        self.changed();
    }

    /// The strength of a fault has changed.
    pub(crate) fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// News of changes.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Faults in force, as they stand.
    pub(super) fn levers(&self) -> Vec<Rc<SourceLever>> {
        self.levers.borrow().clone()
    }

    /// The last fault in force whose effect is so.
    pub(super) fn find(&self, wanted: impl Fn(&SourceEffect) -> bool) -> Option<Rc<SourceLever>> {
        let levers = self.levers.borrow();
        let mut found = levers.iter().rev();
        found.find(|lever| wanted(&lever.effect)).cloned()
    }

    /// Whether a request of the source's own load is sent, where that load is `rate` per second.
    pub(super) fn is_sent(&self, rate: f64) -> bool {
        let levers = self.levers.borrow();
        // Every fault draws, so that none shifts another's draws.
        let against = levers.iter().filter(|lever| !lever.keeps(rate));
        against.count() == 0
    }

    /// Somebody who would have sent a request does not, because of the load.
    pub(super) fn touch_load(&self) {
        let levers = self.levers.borrow();
        let loads = levers
            .iter()
            .filter(|lever| matches!(lever.effect, SourceEffect::Load(_)));
        loads.for_each(|lever| lever.touch());
    }

    /// How many of `users` users are there.
    pub(super) fn users(&self, users: u32) -> u32 {
        let levers = self.levers.borrow();
        let factor = levers.iter().map(|lever| lever.times().min(1.0));
        let factor = factor.fold(1.0, f64::min);
        libm::round(f64::from(users) * factor) as u32
    }
}

/// A fault's hold on one traffic source.
pub(crate) struct SourceLever {
    pub(super) effect: SourceEffect,
    strength: Cell<f64>,
    in_force: Cell<bool>,
    /// Whether the source has begun what it does because of this.
    taken: Cell<bool>,
    pub(super) rng: RefCell<Rng>,
    touched: Cell<u64>,
}

impl SourceLever {
    /// A lever with a strength from 0 to 1.
    pub(crate) fn new(effect: SourceEffect, strength: f64, rng: Rng) -> Self {
        Self {
            effect,
            strength: Cell::new(strength),
            in_force: Cell::new(true),
            taken: Cell::new(false),
            rng: RefCell::new(rng),
            touched: Cell::new(0),
        }
    }

    /// From now on it has this strength.
    pub(crate) fn set_strength(&self, share: f64) {
        self.strength.set(share);
    }

    /// Requests added, left out or sent otherwise so far.
    pub(crate) fn touched(&self) -> u64 {
        self.touched.get()
    }

    pub(super) fn touch(&self) {
        self.touched.set(self.touched.get() + 1);
    }

    pub(super) fn is_in_force(&self) -> bool {
        self.in_force.get()
    }

    /// Whether this is the first time that it is asked for.
    pub(super) fn take(&self) -> bool {
        !self.taken.replace(true)
    }

    /// How many times its load the source sends because of this, if that is how it was said.
    pub(super) fn times(&self) -> f64 {
        match self.effect {
            SourceEffect::Load(LoadChange::Times(times)) => 1.0 + (times - 1.0) * self.strength(),
            _ => 1.0,
        }
    }

    /// How many users come on top of `own` because of this.
    pub(super) fn users_more(&self, own: u32) -> u32 {
        more(own, self.times())
    }

    /// How many come at most.
    pub(super) fn users_more_max(&self, own: u32) -> u32 {
        match self.effect {
            SourceEffect::Load(LoadChange::Times(times)) => more(own, times),
            _ => 0,
        }
    }

    /// The rate that the source has in place of `rate` because of this.
    pub(super) fn rate(&self, rate: f64) -> f64 {
        match self.effect {
            SourceEffect::Load(LoadChange::PerSecond(wanted)) => {
                rate + (wanted - rate) * self.strength()
            }
            _ => rate * self.times(),
        }
    }

    /// A number from 0 to 1 that has grown when the load has changed.
    pub(super) fn strength(&self) -> f64 {
        match self.in_force.get() {
            true => self.strength.get(),
            false => 0.0,
        }
    }

    /// Whether this lets a request through where the load is `rate` per second: the smaller load is the larger one
    /// thinned out at random.
    fn keeps(&self, rate: f64) -> bool {
        let SourceEffect::Load(_) = self.effect else {
            return true;
        };
        let wanted = self.rate(rate);
        if wanted >= rate {
            return true;
        }
        let kept = self.rng.borrow_mut().uniform() * rate < wanted;
        if !kept {
            self.touch();
        }
        kept
    }
}

fn more(own: u32, times: f64) -> u32 {
    libm::round(f64::from(own) * (times - 1.0).max(0.0)) as u32
}
