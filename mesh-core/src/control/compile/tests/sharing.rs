//! What sidecars share, over changes and for any input.

use proptest::prelude::*;

use super::*;

/// Three callers in two zones, and a service in both with outlier detection; one without.
fn zoned() -> (MeshPolicy, Registry) {
    let mut registry = bookinfo();
    for (place, workload) in registry.workloads.values_mut().enumerate() {
        workload.locality.region = "r".into();
        workload.locality.zone = if place % 2 == 0 { "a" } else { "b" }.into();
    }
    let mut policy = policy();
    let detecting = DestinationPolicy {
        outlier: Some(outlier(0)),
        ..DestinationPolicy::default()
    };
    policy.destinations = vec![destination_rule("default", reviews(), detecting)];
    (policy, registry)
}

#[test]
fn priorities_are_the_callers_and_the_rest_is_shared() {
    let (policy, registry) = zoned();
    let mut compiler = Compiler::default();
    let mut of =
        |name: &str| compiler.compile(&policy, &registry, &registry.workloads[name], &[], 1);
    let (here, there, too) = (of("productpage-0"), of("reviews-v1-0"), of("ratings-0"));
    let shared = |a: &Snapshot, b: &Snapshot, name: &str| {
        let find = |s: &Snapshot| {
            s.endpoints
                .iter()
                .find(|e| e.cluster.as_str() == name)
                .unwrap()
                .clone()
        };
        Arc::ptr_eq(&find(a), &find(b))
    };
    for (a, b) in here.routes.iter().zip(&there.routes) {
        assert!(Arc::ptr_eq(a, b));
    }
    for (a, b) in here.clusters.iter().zip(&there.clusters) {
        assert!(Arc::ptr_eq(a, b));
    }
    let (reviews, ratings) = (
        "outbound|9080||reviews.default.svc.cluster.local",
        "outbound|9080||ratings.default.svc.cluster.local",
    );
    assert!(!shared(&here, &there, reviews) && shared(&here, &there, ratings));
    assert!(shared(&here, &too, reviews), "equal places share");
    let priorities = |s: &Snapshot| -> Vec<(String, u32)> {
        let all = s
            .endpoints
            .iter()
            .find(|e| e.cluster.as_str() == reviews)
            .unwrap();
        all.endpoints
            .iter()
            .map(|e| (e.workload.to_string(), e.priority))
            .collect()
    };
    let want = |pairs: [(&str, u32); 3]| pairs.map(|(w, p)| (w.to_owned(), p)).to_vec();
    assert_eq!(
        priorities(&here),
        want([
            ("reviews-v1-1", 0),
            ("reviews-v1-0", 1),
            ("reviews-v2-0", 1)
        ])
    );
    assert_eq!(
        priorities(&there),
        want([
            ("reviews-v1-1", 1),
            ("reviews-v1-0", 0),
            ("reviews-v2-0", 0)
        ])
    );
    for (name, snapshot) in [
        ("productpage-0", here),
        ("reviews-v1-0", there),
        ("ratings-0", too),
    ] {
        assert_eq!(
            snapshot,
            compile(&policy, &registry, &registry.workloads[name], 1),
            "{name}"
        );
    }
}

#[test]
fn what_did_not_change_keeps_its_arc() {
    let (policy, registry) = zoned();
    let mut compiler = Compiler::default();
    let caller = &registry.workloads["productpage-0"];
    let before = compiler.compile(&policy, &registry, caller, &[], 1);
    let mut changed = registry.clone();
    changed.workloads["ratings-0"].state = WorkloadState::NotReady;
    compiler.invalidate();
    let after = compiler.compile(&policy, &changed, caller, &[], 2);
    assert_eq!(after, compile(&policy, &changed, caller, 2));
    assert!(
        before
            .routes
            .iter()
            .zip(&after.routes)
            .all(|(a, b)| Arc::ptr_eq(a, b))
    );
    assert!(
        before
            .clusters
            .iter()
            .zip(&after.clusters)
            .all(|(a, b)| Arc::ptr_eq(a, b))
    );
    let moved: Vec<&str> = before
        .endpoints
        .iter()
        .zip(&after.endpoints)
        .filter(|(a, b)| !Arc::ptr_eq(a, b))
        .map(|(a, _)| a.cluster.as_str())
        .collect();
    assert_eq!(moved, ["outbound|9080||ratings.default.svc.cluster.local"]);
    let mut ruled = policy.clone();
    ruled.routes = vec![to_reviews("new", &[reviews()])];
    compiler.invalidate();
    let again = compiler.compile(&ruled, &changed, caller, &[], 3);
    assert_eq!(again, compile(&ruled, &changed, caller, 3));
    assert!(!Arc::ptr_eq(&after.routes[1], &again.routes[1]));
    let same = after.clusters.iter().zip(&again.clusters);
    assert!(same.clone().count() > 0 && same.fold(true, |all, (a, b)| all && Arc::ptr_eq(a, b)));
}

