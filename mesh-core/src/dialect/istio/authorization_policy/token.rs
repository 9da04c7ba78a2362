//! Demands for tokens.

use crate::dialect::findings::{Field, Findings};
use crate::document::Spanned;
use crate::policy::NoteKind;

/// Notes a demand for a token. Without tokens it never holds; its negation always does.
pub(super) fn note_token(
    written: &[Spanned<String>],
    field: &Field,
    findings: &mut Findings<'_>,
    holds: &str,
) {
    if let Some(first) = written.first() {
        let message = format!("no request carries a token (JWT), so this {holds} holds");
        findings.note(NoteKind::NotHonoured, field, &first.at, message);
    }
}
