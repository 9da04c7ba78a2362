//! What a sidecar takes in: which ports, from whom, how protected.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::index::Inputs;
use crate::control::{InboundListener, Workload};
use crate::policy::{
    AuthorizationAction, AuthorizationPolicy, InboundRateLimit, LocalRateLimit, MeshPolicy,
    MtlsMode, PeerAuthentication, Sourced,
};

/// One listener per port that a service sends to the workload, and per port of `ports`.
pub(super) fn listeners(
    inputs: Inputs<'_>,
    authorization: &[Arc<AuthorizationPolicy>],
    workload: &Workload,
    ports: &[u16],
) -> Vec<InboundListener> {
    let ports: BTreeSet<u16> = inputs
        .index
        .targets_of(workload)
        .into_iter()
        .chain(ports.iter().copied())
        .collect();
    let policies = selecting(authorization, workload);
    let listener = |port| InboundListener {
        port,
        mtls: mtls_mode(inputs.policy, &workload.namespace, &workload.labels, port),
        authorization: policies.clone(),
        retry: inputs.policy.profile.inbound_retry.clone(),
        rate_limit: rate_limit(inputs.policy, workload, port),
    };
    ports.into_iter().map(listener).collect()
}

/// The token bucket in front of a port. One for the port itself stands in for one of every port, as a route's own
/// configuration does for its filter's in Envoy; of equals the first counts.
fn rate_limit(policy: &MeshPolicy, workload: &Workload, port: u16) -> Option<LocalRateLimit> {
    let selects = |limit: &&InboundRateLimit| {
        limit
            .selector
            .selects(&workload.namespace, &workload.labels)
    };
    let of = |port: Option<u16>| {
        let mut limits = policy.inbound_rate_limits.iter().filter(selects);
        limits.find(|limit| limit.port == port)
    };
    let found = of(Some(port)).or_else(|| of(None));
    found.map(|limit| limit.limit.value.clone())
}

/// The policies that select `workload`: those that deny, then those that allow, then those that only mark.
fn selecting(
    policies: &[Arc<AuthorizationPolicy>],
    workload: &Workload,
) -> Vec<Arc<AuthorizationPolicy>> {
    let selects = |policy: &&Arc<AuthorizationPolicy>| {
        policy
            .selector
            .selects(&workload.namespace, &workload.labels)
    };
    let mut selecting: Vec<_> = policies.iter().filter(selects).cloned().collect();
    selecting.sort_by_key(|policy| match policy.action {
        AuthorizationAction::Deny => 0,
        AuthorizationAction::Allow => 1,
        AuthorizationAction::Audit => 2,
    });
    selecting
}

/// How a workload's port must be spoken to (pilot `ComposePeerAuthentication`): port over labelled workload over
/// namespace over mesh; within a level the oldest object, which stands first; an unset mode inherits. Objects
/// of the root namespace that select by label count for nothing, nor do ports of objects without a selector.
pub(super) fn mtls_mode(
    policy: &MeshPolicy,
    namespace: &str,
    labels: &BTreeMap<String, String>,
    port: u16,
) -> Sourced<MtlsMode> {
    let of_workload = policy.peer_authentication.iter().find(|object| {
        !object.selector.labels.is_empty()
            && object.selector.namespace.is_some()
            && object.selector.selects(namespace, labels)
    });
    let of_port = of_workload.and_then(|object| object.ports.get(&port)?.as_ref());
    of_port
        .or_else(|| of_workload?.mode.as_ref())
        .or_else(|| namespace_mode(policy, namespace))
        .unwrap_or(&policy.profile.mtls)
        .clone()
}

/// The mode of a whole namespace, its own or the mesh's; `None` when neither is set.
pub(super) fn namespace_mode<'a>(
    policy: &'a MeshPolicy,
    namespace: &str,
) -> Option<&'a Sourced<MtlsMode>> {
    let unlabelled = |of: Option<&str>| {
        let object = |object: &&PeerAuthentication| {
            object.selector.labels.is_empty() && object.selector.namespace.as_deref() == of
        };
        policy
            .peer_authentication
            .iter()
            .find(object)?
            .mode
            .as_ref()
    };
    unlabelled(Some(namespace)).or_else(|| unlabelled(None))
}
