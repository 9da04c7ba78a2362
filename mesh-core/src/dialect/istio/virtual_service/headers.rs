//! `headers` blocks.

use super::spec::{HeaderOperations, Headers};
use crate::dialect::header::{self, Operations};
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
        let request = operations(written.value.request.as_ref());
        Self {
            request: request.mutations,
            response: operations(written.value.response.as_ref()).mutations,
            authority: request.authority,
        }
    }

    /// These changes, then `later`, as one.
    pub(super) fn then(mut self, later: Self) -> Self {
        header::append(&mut self.request, later.request);
        header::append(&mut self.response, later.response);
        self.authority = self.authority.or(later.authority);
        self
    }
}

fn operations(written: Option<&HeaderOperations>) -> Operations {
    match written {
        Some(written) => Operations::new(&written.set, &written.add, &written.remove),
        None => Operations::default(),
    }
}
