//! Whether a route's conditions hold.
//!
//! A condition on a header sees every value of a repeated header, one by one,
//! and all of them joined by `,`: it holds when any of these satisfies it, and
//! an inverted one holds when none does. Envoy 1.40 was recorded to do so.
//!
//! A *missing* header satisfies no plain condition. It satisfies an inverted
//! one exactly when an empty value would: the model's inverted conditions are
//! Istio's `withoutHeaders`, which pilot compiles to `invert_match` with
//! `treat_missing_header_as_empty` (`TranslateRouteMatch` in
//! pilot/pkg/networking/core/route/route.go), except for a mere presence test,
//! where inverted means absent. Envoy's bare `invert_match` without that flag
//! fails on a missing header; no configuration of Istio produces it.

use std::borrow::Cow;

use http::HeaderMap;
use http::header::HeaderName;

use super::RequestView;
use crate::policy::{HeaderMatch, PathMatch, RequestMatch, StringMatch};

/// The first condition of a route that did not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// The path.
    Path,
    /// `:method`.
    Method,
    /// `:scheme`.
    Scheme,
    /// `:authority`.
    Authority,
    /// The header condition of this index.
    Header(usize),
    /// The query condition of this index.
    Query(usize),
}

/// A [`RequestMatch`] with its header names parsed.
#[derive(Debug)]
pub(super) struct Matcher {
    conditions: RequestMatch,
    subjects: Box<[Subject]>,
}

/// Where the value of a header condition comes from.
#[derive(Debug)]
enum Subject {
    Header(HeaderName),
    Method,
    Scheme,
    /// `:authority`, and `host`, which Envoy folds into it.
    Authority,
    Path,
    /// A name that no request can carry.
    Nothing,
}

impl Subject {
    fn of(name: &str) -> Self {
        match name {
            ":method" => Self::Method,
            ":scheme" => Self::Scheme,
            ":authority" => Self::Authority,
            ":path" => Self::Path,
            name if name.eq_ignore_ascii_case("host") => Self::Authority,
            name => HeaderName::try_from(name).map_or(Self::Nothing, Self::Header),
        }
    }
}

impl Matcher {
    /// Prepares `conditions`.
    pub(super) fn new(conditions: &RequestMatch) -> Self {
        let subjects = conditions.headers.iter().map(|h| Subject::of(&h.name));
        Self {
            subjects: subjects.collect(),
            conditions: conditions.clone(),
        }
    }

    /// Whether there is no condition.
    pub(super) fn takes_all(&self) -> bool {
        self.conditions == RequestMatch::default()
    }

    /// The first condition that does not hold; `None` when the request matches.
    pub(super) fn first_mismatch(&self, request: &RequestView<'_>) -> Option<Mismatch> {
        let want = &self.conditions;
        if !path_matches(&want.path, want.ignore_path_case, request.path_only()) {
            return Some(Mismatch::Path);
        }
        let pseudo = [
            (&want.method, request.method, Mismatch::Method),
            (&want.scheme, request.scheme, Mismatch::Scheme),
            (&want.authority, request.authority, Mismatch::Authority),
        ];
        for (condition, value, mismatch) in pseudo {
            if condition.as_ref().is_some_and(|c| !c.matches(value)) {
                return Some(mismatch);
            }
        }
        let headers = want.headers.iter().zip(&self.subjects);
        for (index, (condition, subject)) in headers.enumerate() {
            if !header_matches(condition, subject, request) {
                return Some(Mismatch::Header(index));
            }
        }
        let holds = |query: &crate::policy::QueryMatch| {
            let value = request.query_parameter(&query.name);
            value.is_some_and(|value| query.value.matches(value))
        };
        let failed = want.query.iter().position(|query| !holds(query));
        failed.map(Mismatch::Query)
    }
}

