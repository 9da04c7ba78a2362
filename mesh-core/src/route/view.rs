//! What routing sees of a request.

use std::net::SocketAddr;

use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, Version};

/// A request, borrowed. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct RequestView<'a> {
    /// The destination port the caller dialled: it selects the route table.
    pub port: u16,
    /// HTTP version of the downstream.
    pub version: Version,
    /// `:method`.
    pub method: &'a str,
    /// `:scheme`.
    pub scheme: &'a str,
    /// `:authority`, or the `Host` header of HTTP/1; empty when there is neither.
    pub authority: &'a str,
    /// `:path`: path and query.
    pub path: &'a str,
    /// Headers.
    pub headers: &'a HeaderMap,
    /// The downstream's address.
    pub peer: Option<SocketAddr>,
}

impl<'a> RequestView<'a> {
    /// A request to `port`, received from `peer`. A URI without a scheme came over plain HTTP.
    pub fn of(parts: &'a Parts, port: u16, peer: Option<SocketAddr>) -> Self {
        let host = || parts.headers.get(HOST).and_then(|v| v.to_str().ok());
        let authority = parts.uri.authority().map(http::uri::Authority::as_str);
        Self::to(
            authority.or_else(host).unwrap_or_default(),
            parts,
            port,
            peer,
        )
    }

    /// The same of a request whose authority is known to be `authority`.
    pub fn to(authority: &'a str, parts: &'a Parts, port: u16, peer: Option<SocketAddr>) -> Self {
        let uri = &parts.uri;
        Self {
            port,
            version: parts.version,
            method: parts.method.as_str(),
            scheme: uri.scheme_str().unwrap_or("http"),
            authority,
            path: uri.path_and_query().map_or("/", |path| path.as_str()),
            headers: &parts.headers,
            peer,
        }
    }

    /// The path without query and fragment: what path conditions look at
    /// (Envoy `PathUtil::removeQueryAndFragment`).
    pub fn path_only(&self) -> &'a str {
        split_path(self.path).0
    }

    /// The value of query parameter `name`, undecoded; empty when it has no `=`. The first one wins
    /// (Envoy `QueryParamsMulti::parseQueryString`, `getFirstValue`).
    pub fn query_parameter(&self, name: &str) -> Option<&'a str> {
        let query = self.path.split_once('?')?.1;
        query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (key == name).then_some(value)
        })
    }
}

/// A `:path` cut before its query or fragment; both parts as written.
pub(super) fn split_path(path: &str) -> (&str, &str) {
    path.split_at(path.find(['?', '#']).unwrap_or(path.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(uri: &str, host: Option<&str>) -> Parts {
        let mut request = http::Request::get(uri);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn authority_comes_from_the_uri_then_from_host() {
        let h1 = parts("/a?b=c", Some("reviews:9080"));
        assert_eq!(RequestView::of(&h1, 9080, None).authority, "reviews:9080");
        let absolute = parts("http://reviews/a", Some("other"));
        assert_eq!(RequestView::of(&absolute, 80, None).authority, "reviews");
        assert_eq!(RequestView::of(&parts("/", None), 80, None).authority, "");
    }

    #[test]
    fn the_first_query_parameter_counts_undecoded() {
        let parts = parts("/p?a=1&b&a=2&c=%20", None);
        let view = RequestView::of(&parts, 80, None);
        assert_eq!(view.path_only(), "/p");
        assert_eq!(view.query_parameter("a"), Some("1"));
        assert_eq!(view.query_parameter("b"), Some(""));
        assert_eq!(view.query_parameter("c"), Some("%20"));
        assert_eq!(view.query_parameter("d"), None);
    }
}
