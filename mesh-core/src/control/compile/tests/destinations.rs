//! Clusters, their policies and their endpoints.

use super::*;

#[test]
fn clusters_exist_for_what_routes_name_and_rules_define() {
    let mut policy = policy();
    let host = full("reviews", "default");
    let destinations = vec![
        weighted(&host, Some("v1"), 50),
        weighted(&host, Some("v2"), 30),
        weighted(&host, Some("undefined"), 20),
    ];
    policy.routes = vec![rule("r", &[reviews()], vec![route_to("r", destinations)])];
    let mut defined = destination_rule("default", reviews(), DestinationPolicy::default());
    for version in ["v1", "v2", "v3"] {
        defined
            .subsets
            .push(subset(version, version, DestinationPolicy::default()));
    }
    policy.destinations = vec![defined];
    let snapshot = snapshot(&policy, &bookinfo());
    let names: Vec<&str> = snapshot.clusters.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "outbound|80||other.elsewhere.svc.cluster.local",
            "outbound|9080|v1|reviews.default.svc.cluster.local",
            "outbound|9080|v2|reviews.default.svc.cluster.local",
            "outbound|9080||other.elsewhere.svc.cluster.local",
            "outbound|9080||ratings.default.svc.cluster.local",
        ]
    );
    let assigned: Vec<&str> = snapshot
        .endpoints
        .iter()
        .map(|a| a.cluster.as_str())
        .collect();
    assert_eq!(assigned, names, "one assignment for each cluster");
    let v1 = endpoints(
        &snapshot,
        "outbound|9080|v1|reviews.default.svc.cluster.local",
    );
    assert_eq!(
        v1,
        ["reviews-v1-0 10.0.0.2:8080", "reviews-v1-1 10.0.0.3:8080"]
    );
    let v2 = endpoints(
        &snapshot,
        "outbound|9080|v2|reviews.default.svc.cluster.local",
    );
    assert_eq!(v2, ["reviews-v2-0 10.0.0.4:8080"]);
}

#[test]
fn only_ready_workloads_are_endpoints_and_all_have_identities() {
    let mut registry = bookinfo();
    registry.workloads[2].state = WorkloadState::NotReady;
    let snapshot = snapshot(&policy(), &registry);
    let name = "outbound|9080||reviews.default.svc.cluster.local";
    assert_eq!(endpoints(&snapshot, name).len(), 2);
    let ids = &cluster(&snapshot, name).identities;
    assert_eq!(
        ids.as_slice(),
        [Arc::from("spiffe://cluster.local/ns/default/sa/sa-reviews")]
    );
}

/// The balancer of `reviews` for a caller in `default`, by the provenance of its value.
fn reviews_balancer(rules: Vec<DestinationRule>) -> String {
    let mut policy = policy();
    policy.destinations = rules;
    let snapshot = snapshot(&policy, &bookinfo());
    let cluster = cluster(
        &snapshot,
        "outbound|9080||reviews.default.svc.cluster.local",
    );
    match &cluster.load_balancer.origin {
        Origin::Default(what) => what.to_string(),
        written => written.to_string(),
    }
}

#[test]
fn the_nearest_namespace_and_the_most_specific_host_govern() {
    let random = |namespace: &str, host: HostPattern, what: &str| {
        destination_rule(namespace, host, balancing(LoadBalancer::Random, what))
    };
    let svc = || HostPattern::Suffix(".svc.cluster.local".into());
    let own = || HostPattern::Suffix(".default.svc.cluster.local".into());
    assert!(reviews_balancer(vec![]).starts_with("Istio"));
    assert_eq!(
        reviews_balancer(vec![random("istio-system", svc(), "root")]),
        "root"
    );
    let both = vec![
        random("istio-system", reviews(), "root"),
        random("default", svc(), "own"),
    ];
    assert_eq!(
        reviews_balancer(both),
        "own",
        "the namespace counts before the host"
    );
    let wild = vec![
        random("default", svc(), "a"),
        random("default", own(), "b"),
        random("default", HostPattern::Any, "c"),
    ];
    assert_eq!(reviews_balancer(wild.clone()), "b");
    let named = [wild, vec![random("default", reviews(), "d")]].concat();
    assert_eq!(reviews_balancer(named), "d");
    assert!(reviews_balancer(vec![random("elsewhere", reviews(), "x")]).starts_with("Istio"));
    let mut hidden = random("istio-system", reviews(), "hidden");
    hidden.visible_to = vec!["elsewhere".into()];
    assert!(reviews_balancer(vec![hidden]).starts_with("Istio"));
}

