//! The event queue: what happens next, and in which order.
//!
//! One binary heap, ordered by `(instant, class, sequence)`. At one instant
//! actions come first, then packets in the order they were sent, then timers in
//! the order they were armed. That order is total and depends only on virtual
//! time: neither on when the loop got round to sweeping packets out of the
//! kernels nor on how the heap is laid out.
//!
//! Most timers are timeouts that never fire. Cancelling one only forgets its
//! slot; its heap entry goes stale and is skipped when it surfaces, or swept
//! out once stale entries are the larger half (lazy deletion: amortised O(1)
//! per cancellation). A timer moved to a later instant keeps its entry and is
//! filed again when the old one surfaces, because keep-alive timers move with
//! every frame and hardly ever fire.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::task::Waker;

/// Stale entries tolerated before the heap is compacted.
const STALE_MAX: usize = 1024;

/// The kinds of event, in their order at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Something scheduled with `Fabric::at`.
    Action,
    /// A packet arrives, or is sent again.
    Packet,
    /// A timer fires.
    Timer,
}

const CLASS_SHIFT: u32 = 62;

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    at: u64,
    /// Class in the top two bits, sequence below: never the same twice.
    key: u64,
    index: u32,
}

impl Entry {
    fn class(&self) -> Class {
        match self.key >> CLASS_SHIFT {
            0 => Class::Action,
            1 => Class::Packet,
            _ => Class::Timer,
        }
    }
}

/// An event whose instant has come.
pub(super) enum Due {
    /// The action in this slot.
    Action(u32),
    /// The flight in this slot.
    Packet(u32),
    /// A timer; whom it wakes.
    Timer(Option<Waker>),
}

/// A timer. `key` is that of its live heap entry, 0 when it has none.
struct Slot {
    key: u64,
    /// Where its heap entry is filed; never later than `due`.
    filed: u64,
    due: u64,
    /// The deadline on its host's own clock, to re-time it when that clock's rate changes.
    deadline: u64,
    host: u32,
    waker: Option<Waker>,
}

/// The event queue with its timers.
#[derive(Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
    slots: Vec<Slot>,
    free: Vec<u32>,
    stale: usize,
}

impl Queue {
    /// Files an event.
    pub(super) fn push(&mut self, at: u64, class: Class, index: u32) {
        self.file(at, class, index);
    }

    fn file(&mut self, at: u64, class: Class, index: u32) -> u64 {
        self.sequence += 1;
        let key = (class as u64) << CLASS_SHIFT | self.sequence;
        self.heap.push(Reverse(Entry { at, key, index }));
        key
    }

    /// A new timer; [`Queue::set`] arms it.
    pub(super) fn insert(&mut self, host: u32) -> u32 {
        let slot = Slot {
            key: 0,
            filed: 0,
            due: 0,
            deadline: 0,
            host,
            waker: None,
        };
        if let Some(index) = self.free.pop() {
            self.slots[index as usize] = slot;
            return index;
        }
        let index = u32::try_from(self.slots.len()).expect("fewer than 2^32 timers");
        self.slots.push(slot);
        index
    }

    /// Arms timer `index` for `due` (global), which is `deadline` on its host's clock.
    pub(super) fn set(&mut self, index: u32, due: u64, deadline: u64) {
        let slot = &mut self.slots[index as usize];
        slot.due = due;
        slot.deadline = deadline;
        if slot.key != 0 && slot.filed <= due {
            return;
        }
        self.disarm(index);
        let key = self.file(due, Class::Timer, index);
        let slot = &mut self.slots[index as usize];
        slot.key = key;
        slot.filed = due;
    }

