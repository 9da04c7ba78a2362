//! Filters of a rule or of a backend.

use super::mirror;
use super::path::{self, Change};
use super::redirect::{self, Redirect};
use super::rule::Scene;
use super::spec::{Filter, Header, HeaderModifier};
use crate::dialect::findings::{Field, Findings};
use crate::dialect::header::Operations;
use crate::dialect::quantity;
use crate::document::Spanned;
use crate::policy::Mirror;

/// What the filters of a rule ask for.
#[derive(Clone, Default)]
pub(super) struct Filters {
    pub(super) request: Operations,
    pub(super) response: Operations,
    pub(super) redirect: Option<Redirect>,
    pub(super) rewrite: Option<Rewrite>,
    pub(super) mirrors: Vec<Mirror>,
}

/// A rewrite, its path still to be fitted to the match.
#[derive(Clone)]
pub(super) struct Rewrite {
    pub(super) authority: Option<String>,
    pub(super) path: Option<Change>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    RequestHeaders,
    ResponseHeaders,
    Redirect,
    Rewrite,
    Mirror,
    /// Its own field is noted as not honoured.
    Other,
}

const KINDS: &[(&str, Kind)] = &[
    ("RequestHeaderModifier", Kind::RequestHeaders),
    ("ResponseHeaderModifier", Kind::ResponseHeaders),
    ("RequestRedirect", Kind::Redirect),
    ("URLRewrite", Kind::Rewrite),
    ("RequestMirror", Kind::Mirror),
    ("CORS", Kind::Other),
    ("ExternalAuth", Kind::Other),
    ("ExtensionRef", Kind::Other),
];

/// Compiles filters; `None` when one is wrong.
pub(super) fn compile(
    written: &[Spanned<Filter>],
    field: &Field,
    scene: &Scene<'_, '_>,
    findings: &mut Findings<'_>,
) -> Option<Filters> {
    let mut filters = Filters::default();
    for (index, one) in written.iter().enumerate() {
        let field = field.child_item("filters", index);
        apply(one, &mut filters, &field, scene, findings)?;
    }
    if let (Some(redirect), Some(_)) = (&filters.redirect, &filters.rewrite) {
        let message = "a rule cannot have both RequestRedirect and URLRewrite";
        findings.error(&redirect.at, message);
        return None;
    }
    Some(filters)
}

fn apply(
    written: &Spanned<Filter>,
    filters: &mut Filters,
    field: &Field,
    scene: &Scene<'_, '_>,
    findings: &mut Findings<'_>,
) -> Option<()> {
    let filter = &written.value;
    let Some(kind) = &filter.kind else {
        findings.error(&written.at, "this filter has no `type`");
        return None;
    };
    match quantity::choice(kind, KINDS, findings)? {
        Kind::RequestHeaders => {
            let modifier = given(
                filter.request_header_modifier.as_ref(),
                "requestHeaderModifier",
                written,
                findings,
            )?;
            filters.request = operations(modifier);
        }
        Kind::ResponseHeaders => {
            let modifier = given(
                filter.response_header_modifier.as_ref(),
                "responseHeaderModifier",
                written,
                findings,
            )?;
            filters.response = operations(modifier);
        }
        Kind::Redirect => {
            let redirect = given(
                filter.request_redirect.as_ref(),
                "requestRedirect",
                written,
                findings,
            )?;
            filters.redirect = Some(redirect::compile(redirect, findings)?);
        }
        Kind::Rewrite => {
            let rewrite = given(filter.url_rewrite.as_ref(), "urlRewrite", written, findings)?;
            let path = match &rewrite.value.path {
                Some(path) => Some(path::compile(path, findings)?),
                None => None,
            };
            filters.rewrite = Some(Rewrite {
                authority: rewrite.value.hostname.clone(),
                path,
            });
        }
        Kind::Mirror => {
            let mirror = given(
                filter.request_mirror.as_ref(),
                "requestMirror",
                written,
                findings,
            )?;
            let field = field.child("requestMirror");
            filters
                .mirrors
                .extend(mirror::compile(mirror, &field, scene, findings)?);
        }
        Kind::Other => {}
    }
    Some(())
}

fn given<'t, T>(
    part: Option<&'t T>,
    name: &str,
    written: &Spanned<Filter>,
    findings: &mut Findings<'_>,
) -> Option<&'t T> {
    if part.is_none() {
        findings.error(&written.at, format!("a filter of this type needs `{name}`"));
    }
    part
}

fn operations(written: &HeaderModifier) -> Operations {
    fn pairs(headers: &[Header]) -> impl Iterator<Item = (&String, &String)> {
        headers.iter().map(|header| (&header.name, &header.value))
    }
    Operations::new(pairs(&written.set), pairs(&written.add), &written.remove)
}

