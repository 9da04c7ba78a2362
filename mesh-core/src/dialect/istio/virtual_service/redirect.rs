//! Redirects (route.go, `ApplyRedirect`).

use super::spec::Redirect as Written;
use crate::dialect::findings::Findings;
use crate::dialect::quantity;
use crate::document::Spanned;
use crate::policy::{PathRewrite, Redirect, RedirectPort};

/// Compiles a redirect; `None` when it is wrong.
pub(super) fn compile(written: &Spanned<Written>, findings: &mut Findings<'_>) -> Option<Redirect> {
    let redirect = &written.value;
    let full = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let path = match (full(&redirect.uri), full(&redirect.prefix_rewrite)) {
        (Some(_), Some(_)) => {
            let message = "only one of `uri` and `prefixRewrite` can be given";
            findings.error(&written.at, message);
            return None;
        }
        (Some(uri), None) => Some(PathRewrite::Full(uri)),
        (None, Some(prefix)) => Some(PathRewrite::Matched(prefix)),
        (None, None) => None,
    };
    Some(Redirect {
        path,
        authority: full(&redirect.authority),
        port: port(redirect, findings)?,
        status: status(redirect, findings)?,
        scheme: full(&redirect.scheme),
    })
}

/// pilot writes the port only when it is not the default of the scheme, which
/// it takes for `http` when unset. `FROM_PROTOCOL_DEFAULT` writes none, so
/// Envoy treats the port as if nothing had been said.
fn port(redirect: &Written, findings: &mut Findings<'_>) -> Option<RedirectPort> {
    if let Some(number) = &redirect.port {
        if let Some(second) = &redirect.derive_port {
            findings.error(
                &second.at,
                "only one of `port` and `derivePort` can be given",
            );
            return None;
        }
        let number = quantity::port(number, findings)?;
        let implied = match redirect.scheme.as_deref() {
            Some("https") => 443,
            _ => 80,
        };
        return Some(if number == implied {
            RedirectPort::Unchanged
        } else {
            RedirectPort::Number(number)
        });
    }
    match &redirect.derive_port {
        Some(name) => quantity::choice(
            name,
            &[
                ("FROM_PROTOCOL_DEFAULT", RedirectPort::Unchanged),
                ("FROM_REQUEST_PORT", RedirectPort::FromRequest),
            ],
            findings,
        ),
        None => Some(RedirectPort::Unchanged),
    }
}

fn status(redirect: &Written, findings: &mut Findings<'_>) -> Option<u16> {
    let Some(code) = &redirect.redirect_code else {
        return Some(301);
    };
    match code.value {
        0 => Some(301),
        301 => Some(301),
        302 => Some(302),
        303 => Some(303),
        307 => Some(307),
        308 => Some(308),
        other => {
            let message = format!("`{other}` is not a redirect code: 301, 302, 303, 307 or 308");
            findings.error(&code.at, message);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::dialect::testing::{http, refused, route};
    use crate::policy::{PathRewrite, Redirect, RedirectPort, RouteAction};

    fn rule(fields: &str) -> String {
        http(&format!("  - {{redirect: {{{fields}}}}}"))
    }

    fn redirect(fields: &str) -> Redirect {
        match route(&rule(fields)).action {
            RouteAction::Redirect(redirect) => redirect,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_part_is_read() {
        assert_eq!(
            redirect("uri: /n, authority: a.example, scheme: https, port: 8443, redirectCode: 308"),
            Redirect {
                scheme: Some("https".into()),
                authority: Some("a.example".into()),
                path: Some(PathRewrite::Full("/n".into())),
                port: RedirectPort::Number(8443),
                status: 308,
            }
        );
        assert_eq!(
            redirect("prefixRewrite: /n").path,
            Some(PathRewrite::Matched("/n".into()))
        );
        assert_eq!(redirect("uri: /n").status, 301);
    }

    #[test]
    fn the_default_port_of_the_scheme_is_not_written() {
        assert_eq!(redirect("uri: /n, port: 80").port, RedirectPort::Unchanged);
        assert_eq!(
            redirect("uri: /n, port: 443").port,
            RedirectPort::Number(443)
        );
        assert_eq!(
            redirect("scheme: https, port: 443").port,
            RedirectPort::Unchanged
        );
        assert_eq!(
            redirect("uri: /n, derivePort: FROM_REQUEST_PORT").port,
            RedirectPort::FromRequest
        );
        assert_eq!(
            redirect("uri: /n, derivePort: FROM_PROTOCOL_DEFAULT").port,
            RedirectPort::Unchanged
        );
    }

    #[test]
    fn wrong_redirects_are_refused() {
        assert_eq!(
            refused(&rule("uri: /n, redirectCode: 304")),
            ["8:40 `304` is not a redirect code: 301, 302, 303, 307 or 308"]
        );
        assert_eq!(
            refused(&rule("uri: /n, port: 80, derivePort: FROM_REQUEST_PORT")),
            ["8:48 only one of `port` and `derivePort` can be given"]
        );
    }
}
