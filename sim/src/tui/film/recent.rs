//! What was told last, up to a bound.

use std::hash::Hash;

use crate::record::quick::Map;

/// Remembers at least half of `most` keys and never more than `most`: the latest. In two generations, so that
/// forgetting the oldest costs nothing and taking one out of the middle leaves the order as it is.
pub(super) struct Recent<K, V> {
    most: usize,
    young: Map<K, V>,
    old: Map<K, V>,
}

impl<K: Hash + Eq, V> Recent<K, V> {
    /// Nothing yet.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            young: Map::default(),
            old: Map::default(),
        }
    }

    /// Remembers `value`.
    pub(super) fn insert(&mut self, key: K, value: V) {
        self.old.swap_remove(&key);
        if self.young.len() >= (self.most / 2).max(1) && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    /// Takes what is remembered of `key`, and forgets it.
    pub(super) fn take(&mut self, key: &K) -> Option<V> {
        let young = self.young.swap_remove(key);
        young.or_else(|| self.old.swap_remove(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever is taken in between, what was inserted last is there, and what is there is bounded.
        #[test]
        fn the_latest_are_remembered(steps in prop::collection::vec((0u16..60, any::<bool>()), 0..400)) {
            let most = 20;
            let mut recent = Recent::new(most);
            // Every key that was inserted, the latest last, and what is to be remembered of it.
            let mut told: Vec<(u16, Option<usize>)> = Vec::new();
            for (at, (key, take)) in steps.into_iter().enumerate() {
                let known = told.iter().position(|(k, _)| *k == key);
                if take {
                    let value = known.and_then(|place| told[place].1.take());
                    let found = recent.take(&key);
                    prop_assert!(found.is_none() || found == value);
                    continue;
                }
                if let Some(place) = known {
                    told.remove(place);
                }
                recent.insert(key, at);
                told.push((key, Some(at)));
                prop_assert!(recent.young.len() + recent.old.len() <= most);
                for (key, value) in told.iter().rev().take(most / 2) {
                    let found = recent.young.get(key).or_else(|| recent.old.get(key));
                    prop_assert_eq!(found, value.as_ref());
                }
            }
        }
    }
}