#[cfg(test)]
mod tests {
    use crate::dialect::testing::{http_route, notes, refused, route};
    use crate::policy::{Forward, NoteKind, PathRewrite, Route, RouteAction};

    const BACKEND: &str = "backendRefs: [{name: b, port: 80}]";

    fn yaml(path: &str, filters: &str) -> String {
        http_route(&format!(
            "  - {{matches: [{{path: {{value: {path}}}}}], filters: [{filters}], {BACKEND}}}"
        ))
    }

    fn forward(route: Route) -> Forward {
        match route.action {
            RouteAction::Forward(forward) => forward,
            other => panic!("{other:?}"),
        }
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect()
    }

    #[test]
    fn header_filters_of_a_rule_and_of_its_only_backend() {
        let route = route(&http_route(
            "  - filters:\n    - type: RequestHeaderModifier\n      requestHeaderModifier: {set: [{name: X-A, value: '1'}], add: [{name: X-B, value: '2'}], remove: [X-C]}\n    - {type: ResponseHeaderModifier, responseHeaderModifier: {add: [{name: X-D, value: '3'}]}}\n    backendRefs:\n    - {name: b, port: 80, filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-A, value: own}]}}]}",
        ));
        assert_eq!(route.request_headers.set, pairs(&[("x-a", "own")]));
        assert_eq!(route.request_headers.add, pairs(&[("x-b", "2")]));
        assert_eq!(route.request_headers.remove, ["x-c"]);
        assert_eq!(route.response_headers.add, pairs(&[("x-d", "3")]));
        assert!(forward(route).destinations[0].request_headers.is_empty());
    }

    #[test]
    fn rewrites() {
        let rewrite = |path: &str, fields: &str| {
            forward(route(&yaml(
                path,
                &format!("{{type: URLRewrite, urlRewrite: {{{fields}}}}}"),
            )))
        };
        let host = rewrite("/a", "hostname: x.example");
        assert_eq!(
            (host.authority_rewrite.as_deref(), host.path_rewrite),
            (Some("x.example"), None)
        );
        let prefix = |path: &str, with: &str| {
            rewrite(
                path,
                &format!("path: {{type: ReplacePrefixMatch, replacePrefixMatch: {with}}}"),
            )
            .path_rewrite
        };
        assert_eq!(prefix("/a", "/b/"), Some(PathRewrite::Matched("/b".into())));
        assert_eq!(prefix("/", "/b"), Some(PathRewrite::Matched("/b/".into())));
        assert_eq!(prefix("/", "/"), None);
        let Some(PathRewrite::Regex {
            pattern,
            substitution,
        }) = prefix("/a.b", "/")
        else {
            panic!("a prefix is removed by an expression");
        };
        assert_eq!(pattern.as_str(), r"^/a\.b(/?)(.*)");
        assert_eq!(substitution, r"/\2");
        let full = rewrite("/a", "path: {type: ReplaceFullPath, replaceFullPath: /x}").path_rewrite;
        assert_eq!(full, Some(PathRewrite::Full("/x".into())));
    }

    #[test]
    fn what_is_not_simulated_is_noted() {
        let cors = yaml("/", "{type: CORS, cors: {allowOrigins: ['*']}}");
        assert_eq!(
            notes(&cors, NoteKind::NotHonoured),
            [
                "8:60 spec.rules[0].filters[0].cors: cross-origin rules are not simulated: nothing here is a browser"
            ]
        );
        let session = http_route(&format!("  - {{sessionPersistence: {{}}, {BACKEND}}}"));
        assert_eq!(notes(&session, NoteKind::NotHonoured).len(), 1);
    }

    #[test]
    fn wrong_filters_are_refused() {
        let message = |path: &str, filters: &str| refused(&yaml(path, filters)).join("|");
        assert_eq!(
            message("/", "{type: URLRewrite}"),
            "8:47 a filter of this type needs `urlRewrite`"
        );
        assert_eq!(
            message("/", "{type: UrlRewrite}"),
            "8:54 unknown value `UrlRewrite`"
        );
        assert_eq!(
            message(
                "/",
                "{type: RequestRedirect, requestRedirect: {scheme: https}}"
            ),
            "8:88 a rule cannot have both RequestRedirect and `backendRefs`"
        );
        assert_eq!(
            refused(&http_route(&format!(
                "  - {{matches: [{{path: {{type: Exact, value: /a}}}}], filters: [{{type: URLRewrite, urlRewrite: {{path: {{type: ReplacePrefixMatch, replacePrefixMatch: /b}}}}}}], {BACKEND}}}"
            ))),
            ["8:99 `ReplacePrefixMatch` needs a match of type PathPrefix"]
        );
    }
}
