//! `localityLbSetting` (pkg/config/validation/agent/validation.go, `ValidateLocalityLbSetting`).

use super::spec::{Distribute, Locality};
use crate::dialect::findings::Findings;
use crate::document::Spanned;
use crate::policy::{LocalityFailover, LocalityPolicy, Sourced};

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
    Some(Sourced::new(policy, written.origin()))
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

#[cfg(test)]
mod tests {
    use crate::dialect::testing::{destination_rule, policy, refused};
    use crate::policy::{LocalityFailover, LocalityPolicy};

    fn yaml(fields: &str) -> String {
        destination_rule(&format!(
            "  trafficPolicy: {{outlierDetection: {{}}, loadBalancer: {{localityLbSetting: {{{fields}}}}}}}"
        ))
    }

    fn locality(fields: &str) -> LocalityPolicy {
        policy(&yaml(fields))
            .destinations
            .remove(0)
            .policy
            .locality
            .unwrap()
            .value
    }

    #[test]
    fn distribution_failover_and_priority() {
        assert_eq!(
            locality("distribute: [{from: 'r/*', to: {r/A: 70, r/B: 20, r/C: 10}}]").distribute,
            [(
                "r/*".to_owned(),
                vec![
                    ("r/A".to_owned(), 70),
                    ("r/B".to_owned(), 20),
                    ("r/C".to_owned(), 10)
                ]
            )]
        );
        let failover = locality(
            "failover: [{from: r1, to: r2}], failoverPriority: [topology.istio.io/network]",
        );
        assert_eq!(
            failover.failover,
            [LocalityFailover {
                from: "r1".into(),
                to: "r2".into()
            }]
        );
        assert_eq!(failover.failover_priority, ["topology.istio.io/network"]);
        assert!(failover.enabled);
        assert!(!locality("enabled: false").enabled);
    }

    #[test]
    fn what_istio_refuses() {
        let message = |fields: &str| refused(&yaml(fields)).join("|");
        assert_eq!(
            message("distribute: [{from: a, to: {b: 50, c: 40}}]"),
            "7:89 the shares of `a` add up to 90, not to 100"
        );
        assert_eq!(
            message("distribute: [{from: a, to: {b: 100, c: 0}}]"),
            "7:115 `0` is not a share from 1 to 100"
        );
        assert_eq!(
            message("distribute: [{from: a, to: {b: 100}}], failover: [{from: a, to: b}]"),
            "7:89 `distribute` cannot be given together with `failover` or `failoverPriority`"
        );
        assert_eq!(
            message("failover: [{from: a, to: a}]"),
            "7:87 `from` and `to` are the same region"
        );
    }
}
