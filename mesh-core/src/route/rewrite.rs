//! Rewriting the path and the authority.
//!
//! Only what precedes the query is rewritten; the query is kept as written
//! (Envoy `RouteEntryImplBase::finalizePathHeader`). What the rewrite replaces
//! follows from how the path was matched: the prefix, or the whole path.

use std::fmt::Write as _;

use http::header::{HOST, HeaderName, HeaderValue};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, Uri};
use regex::{Regex, RegexBuilder};

use super::host::port_start;
use super::view::split_path;
use crate::policy::{PathMatch, PathRewrite};

/// What the path was before it was rewritten (Envoy `x-envoy-original-path`).
const ORIGINAL_PATH: HeaderName = HeaderName::from_static("x-envoy-original-path");

/// What the authority was before it was rewritten (Envoy 1.35+ `x-envoy-original-host`).
const ORIGINAL_HOST: HeaderName = HeaderName::from_static("x-envoy-original-host");

/// A [`PathRewrite`] made ready for one path matcher.
#[derive(Debug)]
pub(super) enum PathEdit {
    /// Replaces the first `length` bytes.
    Head { length: usize, with: String },
    /// Replaces a prefix of whole segments.
    Segments { length: usize, with: String },
    /// Replaces the whole path.
    Whole(String),
    /// Replaces every match.
    Regex { pattern: Regex, with: String },
}

impl PathEdit {
    /// Prepares `rewrite` for paths that `matched` matched; `None` when it cannot change a path.
    pub(super) fn new(rewrite: &PathRewrite, matched: &PathMatch) -> Option<Self> {
        match rewrite {
            PathRewrite::Full(path) => (!path.is_empty()).then(|| Self::Whole(path.clone())),
            PathRewrite::Matched(path) => Self::of_match(path, matched),
            PathRewrite::Regex {
                pattern,
                substitution,
            } => Some(Self::Regex {
                pattern: RegexBuilder::new(pattern.as_str())
                    .size_limit(1 << 20)
                    .build()
                    .ok()?,
                with: template(substitution),
            }),
        }
    }

    fn of_match(path: &str, matched: &PathMatch) -> Option<Self> {
        let with = path.to_owned();
        let head = |length| {
            (!path.is_empty()).then_some(Self::Head {
                length,
                with: with.clone(),
            })
        };
        match matched {
            // A route without a path condition is Envoy's prefix `/`: the new prefix stands in for that slash
            // (pilot TranslateRouteMatch).
            PathMatch::Any => head(1),
            PathMatch::Prefix(prefix) => head(prefix.len()),
            PathMatch::PathPrefix(prefix) => Some(Self::Segments {
                length: prefix.len(),
                with,
            }),
            PathMatch::Exact(_) | PathMatch::Regex(_) => {
                (!path.is_empty()).then_some(Self::Whole(with))
            }
        }
    }

    /// The new path and query for `path`.
    pub(super) fn apply(&self, path: &str) -> String {
        let (path, query) = split_path(path);
        let mut new = match self {
            Self::Head { length, with } => with.clone() + path.get(*length..).unwrap_or(""),
            Self::Segments { length, with } => segments(with, path.get(*length..).unwrap_or("")),
            Self::Whole(with) => with.clone(),
            Self::Regex { pattern, with } => pattern.replace_all(path, with).into_owned(),
        };
        if !new.starts_with('/') {
            // Envoy would send it as it is, and the next HTTP parser refuse it; a URI here cannot even hold it.
            new.insert(0, '/');
        }
        new.push_str(query);
        new
    }

    /// Whether the new path brings a query of its own, for redirects.
    pub(super) fn has_query(&self) -> bool {
        matches!(self, Self::Whole(with) if with.contains('?'))
    }
}

/// Joins a replaced prefix and the rest with exactly one slash between them, as the Gateway API's table of
/// `ReplacePrefixMatch` has it (gateway-api apis/v1/httproute_types.go): `/foo` → `/` turns `/foo/bar` into `/bar`.
fn segments(with: &str, rest: &str) -> String {
    let with = with.strip_suffix('/').unwrap_or(with);
    match rest.strip_prefix('/') {
        Some(rest) => format!("{with}/{rest}"),
        None => format!("{with}{rest}"),
    }
}

