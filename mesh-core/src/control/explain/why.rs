//! Conditions in words: which held, or which was the first that did not.

use crate::control::{ClusterName, Snapshot};
use crate::policy::{HeaderMatch, PathMatch, RequestMatch, StringMatch};
use crate::route::{Mismatch, RequestView};

/// All conditions of a route that took a request.
pub(super) fn held(matcher: &RequestMatch) -> String {
    let mut words: Vec<String> = path_condition(matcher).into_iter().collect();
    let pseudo = [
        ("method", &matcher.method),
        ("scheme", &matcher.scheme),
        ("authority", &matcher.authority),
    ];
    for (what, condition) in pseudo {
        words.extend(
            condition
                .as_ref()
                .map(|c| format!("{what} {}", condition_on(c, false))),
        );
    }
    let header =
        |h: &HeaderMatch| format!("header {} {}", h.name, condition_on(&h.value, h.invert));
    words.extend(matcher.headers.iter().map(header));
    let queries = matcher.query.iter();
    words.extend(queries.map(|q| {
        format!(
            "query parameter {} {}",
            q.name,
            condition_on(&q.value, false)
        )
    }));
    if words.is_empty() {
        return "takes every request".into();
    }
    words.join(", ")
}

fn path_condition(matcher: &RequestMatch) -> Option<String> {
    let words = match &matcher.path {
        PathMatch::Any => return None,
        PathMatch::Exact(path) => format!("path is {path}"),
        PathMatch::Prefix(path) => format!("path starts with {path}"),
        PathMatch::PathPrefix(path) => format!("path is {} or below it", or_root(path)),
        PathMatch::Regex(pattern) => return Some(format!("path matches {}", pattern.as_str())),
    };
    Some(words + case(matcher))
}

fn case(matcher: &RequestMatch) -> &'static str {
    if matcher.ignore_path_case {
        " (in any case)"
    } else {
        ""
    }
}

fn or_root(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}

fn condition_on(condition: &StringMatch, invert: bool) -> String {
    let (is, starts, ends, matches, present) = if invert {
        (
            "is not",
            "does not start with",
            "does not end with",
            "does not match",
            "is absent",
        )
    } else {
        ("is", "starts with", "ends with", "matches", "is present")
    };
    match condition {
        StringMatch::Exact(text) => format!("{is} \"{text}\""),
        StringMatch::Prefix(text) => format!("{starts} \"{text}\""),
        StringMatch::Suffix(text) => format!("{ends} \"{text}\""),
        StringMatch::Regex(pattern) => format!("{matches} {}", pattern.as_str()),
        StringMatch::Present => present.to_owned(),
    }
}

/// The condition that `mismatch` names, and what the request has instead.
pub(super) fn failed(
    matcher: &RequestMatch,
    mismatch: Mismatch,
    request: &RequestView<'_>,
) -> String {
    let pseudo = |what: &str, condition: &Option<StringMatch>, value: &str| {
        let wanted = condition.as_ref().map(|c| refusal(c, value));
        format!("{what} {}", wanted.unwrap_or_default())
    };
    match mismatch {
        Mismatch::Path => path_refusal(matcher, request.path_only()),
        Mismatch::Method => pseudo("method", &matcher.method, request.method),
        Mismatch::Scheme => pseudo("scheme", &matcher.scheme, request.scheme),
        Mismatch::Authority => pseudo("authority", &matcher.authority, request.authority),
        Mismatch::Header(index) => match matcher.headers.get(index) {
            Some(condition) => header_refusal(condition, request),
            None => String::new(),
        },
        Mismatch::Query(index) => match matcher.query.get(index) {
            Some(query) => match request.query_parameter(&query.name) {
                Some(value) => format!(
                    "query parameter {} {}",
                    query.name,
                    refusal(&query.value, value)
                ),
                None => format!("query parameter {} is missing", query.name),
            },
            None => String::new(),
        },
    }
}

fn path_refusal(matcher: &RequestMatch, path: &str) -> String {
    let wanted = match &matcher.path {
        PathMatch::Any => return String::new(), // takes every path
        PathMatch::Exact(want) => format!("is not {want}"),
        PathMatch::Prefix(want) => format!("does not start with {want}"),
        PathMatch::PathPrefix(want) => format!("is neither {} nor below it", or_root(want)),
        PathMatch::Regex(pattern) => {
            return format!("path {path} does not match {}", pattern.as_str());
        }
    };
    format!("path {path} {wanted}{}", case(matcher))
}

fn refusal(condition: &StringMatch, value: &str) -> String {
    match condition {
        StringMatch::Exact(want) => format!("is \"{value}\", not \"{want}\""),
        StringMatch::Prefix(want) => {
            format!("is \"{value}\", which does not start with \"{want}\"")
        }
        StringMatch::Suffix(want) => format!("is \"{value}\", which does not end with \"{want}\""),
        StringMatch::Regex(pattern) => {
            format!("is \"{value}\", which does not match {}", pattern.as_str())
        }
        StringMatch::Present => "is missing".into(),
    }
}

fn header_refusal(condition: &HeaderMatch, request: &RequestView<'_>) -> String {
    let name = &condition.name;
    let value = header_value(name, request);
    let words = match (value, condition.invert) {
        (None, false) => "is missing".to_owned(),
        (None, true) => "is missing, which counts as empty, and that is excluded".to_owned(),
        (Some(value), false) => refusal(&condition.value, &value),
        (Some(_), true) if condition.value == StringMatch::Present => {
            "is present, which is excluded".to_owned()
        }
        (Some(value), true) => format!("is \"{value}\", which is excluded"),
    };
    format!("header {name} {words}")
}

fn header_value(name: &str, request: &RequestView<'_>) -> Option<String> {
    let pseudo = match name.to_ascii_lowercase().as_str() {
        ":method" => request.method,
        ":scheme" => request.scheme,
        ":path" => request.path,
        ":authority" | "host" => request.authority,
        name => {
            let values = request.headers.get_all(name).iter();
            let values: Vec<_> = values
                .map(|v| String::from_utf8_lossy(v.as_bytes()))
                .collect();
            return (!values.is_empty()).then(|| values.join(","));
        }
    };
    Some(pseudo.to_owned())
}

/// Why there is no cluster `name`, as far as the snapshot tells.
pub(super) fn no_cluster(snapshot: &Snapshot, name: &ClusterName) -> String {
    let mut parts = name.as_str().splitn(4, '|').skip(1);
    let port = parts.next().unwrap_or_default();
    let subset = parts.next().unwrap_or_default();
    let host = name.host();
    let tables = snapshot.routes.iter();
    let having = tables.filter(|table| {
        let full_name = format!("{host}:{}", table.port);
        table.hosts.iter().any(|vhost| *vhost.name == *full_name)
    });
    let ports: Vec<String> = having.map(|table| table.port.to_string()).collect();
    let others: Vec<&str> = ports
        .iter()
        .map(String::as_str)
        .filter(|known| *known != port)
        .collect();
    let has_port = others.len() < ports.len();
    if ports.is_empty() {
        format!("no service {host} is known")
    } else if has_port && !subset.is_empty() {
        format!("no DestinationRule that governs this caller defines subset {subset} of {host}")
    } else if others.is_empty() {
        format!("{host} is known only to routing rules, not as a service with port {port}")
    } else {
        let others = others.join(", ");
        format!("{host} has no port {port}, only {others}; write the destination's port")
    }
}
