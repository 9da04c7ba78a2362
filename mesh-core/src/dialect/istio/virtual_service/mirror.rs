//! Mirrors (route.go, `MirrorPercent`): no percentage is all, zero is none.

use super::action::destination;
use super::fault::share;
use super::route::Work;
use super::spec::{Destination, HttpRoute};
use crate::dialect::findings::Field;
use crate::dialect::quantity;
use crate::document::Spanned;
use crate::policy::{Fraction, Mirror, Origin};

/// Compiles a rule's mirrors; `None` when one is wrong.
pub(super) fn compile(rule: &HttpRoute, field: &Field, work: &mut Work<'_, '_, '_>) -> Option<Vec<Mirror>> {
    let mut mirrors = Vec::new();
    if let Some(written) = &rule.mirror {
        if let Some(second) = rule.mirrors.first() {
            let message = "only one of `mirror` and `mirrors` can be given";
            work.findings.error(&second.at, message);
            return None;
        }
        let fraction = single_share(rule, work)?;
        mirrors.extend(mirror(written, fraction, &field.child("mirror"), work)?);
    }
    for (index, policy) in rule.mirrors.iter().enumerate() {
        let field = field.child_item("mirrors", index);
        let fraction = match &policy.value.percentage {
            Some(percentage) => share(percentage, work.findings)?,
            None => Fraction::ONE,
        };
        let Some(written) = &policy.value.destination else {
            work.findings.error(&policy.at, "this mirror has no `destination`");
            return None;
        };
        mirrors.extend(mirror(written, fraction, &field.child("destination"), work)?);
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
    fraction: Fraction,
    field: &Field,
    work: &mut Work<'_, '_, '_>,
) -> Option<Option<Mirror>> {
    let destination = destination(written, field, work)?;
    Some((fraction != Fraction::ZERO).then(|| Mirror {
        destination,
        fraction,
        origin: Origin::Written(written.at.clone()),
    }))
}
