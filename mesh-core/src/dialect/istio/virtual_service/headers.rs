//! Changes to headers.
//!
//! pilot sorts them by name, takes `Host` and `:authority` as a rewrite of the
//! authority, and drops every other pseudo-header (route.go, `TranslateHeadersOperations`).

use super::spec::{HeaderOperations, Headers};
use crate::dialect::lenient::Table;
use crate::document::Spanned;
use crate::policy::HeaderMutations;

/// What a `headers` block asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    pub(super) request: HeaderMutations,
    pub(super) response: HeaderMutations,
    pub(super) authority: Option<String>,
}

impl Changes {
    /// Reads a `headers` block.
    pub(super) fn read(written: Option<&Spanned<Headers>>) -> Self {
        let Some(written) = written else {
            return Self::default();
        };
        let request = written.value.request.as_ref();
        let authority = request.and_then(|request| {
            authority(&request.set).or_else(|| authority(&request.add))
        });
        Self {
            request: request.map(mutations).unwrap_or_default(),
            response: written.value.response.as_ref().map(mutations).unwrap_or_default(),
            authority,
        }
    }

    /// These changes, then `later`, as one: what `later` sets overwrites what was added or set before.
    pub(super) fn then(mut self, later: Self) -> Self {
        append(&mut self.request, later.request);
        append(&mut self.response, later.response);
        self.authority = self.authority.or(later.authority);
        self
    }
}

fn append(first: &mut HeaderMutations, later: HeaderMutations) {
    let overwritten = |name: &str| later.set.iter().any(|(set, _)| set == name);
    first.set.retain(|(name, _)| !overwritten(name));
    first.add.retain(|(name, _)| !overwritten(name));
    first.set.extend(later.set);
    first.add.extend(later.add);
    for name in later.remove {
        if !first.remove.contains(&name) {
            first.remove.push(name);
        }
    }
}

fn mutations(written: &HeaderOperations) -> HeaderMutations {
    HeaderMutations {
        set: entries(&written.set),
        add: entries(&written.add),
        remove: written
            .remove
            .iter()
            .map(|name| name.to_ascii_lowercase())
            .filter(|name| !is_internal(name))
            .collect(),
    }
}

fn entries(written: &Table<String>) -> Vec<(String, String)> {
    let mut entries: Vec<_> = written
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .filter(|(name, _)| !is_internal(name))
        .collect();
    entries.sort();
    entries
}

fn is_internal(name: &str) -> bool {
    name.starts_with(':') || name == "host"
}

fn authority(written: &Table<String>) -> Option<String> {
    written
        .iter()
        .find(|(name, _)| matches!(name.to_ascii_lowercase().as_str(), "host" | ":authority"))
        .map(|(_, value)| value.clone())
}
