//! Mutual TLS and inbound listeners.

use std::time::Duration;

use super::*;
use crate::policy::{InboundRateLimit, LocalRateLimit};

fn peer(
    name: &str,
    namespace: Option<&str>,
    pairs: &[(&str, &str)],
    mode: Option<MtlsMode>,
) -> PeerAuthentication {
    PeerAuthentication {
        name: name.into(),
        selector: WorkloadSelector {
            namespace: namespace.map(Into::into),
            labels: labels(pairs),
        },
        mode: mode.map(|mode| sourced(mode, name)),
        ports: BTreeMap::new(),
        origin: origin(name),
    }
}

/// pilot `ComposePeerAuthentication`.
#[test]
fn the_narrowest_peer_authentication_counts() {
    use MtlsMode::{Disable, Permissive, Strict};
    let app = [("app", "productpage")];
    let mode = |objects: &[PeerAuthentication]| {
        let mut policy = policy();
        policy.peer_authentication = objects.to_vec();
        let registry = bookinfo();
        let mut compiler = Compiler::default();
        let snapshot = compiler.compile(
            &policy,
            &registry,
            &registry.workloads["productpage-0"],
            &[9080],
            1,
        );
        snapshot.inbound[0].mtls.value
    };
    let mesh = peer("mesh", None, &[], Some(Strict));
    let namespace = peer("ns", Some("default"), &[], Some(Disable));
    let own = peer("own", Some("default"), &app, Some(Permissive));
    assert_eq!(mode(&[]), Permissive);
    assert_eq!(mode(std::slice::from_ref(&mesh)), Strict);
    assert_eq!(mode(&[mesh.clone(), namespace.clone()]), Disable);
    assert_eq!(
        mode(&[mesh.clone(), namespace.clone(), own.clone()]),
        Permissive
    );
    let unset = peer("own", Some("default"), &app, None);
    assert_eq!(
        mode(&[mesh.clone(), unset.clone()]),
        Strict,
        "unset inherits"
    );
    let other = peer("x", Some("default"), &[("app", "x")], Some(Disable));
    assert_eq!(mode(&[mesh.clone(), other]), Strict);
    let rootly = peer("x", None, &app, Some(Disable));
    assert_eq!(
        mode(&[mesh.clone(), rootly]),
        Strict,
        "labels in the root namespace select nothing"
    );
    let younger = peer("younger", Some("default"), &[], Some(Permissive));
    assert_eq!(
        mode(&[mesh.clone(), namespace, younger]),
        Disable,
        "the first is the oldest"
    );
    let ports = BTreeMap::from([(9080, Some(sourced(Disable, "port"))), (9090, None)]);
    let ported = PeerAuthentication {
        ports: ports.clone(),
        ..own.clone()
    };
    assert_eq!(mode(&[mesh.clone(), ported]), Disable);
    let inherits = PeerAuthentication {
        ports: BTreeMap::from([(9080, None)]),
        ..own
    };
    assert_eq!(mode(&[mesh.clone(), inherits]), Permissive);
    let unselective = PeerAuthentication { ports, ..mesh };
    assert_eq!(mode(&[unselective]), Strict, "ports need a selector");
}

#[test]
fn plain_text_is_used_where_mutual_tls_is_off() {
    let mut policy = policy();
    let name = "outbound|9080||reviews.default.svc.cluster.local";
    let app = [("app", "reviews"), ("version", "v2")];
    policy.peer_authentication = vec![peer("p", Some("default"), &app, Some(MtlsMode::Disable))];
    let seen = |policy: &MeshPolicy| {
        let snapshot = snapshot(policy, &bookinfo());
        let assignment = snapshot
            .endpoints
            .iter()
            .find(|a| a.cluster.as_str() == name)
            .unwrap();
        let meshed: Vec<bool> = assignment.endpoints.iter().map(|e| e.meshed).collect();
        (cluster(&snapshot, name).tls.value.clone(), meshed)
    };
    assert_eq!(seen(&policy), (UpstreamTls::Auto, vec![true, true, false]));
    policy.peer_authentication = vec![peer("p", Some("default"), &[], Some(MtlsMode::Disable))];
    assert_eq!(seen(&policy), (UpstreamTls::Disable, vec![false; 3]));
}

#[test]
fn inbound_listens_where_services_send() {
    let mut policy = policy();
    let authorization = |name: &str, action, pairs: &[(&str, &str)]| AuthorizationPolicy {
        name: name.into(),
        selector: WorkloadSelector {
            namespace: Some("default".into()),
            labels: labels(pairs),
        },
        action,
        rules: Vec::new(),
        origin: origin(name),
    };
    policy.authorization = vec![
        authorization("allow", AuthorizationAction::Allow, &[]),
        authorization("others", AuthorizationAction::Deny, &[("app", "ratings")]),
        authorization("deny", AuthorizationAction::Deny, &[("app", "reviews")]),
    ];
    let mut registry = bookinfo();
    let mut again = service("reviews-admin", "default", &[(1, 8080), (2, 9999)]);
    again.selector = labels(&[("app", "reviews")]);
    registry.services.insert(again.host.clone(), again);
    let mut compiler = Compiler::default();
    let snapshot = compiler.compile(
        &policy,
        &registry,
        &registry.workloads["reviews-v1-0"],
        &[15020, 8080],
        1,
    );
    let ports: Vec<u16> = snapshot.inbound.iter().map(|l| l.port).collect();
    assert_eq!(ports, [8080, 9999, 15020]);
    let names: Vec<&str> = snapshot.inbound[0]
        .authorization
        .iter()
        .map(|p| p.name.as_str())
        .collect();
    assert_eq!(names, ["deny", "allow"]);
    assert_eq!(snapshot.inbound[0].retry, Profile::istio().inbound_retry);
}

#[test]
fn a_ports_own_rate_limit_stands_in_for_the_general_one() {
    let limit = |tokens_max, pairs: &[(&str, &str)], port| InboundRateLimit {
        name: "limit".into(),
        selector: WorkloadSelector {
            namespace: Some("default".into()),
            labels: labels(pairs),
        },
        port,
        limit: sourced(
            LocalRateLimit {
                tokens_max,
                tokens_per_fill: 1,
                fill_interval: Duration::from_secs(1),
                status: 429,
            },
            "limit",
        ),
    };
    let mut policy = policy();
    policy.inbound_rate_limits = vec![
        limit(1, &[("app", "ratings")], None),
        limit(2, &[("app", "reviews")], None),
        limit(3, &[("app", "reviews")], Some(9090)),
    ];
    let registry = bookinfo();
    let caller = &registry.workloads["reviews-v1-0"];
    let snapshot = Compiler::default().compile(&policy, &registry, caller, &[9090], 1);
    let limits: Vec<_> = snapshot
        .inbound
        .iter()
        .map(|l| (l.port, l.rate_limit.as_ref().map(|limit| limit.tokens_max)))
        .collect();
    assert_eq!(limits, [(8080, Some(2)), (9090, Some(3))]);
}