#[test]
fn the_services_namespace_governs_callers_elsewhere() {
    let mut policy = policy();
    let mut rule = destination_rule(
        "elsewhere",
        exact(&full("other", "elsewhere")),
        balancing(LoadBalancer::Random, "r"),
    );
    let mut balancer = |visible: &[&str]| {
        rule.visible_to = visible.iter().map(|ns| (*ns).to_owned()).collect();
        policy.destinations = vec![rule.clone()];
        let snapshot = snapshot(&policy, &bookinfo());
        cluster(&snapshot, "outbound|80||other.elsewhere.svc.cluster.local")
            .load_balancer
            .value
            .clone()
    };
    assert_eq!(balancer(&[]), LoadBalancer::Random);
    assert_eq!(balancer(&["default"]), LoadBalancer::Random);
    assert_eq!(
        balancer(&["elsewhere"]),
        LoadBalancer::LeastRequest { choices: 2 }
    );
}

#[test]
fn rules_for_one_host_are_merged_and_selectors_stand_apart() {
    let first = destination_rule("default", reviews(), DestinationPolicy::default());
    let second = destination_rule(
        "default",
        reviews(),
        balancing(LoadBalancer::Random, "second"),
    );
    let third = destination_rule(
        "default",
        reviews(),
        balancing(LoadBalancer::RoundRobin, "third"),
    );
    assert_eq!(
        reviews_balancer(vec![first.clone(), second.clone(), third.clone()]),
        "second"
    );
    let select = |rule: &DestinationRule, app: &str| DestinationRule {
        workload_selector: labels(&[("app", app)]),
        ..rule.clone()
    };
    assert_eq!(
        reviews_balancer(vec![second.clone(), select(&third, "productpage")]),
        "third"
    );
    assert_eq!(
        reviews_balancer(vec![second.clone(), select(&third, "x")]),
        "second"
    );
    assert!(reviews_balancer(vec![select(&third, "x")]).starts_with("Istio"));
}

fn pool(connections_max: u32) -> Sourced<ConnectionPool> {
    let plain = Profile::istio().pool.value;
    sourced(
        ConnectionPool {
            connections_max,
            ..plain
        },
        &format!("pool {connections_max}"),
    )
}

/// pilot `MergeSubsetTrafficPolicy`.
#[test]
fn a_subset_overrides_by_group_and_a_port_replaces_everything() {
    let top = DestinationPolicy {
        pool: Some(pool(1)),
        outlier: Some(outlier(40)),
        locality: Some(sourced(LocalityPolicy::default(), "top")),
        ..balancing(LoadBalancer::RoundRobin, "top")
    };
    let mut rule = destination_rule("default", reviews(), top);
    rule.subsets = vec![
        subset("plain", "v1", DestinationPolicy::default()),
        subset(
            "own",
            "v1",
            DestinationPolicy {
                pool: Some(pool(2)),
                ..DestinationPolicy::default()
            },
        ),
        subset("balanced", "v1", balancing(LoadBalancer::Random, "subset")),
        SubsetRule {
            ports: BTreeMap::from([(9080, balancing(LoadBalancer::Random, "subset port"))]),
            ..subset(
                "ported",
                "v1",
                DestinationPolicy {
                    pool: Some(pool(3)),
                    ..DestinationPolicy::default()
                },
            )
        },
    ];
    let host = full("reviews", "default");
    let names = ["plain", "own", "balanced", "ported"];
    let destinations = names.map(|name| weighted(&host, Some(name), 1)).to_vec();
    let mut policy = policy();
    policy.routes = vec![self::rule(
        "r",
        &[reviews()],
        vec![route_to("r", destinations)],
    )];
    let seen = |policy: &MeshPolicy, name: &str| {
        let snapshot = snapshot(policy, &bookinfo());
        let cluster = cluster(
            &snapshot,
            &format!("outbound|9080|{name}|reviews.default.svc.cluster.local"),
        );
        let balancer = cluster.load_balancer.value.clone();
        (
            cluster.pool.value.connections_max,
            balancer,
            cluster.locality.is_some(),
            cluster.panic_threshold_percent,
        )
    };
    let none = u32::MAX;
    let least = LoadBalancer::LeastRequest { choices: 2 };
    policy.destinations = vec![rule.clone()];
    assert_eq!(
        seen(&policy, "plain"),
        (1, LoadBalancer::RoundRobin, true, 40)
    );
    assert_eq!(
        seen(&policy, "own"),
        (2, LoadBalancer::RoundRobin, true, 40)
    );
    assert_eq!(
        seen(&policy, "balanced"),
        (1, LoadBalancer::Random, false, 40),
        "one loadBalancer block"
    );
    assert_eq!(
        seen(&policy, "ported"),
        (none, LoadBalancer::Random, false, 0)
    );
    let port = DestinationPolicy {
        pool: Some(pool(9)),
        ..DestinationPolicy::default()
    };
    policy.destinations[0].ports = BTreeMap::from([(9080, port)]);
    assert_eq!(
        seen(&policy, "plain"),
        (9, least.clone(), false, 0),
        "nothing is inherited"
    );
    assert_eq!(seen(&policy, "own"), (2, least, false, 0));
}

