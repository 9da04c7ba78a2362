//! Changes of a path by a rewrite or a redirect.

use super::spec::PathModifier;
use crate::dialect::findings::Findings;
use crate::dialect::quantity;
use crate::document::Spanned;
use crate::policy::{PathMatch, PathRewrite, Pattern, Position};

/// A change that may depend on the prefix matched.
#[derive(Clone)]
pub(super) enum Change {
    /// A whole new path.
    Full(String),
    /// A new prefix, without trailing `/`.
    Prefix(String, Position),
}

/// Compiles a path modifier; `None` when it is wrong.
pub(super) fn compile(
    written: &Spanned<PathModifier>,
    findings: &mut Findings<'_>,
) -> Option<Change> {
    let modifier = &written.value;
    let Some(kind) = &modifier.kind else {
        findings.error(&written.at, "this `path` has no `type`");
        return None;
    };
    let kinds = [("ReplaceFullPath", true), ("ReplacePrefixMatch", false)];
    let full = quantity::choice(kind, &kinds, findings)?;
    match (
        full,
        &modifier.replace_full_path,
        &modifier.replace_prefix_match,
    ) {
        (true, Some(path), None) => Some(Change::Full(path.clone())),
        (false, None, Some(prefix)) => {
            let prefix = prefix.trim_end_matches('/').to_owned();
            Some(Change::Prefix(prefix, written.at.clone()))
        }
        _ => {
            let field = if full {
                "replaceFullPath"
            } else {
                "replacePrefixMatch"
            };
            let message = format!("`type: {}` needs `{field}` and nothing else", kind.value);
            findings.error(&written.at, message);
            None
        }
    }
}

impl Change {
    /// The rewrite for requests matched by `path`; the outer `None` means it
    /// is wrong, the inner that nothing changes.
    pub(super) fn for_match(
        &self,
        path: &PathMatch,
        findings: &mut Findings<'_>,
    ) -> Option<Option<PathRewrite>> {
        let (prefix, at) = match self {
            Self::Full(path) => return Some(Some(PathRewrite::Full(path.clone()))),
            Self::Prefix(prefix, at) => (prefix, at),
        };
        match path {
            // The matched `/` also stands between the prefix and the rest.
            PathMatch::Prefix(root) if root == "/" => {
                Some((!prefix.is_empty()).then(|| PathRewrite::Matched(format!("{prefix}/"))))
            }
            PathMatch::PathPrefix(matched) if prefix.is_empty() => {
                let source = format!("^{}(/?)(.*)", regex::escape(matched));
                match Pattern::new(&source) {
                    Ok(pattern) => Some(Some(PathRewrite::Regex {
                        pattern,
                        substitution: r"/\2".into(),
                    })),
                    Err(_) => {
                        findings.error(at, "the matched prefix is too long to be removed");
                        None
                    }
                }
            }
            PathMatch::PathPrefix(_) => Some(Some(PathRewrite::Matched(prefix.clone()))),
            _ => {
                findings.error(at, "`ReplacePrefixMatch` needs a match of type PathPrefix");
                None
            }
        }
    }
}
