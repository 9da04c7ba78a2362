//! Counting by a key of few values.

/// How often each key came, in the order they first did. Meant for a handful of keys (statuses, flags), where
/// looking through all of them is cheaper than any map.
#[derive(Clone, Debug)]
pub(crate) struct Counts<K>(Vec<(K, u64)>);

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: PartialEq + Copy> Counts<K> {
    pub(crate) fn add(&mut self, key: K) {
        match self.0.iter_mut().find(|(seen, _)| *seen == key) {
            Some((_, count)) => *count += 1,
            None => self.0.push((key, 1)),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (K, u64)> {
        self.0.iter().copied()
    }

    /// How often `key` came.
    pub(super) fn of(&self, key: K) -> u64 {
        let seen = self.iter().find(|(seen, _)| *seen == key);
        seen.map_or(0, |(_, count)| count)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As a report has it, by the key's text.
    pub(super) fn told(
        &self,
        text: impl Fn(K) -> String,
    ) -> std::collections::BTreeMap<String, u64> {
        let mut told = std::collections::BTreeMap::new();
        for (key, count) in self.iter() {
            *told.entry(text(key)).or_insert(0) += count;
        }
        told
    }
}

/// A status as reports have it; 0 is no answer.
pub(super) fn status(status: u16) -> String {
    if status == 0 {
        "none".into()
    } else {
        status.to_string()
    }
}
