//! What the user should know about their configuration.

use serde::{Deserialize, Serialize};

use super::Position;

/// Why a note was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    /// The mesh knows this field or object; Meshquake does not act on it yet.
    NotHonoured,
    /// The mesh itself does not know this field.
    UnknownField,
    /// It has no effect as written (an unused subset, a rule shadowed by an older one…).
    NoEffect,
    /// It is probably a mistake (a route to a subset nobody defines…).
    Suspicious,
}

/// Something read that does not do what a reader may think it does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Note {
    /// Where.
    pub at: Position,
    /// Why.
    pub kind: NoteKind,
    /// The object, `Kind namespace/name`.
    pub object: String,
    /// The field's path in the object, such as `spec.http[0].corsPolicy`; empty for the whole object.
    pub field: String,
    /// One sentence for a person.
    pub message: String,
}
