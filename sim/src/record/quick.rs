//! Maps that are asked for every event of a run.
//!
//! They keep the order of insertion, so nothing that a run shows depends on
//! their hashes; and those have no seed, so that not even the time they take
//! does. Nobody sends a simulator names that were made to collide.

use rustc_hash::FxBuildHasher;

/// A map.
pub(crate) type Map<K, V> = indexmap::IndexMap<K, V, FxBuildHasher>;
/// A set.
pub(crate) type Set<K> = indexmap::IndexSet<K, FxBuildHasher>;
