//! `localityLbSetting` (pkg/config/validation/agent/validation.go, `ValidateLocalityLbSetting`).

use super::spec::{Distribute, Locality};
use crate::dialect::findings::Findings;
use crate::document::Spanned;
use crate::policy::{LocalityFailover, LocalityPolicy, Origin, Sourced};

/// Compiles `localityLbSetting`; `None` when it is wrong.
pub(super) fn compile(
    written: &Spanned<Locality>,
    findings: &mut Findings<'_>,
) -> Option<Sourced<LocalityPolicy>> {
    let locality = &written.value;
    let fails_over = !locality.failover.is_empty() || !locality.failover_priority.is_empty();
    if let Some(first) = locality.distribute.first().filter(|_| fails_over) {
        let message = "`distribute` cannot be given together with `failover` or `failoverPriority`";
        findings.error(&first.at, message);
        return None;
    }
    let mut policy = LocalityPolicy {
        enabled: locality.enabled.unwrap_or(true),
        failover_priority: locality.failover_priority.clone(),
        ..LocalityPolicy::default()
    };
    for one in &locality.distribute {
        policy.distribute.push(shares(one, findings)?);
    }
    for one in &locality.failover {
        if one.value.from == one.value.to {
            findings.error(&one.at, "`from` and `to` are the same region");
            return None;
        }
        policy.failover.push(LocalityFailover {
            from: one.value.from.clone(),
            to: one.value.to.clone(),
        });
    }
    Some(Sourced::new(policy, Origin::Written(written.at.clone())))
}

fn shares(
    written: &Spanned<Distribute>,
    findings: &mut Findings<'_>,
) -> Option<(String, Vec<(String, u32)>)> {
    let mut shares = Vec::new();
    for (locality, weight) in &written.value.to {
        let share = u32::try_from(weight.value)
            .ok()
            .filter(|share| (1..=100).contains(share));
        let Some(share) = share else {
            let message = format!("`{}` is not a share from 1 to 100", weight.value);
            findings.error(&weight.at, message);
            return None;
        };
        shares.push((locality.clone(), share));
    }
    let sum: u32 = shares.iter().map(|(_, share)| share).sum();
    if sum != 100 {
        let message = format!(
            "the shares of `{}` add up to {sum}, not to 100",
            written.value.from
        );
        findings.error(&written.at, message);
        return None;
    }
    Some((written.value.from.clone(), shares))
}
