//! Trace context as an app handles it: it passes on what it was given.

use http::HeaderMap;

/// The headers that every app copies from a request to the calls it makes for
/// it: W3C trace context, B3 in both encodings, and what Envoy and Istio need
/// to join spans (Istio, "Distributed Tracing FAQ"; isotope, `service/pkg/srv/header.go`).
const PROPAGATED: [&str; 10] = [
    "traceparent",
    "tracestate",
    "b3",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-flags",
    "x-request-id",
    "x-ot-span-context",
];

/// Copies the trace headers, and those named in `also`, from `incoming` to `outgoing`.
pub(super) fn propagate(incoming: &HeaderMap, also: &[String], outgoing: &mut HeaderMap) {
    let names = PROPAGATED
        .into_iter()
        .chain(also.iter().map(String::as_str));
    for name in names {
        let Ok(name) = http::HeaderName::from_bytes(name.as_bytes()) else {
            continue; // no request can have carried it
        };
        for value in incoming.get_all(&name) {
            outgoing.append(name.clone(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_named_headers_travel() {
        let mut incoming = HeaderMap::new();
        for name in ["b3", "x-request-id", "end-user", "cookie"] {
            incoming.insert(name, "1".parse().unwrap());
        }
        let mut outgoing = HeaderMap::new();
        propagate(&incoming, &["end-user".to_owned()], &mut outgoing);
        let mut names: Vec<_> = outgoing.keys().map(http::HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["b3", "end-user", "x-request-id"]);
    }
}
