//! Match blocks → request matchers (route.go, `TranslateRouteMatch`).

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::MESH;
use super::spec::{HttpMatch, StringMatch as Written};
use crate::dialect::findings::{Field, Findings};
use crate::dialect::quantity;
use crate::document::Spanned;
use crate::policy::{
    HeaderMatch, NoteKind, PathMatch, QueryMatch, RequestMatch, SourceScope, StringMatch,
};

/// A compiled block: the callers and the port it is for, and the requests it takes.
#[derive(Default)]
pub(super) struct Block {
    pub(super) source: Option<SourceScope>,
    pub(super) port: Option<u16>,
    pub(super) matcher: RequestMatch,
}

/// Compiles a block; `None` when it is not for sidecars, or wrong.
pub(super) fn compile(
    written: &Spanned<HttpMatch>,
    field: &Field,
    findings: &mut Findings<'_>,
) -> Option<Block> {
    let block = &written.value;
    if !block.gateways.is_empty() && !block.gateways.iter().any(|name| name.value == MESH) {
        findings.note(
            NoteKind::NotHonoured,
            &field.child("gateways"),
            &written.at,
            "this block is for gateways, not for sidecars: the list lacks `mesh`",
        );
        return None;
    }
    let port = match &block.port {
        Some(port) => Some(quantity::port(port, findings)?),
        None => None,
    };
    Some(Block {
        source: source(written, field, findings),
        port,
        matcher: matcher(block, findings)?,
    })
}

/// Labels and namespace of the callers. A `gateways` list in the same block
/// switches them off (route.go, `sourceMatchHTTP`).
fn source(
    written: &Spanned<HttpMatch>,
    field: &Field,
    findings: &mut Findings<'_>,
) -> Option<SourceScope> {
    let block = &written.value;
    let namespace = block
        .source_namespace
        .clone()
        .filter(|name| !name.is_empty());
    if block.source_labels.is_empty() && namespace.is_none() {
        return None;
    }
    if !block.gateways.is_empty() {
        findings.note(
            NoteKind::NoEffect,
            &field.child("sourceLabels"),
            &written.at,
            "Istio ignores sourceLabels and sourceNamespace in a block that lists `gateways`",
        );
        return None;
    }
    let labels: BTreeMap<String, String> = block
        .source_labels
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    Some(SourceScope { labels, namespace })
}

fn matcher(block: &HttpMatch, findings: &mut Findings<'_>) -> Option<RequestMatch> {
    let path = path(block.uri.as_ref(), findings);
    let scheme = optional(block.scheme.as_ref(), findings);
    let method = optional(block.method.as_ref(), findings);
    let authority = optional(block.authority.as_ref(), findings);
    let mut headers = header_matches(&block.headers, false, findings)?;
    headers.extend(header_matches(&block.without_headers, true, findings)?);
    headers.sort_by(|a, b| a.name.cmp(&b.name));
    let mut query = Vec::new();
    for (name, value) in block.query_params.iter() {
        query.push(QueryMatch {
            name: name.clone(),
            value: text(value, findings)?,
        });
    }
    Some(RequestMatch {
        path: path?,
        ignore_path_case: block.ignore_uri_case.unwrap_or(false),
        scheme: scheme?,
        method: method?,
        authority: authority?,
        headers,
        query,
    })
}

fn header_matches(
    written: &IndexMap<String, Spanned<Written>>,
    invert: bool,
    findings: &mut Findings<'_>,
) -> Option<Vec<HeaderMatch>> {
    let mut matches = Vec::new();
    for (name, value) in written.iter() {
        matches.push(HeaderMatch {
            name: name.to_ascii_lowercase(),
            value: text(value, findings)?,
            invert,
        });
    }
    Some(matches)
}

fn path(written: Option<&Spanned<Written>>, findings: &mut Findings<'_>) -> Option<PathMatch> {
    let Some(written) = written else {
        return Some(PathMatch::Any);
    };
    Some(match text(written, findings)? {
        StringMatch::Exact(path) => PathMatch::Exact(path),
        StringMatch::Prefix(prefix) => PathMatch::Prefix(prefix),
        StringMatch::Regex(pattern) => PathMatch::Regex(pattern),
        StringMatch::Suffix(_) | StringMatch::Present => PathMatch::Any,
    })
}

fn optional(
    written: Option<&Spanned<Written>>,
    findings: &mut Findings<'_>,
) -> Option<Option<StringMatch>> {
    match written {
        Some(written) => text(written, findings).map(Some),
        None => Some(None),
    }
}

