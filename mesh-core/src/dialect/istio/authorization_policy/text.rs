//! Strings in rules: `*` is any, `abc*` a prefix, `*abc` a suffix, else equal
//! (pilot/pkg/security/authz/matcher/string.go).

use crate::dialect::findings::Findings;
use crate::document::Spanned;
use crate::policy::{Pattern, StringMatch};

/// Compiles a list of strings.
pub(super) fn matches(written: &[Spanned<String>]) -> Vec<StringMatch> {
    written.iter().map(|text| one(&text.value)).collect()
}

/// Compiles a list of strings that are compared without regard to case.
pub(super) fn lower_case(written: &[Spanned<String>]) -> Vec<StringMatch> {
    written
        .iter()
        .map(|text| one(&text.value.to_ascii_lowercase()))
        .collect()
}

fn one(text: &str) -> StringMatch {
    if text == "*" {
        StringMatch::Present
    } else if let Some(suffix) = text.strip_prefix('*') {
        StringMatch::Suffix(suffix.to_owned())
    } else if let Some(prefix) = text.strip_suffix('*') {
        StringMatch::Prefix(prefix.to_owned())
    } else {
        StringMatch::Exact(text.to_owned())
    }
}

/// Characters of a path segment in a template (Envoy, source/extensions/path/uri_template_lib).
const SEGMENT: &str = "[a-zA-Z0-9\\-._~!$&'()+,;=:@%*]";
/// The same with `/`.
const SEGMENTS: &str = "[a-zA-Z0-9\\-._~!$&'()+,;=:@%*/]";

/// Compiles paths, which may be templates: `{*}` is one segment, `{**}` any number of them.
pub(super) fn paths(
    written: &[Spanned<String>],
    findings: &mut Findings<'_>,
) -> Option<Vec<StringMatch>> {
    written
        .iter()
        .map(|path| {
            if path.value.contains(['{', '}']) {
                template(path, findings)
            } else {
                Some(one(&path.value))
            }
        })
        .collect()
}

fn template(path: &Spanned<String>, findings: &mut Findings<'_>) -> Option<StringMatch> {
    let mut expression = String::new();
    let mut rest = path.value.as_str();
    while let Some(open) = rest.find(['{', '}']) {
        expression.push_str(&regex::escape(&rest[..open]));
        rest = &rest[open..];
        if let Some(after) = rest.strip_prefix("{**}") {
            expression.push_str(&format!("{SEGMENTS}*"));
            rest = after;
        } else if let Some(after) = rest.strip_prefix("{*}") {
            expression.push_str(&format!("{SEGMENT}+"));
            rest = after;
        } else {
            let message = "braces in a path may only stand in `{*}` and `{**}`";
            findings.error(&path.at, message);
            return None;
        }
    }
    expression.push_str(&regex::escape(rest));
    match Pattern::new(&expression) {
        Ok(pattern) => Some(StringMatch::Regex(pattern)),
        Err(_) => {
            findings.error(&path.at, "the path is too long");
            None
        }
    }
}
