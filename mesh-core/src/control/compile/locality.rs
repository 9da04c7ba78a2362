//! Which endpoints a caller prefers by where they are (pilot/pkg/networking/core/loadbalancer/loadbalancer.go).
//!
//! Exactly one of three things happens:
//!
//! - `distribute` names shares: the first rule whose `from` matches the caller
//!   weighs localities and drops those it does not name. It needs no outlier
//!   detection.
//! - else, with outlier detection on, endpoints get priorities. Without it
//!   Envoy would never leave the first priority, so pilot sets none. By default
//!   they follow from how much of region, zone and sub-zone is shared; a
//!   `failover` rule for the caller's region puts every region but the one it
//!   names behind. `failoverPriority` counts shared labels instead, in order,
//!   up to the first that differs; a `failover` rule then refines it.
//! - else nothing: all endpoints are equal.
//!
//! Priorities are closed up at the end, so that the best that exists is 0.

use std::collections::{BTreeMap, BTreeSet};

use super::caller::Caller;
use super::endpoint::Candidate;
use crate::control::Locality;
use crate::policy::{DestinationPolicy, LocalityFailover, LocalityPolicy};

/// Whether the same endpoints mean something else to callers elsewhere.
pub(super) fn matters(policy: &DestinationPolicy) -> bool {
    let setting = policy.locality.as_ref().map(|setting| &setting.value);
    let enabled = setting.is_none_or(|setting| setting.enabled);
    let distributes = setting.is_some_and(|setting| !setting.distribute.is_empty());
    enabled && (distributes || policy.outlier.is_some())
}

/// Sets priorities, or drops what `distribute` leaves out; returns the weights of localities under `distribute`.
pub(super) fn arrange(
    caller: &Caller<'_>,
    policy: &DestinationPolicy,
    candidates: &mut Vec<Candidate<'_>>,
) -> BTreeMap<String, u32> {
    let default = LocalityPolicy::default();
    let setting = policy.locality.as_ref().map_or(&default, |s| &s.value);
    if !setting.enabled {
        return BTreeMap::new();
    }
    if !setting.distribute.is_empty() {
        return distribute(caller, setting, candidates);
    }
    if policy.outlier.is_some() {
        if setting.failover_priority.is_empty() {
            by_locality(caller, &setting.failover, candidates);
        } else {
            by_labels(caller, &setting.failover_priority, candidates);
            if !setting.failover.is_empty() {
                by_locality(caller, &setting.failover, candidates);
            }
        }
    }
    BTreeMap::new()
}

fn distribute(
    caller: &Caller<'_>,
    setting: &LocalityPolicy,
    candidates: &mut Vec<Candidate<'_>>,
) -> BTreeMap<String, u32> {
    let mut own_weights: BTreeMap<Locality, u64> = BTreeMap::new();
    for candidate in &*candidates {
        let weight = own_weights
            .entry(candidate.endpoint.locality.clone())
            .or_default();
        *weight += u64::from(candidate.endpoint.weight);
    }
    let for_caller = |(from, _): &&(String, Vec<(String, u32)>)| covers(from, caller.locality);
    let Some((_, shares)) = setting.distribute.iter().find(for_caller) else {
        let plain = own_weights
            .into_iter()
            .map(|(at, weight)| (at.to_string(), saturated(weight)));
        return plain.collect();
    };
    let mut weights: BTreeMap<Locality, u32> = BTreeMap::new();
    for (to, share) in shares {
        // A locality belongs to the first pattern that covers it; a pattern's share is split among its
        // localities by their own weights, rounded up.
        let new = |at: &&Locality| covers(to, at) && !weights.contains_key(*at);
        let group: Vec<Locality> = own_weights.keys().filter(new).cloned().collect();
        let total: u64 = group.iter().map(|at| own_weights[at]).sum();
        for at in group {
            let scaled = own_weights[&at] * u64::from(*share);
            let weight = if total == 0 {
                0
            } else {
                scaled.div_ceil(total)
            };
            weights.insert(at, saturated(weight));
        }
    }
    // A share of 0 leaves Envoy's own weight in pilot, which validation forbids; here it means none.
    weights.retain(|_, weight| *weight > 0);
    candidates.retain(|candidate| weights.contains_key(&candidate.endpoint.locality));
    let by_name = weights
        .into_iter()
        .map(|(at, weight)| (at.to_string(), weight));
    by_name.collect()
}