/// A string condition. Nothing in it, or the regex `*`, means "is there" (`canBeConvertedToPresentMatch`).
fn text(written: &Spanned<Written>, findings: &mut Findings<'_>) -> Option<StringMatch> {
    match (
        &written.value.exact,
        &written.value.prefix,
        &written.value.regex,
    ) {
        (None, None, None) => Some(StringMatch::Present),
        (Some(exact), None, None) => Some(StringMatch::Exact(exact.value.clone())),
        (None, Some(prefix), None) if prefix.value.is_empty() => {
            findings.error(&prefix.at, "the prefix is empty");
            None
        }
        (None, Some(prefix), None) => Some(StringMatch::Prefix(prefix.value.clone())),
        (None, None, Some(regex)) if regex.value == "*" => Some(StringMatch::Present),
        (None, None, Some(regex)) => quantity::regex(regex, findings).map(StringMatch::Regex),
        _ => {
            findings.error(
                &written.at,
                "only one of `exact`, `prefix` and `regex` can be given",
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::dialect::testing::{http, notes, policy, refused, routes};
    use crate::policy::{
        HeaderMatch, NoteKind, PathMatch, Pattern, QueryMatch, RequestMatch, SourceScope,
        StringMatch,
    };

    fn block(fields: &str) -> String {
        http(&format!(
            "  - {{match: [{{{fields}}}], route: [{{destination: {{host: v}}}}]}}"
        ))
    }

    fn matcher(fields: &str) -> RequestMatch {
        routes(&block(fields)).remove(0).matcher
    }

    fn regex(source: &str) -> Pattern {
        Pattern::new(source).unwrap()
    }

    #[test]
    fn a_uri_prefix_is_a_plain_prefix_of_the_string() {
        assert_eq!(
            matcher("uri: {exact: /a}").path,
            PathMatch::Exact("/a".into())
        );
        assert_eq!(
            matcher("uri: {prefix: /a}").path,
            PathMatch::Prefix("/a".into())
        );
        assert_eq!(
            matcher("uri: {regex: '/a.*'}").path,
            PathMatch::Regex(regex("/a.*"))
        );
        assert_eq!(matcher("uri: {}").path, PathMatch::Any);
        assert_eq!(matcher("").path, PathMatch::Any);
    }

    #[test]
    fn every_other_kind_of_condition_is_read() {
        let matcher = matcher(
            "scheme: {exact: http}, method: {regex: 'GET|HEAD'}, authority: {prefix: v.}, ignoreUriCase: true, \
             queryParams: {debug: {exact: '1'}, any: {}}",
        );
        assert!(matcher.ignore_path_case);
        assert_eq!(matcher.scheme, Some(StringMatch::Exact("http".into())));
        assert_eq!(matcher.method, Some(StringMatch::Regex(regex("GET|HEAD"))));
        assert_eq!(matcher.authority, Some(StringMatch::Prefix("v.".into())));
        let parameter = |name: &str, value| QueryMatch {
            name: name.into(),
            value,
        };
        assert_eq!(
            matcher.query,
            [
                parameter("debug", StringMatch::Exact("1".into())),
                parameter("any", StringMatch::Present)
            ]
        );
    }

    #[test]
    fn header_names_are_lower_case_and_an_empty_condition_means_present() {
        let matcher = matcher(
            "headers: {End-User: {exact: jason}, X-Any: {}, X-Star: {regex: '*'}}, withoutHeaders: {X-Canary: {}, X-Mode: {exact: dark}}",
        );
        let header = |name: &str, value, invert| HeaderMatch {
            name: name.into(),
            value,
            invert,
        };
        assert_eq!(
            matcher.headers,
            [
                header("end-user", StringMatch::Exact("jason".into()), false),
                header("x-any", StringMatch::Present, false),
                header("x-canary", StringMatch::Present, true),
                header("x-mode", StringMatch::Exact("dark".into()), true),
                header("x-star", StringMatch::Present, false),
            ]
        );
    }

    #[test]
    fn callers_and_ports_scope_a_route() {
        let policy = policy(&block(
            "port: 8080, sourceLabels: {app: web, version: v1}, sourceNamespace: shop",
        ));
        let scoped = &policy.routes[0].routes[0];
        assert_eq!(scoped.port, Some(8080));
        assert_eq!(
            scoped.source,
            Some(SourceScope {
                labels: [("app", "web"), ("version", "v1")]
                    .map(|(k, v)| (k.to_owned(), v.to_owned()))
                    .into(),
                namespace: Some("shop".into()),
            })
        );
    }

    #[test]
    fn a_block_for_gateways_is_not_for_sidecars() {
        let yaml = http(
            "  - match: [{gateways: [front], uri: {exact: /a}}, {gateways: [front, mesh], uri: {exact: /b}, sourceLabels: {app: x}}]\n    route: [{destination: {host: v}}]",
        );
        let policy = policy(&yaml);
        let [only] = policy.routes[0].routes.as_slice() else {
            panic!("one route");
        };
        assert_eq!(only.route.name, "v/0#1");
        // Istio does not look at labels where a block lists gateways.
        assert_eq!(only.source, None);
        assert_eq!(
            notes(&yaml, NoteKind::NotHonoured),
            [
                "8:13 spec.http[0].match[0].gateways: this block is for gateways, not for sidecars: the list lacks `mesh`"
            ]
        );
        assert_eq!(notes(&yaml, NoteKind::NoEffect).len(), 1);
    }

    #[test]
    fn wrong_conditions_are_refused_where_they_stand() {
        let message = |fields: &str| refused(&block(fields)).join("|");
        assert_eq!(
            message("uri: {exact: /a, prefix: /b}"),
            "8:20 only one of `exact`, `prefix` and `regex` can be given"
        );
        assert_eq!(message("uri: {prefix: ''}"), "8:29 the prefix is empty");
        assert!(
            message("headers: {a: {regex: '('}}")
                .starts_with("8:36 `(` is not a regular expression (RE2): unclosed group")
        );
        assert_eq!(
            message("port: 70000"),
            "8:21 `70000` is not a port: ports go from 1 to 65535"
        );
    }
}