fn external(hosts: &[&str], endpoints: Vec<ExternalEndpoint>) -> ExternalService {
    ExternalService {
        hosts: hosts.iter().map(|h| (*h).to_owned()).collect(),
        namespace: "default".into(),
        ports: vec![ExternalPort {
            number: 443,
            name: "tls".into(),
            protocol: "HTTP2".into(),
            target: None,
        }],
        endpoints,
        workload_selector: None,
        in_mesh: false,
        origin: origin("se"),
    }
}

#[test]
fn declared_services_are_known_like_any_other() {
    let endpoint = |address: &str| ExternalEndpoint {
        address: address.into(),
        ports: BTreeMap::from([("tls".to_owned(), 8443)]),
        labels: BTreeMap::new(),
        locality: Some("r1/z1".into()),
        weight: 3,
    };
    let mut policy = policy();
    let addresses = ["192.0.2.1", "ratings-0", "nowhere.test"];
    policy.external = vec![
        external(
            &["API.test", "*.wild.test"],
            addresses.map(endpoint).to_vec(),
        ),
        external(&["api.test"], vec![]),
    ];
    let snapshot = snapshot(&policy, &bookinfo());
    assert_eq!(
        routed(&snapshot, "http://api.test:443/"),
        "default outbound|443||api.test"
    );
    assert_eq!(
        routed(&snapshot, "http://a.wild.test:443/"),
        "default outbound|443||*.wild.test"
    );
    let cluster = cluster(&snapshot, "outbound|443||api.test");
    assert_eq!(cluster.tls.value, UpstreamTls::Disable, "outside the mesh");
    assert!(cluster.http2);
    let assignment = snapshot
        .endpoints
        .iter()
        .find(|a| a.cluster == cluster.name)
        .unwrap();
    let seen: Vec<_> = assignment
        .endpoints
        .iter()
        .map(|e| (e.address.to_string(), e.weight, e.meshed))
        .collect();
    assert_eq!(
        seen,
        [
            ("192.0.2.1:8443".to_owned(), 3, false),
            ("10.0.0.5:8443".to_owned(), 3, true)
        ]
    );
    assert_eq!(assignment.endpoints[0].locality.to_string(), "r1/z1");
}

#[test]
fn a_declared_service_may_select_workloads() {
    let mut policy = policy();
    let mut declared = external(&["ratings.test"], vec![]);
    declared.workload_selector = Some(labels(&[("app", "ratings")]));
    declared.in_mesh = true;
    policy.external = vec![declared];
    let registry = bookinfo();
    let snapshot = snapshot(&policy, &registry);
    assert_eq!(
        endpoints(&snapshot, "outbound|443||ratings.test"),
        ["ratings-0 10.0.0.5:443"]
    );
    assert_eq!(
        cluster(&snapshot, "outbound|443||ratings.test").tls.value,
        UpstreamTls::Auto
    );
    let inbound = compile(&policy, &registry, &registry.workloads["ratings-0"], 1).inbound;
    assert_eq!(
        inbound.iter().map(|l| l.port).collect::<Vec<_>>(),
        [443, 9080]
    );
}
