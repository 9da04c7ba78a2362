//! Look-aside caches of an app.
//!
//! A look-up hits or misses in no time. A miss does its steps, and fills the
//! cache when they have succeeded: an error is not remembered. While one
//! request fetches a key, others that miss it fetch it too (the stampede), or
//! wait for it if the cache coalesces (Go's `singleflight`): they share its
//! result, a failure as well; when it is given up, one of them takes its place.
//!
//! With independent look-ups and hit ratio h the origin sees 1 − h of them, so
//! a flush multiplies its load by 1/(1 − h) at first.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use mesh_core::seam::Instant;
use tokio::sync::oneshot;

use super::keys::Draws;

/// What is looked up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// The k-th of those that are drawn.
    Number(u64),
    /// A header's value.
    Text(Box<[u8]>),
}

/// The caches of one process, by number.
#[derive(Default)]
pub(super) struct Caches(RefCell<BTreeMap<usize, Rc<Cache>>>);

impl Caches {
    /// The cache with this number.
    pub(super) fn get(&self, number: usize) -> Rc<Cache> {
        self.0.borrow_mut().entry(number).or_default().clone()
    }

    /// Empties all. Returns how many entries they had.
    pub(super) fn flush(&self) -> u64 {
        self.0.borrow().values().map(|cache| cache.flush()).sum()
    }
}

/// One cache.
#[derive(Default)]
pub(super) struct Cache {
    state: RefCell<State>,
    /// The sampler of its keys, made when it is first needed.
    draws: RefCell<Option<Rc<Draws>>>,
}

#[derive(Default)]
struct State {
    entries: BTreeMap<Key, Entry>,
    /// Keys by when they were last used.
    used: BTreeMap<u64, Key>,
    tick: u64,
    /// Who waits for a key that is being fetched.
    fetching: BTreeMap<Key, Vec<oneshot::Sender<Result<(), String>>>>,
}

struct Entry {
    until: Instant,
    used: u64,
}

/// What a look-up finds.
pub(super) enum Found {
    /// It is there.
    Hit,
    /// It is not: the caller fetches it.
    Miss,
    /// Somebody else is fetching it. A result that never comes means that he has given up.
    Wait(oneshot::Receiver<Result<(), String>>),
}

impl Cache {
    /// How keys are drawn, made by `make` the first time.
    pub(super) fn draws(&self, make: impl FnOnce() -> Draws) -> Rc<Draws> {
        let mut draws = self.draws.borrow_mut();
        draws.get_or_insert_with(|| Rc::new(make())).clone()
    }

    /// Looks `key` up.
    pub(super) fn look_up(&self, key: &Key, now: Instant, coalesce: bool) -> Found {
        let mut state = self.state.borrow_mut();
        if state.use_entry(key, now) {
            return Found::Hit;
        }
        if !coalesce {
            return Found::Miss;
        }
        if let Some(waiting) = state.fetching.get_mut(key) {
            let (send, receive) = oneshot::channel();
            waiting.push(send);
            return Found::Wait(receive);
        }
        state.fetching.insert(key.clone(), Vec::new());
        Found::Miss
    }

    /// Puts `key` in.
    pub(super) fn fill(
        &self,
        key: &Key,
        now: Instant,
        ttl: Option<Duration>,
        capacity: Option<u64>,
    ) {
        let until = ttl.map_or(Instant::NEVER, |ttl| now + ttl);
        self.state.borrow_mut().insert(key, until, capacity);
    }

    fn flush(&self) -> u64 {
        let mut state = self.state.borrow_mut();
        let count = state.entries.len() as u64;
        state.entries.clear();
        state.used.clear();
        count
    }
}

impl State {
    fn use_entry(&mut self, key: &Key, now: Instant) -> bool {
        let Some(entry) = self.entries.get_mut(key) else {
            return false;
        };
        self.used.remove(&entry.used);
        if entry.until <= now {
            self.entries.remove(key);
            return false;
        }
        self.tick += 1;
        entry.used = self.tick;
        self.used.insert(self.tick, key.clone());
        true
    }

    fn insert(&mut self, key: &Key, until: Instant, capacity: Option<u64>) {
        self.tick += 1;
        let used = self.tick;
        if let Some(old) = self.entries.insert(key.clone(), Entry { until, used }) {
            self.used.remove(&old.used);
        }
        self.used.insert(used, key.clone());
        while capacity.is_some_and(|capacity| self.entries.len() as u64 > capacity) {
            let Some((_, oldest)) = self.used.pop_first() else {
                return;
            };
            self.entries.remove(&oldest);
        }
    }
}

/// The duty to tell those who wait for a key how its fetching ended. Dropped without that, it lets one of them try.
pub(super) struct Fetching {
    cache: Rc<Cache>,
    key: Key,
}

impl Fetching {
    /// This request fetches `key`, for itself and for those who wait.
    pub(super) fn new(cache: Rc<Cache>, key: Key) -> Self {
        Self { cache, key }
    }

    /// It ended so.
    pub(super) fn ended(self, result: &Result<(), String>) {
        for waiting in self.take() {
            // One that has gone wants no result.
            let _gone = waiting.send(result.clone());
        }
    }

    fn take(&self) -> Vec<oneshot::Sender<Result<(), String>>> {
        let mut state = self.cache.state.borrow_mut();
        state.fetching.remove(&self.key).unwrap_or_default()
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        drop(self.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u64) -> Key {
        Key::Number(number)
    }

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    fn hits(cache: &Cache, number: u64, now: u64) -> bool {
        matches!(cache.look_up(&key(number), at(now), false), Found::Hit)
    }

    #[test]
    fn entries_are_good_for_their_time() {
        let cache = Cache::default();
        assert!(!hits(&cache, 1, 0));
        cache.fill(&key(1), at(0), Some(Duration::from_secs(60)), None);
        assert!(hits(&cache, 1, 59) && !hits(&cache, 1, 60) && !hits(&cache, 2, 0));
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let cache = Cache::default();
        for number in [1, 2, 3] {
            cache.fill(&key(number), at(0), None, Some(3));
        }
        assert!(hits(&cache, 1, 0));
        cache.fill(&key(4), at(0), None, Some(3));
        let left: Vec<_> = (1..5).filter(|number| hits(&cache, *number, 0)).collect();
        assert_eq!(left, [1, 3, 4]);
        assert_eq!(cache.flush(), 3);
        assert!(!hits(&cache, 1, 0));
    }

    #[test]
    fn those_who_wait_share_the_result_or_take_over() {
        let cache = Rc::new(Cache::default());
        let look = || cache.look_up(&key(1), at(0), true);
        assert!(matches!(look(), Found::Miss));
        let (Found::Wait(mut one), Found::Wait(mut two)) = (look(), look()) else {
            panic!("somebody is fetching it");
        };
        drop(Fetching::new(cache.clone(), key(1)));
        assert_eq!(one.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        assert!(matches!(look(), Found::Miss), "the next one takes over");
        let Found::Wait(mut three) = look() else {
            panic!("somebody is fetching it");
        };
        Fetching::new(cache.clone(), key(1)).ended(&Err("503".into()));
        assert_eq!(three.try_recv(), Ok(Err("503".into())));
        assert_eq!(two.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    }
}