fn saturated(weight: u64) -> u32 {
    u32::try_from(weight).unwrap_or(u32::MAX)
}

/// Whether `pattern` (`region/zone/subzone`, each perhaps `*`, the later ones optional) covers `at`
/// (pilot `LocalityMatch`).
fn covers(pattern: &str, at: &Locality) -> bool {
    let mut parts = pattern.split('/');
    let region = parts.next().unwrap_or_default();
    let part = |want: Option<&str>, have: &str| {
        want.is_none_or(|want| want.is_empty() || want == "*" || want == have)
    };
    (region == "*" || region == &*at.region)
        && part(parts.next(), &at.zone)
        && part(parts.next(), &at.subzone)
}

/// Ranks by region, zone and sub-zone, within the priorities that are there already.
fn by_locality(
    caller: &Caller<'_>,
    failover: &[LocalityFailover],
    candidates: &mut [Candidate<'_>],
) {
    let own = caller.locality;
    let rule = failover.iter().find(|rule| *rule.from == *own.region);
    for candidate in &mut *candidates {
        let at = &candidate.endpoint.locality;
        let rank = if at.region != own.region {
            3 + u32::from(rule.is_some_and(|rule| *rule.to != *at.region))
        } else if at.zone != own.zone {
            2
        } else {
            u32::from(at.subzone != own.subzone)
        };
        let before = &mut candidate.endpoint.priority;
        *before = before.saturating_mul(5).saturating_add(rank);
    }
    close_up(candidates);
}

/// Ranks by labels shared with the caller, in order, up to the first that differs. `label=value` compares with
/// that value instead of the caller's.
fn by_labels(caller: &Caller<'_>, labels: &[String], candidates: &mut [Candidate<'_>]) {
    for candidate in &mut *candidates {
        let differs = |label: &String| {
            let (label, own) = match label.split_once('=') {
                Some((label, value)) => (label, value),
                None => (
                    label.as_str(),
                    label_of(caller.labels, caller.locality, label),
                ),
            };
            own != label_of(candidate.labels, &candidate.endpoint.locality, label)
        };
        let shared = labels.iter().position(differs).unwrap_or(labels.len());
        candidate.endpoint.priority = u32::try_from(labels.len() - shared).unwrap_or(u32::MAX);
    }
    close_up(candidates);
}

