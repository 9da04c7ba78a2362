//! Values that remember where they were written, and values whose mistakes do not hide others.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error as _, SeqAccess, Visitor};

use crate::policy::{Origin, Position};

/// The names by which [`read`](super::read) knows these types; no user's type is called so.
pub(super) const SPANNED: &str = "$mesh_core::document::Spanned";
pub(super) const RECOVER: &str = "$mesh_core::document::Recover";

/// A value and its place; works inside any type read from a document, but not
/// below `#[serde(flatten)]` or an internally tagged enum, whose buffers forget places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it begins.
    pub at: Position,
    /// What set values within it by path, other than itself: `--set PATH`.
    pub amended_by: Vec<Arc<str>>,
}

impl<T> Spanned<T> {
    /// Where it came from: its place, and what was set within it.
    pub fn origin(&self) -> Origin {
        Origin::amended(self.at.clone(), self.amended_by.clone())
    }
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Display> fmt::Display for Spanned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(SPANNED, SpannedVisitor(PhantomData))
    }
}

struct SpannedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for SpannedVisitor<T> {
    type Value = Spanned<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value with a place")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, _: D) -> Result<Self::Value, D::Error> {
        Err(D::Error::custom(
            "a place is known only when read from a document",
        ))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
        let number = |parts: &mut A| {
            parts
                .next_element::<u32>()?
                .ok_or_else(|| A::Error::custom("a place is incomplete"))
        };
        let line = number(&mut parts)?;
        let column = number(&mut parts)?;
        let missing = || A::Error::custom("a place is incomplete");
        let file: Arc<str> = parts.next_element()?.ok_or_else(missing)?;
        let amended_by = parts.next_element()?.ok_or_else(missing)?;
        let value = parts.next_element()?.ok_or_else(missing)?;
        Ok(Spanned {
            value,
            at: Position { file, line, column },
            amended_by,
        })
    }
}

/// A value whose mistakes do not stop the reading of the rest: [`read_all`](super::read_all)
/// notes them and goes on. After it succeeded every value is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recover<T>(Option<T>);

impl<T> Recover<T> {
    /// The value.
    pub fn get(&self) -> Option<&T> {
        self.0.as_ref()
    }

    /// The value, owned.
    pub fn into_inner(self) -> Option<T> {
        self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Recover<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(RECOVER, RecoverVisitor(PhantomData))
    }
}

struct RecoverVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for RecoverVisitor<T> {
    type Value = Recover<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Self::Value, D::Error> {
        T::deserialize(deserializer).map(|value| Recover(Some(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
        // The reader answers nothing where it noted a mistake.
        parts.next_element().map(Recover)
    }
}
