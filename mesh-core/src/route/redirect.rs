//! Where a redirect points (Envoy `Http::Utility::newUri`).
//!
//! Every part that the redirect does not name is taken from the request:
//! scheme, authority, path, query. The request's port goes away when it was
//! the default of the *old* scheme and the scheme changes, so `https` redirects
//! drop `:80` and keep `:8080`; a new path keeps the query unless it brings
//! one of its own. All recorded from Envoy 1.40.

use super::RequestView;
use super::host::{port_start, without_port};
use super::rewrite::PathEdit;
use crate::policy::{PathMatch, Redirect, RedirectPort};

/// A [`Redirect`] made ready for one path matcher.
#[derive(Debug)]
pub(super) struct Target {
    scheme: Option<String>,
    authority: Option<String>,
    path: Option<PathEdit>,
    port: RedirectPort,
}

impl Target {
    /// Prepares `redirect` for paths that `matched` matched. Empty strings mean "as in the request", as in Envoy.
    pub(super) fn new(redirect: &Redirect, matched: &PathMatch) -> Self {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        Self {
            scheme: given(&redirect.scheme),
            authority: given(&redirect.authority),
            path: redirect
                .path
                .as_ref()
                .and_then(|p| PathEdit::new(p, matched)),
            port: redirect.port,
        }
    }

    /// The `Location` for `request`.
    pub(super) fn location(&self, request: &RequestView<'_>) -> String {
        let scheme = self.scheme.as_deref().unwrap_or(request.scheme);
        let port = self.shown_port(request, scheme);
        let host = match (&self.authority, self.port) {
            (Some(authority), _) => authority,
            (None, RedirectPort::Unchanged) => kept_authority(request, scheme),
            (None, _) => without_port(request.authority),
        };
        let path = match &self.path {
            Some(edit) if edit.has_query() => edit.apply(request.path_only()),
            Some(edit) => edit.apply(request.path),
            None => request.path.to_owned(),
        };
        match port {
            Some(port) => format!("{scheme}://{host}:{port}{path}"),
            None => format!("{scheme}://{host}{path}"),
        }
    }

    /// The port to write. A scheme's own port is not written, as pilot's `ApplyRedirect` takes care of.
    fn shown_port(&self, request: &RequestView<'_>, scheme: &str) -> Option<u16> {
        let port = match self.port {
            RedirectPort::Unchanged | RedirectPort::FromScheme => return None,
            RedirectPort::Number(port) => port,
            RedirectPort::FromRequest => request.port,
        };
        (default_port(scheme) != Some(port)).then_some(port)
    }
}

/// The request's authority, without a port that only its old scheme implied (Envoy `processRequestHost`).
fn kept_authority<'a>(request: &RequestView<'a>, scheme: &str) -> &'a str {
    let authority = request.authority;
    let port = port_start(authority).and_then(|colon| authority[colon + 1..].parse().ok());
    let implied = port.is_some() && port == default_port(request.scheme);
    if scheme != request.scheme && implied {
        without_port(authority)
    } else {
        authority
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{PathRewrite, Pattern};

    fn location(
        redirect: &Redirect,
        matched: &str,
        path: &str,
        authority: &str,
        port: u16,
    ) -> String {
        let request = RequestView {
            port,
            version: http::Version::HTTP_11,
            method: "GET",
            scheme: "http",
            authority,
            path,
            headers: &http::HeaderMap::new(),
            peer: None,
        };
        Target::new(redirect, &PathMatch::Prefix(matched.into())).location(&request)
    }

    fn unchanged() -> Redirect {
        Redirect {
            scheme: None,
            authority: None,
            path: None,
            port: RedirectPort::Unchanged,
            status: 301,
        }
    }

    /// Recorded from Envoy 1.40; the host is `svc.test` where nothing else is said.
    #[test]
    fn unnamed_parts_come_from_the_request() {
        let host = |to: &str| Redirect {
            authority: Some(to.into()),
            ..unchanged()
        };
        let path = |to: PathRewrite| Redirect {
            path: Some(to),
            ..unchanged()
        };
        let scheme = |to: &str| Redirect {
            scheme: Some(to.into()),
            ..unchanged()
        };
        let full = |to: &str| path(PathRewrite::Full(to.into()));
        let port = Redirect {
            port: RedirectPort::Number(8443),
            ..unchanged()
        };
        let regex = PathRewrite::Regex {
            pattern: Pattern::new("^/rx/(.*)$").unwrap(),
            substitution: r"/moved/\1".into(),
        };
        let cases = [
            (
                host("new.test"),
                "/host",
                "/host/a?b=c",
                "svc.test",
                "http://new.test/host/a?b=c",
            ),
            (
                full("/np"),
                "/path",
                "/path?b=c",
                "svc.test",
                "http://svc.test/np?b=c",
            ),
            (
                full("/np?z=1"),
                "/pathq",
                "/pathq?b=c",
                "svc.test",
                "http://svc.test/np?z=1",
            ),
            (
                path(PathRewrite::Matched("/np".into())),
                "/pre",
                "/pre/a?b=c",
                "svc.test",
                "http://svc.test/np/a?b=c",
            ),
            (
                scheme("https"),
                "/https",
                "/https?b",
                "svc.test",
                "https://svc.test/https?b",
            ),
            (
                scheme("https"),
                "/https",
                "/https",
                "svc.test:80",
                "https://svc.test/https",
            ),
            (
                scheme("https"),
                "/https",
                "/https",
                "svc.test:8080",
                "https://svc.test:8080/https",
            ),
            (
                scheme("ftp"),
                "/scheme",
                "/scheme",
                "svc.test",
                "ftp://svc.test/scheme",
            ),
            (
                port,
                "/port",
                "/port",
                "svc.test",
                "http://svc.test:8443/port",
            ),
            (
                path(regex),
                "/rx",
                "/rx/a?b=c",
                "svc.test",
                "http://svc.test/moved/a?b=c",
            ),
            (
                unchanged(),
                "/",
                "/a",
                "svc.test:80",
                "http://svc.test:80/a",
            ),
        ];
        for (redirect, matched, request, authority, want) in cases {
            assert_eq!(location(&redirect, matched, request, authority, 80), want);
        }
    }

    #[test]
    fn derived_ports() {
        let with = |port| Redirect {
            port,
            ..unchanged()
        };
        let at = |port, authority| location(&with(port), "/", "/a", authority, 9080);
        assert_eq!(
            at(RedirectPort::FromRequest, "svc.test:1"),
            "http://svc.test:9080/a"
        );
        assert_eq!(
            at(RedirectPort::FromScheme, "svc.test:9080"),
            "http://svc.test/a"
        );
        assert_eq!(
            at(RedirectPort::Number(80), "svc.test:9080"),
            "http://svc.test/a"
        );
        assert_eq!(
            at(RedirectPort::Number(443), "svc.test"),
            "http://svc.test:443/a"
        );
    }
}
