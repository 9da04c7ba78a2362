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

#[cfg(test)]
mod tests {
    use crate::dialect::testing::{http_route, notes, refused, routes};
    use crate::policy::{NoteKind, PathMatch, Pattern, StringMatch};

    /// A rule with one match and a backend named as the match should be found.
    fn rule(name: &str, fields: &str) -> String {
        format!(
            "  - {{name: {name}, matches: [{{{fields}}}], backendRefs: [{{name: b, port: 80}}]}}\n"
        )
    }

    #[test]
    fn the_more_specific_match_comes_first() {
        let yaml = http_route(
            &[
                rule("regex", "path: {type: RegularExpression, value: '/a/.*/very/long/expression'}"),
                rule("root", ""),
                rule("short", "path: {value: /a}"),
                rule("query", "path: {value: /a/b}, queryParams: [{name: q, value: '1'}, {name: r, value: '1'}]"),
                rule("headers", "path: {value: /a/b}, headers: [{name: h, value: '1'}]"),
                rule("method", "path: {value: /a/b}, method: GET"),
                rule("long", "path: {value: /a/b}"),
                rule("exact", "path: {type: Exact, value: /}"),
            ]
            .concat(),
        );
        let names: Vec<String> = routes(&yaml).into_iter().map(|route| route.name).collect();
        assert_eq!(
            names,
            [
                "r/exact",
                "r/method",
                "r/headers",
                "r/query",
                "r/long",
                "r/short",
                "r/root",
                "r/regex"
            ]
        );
        // Istio ranks a prefix before an expression, so nothing is left for the expression.
        assert_eq!(notes(&yaml, NoteKind::NoEffect).len(), 1);
    }

    #[test]
    fn path_prefixes_end_at_slashes() {
        let path = |fields: &str| {
            routes(&http_route(&rule("x", fields)))
                .remove(0)
                .matcher
                .path
        };
        assert_eq!(
            path("path: {type: PathPrefix, value: /a/}"),
            PathMatch::PathPrefix("/a".into())
        );
        assert_eq!(path("path: {value: /}"), PathMatch::Prefix("/".into()));
        assert_eq!(path("path: {}"), PathMatch::Prefix("/".into()));
        assert_eq!(path(""), PathMatch::Prefix("/".into()));
        assert_eq!(
            path("path: {type: Exact, value: /a/}"),
            PathMatch::Exact("/a/".into())
        );
        assert_eq!(
            path("path: {type: RegularExpression, value: '/[a-z]'}"),
            PathMatch::Regex(Pattern::new("/[a-z]").unwrap())
        );
    }

    #[test]
    fn headers_and_parameters_are_exact_or_expressions_and_the_first_of_a_name_counts() {
        let fields = "headers: [{name: X-A, value: one}, {name: x-a, value: two}, {type: RegularExpression, name: X-B, value: 't.*'}], queryParams: [{name: Q, value: '1'}], method: POST";
        let matcher = routes(&http_route(&rule("x", fields))).remove(0).matcher;
        assert_eq!(matcher.headers.len(), 2);
        assert_eq!(matcher.headers[0].name, "x-a");
        assert_eq!(matcher.headers[0].value, StringMatch::Exact("one".into()));
        assert!(
            matches!(&matcher.headers[1].value, StringMatch::Regex(pattern) if pattern.as_str() == "t.*")
        );
        assert_eq!(matcher.query[0].name, "Q");
        assert_eq!(matcher.method, Some(StringMatch::Exact("POST".into())));
    }

    #[test]
    fn wrong_matches_are_refused() {
        let message = |fields: &str| refused(&http_route(&rule("x", fields))).join("|");
        assert_eq!(
            message("path: {value: a}"),
            "8:40 `a` is not a path: it must begin with `/`"
        );
        assert_eq!(
            message("path: {type: Prefix, value: /a}"),
            "8:39 unknown value `Prefix`"
        );
        assert_eq!(message("method: get"), "8:34 unknown value `get`");
        assert_eq!(
            message("headers: [{name: a}]"),
            "8:36 this match needs `name` and `value`"
        );
    }
}
