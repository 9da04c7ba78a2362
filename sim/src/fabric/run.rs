//! The event loop.
//!
//! Per virtual instant: poll every woken host until none is (first come, first
//! served); take out what they made, unless that can wait; do what is due now
//! (actions, then packets, then timers); repeat until quiet. Then jump to the
//! next event. There is no runtime underneath: outside one, tokio wakes a task
//! that yields at once, so `yield_now` and cooperative budgets need no special
//! step, and whatever would escape its host (`tokio::spawn`, `tokio::time`, real
//! sockets, threads) panics instead of spoiling the run.

use std::pin::Pin;
use std::task::Context;

use mesh_core::seam::Instant;

use super::queue::Due;
use super::wire::Sweeping;
use super::{Fabric, FabricError, HostId};

/// Polls of a host at one instant, on top of one per task, before it counts as
/// a livelock. A poll runs up to 61 tasks, so each task may run some sixty
/// times, and a host of few tasks some hundred thousand times.
const POLLS_MAX: u32 = 2000;

impl Fabric {
    /// Runs until `until` on the global clock, everything due at that instant included.
    ///
    /// # Errors
    /// A task panicked, or a host made no progress in time. The world is then
    /// stuck: every later call returns the same error.
    pub fn run_until(&mut self, until: Instant) -> Result<(), FabricError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let result = self.run(until.as_nanos());
        self.failed = result.clone().err();
        result
    }

    fn run(&mut self, until: u64) -> Result<(), FabricError> {
        let until = until.max(self.core.shared.now());
        loop {
            self.settle()?;
            let next = self.core.shared.queue().next_at();
            let due = self.core.wire(|wire| wire.due).unwrap_or(u64::MAX);
            let at = next.min(due);
            if at > until {
                self.core.shared.set_now(until);
                self.core.wire(|wire| wire.flush());
                return Ok(());
            }
            self.core.shared.set_now(at);
        }
    }

    /// Does everything there is to do at this instant.
    fn settle(&mut self) -> Result<(), FabricError> {
        loop {
            while let Some(host) = self.core.shared.next_ready() {
                self.poll(HostId::new(host))?;
            }
            self.core.wire(|wire| wire.end_round());
            if self.open_inbox() {
                continue;
            }
            if !self.fire() {
                return Ok(());
            }
        }
    }

    /// Does what tasks have left to do; whether there was anything.
    fn open_inbox(&mut self) -> bool {
        let posted = self.inbox.0.take();
        let any = !posted.is_empty();
        for action in posted {
            self.core.wire(|wire| wire.flush());
            action(self);
        }
        any
    }

    fn poll(&self, host: HostId) -> Result<(), FabricError> {
        let entry = self.core.host(host);
        entry.wake.clear();
        if entry.frozen.get() {
            entry.missed_wake.set(true);
            return Ok(());
        }
        let now = self.core.shared.now();
        let (at, polls) = entry.polls.get();
        let polls = if at == now { polls + 1 } else { 1 };
        entry.polls.set((now, polls));
        if polls > POLLS_MAX.saturating_add(entry.wake.tasks()) {
            return Err(FabricError::Livelock {
                host: entry.spec.name.clone(),
                at: Instant::from_nanos(now),
            });
        }
        if let Some(tasks) = entry.tasks.borrow_mut().as_mut() {
            let mut cx = Context::from_waker(&entry.waker);
            let _ = self
                .core
                .poll_on(host, || Pin::new(tasks).poll(&mut cx).is_ready());
        }
        if self.sweeping == Sweeping::Always {
            self.core.wire(|wire| wire.touch());
        }
        match self.core.shared.take_failure() {
            None => Ok(()),
            Some(failure) => Err(self.panicked(failure)),
        }
    }

    /// Does what is due now; whether there was anything.
    fn fire(&mut self) -> bool {
        let now = self.core.shared.now();
        let mut fired = 0;
        loop {
            // The lock must not be held while somebody is woken.
            let next = self.core.shared.queue().pop_due(now);
            match next {
                None => break,
                Some(Due::Packet(flight)) => {
                    self.core.wire(|wire| wire.arrive(flight));
                }
                Some(Due::Timer(waker)) => {
                    if let Some(waker) = waker {
                        waker.wake();
                    }
                }
                Some(Due::Action(action)) => {
                    self.core.wire(|wire| wire.flush());
                    if let Some(action) = self.actions.take(action) {
                        action(self);
                    }
                }
            }
            fired += 1;
        }
        self.core.wire(|wire| wire.stats.events += fired);
        fired > 0
    }
}