/// Renumbers priorities from 0 without gaps.
fn close_up(candidates: &mut [Candidate<'_>]) {
    let used: BTreeSet<u32> = candidates.iter().map(|c| c.endpoint.priority).collect();
    let rank: BTreeMap<u32, u32> = used.into_iter().zip(0..).collect();
    for candidate in candidates {
        let priority = &mut candidate.endpoint.priority;
        *priority = rank[priority];
    }
}

/// A label, or what the locality says where Istio would have made it a label; empty when there is neither.
pub(super) fn label_of<'a>(
    labels: &'a BTreeMap<String, String>,
    at: &'a Locality,
    label: &str,
) -> &'a str {
    if let Some(value) = labels.get(label) {
        return value;
    }
    match label {
        "topology.kubernetes.io/region" => &at.region,
        "topology.kubernetes.io/zone" => &at.zone,
        "topology.istio.io/subzone" => &at.subzone,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::LazyLock;
    use std::time::Duration;

    use super::*;
    use crate::control::{Endpoint, EndpointHealth};
    use crate::policy::{OutlierDetection, Sourced};

    static NO_LABELS: LazyLock<BTreeMap<String, String>> = LazyLock::new(BTreeMap::new);

    fn at(text: &str) -> Locality {
        let mut parts = text.split('/').map(Into::into);
        Locality {
            region: parts.next().unwrap_or_default(),
            zone: parts.next().unwrap_or_default(),
            subzone: parts.next().unwrap_or_default(),
        }
    }

    fn candidate<'a>(place: &str, labels: &'a BTreeMap<String, String>) -> Candidate<'a> {
        Candidate {
            labels,
            endpoint: Endpoint {
                address: SocketAddr::from(([10, 0, 0, 1], 80)),
                workload: place.into(),
                locality: at(place),
                priority: 0,
                weight: 1,
                health: EndpointHealth::Healthy,
                meshed: true,
            },
        }
    }

    fn outlier() -> OutlierDetection {
        OutlierDetection {
            consecutive_5xx: Some(5),
            consecutive_gateway: None,
            split_local_origin: false,
            consecutive_local: None,
            interval: Duration::from_secs(10),
            ejection_base: Duration::from_secs(30),
            ejection_max: Duration::from_secs(300),
            ejected_percent_max: 10,
            healthy_percent_min: 0,
            success_rate: None,
            failure_percentage: None,
            always_eject_one: false,
        }
    }

    fn policy(setting: LocalityPolicy, detects: bool) -> DestinationPolicy {
        DestinationPolicy {
            locality: Some(Sourced::default_of(setting, "test")),
            outlier: detects.then(|| Sourced::default_of(outlier(), "test")),
            ..DestinationPolicy::default()
        }
    }

    /// Places and their priorities or weights after arranging, for a caller at `r1/z1/s1`.
    fn arranged(
        policy: &DestinationPolicy,
        places: &[&str],
    ) -> (Vec<(String, u32)>, BTreeMap<String, u32>) {
        let here = at("r1/z1/s1");
        let caller = Caller {
            namespace: "default",
            labels: &NO_LABELS,
            locality: &here,
        };
        let mut candidates = places.iter().map(|p| candidate(p, &NO_LABELS)).collect();
        let weights = arrange(&caller, policy, &mut candidates);
        let result = |c: &Candidate<'_>| (c.endpoint.workload.to_string(), c.endpoint.priority);
        (candidates.iter().map(result).collect(), weights)
    }

    fn priorities(policy: &DestinationPolicy, places: &[&str]) -> Vec<u32> {
        arranged(policy, places)
            .0
            .into_iter()
            .map(|(_, priority)| priority)
            .collect()
    }

    const PLACES: [&str; 5] = ["r2/z1/s1", "r1/z1/s1", "r1/z1/s2", "r1/z2/s1", "r3/z1/s1"];

    /// pilot `LbPriority`: 0 same sub-zone, 1 same zone, 2 same region, 3 elsewhere.
    #[test]
    fn nearness_is_the_default_priority() {
        let plain = policy(LocalityPolicy::default(), true);
        assert_eq!(priorities(&plain, &PLACES), [3, 0, 1, 2, 3]);
        let unset = DestinationPolicy {
            locality: None,
            ..plain
        };
        assert_eq!(priorities(&unset, &PLACES), [3, 0, 1, 2, 3]);
    }

    #[test]
    fn priorities_are_closed_up() {
        let plain = policy(LocalityPolicy::default(), true);
        assert_eq!(priorities(&plain, &["r2", "r1/z2", "r2"]), [1, 0, 1]);
    }

    #[test]
    fn nothing_happens_without_outlier_detection_or_when_disabled() {
        let off = policy(LocalityPolicy::default(), false);
        assert_eq!(priorities(&off, &PLACES), [0; 5]);
        let disabled = LocalityPolicy {
            enabled: false,
            ..LocalityPolicy::default()
        };
        assert_eq!(priorities(&policy(disabled, true), &PLACES), [0; 5]);
    }

    #[test]
    fn failover_names_the_next_region() {
        let rule = |from: &str, to: &str| LocalityFailover {
            from: from.into(),
            to: to.into(),
        };
        let setting = LocalityPolicy {
            failover: vec![rule("r9", "r2"), rule("r1", "r3")],
            ..LocalityPolicy::default()
        };
        assert_eq!(priorities(&policy(setting, true), &PLACES), [4, 0, 1, 2, 3]);
    }

    #[test]
    fn failover_priority_counts_shared_labels_in_order() {
        let setting = LocalityPolicy {
            failover_priority: vec![
                "topology.kubernetes.io/region".into(),
                "version".into(),
                "topology.kubernetes.io/zone".into(),
            ],
            ..LocalityPolicy::default()
        };
        let versioned = |v: &str| BTreeMap::from([("version".to_owned(), v.to_owned())]);
        let (own, other) = (versioned("1"), versioned("2"));
        let here = at("r1/z1");
        let caller = Caller {
            namespace: "default",
            labels: &own,
            locality: &here,
        };
        let mut candidates = vec![
            candidate("r1/z1", &own),
            candidate("r1/z2", &own),
            candidate("r1/z1", &other),
            candidate("r2/z1", &own),
        ];
        arrange(&caller, &policy(setting, true), &mut candidates);
        let got: Vec<u32> = candidates.iter().map(|c| c.endpoint.priority).collect();
        assert_eq!(got, [0, 1, 2, 3]);
    }

    #[test]
    fn a_failover_label_may_carry_the_value_to_compare() {
        let setting = LocalityPolicy {
            failover_priority: vec!["topology.kubernetes.io/region=r2".into()],
            ..LocalityPolicy::default()
        };
        assert_eq!(priorities(&policy(setting, true), &["r1", "r2"]), [1, 0]);
    }

    fn distributing(from: &str, to: &[(&str, u32)]) -> DestinationPolicy {
        let to = to
            .iter()
            .map(|(at, share)| ((*at).to_owned(), *share))
            .collect();
        let setting = LocalityPolicy {
            distribute: vec![(from.to_owned(), to)],
            ..LocalityPolicy::default()
        };
        policy(setting, false)
    }

    #[test]
    fn distribute_weighs_localities_and_drops_the_rest() {
        let setting = distributing("r1/*", &[("r1/z1/*", 80), ("r2/*", 20)]);
        let (left, weights) = arranged(&setting, &PLACES);
        let left: Vec<&str> = left.iter().map(|(place, _)| place.as_str()).collect();
        assert_eq!(left, ["r2/z1/s1", "r1/z1/s1", "r1/z1/s2"]);
        let want = [("r1/z1/s1", 40), ("r1/z1/s2", 40), ("r2/z1/s1", 20)];
        let want: BTreeMap<String, u32> = want.map(|(k, v)| (k.to_owned(), v)).into();
        assert_eq!(weights, want);
    }

    #[test]
    fn distribute_for_others_leaves_the_weights_alone() {
        let setting = distributing("r9", &[("r1", 100)]);
        let (left, weights) = arranged(&setting, &["r1", "r1", "r2"]);
        assert_eq!(left.len(), 3);
        let want: BTreeMap<String, u32> = [("r1".to_owned(), 2), ("r2".to_owned(), 1)].into();
        assert_eq!(weights, want);
    }

    #[test]
    fn patterns_cover_what_they_name() {
        for (pattern, place, covered) in [
            ("*", "r1/z1", true),
            ("r1", "r1/z1/s1", true),
            ("r1/*", "r1/z1", true),
            ("r1/z1", "r1/z2", false),
            ("r1/z1/s2", "r1/z1/s1", false),
            ("*/z1", "r1/z1", true),
            ("", "r1", false),
        ] {
            assert_eq!(covers(pattern, &at(place)), covered, "{pattern} {place}");
        }
    }
}
