//! Which DestinationRule governs a caller's traffic to a host, and what it says for a port and subset.
//!
//! Lookup (pilot `PushContext.destinationRule`): the caller's namespace, then
//! the service's, then the root namespace; the first that has any rule for the
//! host ends the search. Within a namespace the most specific host wins, and
//! rules for that very host are merged: the first policy counts, subsets add
//! up (pilot `mergeDestinationRule`). Rules that select workloads stand apart
//! from those that do not, and win for the workloads they select
//! (`SidecarScope.DestinationRule`).
//!
//! Merging (pilot `MergeSubsetTrafficPolicy`): a port's policy replaces the
//! whole policy it stands in and inherits nothing from it; a subset's policy
//! overrides the host's group by group: connection pool, outlier detection,
//! load balancer (with its locality and warm-up settings), TLS.

use std::collections::BTreeMap;

use super::caller::Caller;
use super::index::{Inputs, Known, has_labels};
use crate::policy::{DestinationPolicy, DestinationRule, HostPattern, SubsetRule};

/// The merged rules that govern one host for one caller.
pub(super) struct Governing<'a> {
    policy: &'a DestinationPolicy,
    ports: &'a BTreeMap<u16, DestinationPolicy>,
    subsets: Vec<&'a SubsetRule>,
}

/// The rules for `known`; `None` when there are none.
pub(super) fn governing<'a>(
    inputs: Inputs<'a>,
    caller: &Caller<'_>,
    known: &Known,
) -> Option<Governing<'a>> {
    let rules = &inputs.policy.destinations;
    let root = inputs.policy.profile.root_namespace.as_str();
    let own = caller.namespace;
    let private = |rule: &DestinationRule| rule.visible_to == [rule.namespace.as_str()];
    // Rules of the root namespace speak for the whole mesh; its own workloads get only its private rules first.
    let local = |rule: &DestinationRule| {
        rule.namespace == own && caller.sees(&rule.visible_to) && (own != root || private(rule))
    };
    let exported = |namespace: &str, rule: &DestinationRule| {
        rule.namespace == namespace && !private(rule) && caller.sees(&rule.visible_to)
    };
    let found = Some(most_specific(rules, &known.host, local))
        .filter(|found| !found.is_empty())
        .or_else(|| {
            let found = most_specific(rules, &known.host, |r| exported(&known.namespace, r));
            (!found.is_empty()).then_some(found)
        })
        .unwrap_or_else(|| most_specific(rules, &known.host, |r| exported(root, r)));
    merged(found, caller)
}

/// The rules with the most specific host that takes `host`, in order.
fn most_specific<'a>(
    rules: &'a [DestinationRule],
    host: &str,
    eligible: impl Fn(&DestinationRule) -> bool,
) -> Vec<&'a DestinationRule> {
    let eligible = rules.iter().filter(|rule| eligible(rule));
    let scored = eligible.filter_map(|rule| Some((specificity(&rule.host, host)?, rule)));
    let scored: Vec<_> = scored.collect();
    let Some(best) = scored.iter().map(|(score, _)| *score).max() else {
        return Vec::new();
    };
    let best = scored.into_iter().filter(|(score, _)| *score == best);
    best.map(|(_, rule)| rule).collect()
}

/// How closely `pattern` fits `host`, which may itself be `*.suffix`; `None` when it does not.
pub(super) fn specificity(pattern: &HostPattern, host: &str) -> Option<usize> {
    match pattern {
        HostPattern::Exact(name) => (name == host).then_some(usize::MAX),
        HostPattern::Suffix(suffix) => {
            let tail = host.strip_prefix('*').unwrap_or(host);
            tail.ends_with(suffix.as_str()).then_some(suffix.len())
        }
        HostPattern::Any => Some(0),
    }
}

/// Merges rules for one host and picks those that govern the caller.
fn merged<'a>(rules: Vec<&'a DestinationRule>, caller: &Caller<'_>) -> Option<Governing<'a>> {
    let selects = |rule: &&&DestinationRule| {
        !rule.workload_selector.is_empty()
            && rule.namespace == caller.namespace
            && has_labels(caller.labels, &rule.workload_selector)
    };
    let unselective = |rule: &&&DestinationRule| rule.workload_selector.is_empty();
    let chosen = rules
        .iter()
        .find(selects)
        .or_else(|| rules.iter().find(unselective))?;
    let alike = rules
        .iter()
        .filter(|rule| rule.workload_selector == chosen.workload_selector);
    let alike: Vec<&DestinationRule> = alike.copied().collect();
    let speaks = |rule: &&&DestinationRule| {
        rule.policy != DestinationPolicy::default() || !rule.ports.is_empty()
    };
    let first = alike.iter().find(speaks).unwrap_or(chosen);
    let mut subsets: Vec<&SubsetRule> = Vec::new();
    for subset in alike.iter().flat_map(|rule| &rule.subsets) {
        if subsets.iter().all(|known| known.name != subset.name) {
            subsets.push(subset);
        }
    }
    Some(Governing {
        policy: &first.policy,
        ports: &first.ports,
        subsets,
    })
}

impl<'a> Governing<'a> {
    /// The subset of this name.
    pub(super) fn subset(&self, name: &str) -> Option<&'a SubsetRule> {
        self.subsets
            .iter()
            .copied()
            .find(|subset| subset.name == name)
    }

    /// The policy for a port, and a subset when there is one.
    pub(super) fn policy(&self, port: u16, subset: Option<&SubsetRule>) -> DestinationPolicy {
        let whole = self.ports.get(&port).unwrap_or(self.policy);
        let Some(subset) = subset else {
            return whole.clone();
        };
        match subset.ports.get(&port) {
            Some(own) => own.clone(),
            None => overridden(&subset.policy, whole),
        }
    }
}

/// `policy` where it says something, `below` elsewhere; what stands in one `loadBalancer` block stays together.
fn overridden(policy: &DestinationPolicy, below: &DestinationPolicy) -> DestinationPolicy {
    let mut merged = policy.over(below);
    let balances =
        policy.load_balancer.is_some() || policy.locality.is_some() || policy.warmup.is_some();
    if balances {
        merged.load_balancer.clone_from(&policy.load_balancer);
        merged.locality.clone_from(&policy.locality);
        merged.warmup.clone_from(&policy.warmup);
    }
    merged
}
