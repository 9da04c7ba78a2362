//! What faults change in a running app.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::watch;

use super::cache::Caches;
use super::lever::Lever;
use super::pool::WorkerPool;
use super::throttle::Throttle;

/// The knobs of one pod's app. They outlive its processes: a fault that is in force when a pod dies is in force when it
/// comes back.
pub struct AppKnobs {
    /// Told to stop, in this life.
    stop: watch::Sender<bool>,
    /// Faults in force.
    levers: RefCell<Vec<Rc<Lever>>>,
    /// When the app may run, if not always.
    throttle: watch::Sender<Option<Rc<Throttle>>>,
    /// Whether its present process began when the world had already come up, and so is cold.
    cold: Cell<bool>,
    /// What of the present life faults reach into.
    life: RefCell<Option<Life>>,
    /// What is done when it needs more memory than it may have.
    out_of_memory: RefCell<Option<Rc<dyn Fn()>>>,
}

/// What of an app's present life faults reach into.
pub(super) struct Life {
    pub(super) pool: WorkerPool,
    pub(super) caches: Rc<Caches>,
}

impl Default for AppKnobs {
    fn default() -> Self {
        Self {
            stop: watch::Sender::new(false),
            levers: RefCell::default(),
            throttle: watch::Sender::new(None),
            cold: Cell::new(false),
            life: RefCell::default(),
            out_of_memory: RefCell::default(),
        }
    }
}

/// What the world does with knobs.
impl AppKnobs {
    /// A new life begins: nobody has told it to stop. It is `cold` unless it began with the world.
    pub(crate) fn begin_life(&self, cold: bool) {
        self.stop.send_replace(false);
        self.cold.set(cold);
        self.life.take();
    }

    /// Tells the app to stop, as SIGTERM does: it accepts no more connections, and ends those it has after their answers.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// What is to be done when it needs more memory than it may have.
    pub(crate) fn when_out_of_memory(&self, act: Rc<dyn Fn()>) {
        *self.out_of_memory.borrow_mut() = Some(act);
    }
}

/// What faults do with knobs.
impl AppKnobs {
    /// Puts a fault in force.
    pub(crate) fn add(&self, lever: Rc<Lever>) {
        self.levers.borrow_mut().push(lever);
        self.changed();
    }

    /// Takes it out of force.
    pub(crate) fn remove(&self, lever: &Rc<Lever>) {
        self.levers
            .borrow_mut()
            .retain(|other| !Rc::ptr_eq(other, lever));
        self.changed();
    }

    /// Empties the app's caches. Returns how many entries they had.
    pub(crate) fn flush_caches(&self) -> u64 {
        let life = self.life.borrow();
        life.as_ref().map_or(0, |life| life.caches.flush())
    }

    fn changed(&self) {
        if let Some(life) = &*self.life.borrow() {
            life.pool.limit(self.tightest());
        }
        let levers = self.levers.borrow();
        // Of several the last one counts.
        let throttle = levers
            .iter()
            .rev()
            .find_map(|lever| Throttle::of(lever).map(Rc::new));
        if throttle.is_some() || self.throttle.borrow().is_some() {
            self.throttle.send_replace(throttle);
        }
    }

    /// The fault that lets the fewest workers be given out.
    fn tightest(&self) -> Option<(u32, Rc<Lever>)> {
        let levers = self.levers.borrow();
        let limits = levers
            .iter()
            .filter_map(|lever| lever.workers().map(|to| (to, lever.clone())));
        limits.min_by_key(|(to, _)| *to)
    }
}

/// What the app asks.
impl AppKnobs {
    /// Its present life is this.
    pub(super) fn live(&self, life: Life) {
        life.pool.limit(self.tightest());
        *self.life.borrow_mut() = Some(life);
    }

    /// Completes when it is told to stop.
    pub(super) async fn stopped(&self) {
        let mut stop = self.stop.subscribe();
        if stop.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Whether its process began when the world had already come up.
    pub(super) fn is_cold(&self) -> bool {
        self.cold.get()
    }

    /// How long work takes that would take `span`.
    pub(super) fn slowed(&self, span: Duration, method: &str, path: &str) -> Duration {
        let levers = self.levers.borrow();
        levers
            .iter()
            .fold(span, |span, lever| lever.slowed(span, method, path))
    }

    /// The status that a request is answered in place of what it would be, and whether it is before any work.
    pub(super) fn failure(&self, method: &str, path: &str) -> Option<(u16, bool)> {
        let levers = self.levers.borrow();
        // Every fault draws, so that none shifts another's draws; the first that hits decides.
        levers.iter().fold(None, |found, lever| {
            let hit = lever.failure(method, path);
            found.or(hit)
        })
    }

    /// Whether a request never gives its worker back.
    pub(super) fn leaks(&self) -> bool {
        let levers = self.levers.borrow();
        levers
            .iter()
            .fold(false, |found, lever| lever.leaks() | found)
    }

    /// Bytes that a request leaves behind because of faults.
    pub(super) fn leaked_bytes(&self) -> u64 {
        let levers = self.levers.borrow();
        levers.iter().map(|lever| lever.leaked_bytes()).sum()
    }

    /// When it may run, if not always, and news of that.
    pub(super) fn throttle(&self) -> watch::Receiver<Option<Rc<Throttle>>> {
        self.throttle.subscribe()
    }

    /// It needs more memory than it may have.
    pub(super) fn run_out_of_memory(&self) {
        let act = self.out_of_memory.borrow().clone();
        if let Some(act) = act {
            act();
        }
    }
}
