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
