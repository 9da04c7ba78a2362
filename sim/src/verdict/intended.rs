//! What the scenario's configuration means, worked out once more and apart from the run.
//!
//! Verdicts on what the mesh let through must not ask the sidecar that let it
//! through. So the configuration is compiled here as the control plane compiles
//! it, from the plan alone, and requests are judged again by what the sidecars
//! tell of them.
//!
//! They do not tell everything: headers and the peer's address are not in the
//! events. A policy that asks for those (`when`, `ipBlocks`) is left out where it
//! denies, and lets everything pass where it allows, so that nobody is called
//! unauthorised without proof.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::sync::Arc;

use http::HeaderMap;
use mesh_core::authz::{self, AuthzRequest};
use mesh_core::control::{Compiler, InboundListener};
use mesh_core::policy::{
    AuthorizationAction, AuthorizationPolicy, AuthorizationRule, DestinationPolicy, MeshPolicy,
    MtlsMode, RetryBudget,
};
use mesh_core::telemetry::{RequestEvent, TlsState};

use crate::plan::Plan;
use crate::record::quick::Map;

/// What each pod is to let in and send out.
#[derive(Clone, Debug, Default)]
pub(super) struct Intended {
    pods: Map<Box<str>, Pod>,
}

#[derive(Clone, Debug)]
struct Pod {
    ports: BTreeMap<u16, Port>,
    clusters: Rc<BTreeMap<Box<str>, Bounds>>,
}

#[derive(Clone, Debug)]
struct Port {
    mtls: MtlsMode,
    authorization: Vec<Arc<AuthorizationPolicy>>,
}

/// Bounds on one cluster of one sidecar; `u32::MAX` is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Requests in flight.
    pub(super) requests: u32,
    /// Retries in flight, unless there is a budget.
    pub(super) retries: u32,
    pub(super) budget: Option<RetryBudget>,
}

impl Intended {
    pub(super) fn new(plan: &Plan) -> Self {
        if !says_anything(&plan.mesh) {
            return Self::default();
        }
        let registry = plan.registry();
        let mut compiler = Compiler::default();
        let mut alike: Vec<Rc<BTreeMap<Box<str>, Bounds>>> = Vec::new();
        let apps = plan.pods.iter().map(|pod| (&pod.workload, &pod.ports[..]));
        let sources = plan.traffic.iter();
        let sources = sources.map(|traffic| (&traffic.workload, &[][..]));
        let mut pods = Map::default();
        for (workload, ports) in apps.chain(sources) {
            if !workload.meshed {
                continue;
            }
            let snapshot = compiler.compile(&plan.mesh, &registry, workload, ports, 1);
            let bounded = snapshot.clusters.iter().filter_map(|cluster| {
                let pool = &cluster.pool.value;
                let bounds = Bounds {
                    requests: pool.requests_max,
                    retries: pool.retries_max,
                    budget: cluster.retry_budget.as_ref().map(|budget| budget.value),
                };
                let name: Box<str> = cluster.name.to_string().into();
                bounds.any().then_some((name, bounds))
            });
            let bounded: BTreeMap<Box<str>, Bounds> = bounded.collect();
            let known = alike.iter().find(|known| ***known == bounded).cloned();
            let clusters = known.unwrap_or_else(|| {
                alike.push(Rc::new(bounded));
                alike[alike.len() - 1].clone()
            });
            let ports = snapshot
                .inbound
                .iter()
                .map(|listener| (listener.port, port(listener)));
            let pod = Pod {
                ports: ports.collect(),
                clusters,
            };
            pods.insert(workload.name.as_ref().into(), pod);
        }
        Self { pods }
    }

    /// The bounds on a cluster of a pod's sidecar, if it has any.
    pub(super) fn bounds(&self, pod: &str, cluster: &str) -> Option<Bounds> {
        self.pods.get(pod)?.clusters.get(cluster).copied()
    }

    /// Whether `event`, a request that came in at `pod`, was to come over mutual TLS.
    pub(super) fn strict(&self, pod: &str, event: &RequestEvent<'_>) -> bool {
        let port = self.port(pod, event);
        port.is_some_and(|(_, port)| port.mtls == MtlsMode::Strict)
    }

    fn port(&self, pod: &str, event: &RequestEvent<'_>) -> Option<(u16, &Port)> {
        // `inbound|9080||`
        let number = event.cluster.split('|').nth(1)?.parse().ok()?;
        Some((number, self.pods.get(pod)?.ports.get(&number)?))
    }

    /// Whether the app of `pod` served a request that it was to be spared.
    pub(super) fn unauthorised(&self, pod: &str, event: &RequestEvent<'_>) -> bool {
        let served = event.attempts > 0 && event.details == "via_upstream";
        let Some((number, port)) = self.port(pod, event).filter(|_| served) else {
            return false;
        };
        let mutual = event.downstream_tls == TlsState::Mutual;
        if port.mtls == MtlsMode::Strict && !mutual {
            return true;
        }
        let headers = HeaderMap::new();
        let request = AuthzRequest {
            peer: (mutual && !event.peer.is_empty()).then_some(event.peer),
            source_ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            destination_ip: None,
            port: number,
            sni: None,
            method: event.method,
            host: event.authority,
            path: event.path,
            headers: &headers,
        };
        !authz::decide(&port.authorization, &request).allowed
    }
}

impl Bounds {
    const fn any(&self) -> bool {
        self.requests < u32::MAX || self.retries < u32::MAX || self.budget.is_some()
    }
}

