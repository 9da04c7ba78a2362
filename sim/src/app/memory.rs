//! The memory of an app's process.
//!
//! In use is `base + per-request × (queued and running) + leak × (requests so
//! far)`, and what faults have made requests leave behind. The kernel kills a
//! container whose memory is above its limit and cannot be reclaimed
//! (Kubernetes, "Assign Memory Resources to Containers and Pods").

use std::cell::Cell;

use crate::plan::MemoryPlan;

/// The memory of one process.
pub(super) struct Memory {
    plan: Option<MemoryPlan>,
    /// Requests that wait or are worked on.
    inside: Cell<u64>,
    /// Bytes left behind by requests.
    leaked: Cell<u64>,
}

impl Memory {
    /// That of a process that has done nothing yet.
    pub(super) fn new(plan: Option<MemoryPlan>) -> Self {
        Self {
            plan,
            inside: Cell::new(0),
            leaked: Cell::new(0),
        }
    }

    /// A request comes in, which leaves `more` bytes behind besides. Returns whether that is too much.
    pub(super) fn enter(&self, more: u64) -> bool {
        let Some(plan) = self.plan else { return false };
        self.inside.set(self.inside.get() + 1);
        let leaked = self.leaked.get().saturating_add(plan.leak);
        self.leaked.set(leaked.saturating_add(more));
        let requests = plan.per_request.saturating_mul(self.inside.get());
        let used = plan
            .base
            .saturating_add(requests)
            .saturating_add(self.leaked.get());
        used > plan.limit
    }

    /// A request is over.
    pub(super) fn leave(&self) {
        self.inside.set(self.inside.get().saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_inside_and_what_is_left_behind_add_up() {
        let plan = MemoryPlan {
            limit: 200,
            base: 100,
            per_request: 10,
            leak: 1,
        };
        let memory = Memory::new(Some(plan));
        // k requests inside: 100 + 10k + k, at most 200 for k = 9.
        assert!((0..9).all(|_| !memory.enter(0)));
        assert!(memory.enter(0));
        (0..10).for_each(|_| memory.leave());
        // One at a time, with 10 left behind so far: 100 + 10 + 10 + n is at most 200 for n = 80.
        for _ in 0..80 {
            assert!(!memory.enter(0));
            memory.leave();
        }
        assert!(memory.enter(0));
        memory.leave();
        assert!(!Memory::new(None).enter(u64::MAX));
    }
}
