//! Mirrors.

use super::backend;
use super::rule::Scene;
use super::spec::Mirror as Written;
use crate::dialect::findings::{Field, Findings};
use crate::dialect::quantity;
use crate::document::Spanned;
use crate::policy::{Fraction, Mirror};

/// Compiles a mirror; the outer `None` means it is wrong, the inner that nothing is mirrored.
pub(super) fn compile(
    written: &Spanned<Written>,
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
        origin: written.origin(),
    }))
}

fn share(written: &Written, findings: &mut Findings<'_>) -> Option<Fraction> {
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
    use crate::dialect::testing::{http_route, refused, route};

    fn yaml(filter: &str) -> String {
        http_route(&format!(
            "  - {{filters: [{filter}], backendRefs: [{{name: b, port: 80}}]}}"
        ))
    }

    #[test]
    fn mirrors() {
        let share = |fields: &str| {
            let filter = format!(
                "{{type: RequestMirror, requestMirror: {{backendRef: {{name: m, port: 80}}{fields}}}}}"
            );
            let mirrors = route(&yaml(&filter)).mirrors;
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
    fn wrong_shares_are_refused() {
        let message = |fields: &str| {
            refused(&yaml(&format!(
                "{{type: RequestMirror, requestMirror: {{backendRef: {{name: m, port: 80}}, {fields}}}}}"
            )))
            .join("|")
        };
        assert!(message("percent: 101").ends_with("`101` is not a percentage from 0 to 100"));
        assert!(
            message("fraction: {numerator: 3, denominator: 2}")
                .ends_with("3/2 is not a fraction from 0 to 1")
        );
        assert!(
            message("fraction: {numerator: 0, denominator: 0}")
                .ends_with("0/0 is not a fraction from 0 to 1")
        );
        assert!(
            message("fraction: {numerator: 1}, percent: 1")
                .ends_with("only one of `percent` and `fraction` can be given")
        );
    }
}