fn path_matches(want: &PathMatch, ignore_case: bool, path: &str) -> bool {
    let starts = |prefix: &str| match path.get(..prefix.len()) {
        Some(head) if ignore_case => head.eq_ignore_ascii_case(prefix),
        Some(head) => head == prefix,
        None => false,
    };
    match want {
        PathMatch::Any => true,
        PathMatch::Exact(exact) => path.len() == exact.len() && starts(exact),
        PathMatch::Prefix(prefix) => starts(prefix),
        PathMatch::PathPrefix(prefix) => {
            starts(prefix) && matches!(path.as_bytes().get(prefix.len()), None | Some(b'/'))
        }
        PathMatch::Regex(pattern) => pattern.matches(path),
    }
}

fn header_matches(want: &HeaderMatch, subject: &Subject, request: &RequestView<'_>) -> bool {
    let held = match subject {
        Subject::Header(name) => any_value(&want.value, request.headers, name),
        Subject::Method => Some(want.value.matches(request.method)),
        Subject::Scheme => Some(want.value.matches(request.scheme)),
        Subject::Authority => Some(want.value.matches(request.authority)),
        Subject::Path => Some(want.value.matches(request.path)),
        Subject::Nothing => None,
    };
    match held {
        Some(held) => held != want.invert,
        None => want.invert && (want.value == StringMatch::Present || !want.value.matches("")),
    }
}

/// Whether any value of `name` satisfies `want`; `None` when there is no such header.
fn any_value(want: &StringMatch, headers: &HeaderMap, name: &HeaderName) -> Option<bool> {
    let mut values = headers.get_all(name).iter().map(|v| text(v.as_bytes()));
    let first = values.next()?;
    if want.matches(&first) {
        return Some(true);
    }
    let Some(second) = values.next() else {
        return Some(false);
    };
    let mut joined = first.into_owned();
    for value in std::iter::once(second).chain(values) {
        if want.matches(&value) {
            return Some(true);
        }
        joined.push(',');
        joined.push_str(&value);
    }
    Some(want.matches(&joined))
}

