//! What is wrong with a scenario: everything that can be found in one go.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_core::document::{Diagnostic, Severity, Source};
use mesh_core::policy::Position;

/// More errors than this help nobody.
const ERRORS_MAX: usize = 100;

/// The texts read so far, and what is wrong with them.
#[derive(Debug, Default)]
pub(super) struct Problems {
    sources: BTreeMap<Arc<str>, Source>,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
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

    fn place(&self, diagnostic: Diagnostic, at: &Position) -> Diagnostic {
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
        let known = list.iter().any(|other| {
            other.message() == diagnostic.message() && other.position() == diagnostic.position()
        });
        if !known && list.len() < ERRORS_MAX {
            list.push(diagnostic);
        }
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
