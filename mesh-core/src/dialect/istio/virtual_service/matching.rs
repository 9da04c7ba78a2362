//! Match blocks → request matchers (route.go, `TranslateRouteMatch`).

use std::collections::BTreeMap;

use super::MESH;
use super::spec::{HttpMatch, StringMatch as Written};
use crate::dialect::findings::{Field, Findings};
use crate::dialect::lenient::Table;
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
    let namespace = block.source_namespace.clone().filter(|name| !name.is_empty());
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
    written: &Table<Spanned<Written>>,
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
    match (&written.value.exact, &written.value.prefix, &written.value.regex) {
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
            findings.error(&written.at, "only one of `exact`, `prefix` and `regex` can be given");
            None
        }
    }
}
