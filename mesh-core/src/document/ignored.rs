//! Paths of values while they are read, and fields that nobody took.

use std::fmt;

use super::Span;
use crate::policy::Position;

/// A field that the type read does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredField {
    /// Its path from the node read, such as `spec.http[0].corsPolicy`.
    pub path: String,
    /// Where its key is.
    pub at: Position,
}

/// Where the reader is, as a chain up its own stack.
#[derive(Clone, Copy)]
pub(super) enum Trail<'a> {
    Root,
    Key {
        parent: &'a Trail<'a>,
        key: &'a str,
        span: Span,
    },
    Index {
        parent: &'a Trail<'a>,
        index: usize,
    },
}

impl Trail<'_> {
    /// The place of the key that was followed last.
    pub(super) fn key_span(&self) -> Option<Span> {
        match self {
            Self::Root => None,
            Self::Key { span, .. } => Some(*span),
            Self::Index { parent, .. } => parent.key_span(),
        }
    }
}

impl fmt::Display for Trail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Key {
                parent: Trail::Root,
                key,
                ..
            } => f.write_str(key),
            Self::Key { parent, key, .. } => write!(f, "{parent}.{key}"),
            Self::Index { parent, index } => write!(f, "{parent}[{index}]"),
        }
    }
}