/// An RE2 rewrite (`\1`, `\\`) in the words of the regex crate (`${1}`).
fn template(substitution: &str) -> String {
    let mut out = String::with_capacity(substitution.len());
    let mut chars = substitution.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => match chars.next() {
                Some(group) if group.is_ascii_digit() => {
                    let _ = write!(out, "${{{group}}}"); // writing to a string cannot fail
                }
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            ('$', _) => out.push_str("$$"),
            _ => out.push(c),
        }
    }
    out
}

/// Gives the request a new path, and keeps the old one in `x-envoy-original-path`.
pub(super) fn set_path(parts: &mut Parts, new: &str) {
    let old = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let original = HeaderValue::try_from(old);
    let path = PathAndQuery::try_from(new).or_else(|_| PathAndQuery::try_from(escaped(new)));
    let Ok(path) = path else { return };
    let mut uri = std::mem::take(&mut parts.uri).into_parts();
    uri.path_and_query = Some(path);
    // Only a path was exchanged for a path, so the parts still fit together.
    parts.uri = Uri::from_parts(uri).unwrap_or_default();
    if let Ok(original) = original {
        parts.headers.insert(ORIGINAL_PATH, original);
    }
}

/// `path` with every byte that a URI cannot carry percent-encoded.
fn escaped(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_graphic() && !br#""<>\^`{|}#"#.contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}"); // writing to a string cannot fail
        }
    }
    out
}

/// Gives the request a new authority, and keeps the old one in `x-envoy-original-host`.
pub(super) fn set_authority(parts: &mut Parts, new: &str) {
    let (Ok(authority), Ok(host)) = (Authority::try_from(new), HeaderValue::try_from(new)) else {
        return;
    };
    let old = match parts.uri.authority() {
        Some(old) => HeaderValue::try_from(old.as_str()).ok(),
        None => parts.headers.get(HOST).cloned(),
    };
    if parts.uri.authority().is_some() {
        let mut uri = std::mem::take(&mut parts.uri).into_parts();
        uri.authority = Some(authority);
        // Only an authority was exchanged for an authority, so the parts still fit together.
        parts.uri = Uri::from_parts(uri).unwrap_or_default();
    }
    write_host(&mut parts.headers, parts.uri.authority().is_some(), host);
    if let Some(old) = old {
        parts.headers.insert(ORIGINAL_HOST, old);
    }
}

/// Writes `Host` where it counts: always in HTTP/1, and in HTTP/2 only when it is already there.
fn write_host(headers: &mut HeaderMap, in_uri: bool, host: HeaderValue) {
    if !in_uri || headers.contains_key(HOST) {
        headers.insert(HOST, host);
    }
}

