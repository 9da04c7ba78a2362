//! Mirrors (route.go, `MirrorPercent`): no percentage is all, zero is none.

use super::destination::destination;
use super::fault::share;
use super::route::Work;
use super::spec::{Destination, HttpRoute};
use crate::dialect::findings::Field;
use crate::dialect::quantity;
use crate::document::Spanned;
use crate::policy::{Fraction, Mirror, Origin};

/// Compiles a rule's mirrors; `None` when one is wrong.
pub(super) fn compile(
    rule: &HttpRoute,
    field: &Field,
    work: &mut Work<'_, '_, '_>,
) -> Option<Vec<Mirror>> {
    let mut mirrors = Vec::new();
    if let Some(written) = &rule.mirror {
        let share = rule.mirror_percentage.as_ref().map(Spanned::origin);
        let share = share.or_else(|| rule.mirror_percent.as_ref().map(Spanned::origin));
        if let Some(second) = rule.mirrors.first() {
            let message = "only one of `mirror` and `mirrors` can be given";
            work.findings.error(&second.at, message);
            return None;
        }
        let fraction = single_share(rule, work)?;
        mirrors.extend(mirror(
            written,
            (fraction, share),
            &field.child("mirror"),
            work,
        )?);
    }
    for (index, policy) in rule.mirrors.iter().enumerate() {
        let field = field.child_item("mirrors", index);
        let fraction = match &policy.value.percentage {
            Some(percentage) => share(percentage, work.findings)?,
            None => Fraction::ONE,
        };
        let Some(written) = &policy.value.destination else {
            work.findings
                .error(&policy.at, "this mirror has no `destination`");
            return None;
        };
        mirrors.extend(mirror(
            written,
            (fraction, Some(policy.origin())),
            &field.child("destination"),
            work,
        )?);
    }
    Some(mirrors)
}

fn single_share(rule: &HttpRoute, work: &mut Work<'_, '_, '_>) -> Option<Fraction> {
    match (&rule.mirror_percentage, &rule.mirror_percent) {
        (Some(percentage), _) => share(&percentage.value, work.findings),
        (None, Some(percent)) => {
            let percent = quantity::whole_percent(percent, work.findings)?;
            Some(Fraction::from_ppm(percent * 10_000))
        }
        (None, None) => Some(Fraction::ONE),
    }
}

fn mirror(
    written: &Spanned<Destination>,
    (fraction, share): (Fraction, Option<Origin>),
    field: &Field,
    work: &mut Work<'_, '_, '_>,
) -> Option<Option<Mirror>> {
    let destination = destination(written, field, work)?;
    let origin = written.origin();
    let origin = match share {
        Some(share) => origin.with(&share),
        None => origin,
    };
    Some((fraction != Fraction::ZERO).then_some(Mirror {
        destination,
        fraction,
        origin,
    }))
}

#[cfg(test)]
mod tests {
    use crate::dialect::testing::{refused, route, with};
    use crate::policy::Fraction;

    fn mirrors(fields: &str) -> Vec<(String, u32)> {
        route(&with(fields))
            .mirrors
            .into_iter()
            .map(|mirror| (mirror.destination.host, mirror.fraction.ppm()))
            .collect()
    }

    const ALL: u32 = Fraction::ONE.ppm();

    #[test]
    fn without_a_percentage_everything_is_mirrored() {
        let to_m = |ppm| vec![("m.default.svc.cluster.local".to_owned(), ppm)];
        assert_eq!(mirrors("mirror: {host: m}"), to_m(ALL));
        assert_eq!(
            mirrors("mirror: {host: m}, mirrorPercentage: {value: 12.5}"),
            to_m(125_000)
        );
        assert_eq!(
            mirrors("mirror: {host: m}, mirrorPercent: 30"),
            to_m(300_000)
        );
        assert_eq!(
            mirrors("mirror: {host: m}, mirror_percent: 30"),
            to_m(300_000)
        );
        assert_eq!(
            mirrors("mirror: {host: m}, mirrorPercentage: {value: 0}"),
            []
        );
        assert_eq!(mirrors("mirror: {host: m}, mirrorPercentage: {}"), []);
    }

    #[test]
    fn several_mirrors_have_shares_of_their_own() {
        assert_eq!(
            mirrors(
                "mirrors: [{destination: {host: a.b.c}}, {destination: {host: d.e}, percentage: {value: 1}}]"
            ),
            [("a.b.c".to_owned(), ALL), ("d.e".to_owned(), 10_000)]
        );
        assert_eq!(
            refused(&with(
                "mirror: {host: m}, mirrors: [{destination: {host: a}}]"
            )),
            ["8:70 only one of `mirror` and `mirrors` can be given"]
        );
    }
}
