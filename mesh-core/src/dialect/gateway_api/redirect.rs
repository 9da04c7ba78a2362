//! Redirects.

use super::path::{self, Change};
use super::spec::Redirect as Written;
use crate::dialect::findings::Findings;
use crate::dialect::quantity;
use crate::document::Spanned;
use crate::policy::{Position, RedirectPort};

/// A redirect, its path still to be fitted to the match.
#[derive(Clone)]
pub(super) struct Redirect {
    pub(super) scheme: Option<String>,
    pub(super) authority: Option<String>,
    pub(super) path: Option<Change>,
    pub(super) port: RedirectPort,
    pub(super) status: u16,
    pub(super) at: Position,
}

/// Compiles a redirect; `None` when it is wrong. Without a port it is the scheme's, or without a scheme that of the request.
pub(super) fn compile(written: &Spanned<Written>, findings: &mut Findings<'_>) -> Option<Redirect> {
    let redirect = &written.value;
    let port = match (&redirect.port, redirect.scheme.as_deref()) {
        (Some(port), scheme) => match (quantity::port(port, findings)?, scheme) {
            (80, None | Some("http")) | (443, Some("https")) => RedirectPort::FromScheme,
            (port, _) => RedirectPort::Number(port),
        },
        (None, Some(_)) => RedirectPort::FromScheme,
        (None, None) => RedirectPort::FromRequest,
    };
    let status = match &redirect.status_code {
        Some(code) if ![301, 302, 303, 307, 308].contains(&code.value) => {
            let message = format!(
                "`{}` is not a redirect code: 301, 302, 303, 307 or 308",
                code.value
            );
            findings.error(&code.at, message);
            return None;
        }
        Some(code) => code.value as u16,
        None => 302,
    };
    let path = match &redirect.path {
        Some(path) => Some(path::compile(path, findings)?),
        None => None,
    };
    Some(Redirect {
        scheme: redirect.scheme.clone(),
        authority: redirect.hostname.clone(),
        path,
        port,
        status,
        at: written.at.clone(),
    })
}

#[cfg(test)]
mod tests {
    use crate::dialect::testing::{http_route, route};
    use crate::policy::{PathRewrite, Redirect, RedirectPort, RouteAction};

    #[test]
    fn redirects() {
        let redirect = |fields: &str| {
            let yaml = http_route(&format!(
                "  - {{filters: [{{type: RequestRedirect, requestRedirect: {{{fields}}}}}]}}"
            ));
            match route(&yaml).action {
                RouteAction::Redirect(redirect) => redirect,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(
            redirect(
                "scheme: https, hostname: x.example, statusCode: 301, path: {type: ReplaceFullPath, replaceFullPath: /n}"
            ),
            Redirect {
                scheme: Some("https".into()),
                authority: Some("x.example".into()),
                path: Some(PathRewrite::Full("/n".into())),
                port: RedirectPort::FromScheme,
                status: 301,
            }
        );
        assert_eq!(redirect("hostname: x").status, 302);
        assert_eq!(redirect("hostname: x").port, RedirectPort::FromRequest);
        assert_eq!(
            redirect("port: 8443, scheme: https").port,
            RedirectPort::Number(8443)
        );
        assert_eq!(
            redirect("port: 443, scheme: https").port,
            RedirectPort::FromScheme
        );
    }
}
