//! Header hygiene between hops, as an Istio sidecar's Envoy does it (observed:
//! cases `headers_default`, `headers_hop_by_hop`).

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// `x-envoy-attempt-count`.
pub(crate) const ATTEMPT_COUNT: HeaderName = HeaderName::from_static("x-envoy-attempt-count");
/// `x-envoy-expected-rq-timeout-ms`.
pub(crate) const EXPECTED_TIMEOUT: HeaderName =
    HeaderName::from_static("x-envoy-expected-rq-timeout-ms");
/// `x-envoy-original-path`.
pub(crate) const ORIGINAL_PATH: HeaderName = HeaderName::from_static("x-envoy-original-path");
/// `x-envoy-upstream-service-time`.
pub(crate) const SERVICE_TIME: HeaderName =
    HeaderName::from_static("x-envoy-upstream-service-time");
/// `x-forwarded-client-cert`.
pub(crate) const CLIENT_CERT: HeaderName = HeaderName::from_static("x-forwarded-client-cert");
/// `x-forwarded-proto`.
pub(crate) const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Control headers that only an internal caller may set; a sidecar's callers are external to it.
const CONTROLS: [HeaderName; 10] = [
    HeaderName::from_static("x-envoy-upstream-rq-timeout-ms"),
    HeaderName::from_static("x-envoy-upstream-rq-per-try-timeout-ms"),
    HeaderName::from_static("x-envoy-upstream-rq-timeout-alt-response"),
    HeaderName::from_static("x-envoy-expected-rq-timeout-ms"),
    HeaderName::from_static("x-envoy-max-retries"),
    HeaderName::from_static("x-envoy-retry-on"),
    HeaderName::from_static("x-envoy-retry-grpc-on"),
    HeaderName::from_static("x-envoy-retriable-status-codes"),
    HeaderName::from_static("x-envoy-retriable-header-names"),
    HeaderName::from_static("x-envoy-hedge-on-per-try-timeout"),
];

/// Headers that concern one connection only, and `te`, of which one value does not.
const HOP_BY_HOP: [HeaderName; 6] = [
    header::CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::TE,
];

/// Which of the headers that a sidecar deals with a request has: one look over its handful of headers
/// instead of a dozen searches for what nearly none of them has.
#[derive(Clone, Copy, Default)]
pub(crate) struct Seen {
    hop_by_hop: bool,
    pub(crate) controls: bool,
    pub(crate) b3: bool,
    pub(crate) client_cert: bool,
    pub(crate) forwarded_proto: bool,
    content_type: bool,
}

impl Seen {
    fn of(headers: &HeaderMap) -> Self {
        let mut seen = Self::default();
        for name in headers.keys() {
            match name.as_str() {
                "connection" | "keep-alive" | "proxy-connection" | "transfer-encoding"
                | "upgrade" | "te" => seen.hop_by_hop = true,
                "x-forwarded-client-cert" => seen.client_cert = true,
                "x-forwarded-proto" => seen.forwarded_proto = true,
                "content-type" => seen.content_type = true,
                "b3" => seen.b3 = true,
                name if name.starts_with("x-b3-") => seen.b3 = true,
                name if name.starts_with("x-envoy-") => seen.controls = true,
                _ => {}
            }
        }
        seen
    }

    /// Removes from a request what concerns one connection only, and says what is left.
    pub(crate) fn strip(headers: &mut HeaderMap) -> Self {
        let seen = Self::of(headers);
        if !seen.hop_by_hop {
            return seen;
        }
        strip_hop_by_hop(headers, true);
        Self::of(headers)
    }

    /// Whether the request is gRPC: local replies then speak gRPC.
    pub(crate) fn is_grpc(self, headers: &HeaderMap) -> bool {
        self.content_type
            && headers
                .get(header::CONTENT_TYPE)
                .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
    }
}

/// Removes what concerns one connection only.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap, is_request: bool) {
    // Nearly always there is none, and looking is cheaper than looking each of them up.
    if !headers.keys().any(|name| HOP_BY_HOP.contains(name)) {
        return;
    }
    // Envoy removes headers named in `connection` from requests, not from responses.
    if is_request && headers.contains_key(header::CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(header::CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|name| name.trim().parse().ok())
            .collect();
        for name in named {
            headers.remove(name);
        }
    }
    for name in HOP_BY_HOP.iter().filter(|name| **name != header::TE) {
        headers.remove(name);
    }
    if is_request
        && let Some(te) = headers.get(header::TE)
        && te.as_bytes() != b"trailers"
    {
        headers.remove(header::TE);
    }
}

/// Removes control headers of callers that may not set them.
pub(crate) fn strip_controls(headers: &mut HeaderMap) {
    for name in &CONTROLS {
        headers.remove(name);
    }
}

/// Tells the app who its peer is, or that nobody has shown who he is.
///
/// What a peer with a certificate says of those before it is kept in front
/// (Istio's inbound listeners: `APPEND_FORWARD`), so only the last element is
/// this proxy's word; what a peer without one says goes (Envoy,
/// `mutateXfccRequestHeader`).
pub(crate) fn set_client_cert(headers: &mut HeaderMap, own: Option<&HeaderValue>) {
    let Some(own) = own else {
        headers.remove(CLIENT_CERT);
        return;
    };
    if !headers.contains_key(CLIENT_CERT) {
        headers.insert(CLIENT_CERT, own.clone());
        return;
    }
    let before = headers.get_all(CLIENT_CERT).iter();
    let elements: Vec<&[u8]> = before.chain([own]).map(HeaderValue::as_bytes).collect();
    let joined = HeaderValue::from_bytes(&elements.join(&b','));
    headers.insert(CLIENT_CERT, joined.unwrap_or_else(|_| own.clone()));
}

/// A number as a header's value. Counts of attempts and milliseconds in the mesh are mostly of one digit.
pub(crate) fn number(number: u64) -> HeaderValue {
    const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    match usize::try_from(number).ok().and_then(|n| DIGITS.get(n)) {
        Some(digit) => HeaderValue::from_static(digit),
        None => HeaderValue::from(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header_map::map;

    #[test]
    fn headers_named_in_connection_go_from_requests_only() {
        let pairs = [
            ("connection", "x-hop, keep-alive"),
            ("x-hop", "1"),
            ("te", "gzip"),
            ("x-stay", "1"),
        ];
        let mut request = map(&pairs);
        strip_hop_by_hop(&mut request, true);
        assert_eq!(request, map(&[("x-stay", "1")]));
        let mut response = map(&pairs);
        strip_hop_by_hop(&mut response, false);
        assert!(response.contains_key("x-hop") && !response.contains_key("connection"));
    }

    #[test]
    fn the_last_word_on_a_peer_is_the_proxys() {
        let own = HeaderValue::from_static("By=a;URI=b");
        let mut headers = map(&[
            ("x-forwarded-client-cert", "URI=c"),
            ("x-forwarded-client-cert", "URI=d"),
        ]);
        set_client_cert(&mut headers, Some(&own));
        assert_eq!(
            headers,
            map(&[("x-forwarded-client-cert", "URI=c,URI=d,By=a;URI=b")])
        );
        set_client_cert(&mut headers, None);
        assert_eq!(headers, map(&[]));
        set_client_cert(&mut headers, Some(&own));
        assert_eq!(headers, map(&[("x-forwarded-client-cert", "By=a;URI=b")]));
    }
}
