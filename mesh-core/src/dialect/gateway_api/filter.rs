//! Filters of a rule or of a backend.

use super::backend;
use super::path::{self, Change};
use super::rule::Scene;
use super::spec::{
    Filter, Header, HeaderModifier, Mirror as WrittenMirror, Redirect as WrittenRedirect,
};
use crate::dialect::findings::{Field, Findings};
use crate::dialect::header::Operations;
use crate::dialect::quantity;
use crate::document::Spanned;
use crate::policy::{Fraction, Mirror, Origin, Position, RedirectPort};

/// What the filters of a rule ask for.
#[derive(Clone, Default)]
pub(super) struct Filters {
    pub(super) request: Operations,
    pub(super) response: Operations,
    pub(super) redirect: Option<Redirect>,
    pub(super) rewrite: Option<Rewrite>,
    pub(super) mirrors: Vec<Mirror>,
}

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

/// A rewrite, its path still to be fitted to the match.
#[derive(Clone)]
pub(super) struct Rewrite {
    pub(super) authority: Option<String>,
    pub(super) path: Option<Change>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    RequestHeaders,
    ResponseHeaders,
    Redirect,
    Rewrite,
    Mirror,
    /// Its own field is noted as not honoured.
    Other,
}

const KINDS: &[(&str, Kind)] = &[
    ("RequestHeaderModifier", Kind::RequestHeaders),
    ("ResponseHeaderModifier", Kind::ResponseHeaders),
    ("RequestRedirect", Kind::Redirect),
    ("URLRewrite", Kind::Rewrite),
    ("RequestMirror", Kind::Mirror),
    ("CORS", Kind::Other),
    ("ExternalAuth", Kind::Other),
    ("ExtensionRef", Kind::Other),
];

/// Compiles filters; `None` when one is wrong.
pub(super) fn compile(
    written: &[Spanned<Filter>],
    field: &Field,
    scene: &Scene<'_, '_>,
    findings: &mut Findings<'_>,
) -> Option<Filters> {
    let mut filters = Filters::default();
    for (index, one) in written.iter().enumerate() {
        let field = field.child_item("filters", index);
        apply(one, &mut filters, &field, scene, findings)?;
    }
    if let (Some(redirect), Some(_)) = (&filters.redirect, &filters.rewrite) {
        let message = "a rule cannot have both RequestRedirect and URLRewrite";
        findings.error(&redirect.at, message);
        return None;
    }
    Some(filters)
}

fn apply(
    written: &Spanned<Filter>,
    filters: &mut Filters,
    field: &Field,
    scene: &Scene<'_, '_>,
    findings: &mut Findings<'_>,
) -> Option<()> {
    let filter = &written.value;
    let Some(kind) = &filter.kind else {
        findings.error(&written.at, "this filter has no `type`");
        return None;
    };
    match quantity::choice(kind, KINDS, findings)? {
        Kind::RequestHeaders => {
            let modifier = given(
                filter.request_header_modifier.as_ref(),
                "requestHeaderModifier",
                written,
                findings,
            )?;
            filters.request = operations(modifier);
        }
        Kind::ResponseHeaders => {
            let modifier = given(
                filter.response_header_modifier.as_ref(),
                "responseHeaderModifier",
                written,
                findings,
            )?;
            filters.response = operations(modifier);
        }
        Kind::Redirect => {
            let redirect = given(
                filter.request_redirect.as_ref(),
                "requestRedirect",
                written,
                findings,
            )?;
            filters.redirect = Some(self::redirect(redirect, findings)?);
        }
        Kind::Rewrite => {
            let rewrite = given(filter.url_rewrite.as_ref(), "urlRewrite", written, findings)?;
            let path = match &rewrite.value.path {
                Some(path) => Some(path::compile(path, findings)?),
                None => None,
            };
            filters.rewrite = Some(Rewrite {
                authority: rewrite.value.hostname.clone(),
                path,
            });
        }
        Kind::Mirror => {
            let mirror = given(
                filter.request_mirror.as_ref(),
                "requestMirror",
                written,
                findings,
            )?;
            let field = field.child("requestMirror");
            filters
                .mirrors
                .extend(self::mirror(mirror, &field, scene, findings)?);
        }
        Kind::Other => {}
    }
    Some(())
}

