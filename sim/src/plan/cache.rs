//! Look-aside caches.

use std::time::Duration;

use mesh_core::policy::Fraction;

use super::{KeyDraw, Step};

/// A look-aside cache of each pod: a hit takes no time, a miss takes its steps and then fills it, if they succeed.
#[derive(Clone, Debug, PartialEq)]
pub struct CachePlan {
    /// Its number in the app: the same step run twice uses the same cache.
    pub number: usize,
    /// What decides whether it is a hit.
    pub hits: CacheHits,
    /// What a miss does.
    pub miss: Vec<Step>,
}

/// What decides whether a look-up hits.
#[derive(Clone, Debug, PartialEq)]
pub enum CacheHits {
    /// Chance.
    Ratio(Fraction),
    /// Whether the key was looked up before, and is still there.
    Keys {
        /// The key.
        key: CacheKey,
        /// Entries kept, the least recently used go first; `None` is all.
        capacity: Option<u64>,
        /// How long an entry is good; `None` is for ever.
        ttl: Option<Duration>,
        /// Requests that miss a key which another is just fetching wait for that one.
        coalesce: bool,
    },
}

/// Where the key of a look-up comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum CacheKey {
    /// Drawn.
    Drawn(KeyDraw),
    /// A header of the request; one without it has the empty key.
    Header(String),
}