#[test]
fn callers_with_different_answers_are_told_apart() {
    let mut policy = policy();
    let mut scoped = route_to("r", vec![weighted(&full("ratings", "default"), None, 1)]);
    scoped.source = Some(SourceScope {
        labels: labels(&[("app", "ratings")]),
        namespace: None,
    });
    policy.routes = vec![rule("r", &[reviews()], vec![scoped])];
    let registry = bookinfo();
    let mut compiler = Compiler::default();
    let mut routed = |name: &str| {
        let snapshot = compiler.compile(&policy, &registry, &registry.workloads[name], &[], 1);
        routed(&snapshot, "http://reviews:9080/")
            .split(' ')
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(routed("productpage-0"), "default");
    assert_eq!(routed("ratings-0"), "r");
    assert_eq!(routed("reviews-v1-0"), "default");
}

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(full("reviews", "default")),
        Just(full("other", "elsewhere")),
        Just("*".to_owned()),
        Just("ghost.test".to_owned()),
        Just(String::new()),
    ]
}

fn any_host() -> impl Strategy<Value = HostPattern> {
    prop_oneof![
        any_name().prop_map(HostPattern::Exact),
        "(\\.[a-z]{0,3}){0,2}".prop_map(HostPattern::Suffix),
        Just(HostPattern::Suffix(".svc.cluster.local".into())),
        Just(HostPattern::Any),
    ]
}

fn any_namespace() -> impl Strategy<Value = String> {
    prop_oneof![Just("default"), Just("elsewhere"), Just("istio-system")].prop_map(str::to_owned)
}

fn any_rule() -> impl Strategy<Value = RouteRule> {
    let subset = prop_oneof![
        Just(None),
        Just(Some("v1".to_owned())),
        Just(Some(String::new()))
    ];
    let destination = (
        any_name(),
        subset,
        proptest::option::of(any::<u16>()),
        any::<u32>(),
    );
    let destinations = proptest::collection::vec(destination, 0..3);
    let hosts = proptest::collection::vec(any_host(), 0..3);
    (hosts, destinations, any_namespace()).prop_map(|(hosts, destinations, visible)| {
        let destinations = destinations
            .into_iter()
            .map(|(host, subset, port, weight)| {
                let mut destination = weighted(&host, subset.as_deref(), weight);
                destination.destination.port = port;
                destination
            });
        let mut rule = rule("r", &hosts, vec![route_to("r", destinations.collect())]);
        rule.visible_to = vec![visible];
        rule
    })
}

fn any_destination_rule() -> impl Strategy<Value = DestinationRule> {
    let setting = (any::<bool>(), "[*r/z1]{0,4}", "[*r/z1]{0,4}", any::<u32>());
    (any_host(), any_namespace(), any::<bool>(), setting).prop_map(
        |(host, namespace, detects, setting)| {
            let (failover, from, to, share) = setting;
            let locality = LocalityPolicy {
                distribute: if failover {
                    vec![]
                } else {
                    vec![(from, vec![(to, share)])]
                },
                failover_priority: if failover {
                    vec!["version=v1".into(), String::new()]
                } else {
                    vec![]
                },
                ..LocalityPolicy::default()
            };
            let policy = DestinationPolicy {
                outlier: detects.then(|| outlier(0)),
                locality: Some(sourced(locality, "l")),
                ..DestinationPolicy::default()
            };
            let mut rule = destination_rule(&namespace, host, policy);
            rule.subsets = vec![subset("v1", "v1", DestinationPolicy::default())];
            rule
        },
    )
}

proptest! {
    #[test]
    fn compilation_takes_anything(
        routes in proptest::collection::vec(any_rule(), 0..4),
        destinations in proptest::collection::vec(any_destination_rule(), 0..4),
        zone in "[ab]?",
    ) {
        let mut policy = policy();
        policy.routes = routes;
        policy.destinations = destinations;
        let mut registry = bookinfo();
        registry.workloads[1].locality.zone = zone.as_str().into();
        let caller = registry.workloads[0].clone();
        let snapshot = compile(&policy, &registry, &caller, 1);
        let mut compiler = Compiler::default();
        for other in registry.workloads.values() {
            compiler.compile(&policy, &registry, other, &[], 1);
        }
        prop_assert_eq!(compiler.compile(&policy, &registry, &caller, &[], 1), snapshot);
    }
}
