//! Match blocks of a delegate under those of its root (virtualservice.go, `mergeHTTPMatchRequests`).

use indexmap::IndexMap;

use super::spec::{HttpMatch, StringMatch};
use crate::document::Spanned;

type Matches = [Spanned<HttpMatch>];

/// The blocks of a delegate's rule under those of its root; `None` when one of them asks for what no root block hands over.
pub(super) fn merge(root: &Matches, own: &Matches) -> Option<Vec<Spanned<HttpMatch>>> {
    if root.is_empty() {
        return Some(own.to_vec());
    }
    if own.is_empty() {
        return Some(root.to_vec());
    }
    let mut merged = Vec::new();
    for block in own {
        let allowed = root
            .iter()
            .filter(|root| !conflict(&root.value, &block.value));
        let before = merged.len();
        merged.extend(allowed.map(|root| {
            let mut both = block.clone();
            both.value = merge_match(&root.value, &block.value);
            both
        }));
        if merged.len() == before {
            return None;
        }
    }
    Some(merged)
}

fn merge_match(root: &HttpMatch, own: &HttpMatch) -> HttpMatch {
    fn either<T: Clone>(own: &Option<T>, root: &Option<T>) -> Option<T> {
        own.as_ref().or(root.as_ref()).cloned()
    }
    fn over<V: Clone>(
        own: &IndexMap<String, V>,
        root: &IndexMap<String, V>,
    ) -> IndexMap<String, V> {
        let mut both = root.clone();
        both.extend(
            own.iter()
                .map(|(name, value)| (name.clone(), value.clone())),
        );
        both
    }
    let name = match (&root.name, &own.name) {
        (Some(root), Some(own)) => Some(format!("{root}-{own}")),
        (root, own) => either(own, root),
    };
    HttpMatch {
        name,
        uri: either(&own.uri, &root.uri),
        scheme: either(&own.scheme, &root.scheme),
        method: either(&own.method, &root.method),
        authority: either(&own.authority, &root.authority),
        headers: over(&own.headers, &root.headers),
        without_headers: over(&own.without_headers, &root.without_headers),
        query_params: over(&own.query_params, &root.query_params),
        port: either(&own.port, &root.port),
        source_labels: over(&own.source_labels, &root.source_labels),
        source_namespace: either(&own.source_namespace, &root.source_namespace),
        gateways: if own.gateways.is_empty() {
            root.gateways.clone()
        } else {
            own.gateways.clone()
        },
        ignore_uri_case: own.ignore_uri_case,
    }
}

/// Whether a delegate's block asks for what the root's block does not hand over (`hasConflict`).
fn conflict(root: &HttpMatch, own: &HttpMatch) -> bool {
    let pairs = [
        (&root.uri, &own.uri),
        (&root.scheme, &own.scheme),
        (&root.method, &own.method),
        (&root.authority, &own.authority),
    ];
    let tables = [
        (&root.headers, &own.headers),
        (&root.without_headers, &own.without_headers),
        (&root.query_params, &own.query_params),
    ];
    let port = |block: &HttpMatch| block.port.as_ref().map(|port| port.value);
    pairs
        .iter()
        .any(|(root, own)| text_conflict(root.as_ref(), own.as_ref()))
        || tables.iter().any(|(root, own)| {
            own.iter()
                .any(|(name, own)| text_conflict(root.get(name), Some(own)))
        })
        || root.ignore_uri_case.unwrap_or(false) != own.ignore_uri_case.unwrap_or(false)
        || port(root)
            .zip(port(own))
            .is_some_and(|(root, own)| root != own)
        || root
            .source_namespace
            .as_ref()
            .is_some_and(|root| own.source_namespace.as_ref() != Some(root))
        || own
            .source_labels
            .iter()
            .any(|(name, own)| root.source_labels.get(name).is_some_and(|root| root != own))
        || gateway_conflict(root, own)
}

fn gateway_conflict(root: &HttpMatch, own: &HttpMatch) -> bool {
    !root.gateways.is_empty()
        && own
            .gateways
            .iter()
            .any(|own| !root.gateways.iter().any(|root| root.value == own.value))
}

/// `stringMatchConflict`: a delegate may narrow a prefix, and must repeat an exact value.
fn text_conflict(root: Option<&Spanned<StringMatch>>, own: Option<&Spanned<StringMatch>>) -> bool {
    let (Some(root), Some(own)) = (root, own) else {
        return false;
    };
    fn text(value: &Option<Spanned<String>>) -> &str {
        value.as_ref().map_or("", |value| value.value.as_str())
    }
    let (root, own) = (&root.value, &own.value);
    if !text(&root.regex).is_empty() || !text(&own.regex).is_empty() {
        return true;
    }
    let (exact, prefix) = (text(&root.exact), text(&root.prefix));
    if !exact.is_empty() {
        return text(&own.exact) != exact;
    }
    let wanted = if text(&own.prefix).is_empty() {
        text(&own.exact)
    } else {
        text(&own.prefix)
    };
    prefix.is_empty() || wanted.is_empty() || !wanted.starts_with(prefix)
}