/// A header value as text. Values are bytes; what is not UTF-8 can match no condition that a person writes.
pub(super) fn text(value: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(value)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::policy::{Pattern, QueryMatch};

    /// What is tried, the condition, the request's headers, whether the condition holds.
    type HeaderCase = (
        &'static str,
        StringMatch,
        Vec<(&'static str, &'static str)>,
        bool,
    );

    fn exact(text: &str) -> StringMatch {
        StringMatch::Exact(text.into())
    }

    fn regex(source: &str) -> StringMatch {
        StringMatch::Regex(Pattern::new(source).unwrap())
    }

    fn mismatch(want: &RequestMatch, uri: &str, headers: &[(&str, &str)]) -> Option<Mismatch> {
        let mut request = Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let parts = request.body(()).unwrap().into_parts().0;
        Matcher::new(want).first_mismatch(&RequestView::of(&parts, 80, None))
    }

    fn header_holds(value: StringMatch, invert: bool, headers: &[(&str, &str)]) -> bool {
        let condition = HeaderMatch {
            name: "h".into(),
            value,
            invert,
        };
        let want = RequestMatch {
            headers: vec![condition],
            ..RequestMatch::default()
        };
        mismatch(&want, "/", headers).is_none()
    }

    /// The recorded behaviour of Envoy 1.40 for each kind of header condition.
    #[test]
    fn header_conditions_hold_as_in_envoy() {
        let h = |value: &'static str| vec![("h", value)];
        let cases: Vec<HeaderCase> = vec![
            ("exact, equal", exact("v"), h("v"), true),
            ("exact, other case", exact("v"), h("V"), false),
            ("exact, longer", exact("v"), h("vv"), false),
            ("exact, missing", exact("v"), vec![], false),
            ("exact, empty", exact("v"), h(""), false),
            (
                "exact, one of two",
                exact("v"),
                vec![("h", "v"), ("h", "w")],
                true,
            ),
            (
                "exact, both",
                exact("v"),
                vec![("h", "v"), ("h", "v")],
                true,
            ),
            ("name in capitals", exact("v"), vec![("H", "v")], true),
            ("prefix", StringMatch::Prefix("pre".into()), h("prex"), true),
            (
                "prefix inside",
                StringMatch::Prefix("pre".into()),
                h("xpre"),
                false,
            ),
            (
                "prefix, missing",
                StringMatch::Prefix("pre".into()),
                vec![],
                false,
            ),
            ("suffix", StringMatch::Suffix("suf".into()), h("xsuf"), true),
            (
                "suffix inside",
                StringMatch::Suffix("suf".into()),
                h("sufx"),
                false,
            ),
            ("regex", regex("a[0-9]+"), h("a1"), true),
            ("regex with tail", regex("a[0-9]+"), h("a1b"), false),
            ("regex with head", regex("a[0-9]+"), h("xa1"), false),
            ("regex, missing", regex("a[0-9]+"), vec![], false),
            ("present, empty", StringMatch::Present, h(""), true),
            ("present", StringMatch::Present, h("x"), true),
            ("present, missing", StringMatch::Present, vec![], false),
        ];
        for (what, condition, headers, holds) in cases {
            assert_eq!(header_holds(condition, false, &headers), holds, "{what}");
        }
    }

    /// Recorded with `treat_missing_header_as_empty`, which is what `withoutHeaders` becomes.
    #[test]
    fn inverted_conditions_take_a_missing_header_for_empty() {
        let cases: Vec<HeaderCase> = vec![
            ("equal", exact("v"), vec![("h", "v")], false),
            ("different", exact("v"), vec![("h", "w")], true),
            ("empty", exact("v"), vec![("h", "")], true),
            ("missing", exact("v"), vec![], true),
            (
                "one of two is equal",
                exact("v"),
                vec![("h", "v"), ("h", "w")],
                false,
            ),
            ("present", StringMatch::Present, vec![("h", "x")], false),
            ("absent", StringMatch::Present, vec![], true),
            (
                "present but empty",
                StringMatch::Present,
                vec![("h", "")],
                false,
            ),
            (
                "an expression that takes the empty string",
                regex(".*"),
                vec![],
                false,
            ),
            ("an expression that does not", regex(".+"), vec![], true),
        ];
        for (what, condition, headers, holds) in cases {
            assert_eq!(header_holds(condition, true, &headers), holds, "{what}");
        }
    }

    #[test]
    fn repeated_values_are_also_seen_joined() {
        let two = [("h", "v"), ("h", "w")];
        assert!(header_holds(exact("v,w"), false, &two));
        assert!(header_holds(exact("w"), false, &two));
        assert!(!header_holds(exact("w,v"), false, &two));
    }

    #[test]
    fn all_header_conditions_must_hold() {
        let condition = |name: &str, value: &str| HeaderMatch {
            name: name.into(),
            value: exact(value),
            invert: false,
        };
        let want = RequestMatch {
            headers: vec![condition("h", "v"), condition("g", "w")],
            ..RequestMatch::default()
        };
        assert_eq!(mismatch(&want, "/", &[("h", "v"), ("g", "w")]), None);
        let only_h = mismatch(&want, "/", &[("h", "v")]);
        assert_eq!(only_h, Some(Mismatch::Header(1)));
    }

    fn path_holds(path: PathMatch, ignore_path_case: bool, uri: &str) -> bool {
        let want = RequestMatch {
            path,
            ignore_path_case,
            ..RequestMatch::default()
        };
        mismatch(&want, uri, &[]).is_none()
    }

    /// Recorded from Envoy 1.40: case counts unless told otherwise, and always in expressions.
    #[test]
    fn path_conditions_hold_as_in_envoy() {
        let prefix = |p: &str| PathMatch::Prefix(p.into());
        let whole = |p: &str| PathMatch::Exact(p.into());
        let rx = |p: &str| PathMatch::Regex(Pattern::new(p).unwrap());
        let cases = [
            (prefix("/Sens"), false, "/Sens", true),
            (prefix("/Sens"), false, "/sens", false),
            (prefix("/insens"), true, "/INSENS/x", true),
            (whole("/exact"), true, "/eXaCt", true),
            (whole("/exact"), true, "/exact/", false),
            (rx("/rx"), true, "/rx", true),
            (rx("/rx"), true, "/RX", false),
            (rx("/rx"), false, "/rx/more", false),
            (prefix("/api"), false, "/apiary", true),
            (whole("/a"), false, "/a?b=c", true),
            (rx("/a"), false, "/a?b=c", true),
            (PathMatch::Any, false, "/anything", true),
        ];
        for (path, ignore_case, uri, holds) in cases {
            let what = format!("{path:?} {uri}");
            assert_eq!(path_holds(path, ignore_case, uri), holds, "{what}");
        }
    }

    /// Gateway API: `PathPrefix` matches on whole segments.
    #[test]
    fn path_prefixes_end_at_a_slash() {
        for (uri, holds) in [
            ("/foo", true),
            ("/foo/", true),
            ("/foo/x", true),
            ("/foobar", false),
        ] {
            assert_eq!(
                path_holds(PathMatch::PathPrefix("/foo".into()), false, uri),
                holds
            );
        }
        assert!(path_holds(
            PathMatch::PathPrefix(String::new()),
            false,
            "/any"
        ));
        assert!(path_holds(
            PathMatch::PathPrefix("/Foo".into()),
            true,
            "/fOO/x"
        ));
    }

    #[test]
    fn query_conditions_look_at_the_first_value() {
        let query = |name: &str, value: StringMatch| RequestMatch {
            query: vec![QueryMatch {
                name: name.into(),
                value,
            }],
            ..RequestMatch::default()
        };
        let cases = [
            (query("a", exact("1")), "/?a=1", true),
            (query("a", exact("1")), "/?a=2&a=1", false),
            (query("a", exact("")), "/?a", true),
            (query("a", StringMatch::Present), "/?a", true),
            (query("a", StringMatch::Present), "/?b", false),
            (query("a", regex("[0-9]+")), "/?a=12", true),
            (query("a", regex("[0-9]+")), "/", false),
        ];
        for (want, uri, holds) in cases {
            assert_eq!(mismatch(&want, uri, &[]).is_none(), holds, "{want:?} {uri}");
        }
    }

    #[test]
    fn pseudo_headers_can_be_named_as_headers() {
        let want = |name: &str, value: &str| RequestMatch {
            headers: vec![HeaderMatch {
                name: name.into(),
                value: exact(value),
                invert: false,
            }],
            ..RequestMatch::default()
        };
        for (name, value) in [
            (":method", "GET"),
            (":path", "/a?b"),
            ("host", "svc:80"),
            (":authority", "svc:80"),
        ] {
            assert_eq!(
                mismatch(&want(name, value), "/a?b", &[("host", "svc:80")]),
                None,
                "{name}"
            );
        }
        let nonsense = mismatch(&want("bad name", "x"), "/", &[]);
        assert_eq!(nonsense, Some(Mismatch::Header(0)));
    }

    #[test]
    fn scheme_method_and_authority_are_conditions_too() {
        let base = RequestMatch::default();
        let method = RequestMatch {
            method: Some(exact("POST")),
            ..base.clone()
        };
        assert_eq!(mismatch(&method, "/", &[]), Some(Mismatch::Method));
        let scheme = RequestMatch {
            scheme: Some(exact("https")),
            ..base.clone()
        };
        assert_eq!(mismatch(&scheme, "/", &[]), Some(Mismatch::Scheme));
        let authority = RequestMatch {
            authority: Some(exact("a:80")),
            ..base
        };
        assert_eq!(
            mismatch(&authority, "/", &[("host", "a:80")]),
            None,
            "the port is part of it"
        );
        assert_eq!(
            mismatch(&authority, "/", &[("host", "a")]),
            Some(Mismatch::Authority)
        );
    }
}
