//! Matches and their precedence.

use super::spec::{Match, Value};
use crate::dialect::findings::Findings;
use crate::dialect::quantity;
use crate::document::Spanned;
use crate::policy::{HeaderMatch, PathMatch, QueryMatch, RequestMatch, StringMatch};

/// How specific a match is; the greater comes first. Kind of path (exact, prefix,
/// expression), its length, a method, the number of headers, that of query
/// parameters (conversion.go, `sortHTTPRoutes`).
pub(super) type Rank = (u8, usize, bool, usize, usize);

/// The rank of a matcher.
pub(super) fn rank(matcher: &RequestMatch) -> Rank {
    let (kind, length) = match &matcher.path {
        PathMatch::Exact(path) => (3, path.len()),
        PathMatch::PathPrefix(path) | PathMatch::Prefix(path) => (2, path.len()),
        PathMatch::Regex(pattern) => (1, pattern.as_str().len()),
        PathMatch::Any => (2, 1),
    };
    let method = matcher.method.is_some();
    (
        kind,
        length,
        method,
        matcher.headers.len(),
        matcher.query.len(),
    )
}

/// The matcher of a rule without matches: the prefix `/`.
pub(super) fn everything() -> RequestMatch {
    RequestMatch {
        path: PathMatch::Prefix("/".into()),
        ..RequestMatch::default()
    }
}

const METHODS: &[(&str, ())] = &[
    ("GET", ()),
    ("HEAD", ()),
    ("POST", ()),
    ("PUT", ()),
    ("DELETE", ()),
    ("CONNECT", ()),
    ("OPTIONS", ()),
    ("TRACE", ()),
    ("PATCH", ()),
];

/// Compiles a match; `None` when it is wrong.
pub(super) fn compile(
    written: &Spanned<Match>,
    findings: &mut Findings<'_>,
) -> Option<RequestMatch> {
    let one = &written.value;
    let mut matcher = everything();
    if let Some(path) = &one.path {
        matcher.path = self::path(path, findings)?;
    }
    if let Some(method) = &one.method {
        quantity::choice(method, METHODS, findings)?;
        matcher.method = Some(StringMatch::Exact(method.value.clone()));
    }
    for header in &one.headers {
        let (name, value) = named(header, findings)?;
        let name = name.to_ascii_lowercase();
        // Of entries with equivalent names only the first counts.
        if !matcher.headers.iter().any(|known| known.name == name) {
            matcher.headers.push(HeaderMatch {
                name,
                value,
                invert: false,
            });
        }
    }
    for parameter in &one.query_params {
        let (name, value) = named(parameter, findings)?;
        if !matcher.query.iter().any(|known| known.name == name) {
            matcher.query.push(QueryMatch { name, value });
        }
    }
    Some(matcher)
}

#[derive(Clone, Copy)]
enum Kind {
    Exact,
    Prefix,
    Regex,
}

fn path(written: &Value, findings: &mut Findings<'_>) -> Option<PathMatch> {
    let kind = match &written.kind {
        Some(name) => quantity::choice(
            name,
            &[
                ("Exact", Kind::Exact),
                ("PathPrefix", Kind::Prefix),
                ("RegularExpression", Kind::Regex),
            ],
            findings,
        )?,
        None => Kind::Prefix,
    };
    let Some(value) = &written.value else {
        return Some(match kind {
            Kind::Exact => PathMatch::Exact("/".into()),
            Kind::Prefix => PathMatch::Prefix("/".into()),
            Kind::Regex => PathMatch::Regex(crate::policy::Pattern::new("/").ok()?),
        });
    };
    if let Kind::Regex = kind {
        return quantity::regex(value, findings).map(PathMatch::Regex);
    }
    if !value.value.starts_with('/') {
        findings.error(
            &value.at,
            format!("`{}` is not a path: it must begin with `/`", value.value),
        );
        return None;
    }
    Some(match kind {
        Kind::Exact => PathMatch::Exact(value.value.clone()),
        _ => match value.value.trim_end_matches('/') {
            "" => PathMatch::Prefix("/".into()),
            prefix => PathMatch::PathPrefix(prefix.to_owned()),
        },
    })
}

fn named(written: &Spanned<Value>, findings: &mut Findings<'_>) -> Option<(String, StringMatch)> {
    let (Some(name), Some(value)) = (&written.value.name, &written.value.value) else {
        findings.error(&written.at, "this match needs `name` and `value`");
        return None;
    };
    let exact = match &written.value.kind {
        Some(kind) => quantity::choice(
            kind,
            &[("Exact", true), ("RegularExpression", false)],
            findings,
        )?,
        None => true,
    };
    let value = match exact {
        true => StringMatch::Exact(value.value.clone()),
        false => StringMatch::Regex(quantity::regex(value, findings)?),
    };
    Some((name.value.clone(), value))
}