/// Whether the configuration holds anything that is looked up here.
fn says_anything(mesh: &MeshPolicy) -> bool {
    let bounds =
        |policy: &DestinationPolicy| policy.pool.is_some() || policy.retry_budget.is_some();
    let bounded = mesh.destinations.iter().any(|rule| {
        let subsets = rule.subsets.iter();
        bounds(&rule.policy)
            || rule.ports.values().any(bounds)
            || subsets.clone().any(|subset| bounds(&subset.policy))
            || subsets.flat_map(|subset| subset.ports.values()).any(bounds)
    });
    bounded
        || mesh.profile.mtls.value == MtlsMode::Strict
        || !mesh.peer_authentication.is_empty()
        || !mesh.authorization.is_empty()
}

fn port(listener: &InboundListener) -> Port {
    let policies = listener.authorization.iter();
    Port {
        mtls: listener.mtls.value,
        authorization: policies.filter_map(decidable).collect(),
    }
}

/// `policy` as far as it can be judged by what sidecars tell; `None` when nothing is left of it.
fn decidable(policy: &Arc<AuthorizationPolicy>) -> Option<Arc<AuthorizationPolicy>> {
    if policy.rules.iter().all(is_decidable) {
        return Some(policy.clone());
    }
    let mut rules = policy.rules.clone();
    match policy.action {
        AuthorizationAction::Allow => {
            // Whoever may be allowed is.
            let undecided = rules.iter_mut().filter(|rule| !is_decidable(rule));
            undecided.for_each(|rule| *rule = AuthorizationRule::default());
        }
        AuthorizationAction::Deny | AuthorizationAction::Audit => rules.retain(is_decidable),
    }
    (!rules.is_empty()).then(|| {
        Arc::new(AuthorizationPolicy {
            rules,
            ..policy.as_ref().clone()
        })
    })
}

fn is_decidable(rule: &AuthorizationRule) -> bool {
    let by_address = rule
        .from
        .iter()
        .any(|source| !source.ip_blocks.is_empty() || !source.not_ip_blocks.is_empty());
    rule.when.is_empty() && !by_address
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::record::sample;
    use mesh_core::policy::{
        AuthorizationCondition, Origin, PeerAuthentication, SourceMatch, Sourced, StringMatch,
        WorkloadSelector,
    };
    use mesh_core::telemetry::Direction;

    const SHOPPER: &str = "spiffe://cluster.local/ns/default/sa/default";
    const STRANGER: &str = "spiffe://cluster.local/ns/default/sa/stranger";

    fn origin() -> Origin {
        Origin::default_of("a test")
    }

    /// The sample's plan with mutual TLS everywhere.
    pub(in crate::verdict) fn strict() -> Plan {
        let mut plan = sample::plan();
        plan.mesh.peer_authentication.push(PeerAuthentication {
            name: "default/all".into(),
            selector: WorkloadSelector::default(),
            mode: Some(Sourced::default_of(MtlsMode::Strict, "a test")),
            ports: BTreeMap::new(),
            origin: origin(),
        });
        plan
    }

    /// A request that the app of reviews-v1-1 served.
    pub(in crate::verdict) fn inbound(peer: &'static str) -> RequestEvent<'static> {
        RequestEvent {
            direction: Direction::Inbound,
            cluster: "inbound|9080||",
            peer,
            downstream_tls: if peer.is_empty() {
                TlsState::Plain
            } else {
                TlsState::Mutual
            },
            ..sample::through_sidecar(1, 0, [0; 5])
        }
    }

    fn allowing(rule: AuthorizationRule) -> Plan {
        let mut plan = sample::plan();
        plan.mesh.authorization.push(AuthorizationPolicy {
            name: "default/only".into(),
            selector: WorkloadSelector::default(),
            action: AuthorizationAction::Allow,
            rules: vec![rule],
            origin: origin(),
        });
        plan
    }

    fn from_shoppers() -> AuthorizationRule {
        let principal = "cluster.local/ns/default/sa/default".to_owned();
        AuthorizationRule {
            from: vec![SourceMatch {
                principals: vec![StringMatch::Exact(principal)],
                ..SourceMatch::default()
            }],
            ..AuthorizationRule::default()
        }
    }

    fn served(plan: &Plan, event: &RequestEvent<'_>) -> bool {
        Intended::new(plan).unauthorised("reviews-v1-1", event)
    }

    #[test]
    fn whoever_is_not_allowed_is_not_to_be_served() {
        let plan = allowing(from_shoppers());
        assert!(!served(&plan, &inbound(SHOPPER)));
        assert!(served(&plan, &inbound(STRANGER)));
        assert!(served(&plan, &inbound("")));
        let turned_away = RequestEvent {
            attempts: 0,
            details: "rbac_access_denied_matched_policy[none]",
            status: 403,
            ..inbound(STRANGER)
        };
        assert!(!served(&plan, &turned_away));
    }

    #[test]
    fn under_strict_nobody_comes_without_a_certificate() {
        let plan = strict();
        assert!(served(&plan, &inbound("")));
        assert!(!served(&plan, &inbound(STRANGER)));
        let intended = Intended::new(&plan);
        assert!(intended.strict("reviews-v1-0", &inbound("")));
        assert!(!intended.strict("nobody", &inbound("")));
    }

    #[test]
    fn nobody_is_accused_without_proof() {
        let mut rule = from_shoppers();
        rule.when.push(AuthorizationCondition {
            key: "request.headers[x]".into(),
            values: vec![StringMatch::Exact("1".into())],
            not_values: Vec::new(),
            origin: origin(),
        });
        assert!(!served(&allowing(rule), &inbound(STRANGER)));
    }

    #[test]
    fn silence_costs_nothing() {
        assert!(Intended::new(&sample::plan()).pods.is_empty());
    }
}
