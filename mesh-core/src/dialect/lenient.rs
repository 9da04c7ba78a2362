//! Containers that read as Kubernetes reads them: `null` is the same as nothing.

use std::fmt;
use std::ops::Deref;

use indexmap::IndexMap;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// A list; empty when absent or `null`.
#[derive(Clone, Debug)]
pub(super) struct List<T>(Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Deref for List<T> {
    type Target = Vec<T>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T> List<T> {
    /// The items, to change.
    pub(super) fn items_mut(&mut self) -> &mut Vec<T> {
        &mut self.0
    }
}

impl<T> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

impl<'a, T> IntoIterator for &'a List<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Option::deserialize(deserializer)?.unwrap_or_default()))
    }
}

/// A map in file order; empty when absent or `null`. Keys that YAML takes for
/// numbers or booleans are text, as they become in JSON.
#[derive(Clone, Debug)]
pub(super) struct Table<V>(IndexMap<String, V>);

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self(IndexMap::new())
    }
}

impl<V> Deref for Table<V> {
    type Target = IndexMap<String, V>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<V> FromIterator<(String, V)> for Table<V> {
    fn from_iter<I: IntoIterator<Item = (String, V)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

impl<V> Table<V> {
    /// This table over `below`: entries of both, this one's where both have a key.
    pub(super) fn over(&self, below: &Self) -> Self
    where
        V: Clone,
    {
        let mut all = below.0.clone();
        all.extend(self.0.iter().map(|(k, v)| (k.clone(), v.clone())));
        Self(all)
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Table<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<V>(std::marker::PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for Entries<V> {
            type Value = Table<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping")
            }

            fn visit_none<E>(self) -> Result<Self::Value, E> {
                Ok(Table::default())
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Table::default())
            }

            fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Self::Value, D::Error> {
                inner.deserialize_map(self)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = IndexMap::new();
                while let Some((key, value)) = map.next_entry::<Key, V>()? {
                    entries.insert(key.0, value);
                }
                Ok(Table(entries))
            }
        }

        deserializer.deserialize_option(Entries(std::marker::PhantomData))
    }
}

/// A key, whatever YAML takes it for.
struct Key(String);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Scalar;

        impl Visitor<'_> for Scalar {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E>(self, text: &str) -> Result<Key, E> {
                Ok(Key(text.to_owned()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Key, E> {
                Ok(Key(number.to_string()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Key, E> {
                Ok(Key(number.to_string()))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Key, E> {
                Ok(Key(number.to_string()))
            }

            fn visit_bool<E>(self, truth: bool) -> Result<Key, E> {
                Ok(Key(truth.to_string()))
            }
        }

        deserializer.deserialize_any(Scalar)
    }
}