    /// Whom timer `index` wakes.
    pub(super) fn set_waker(&mut self, index: u32, waker: &Waker) {
        match &mut self.slots[index as usize].waker {
            Some(old) => old.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    /// Whether timer `index` is armed for `deadline`.
    pub(super) fn is_set(&self, index: u32, deadline: u64) -> bool {
        let slot = &self.slots[index as usize];
        slot.key != 0 && slot.deadline == deadline
    }

    /// Forgets timer `index`.
    pub(super) fn remove(&mut self, index: u32) -> Option<Waker> {
        self.disarm(index);
        self.free.push(index);
        // Dropped by the caller, outside the queue's lock.
        self.slots[index as usize].waker.take()
    }

    fn disarm(&mut self, index: u32) {
        if std::mem::take(&mut self.slots[index as usize].key) != 0 {
            self.stale += 1;
            if self.stale > STALE_MAX && self.stale * 2 > self.heap.len() {
                self.compact();
            }
        }
    }

    fn compact(&mut self) {
        let slots = &self.slots;
        self.heap.retain(|Reverse(entry)| {
            entry.class() != Class::Timer || slots[entry.index as usize].key == entry.key
        });
        self.stale = 0;
    }

    /// Re-times every armed timer of `host` by `due`, which maps a deadline on its clock to the global instant.
    pub(super) fn retime(&mut self, host: u32, due: impl Fn(u64) -> u64) {
        for index in 0..self.slots.len() {
            let slot = &self.slots[index];
            if slot.key != 0 && slot.host == host {
                let (deadline, index) = (slot.deadline, index as u32);
                self.set(index, due(deadline), deadline);
            }
        }
    }

    /// The instant of the next event; `u64::MAX` when there is none.
    pub(super) fn next_at(&mut self) -> u64 {
        while let Some(Reverse(top)) = self.heap.peek() {
            if top.class() != Class::Timer {
                return top.at;
            }
            let (at, key, index) = (top.at, top.key, top.index);
            let slot = &self.slots[index as usize];
            if slot.key == key && slot.due == at {
                return at;
            }
            self.heap.pop();
            if slot.key == key {
                let due = slot.due;
                let key = self.file(due, Class::Timer, index);
                let slot = &mut self.slots[index as usize];
                slot.key = key;
                slot.filed = due;
            } else {
                self.stale -= 1;
            }
        }
        u64::MAX
    }

    /// Takes the next event if it is due at `now`.
    pub(super) fn pop_due(&mut self, now: u64) -> Option<Due> {
        if self.next_at() > now {
            return None;
        }
        let Reverse(entry) = self.heap.pop()?;
        Some(match entry.class() {
            Class::Action => Due::Action(entry.index),
            Class::Packet => Due::Packet(entry.index),
            Class::Timer => {
                let slot = &mut self.slots[entry.index as usize];
                slot.key = 0;
                Due::Timer(slot.waker.take())
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(queue: &mut Queue) -> Vec<(u64, &'static str, u32)> {
        let mut all = Vec::new();
        loop {
            let at = queue.next_at();
            match queue.pop_due(u64::MAX - 1) {
                None => return all,
                Some(Due::Action(i)) => all.push((at, "action", i)),
                Some(Due::Packet(i)) => all.push((at, "packet", i)),
                Some(Due::Timer(_)) => all.push((at, "timer", 0)),
            }
        }
    }

    #[test]
    fn one_instant_is_actions_then_packets_then_timers() {
        let mut queue = Queue::default();
        let timer = queue.insert(0);
        queue.set(timer, 5, 5);
        queue.push(5, Class::Packet, 1);
        queue.push(5, Class::Packet, 0);
        queue.push(5, Class::Action, 7);
        queue.push(4, Class::Packet, 9);
        assert_eq!(
            drain(&mut queue),
            [
                (4, "packet", 9),
                (5, "action", 7),
                (5, "packet", 1),
                (5, "packet", 0),
                (5, "timer", 0)
            ]
        );
    }

    #[test]
    fn cancelled_timers_leave_nothing_behind() {
        let mut queue = Queue::default();
        for round in 0..100_000u64 {
            let index = queue.insert(0);
            queue.set(index, 1_000_000 + round, 0);
            queue.remove(index);
        }
        assert!(
            queue.heap.len() <= 2 * STALE_MAX + 1,
            "{}",
            queue.heap.len()
        );
        assert_eq!(queue.slots.len(), 1, "slots are reused");
        assert!(drain(&mut queue).is_empty());
        assert_eq!((queue.heap.len(), queue.stale), (0, 0));
    }

    #[test]
    fn a_timer_moved_later_keeps_one_entry_and_fires_once() {
        let mut queue = Queue::default();
        let index = queue.insert(0);
        queue.set(index, 10, 10);
        for due in 11..1000 {
            queue.set(index, due, due);
        }
        assert_eq!(queue.heap.len(), 1);
        assert!(queue.pop_due(998).is_none());
        assert_eq!(drain(&mut queue), [(999, "timer", 0)]);
        queue.set(index, 2000, 2000);
        queue.set(index, 1500, 1500);
        assert_eq!(drain(&mut queue), [(1500, "timer", 0)]);
    }

    proptest::proptest! {
        /// Against a model: whatever is set, moved and removed, exactly the
        /// armed timers fire, at their last due instant, in order.
        #[test]
        fn timers_fire_as_set(ops in proptest::collection::vec((0u8..3, 0usize..8, 0u64..50), 0..200)) {
            let mut queue = Queue::default();
            let mut live: Vec<Option<(u32, Option<u64>)>> = vec![None; 8];
            for (op, who, due) in ops {
                match (op, live[who]) {
                    (0, None) => live[who] = Some((queue.insert(0), None)),
                    (1, Some((index, _))) => {
                        queue.set(index, due, due);
                        live[who] = Some((index, Some(due)));
                    }
                    (2, Some((index, _))) => {
                        queue.remove(index);
                        live[who] = None;
                    }
                    _ => {}
                }
            }
            let mut expected: Vec<u64> = live.iter().flatten().filter_map(|(_, due)| *due).collect();
            expected.sort_unstable();
            let fired: Vec<u64> = drain(&mut queue).into_iter().map(|(at, ..)| at).collect();
            proptest::prop_assert_eq!(fired, expected);
        }
    }
}
