//! Places in a text.

/// A point in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// Bytes before it.
    pub offset: usize,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1, in characters.
    pub column: u32,
}

impl Default for Mark {
    /// The beginning.
    fn default() -> Self {
        Self {
            offset: 0,
            line: 1,
            column: 1,
        }
    }
}

/// A stretch of text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// First character.
    pub start: Mark,
    /// Just after the last character.
    pub end: Mark,
}

impl Span {
    pub(super) fn forth(mut self, bytes: usize) -> Self {
        self.start.offset += bytes;
        self.end.offset += bytes;
        self
    }

    pub(super) fn back(mut self, bytes: usize) -> Self {
        self.start.offset = self.start.offset.saturating_sub(bytes);
        self.end.offset = self.end.offset.saturating_sub(bytes);
        self
    }
}
