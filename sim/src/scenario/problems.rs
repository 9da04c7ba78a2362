//! What is wrong with a scenario: everything that can be found in one go.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_core::document::{Diagnostic, Severity, Source};
use mesh_core::policy::{Note, NoteKind, Position};

/// More errors than this help nobody.
const ERRORS_MAX: usize = 100;

/// The texts read so far, and what is wrong with them.
#[derive(Debug, Default)]
pub(super) struct Problems {
    sources: BTreeMap<Arc<str>, Source>,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    cut: Vec<Note>,
}

impl Problems {
    /// Makes a text known, so that its places can be shown.
    pub(super) fn know(&mut self, source: &Source) {
        self.sources.insert(source.name.clone(), source.clone());
    }

    /// An error at a place; not yet [pushed](Self::push).
    pub(super) fn error(&self, at: &Position, message: impl Into<String>) -> Diagnostic {
        self.place(Diagnostic::error(message), at)
    }

    /// A warning at a place; not yet [pushed](Self::push).
    pub(super) fn warning(&self, at: &Position, message: impl Into<String>) -> Diagnostic {
        self.place(Diagnostic::warning(message), at)
    }

    /// Adds another place to a problem.
    pub(super) fn also(&self, diagnostic: Diagnostic, at: &Position, label: &str) -> Diagnostic {
        self.place(diagnostic, at).label(label)
    }

    /// Whether more errors would be dropped, so that no work need go into their wording.
    pub(super) fn is_full(&self) -> bool {
        self.errors.len() >= ERRORS_MAX
    }

    fn place(&self, diagnostic: Diagnostic, at: &Position) -> Diagnostic {
        if self.is_full() {
            return diagnostic;
        }
        match self.sources.get(&at.file) {
            Some(source) => diagnostic.at_position(at, source),
            None => diagnostic.note(format!("at {at}")),
        }
    }

    /// Notes a problem, once: what is written once may be used many times.
    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        let list = match diagnostic.severity() {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        if list.len() >= ERRORS_MAX {
            return;
        }
        let known = list.iter().any(|other| {
            other.message() == diagnostic.message() && other.position() == diagnostic.position()
        });
        if !known {
            list.push(diagnostic);
        }
    }

    /// Notes that the command line has cut the run before what is written at `at`: no mistake of the file's, but whoever
    /// reads the report is to know.
    pub(super) fn cut(&mut self, at: &Position, object: &str, message: String) {
        let note = Note {
            at: at.clone(),
            kind: NoteKind::NoEffect,
            object: object.into(),
            field: String::new(),
            message: message.clone(),
        };
        if self.cut.len() < ERRORS_MAX && !self.cut.contains(&note) {
            self.cut.push(note);
        }
        self.push(self.warning(at, message));
    }

    /// What has been cut off.
    pub(super) fn take_cut(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.cut)
    }

    /// Notes several problems.
    pub(super) fn extend(&mut self, diagnostics: impl IntoIterator<Item = Diagnostic>) {
        diagnostics
            .into_iter()
            .for_each(|diagnostic| self.push(diagnostic));
    }

    /// Whether there is an error.
    pub(super) fn failed(&self) -> bool {
        !self.errors.is_empty()
    }

    /// The warnings, or the errors if there are any.
    pub(super) fn conclude(self) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
        if self.errors.is_empty() {
            Ok(self.warnings)
        } else {
            Err(self.errors)
        }
    }
}