/// The authority of a mirrored request: `-shadow` is appended to the host, before any port
/// (recorded from Envoy 1.40).
pub fn shadow_authority(authority: &str) -> String {
    let (host, port) = authority.split_at(port_start(authority).unwrap_or(authority.len()));
    format!("{host}-shadow{port}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Pattern;

    fn rewritten(rewrite: PathRewrite, matched: PathMatch, path: &str) -> String {
        PathEdit::new(&rewrite, &matched).unwrap().apply(path)
    }

    fn matched(with: &str) -> PathRewrite {
        PathRewrite::Matched(with.into())
    }

    fn regex(pattern: &str, substitution: &str) -> PathRewrite {
        PathRewrite::Regex {
            pattern: Pattern::new(pattern).unwrap(),
            substitution: substitution.into(),
        }
    }

    #[test]
    fn what_was_matched_is_replaced_and_the_query_kept() {
        let prefix = |p: &str| PathMatch::Prefix(p.into());
        let cases = [
            (matched("/new"), prefix("/old"), "/old/x?q=1", "/new/x?q=1"),
            (matched("/new"), prefix("/old"), "/OLD/x", "/new/x"),
            (matched("/"), prefix("/api"), "/api/x", "//x"),
            (matched("/"), prefix("/api/"), "/api/x", "/x"),
            (
                matched("/new"),
                PathMatch::Exact("/old".into()),
                "/old?q",
                "/new?q",
            ),
            (
                matched("/new"),
                PathMatch::Regex(Pattern::new("/o.*").unwrap()),
                "/old/x",
                "/new",
            ),
            (matched("/new"), PathMatch::Any, "/a", "/newa"),
            (
                PathRewrite::Full("/f".into()),
                prefix("/"),
                "/a/b?q",
                "/f?q",
            ),
        ];
        for (rewrite, path, before, after) in cases {
            let what = format!("{rewrite:?} {path:?} {before}");
            assert_eq!(rewritten(rewrite, path, before), after, "{what}");
        }
    }

    /// The examples of the Gateway API's `ReplacePrefixMatch`.
    #[test]
    fn a_segment_prefix_is_replaced_with_one_slash_between() {
        let cases = [
            ("/foo", "/xyz", "/foo/bar", "/xyz/bar"),
            ("/foo", "/xyz/", "/foo/bar", "/xyz/bar"),
            ("/foo", "/xyz", "/foo", "/xyz"),
            ("/foo", "/xyz", "/foo/", "/xyz/"),
            ("/foo", "", "/foo/bar", "/bar"),
            ("/foo", "", "/foo/", "/"),
            ("/foo", "", "/foo", "/"),
            ("/foo", "/", "/foo/bar", "/bar"),
            ("/foo", "/", "/foo/", "/"),
            ("/foo", "/", "/foo?q", "/?q"),
            ("", "/xyz", "/a", "/xyz/a"),
        ];
        for (prefix, with, before, after) in cases {
            let path = PathMatch::PathPrefix(prefix.into());
            assert_eq!(
                rewritten(matched(with), path, before),
                after,
                "{prefix} {with} {before}"
            );
        }
    }

    #[test]
    fn regex_groups_are_re2s() {
        let any = || PathMatch::Any;
        let cases = [
            (
                regex("^/service/([^/]+)(/.*)$", r"\2/instance/\1"),
                "/service/foo/v1/api?q",
                "/v1/api/instance/foo?q",
            ),
            (
                regex("one", "two"),
                "/xxx/one/yyy/one/zzz",
                "/xxx/two/yyy/two/zzz",
            ),
            (regex("^/(a)$", r"/\1b"), "/a", "/ab"),
            (regex("a", r"$1\\"), "/a", r"/$1\"),
            (regex("(?i)/Aa/", "/b/"), "/aA/c", "/b/c"),
        ];
        for (rewrite, before, after) in cases {
            assert_eq!(rewritten(rewrite, any(), before), after);
        }
    }

    fn parts(uri: &str, host: Option<&str>) -> Parts {
        let mut request = http::Request::get(uri);
        if let Some(host) = host {
            request = request.header(HOST, host);
        }
        request.body(()).unwrap().into_parts().0
    }

    /// Recorded from Envoy 1.40 with both rewrites on one route.
    #[test]
    fn originals_are_kept_in_headers() {
        let mut parts = parts("/rewrite", Some("svc.test"));
        set_authority(&mut parts, "rw.test");
        set_path(&mut parts, "/new");
        assert_eq!(parts.uri, "/new");
        assert_eq!(parts.headers[HOST], "rw.test");
        assert_eq!(parts.headers[ORIGINAL_HOST], "svc.test");
        assert_eq!(parts.headers[ORIGINAL_PATH], "/rewrite");
    }

    #[test]
    fn http2_authorities_are_rewritten_in_the_uri() {
        let mut parts = parts("http://svc.test:80/a", None);
        set_authority(&mut parts, "rw.test");
        assert_eq!(parts.uri, "http://rw.test/a");
        assert!(!parts.headers.contains_key(HOST));
    }

    #[test]
    fn impossible_bytes_are_escaped_not_lost() {
        let mut parts = parts("/a", None);
        set_path(&mut parts, "/with space?q");
        assert_eq!(parts.uri, "/with%20space?q");
    }

    /// Recorded from Envoy 1.40.
    #[test]
    fn shadows_carry_a_suffix_before_the_port() {
        assert_eq!(shadow_authority("svc.test"), "svc.test-shadow");
        assert_eq!(shadow_authority("svc.test:8080"), "svc.test-shadow:8080");
        assert_eq!(shadow_authority("rw.test"), "rw.test-shadow");
    }
}