fn given<'t, T>(
    part: Option<&'t T>,
    name: &str,
    written: &Spanned<Filter>,
    findings: &mut Findings<'_>,
) -> Option<&'t T> {
    if part.is_none() {
        findings.error(&written.at, format!("a filter of this type needs `{name}`"));
    }
    part
}

fn operations(written: &HeaderModifier) -> Operations {
    fn pairs(headers: &[Header]) -> impl Iterator<Item = (&String, &String)> {
        headers.iter().map(|header| (&header.name, &header.value))
    }
    Operations::new(pairs(&written.set), pairs(&written.add), &written.remove)
}

/// Without a port it is the scheme's, or without a scheme that of the request.
fn redirect(written: &Spanned<WrittenRedirect>, findings: &mut Findings<'_>) -> Option<Redirect> {
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

fn mirror(
    written: &Spanned<WrittenMirror>,
    field: &Field,
    scene: &Scene<'_, '_>,
    findings: &mut Findings<'_>,
) -> Option<Option<Mirror>> {
    let Some(reference) = &written.value.backend_ref else {
        findings.error(&written.at, "this mirror has no `backendRef`");
        return None;
    };
    let destination = backend::destination(reference, &field.child("backendRef"), scene, findings)?;
    let fraction = share(&written.value, findings)?;
    Some((fraction != Fraction::ZERO).then(|| Mirror {
        destination,
        fraction,
        origin: Origin::Written(written.at.clone()),
    }))
}

fn share(written: &WrittenMirror, findings: &mut Findings<'_>) -> Option<Fraction> {
    let Some(fraction) = &written.fraction else {
        return match &written.percent {
            Some(percent) => {
                let percent = quantity::whole_percent(percent, findings)?;
                Some(Fraction::from_ppm(percent * 10_000))
            }
            None => Some(Fraction::ONE),
        };
    };
    if let Some(second) = &written.percent {
        findings.error(
            &second.at,
            "only one of `percent` and `fraction` can be given",
        );
        return None;
    }
    let (numerator, denominator) = (
        fraction.value.numerator,
        fraction.value.denominator.unwrap_or(100),
    );
    if denominator < 1 || !(0..=denominator).contains(&numerator) {
        let message = format!("{numerator}/{denominator} is not a fraction from 0 to 1");
        findings.error(&fraction.at, message);
        return None;
    }
    Fraction::from_percent(100.0 * numerator as f64 / denominator as f64)
}

#[cfg(test)]
mod tests {
    use crate::dialect::testing::{http_route, notes, refused, route};
    use crate::policy::{
        Forward, NoteKind, PathRewrite, Redirect, RedirectPort, Route, RouteAction,
    };

    const BACKEND: &str = "backendRefs: [{name: b, port: 80}]";

    fn yaml(path: &str, filters: &str) -> String {
        http_route(&format!(
            "  - {{matches: [{{path: {{value: {path}}}}}], filters: [{filters}], {BACKEND}}}"
        ))
    }

    fn forward(route: Route) -> Forward {
        match route.action {
            RouteAction::Forward(forward) => forward,
            other => panic!("{other:?}"),
        }
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect()
    }

    #[test]
    fn header_filters_of_a_rule_and_of_its_only_backend() {
        let route = route(&http_route(
            "  - filters:\n    - type: RequestHeaderModifier\n      requestHeaderModifier: {set: [{name: X-A, value: '1'}], add: [{name: X-B, value: '2'}], remove: [X-C]}\n    - {type: ResponseHeaderModifier, responseHeaderModifier: {add: [{name: X-D, value: '3'}]}}\n    backendRefs:\n    - {name: b, port: 80, filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-A, value: own}]}}]}",
        ));
        assert_eq!(route.request_headers.set, pairs(&[("x-a", "own")]));
        assert_eq!(route.request_headers.add, pairs(&[("x-b", "2")]));
        assert_eq!(route.request_headers.remove, ["x-c"]);
        assert_eq!(route.response_headers.add, pairs(&[("x-d", "3")]));
        assert!(forward(route).destinations[0].request_headers.is_empty());
    }

    #[test]
    fn rewrites() {
        let rewrite = |path: &str, fields: &str| {
            forward(route(&yaml(
                path,
                &format!("{{type: URLRewrite, urlRewrite: {{{fields}}}}}"),
            )))
        };
        let host = rewrite("/a", "hostname: x.example");
        assert_eq!(
            (host.authority_rewrite.as_deref(), host.path_rewrite),
            (Some("x.example"), None)
        );
        let prefix = |path: &str, with: &str| {
            rewrite(
                path,
                &format!("path: {{type: ReplacePrefixMatch, replacePrefixMatch: {with}}}"),
            )
            .path_rewrite
        };
        assert_eq!(prefix("/a", "/b/"), Some(PathRewrite::Matched("/b".into())));
        assert_eq!(prefix("/", "/b"), Some(PathRewrite::Matched("/b/".into())));
        assert_eq!(prefix("/", "/"), None);
        let Some(PathRewrite::Regex {
            pattern,
            substitution,
        }) = prefix("/a.b", "/")
        else {
            panic!("a prefix is removed by an expression");
        };
        assert_eq!(pattern.as_str(), r"^/a\.b(/?)(.*)");
        assert_eq!(substitution, r"/\2");
        let full = rewrite("/a", "path: {type: ReplaceFullPath, replaceFullPath: /x}").path_rewrite;
        assert_eq!(full, Some(PathRewrite::Full("/x".into())));
    }

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

    #[test]
    fn mirrors() {
        let share = |fields: &str| {
            let filter = format!(
                "{{type: RequestMirror, requestMirror: {{backendRef: {{name: m, port: 80}}{fields}}}}}"
            );
            let mirrors = route(&yaml("/", &filter)).mirrors;
            mirrors
                .first()
                .map(|mirror| (mirror.destination.host.clone(), mirror.fraction.ppm()))
        };
        let to_m = |ppm| Some(("m.default.svc.cluster.local".to_owned(), ppm));
        assert_eq!(share(""), to_m(1_000_000));
        assert_eq!(share(", percent: 42"), to_m(420_000));
        assert_eq!(share(", percent: 0"), None);
        assert_eq!(
            share(", fraction: {numerator: 5, denominator: 1000}"),
            to_m(5000)
        );
        assert_eq!(share(", fraction: {numerator: 5}"), to_m(50_000));
    }

    #[test]
    fn what_is_not_simulated_is_noted() {
        let cors = yaml("/", "{type: CORS, cors: {allowOrigins: ['*']}}");
        assert_eq!(
            notes(&cors, NoteKind::NotHonoured),
            [
                "8:60 spec.rules[0].filters[0].cors: cross-origin rules are not simulated: nothing here is a browser"
            ]
        );
        let session = http_route(&format!("  - {{sessionPersistence: {{}}, {BACKEND}}}"));
        assert_eq!(notes(&session, NoteKind::NotHonoured).len(), 1);
    }

    #[test]
    fn wrong_filters_are_refused() {
        let message = |path: &str, filters: &str| refused(&yaml(path, filters)).join("|");
        assert_eq!(
            message("/", "{type: URLRewrite}"),
            "8:47 a filter of this type needs `urlRewrite`"
        );
        assert_eq!(
            message("/", "{type: UrlRewrite}"),
            "8:54 unknown value `UrlRewrite`"
        );
        assert_eq!(
            message(
                "/",
                "{type: RequestRedirect, requestRedirect: {scheme: https}}"
            ),
            "8:88 a rule cannot have both RequestRedirect and `backendRefs`"
        );
        assert_eq!(
            refused(&http_route(&format!(
                "  - {{matches: [{{path: {{type: Exact, value: /a}}}}], filters: [{{type: URLRewrite, urlRewrite: {{path: {{type: ReplacePrefixMatch, replacePrefixMatch: /b}}}}}}], {BACKEND}}}"
            ))),
            ["8:99 `ReplacePrefixMatch` needs a match of type PathPrefix"]
        );
    }
}
