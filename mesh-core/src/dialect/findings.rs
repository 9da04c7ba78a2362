//! What compiling found out: notes for the user, and the mistakes that forbid a run.

use std::sync::Arc;

use crate::document::{Diagnostic, Document};
use crate::policy::{Note, NoteKind, Position};

/// A field of an object: whose, and its path such as `spec.http[0].retries`.
#[derive(Clone, Debug)]
pub(super) struct Field {
    object: Arc<str>,
    path: String,
}

impl Field {
    /// The `spec` of the object with this title (`Kind namespace/name`).
    pub(super) fn spec(object: &str) -> Self {
        Self {
            object: Arc::from(object),
            path: "spec".into(),
        }
    }

    /// The object as a whole.
    pub(super) fn whole(object: &str) -> Self {
        Self {
            object: Arc::from(object),
            path: String::new(),
        }
    }

    /// A field of this one; a dotted name goes several levels down.
    pub(super) fn child(&self, name: &str) -> Self {
        Self {
            object: self.object.clone(),
            path: format!("{}.{name}", self.path),
        }
    }

    /// An item of this list.
    pub(super) fn item(&self, index: usize) -> Self {
        Self {
            object: self.object.clone(),
            path: format!("{}[{index}]", self.path),
        }
    }

    /// An item of a list below this field.
    pub(super) fn child_item(&self, name: &str, index: usize) -> Self {
        self.child(name).item(index)
    }

    /// The object's title.
    pub(super) fn object(&self) -> &str {
        &self.object
    }

    /// The same object, another path.
    pub(super) fn at_path(&self, path: String) -> Self {
        Self {
            object: self.object.clone(),
            path,
        }
    }
}

/// Collects notes and errors while documents are compiled.
pub(super) struct Findings<'a> {
    documents: &'a [Document],
    notes: Vec<Note>,
    errors: Vec<Diagnostic>,
}

impl<'a> Findings<'a> {
    /// Nothing found yet in these documents.
    pub(super) fn new(documents: &'a [Document]) -> Self {
        Self {
            documents,
            notes: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// Records a note.
    pub(super) fn note(
        &mut self,
        kind: NoteKind,
        field: &Field,
        at: &Position,
        message: impl Into<String>,
    ) {
        self.notes.push(Note {
            at: at.clone(),
            kind,
            object: field.object.to_string(),
            field: field.path.clone(),
            message: message.into(),
        });
    }

    /// Records a mistake at a place.
    pub(super) fn error(&mut self, at: &Position, message: impl Into<String>) {
        let diagnostic = self.diagnostic(at, message);
        self.errors.push(diagnostic);
    }

    /// Records a mistake at a place, and what would be right.
    pub(super) fn error_with_help(
        &mut self,
        at: &Position,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let diagnostic = self.diagnostic(at, message).help(help);
        self.errors.push(diagnostic);
    }

    /// Records a mistake found by a reader.
    pub(super) fn refuse(&mut self, diagnostic: Diagnostic) {
        self.errors.push(diagnostic);
    }

    fn diagnostic(&self, at: &Position, message: impl Into<String>) -> Diagnostic {
        let diagnostic = Diagnostic::error(message);
        let source = self
            .documents
            .iter()
            .map(|document| document.source_of(at))
            .find(|source| source.name == at.file);
        match source {
            Some(source) => diagnostic.at_position(at, source),
            None => diagnostic,
        }
    }

    /// The notes by place, each once; or all the mistakes.
    pub(super) fn finish(mut self) -> Result<Vec<Note>, Vec<Diagnostic>> {
        if !self.errors.is_empty() {
            return Err(self.errors);
        }
        self.notes.sort();
        self.notes.dedup();
        Ok(self.notes)
    }
}
