//! Which route a request takes.

use super::*;

/// pilot `GenerateAltVirtualHosts`.
#[test]
fn services_answer_to_all_their_names() {
    let snapshot = snapshot(&policy(), &bookinfo());
    let hosts = &table(&snapshot, 9080).hosts;
    let domains = |name: &str| -> Vec<String> {
        hosts
            .iter()
            .find(|h| &*h.name == name)
            .unwrap()
            .domains
            .clone()
    };
    assert_eq!(
        domains("reviews.default.svc.cluster.local:9080"),
        [
            "reviews.default.svc.cluster.local",
            "reviews",
            "reviews.default.svc",
            "reviews.default"
        ],
    );
    assert_eq!(
        domains("other.elsewhere.svc.cluster.local:9080"),
        [
            "other.elsewhere.svc.cluster.local",
            "other.elsewhere.svc",
            "other.elsewhere"
        ],
        "the bare name is for callers in its own namespace",
    );
    let ports: Vec<u16> = snapshot.routes.iter().map(|t| t.port).collect();
    assert_eq!(ports, [80, 9080]);
    assert_eq!(table(&snapshot, 80).hosts.len(), 1);
}

#[test]
fn without_rules_a_service_has_the_profiles_route() {
    let snapshot = snapshot(&policy(), &bookinfo());
    let want = "default outbound|9080||reviews.default.svc.cluster.local";
    assert_eq!(routed(&snapshot, "http://reviews:9080/"), want);
    assert_eq!(routed(&snapshot, "http://ghost:9080/"), "unknown");
    assert_eq!(
        routed(&snapshot, "http://reviews/"),
        "unknown",
        "not on port 80"
    );
    let route = &table(&snapshot, 9080).hosts[0].routes[0];
    let profile = Profile::istio();
    assert_eq!(
        (&route.retry, &route.timeout),
        (&profile.retry, &profile.timeout)
    );
}

#[test]
fn an_alias_never_shadows_a_full_name() {
    let mut registry = bookinfo();
    let mut squatter = service("x", "default", &[(9080, 9080)]);
    squatter.host = "reviews.default".into();
    registry.services.insert(squatter.host.clone(), squatter);
    let snapshot = snapshot(&policy(), &registry);
    assert_eq!(
        routed(&snapshot, "http://reviews.default:9080/"),
        "default outbound|9080||reviews.default"
    );
    let want = "default outbound|9080||reviews.default.svc.cluster.local";
    assert_eq!(routed(&snapshot, "http://reviews:9080/"), want);
}

#[test]
fn exact_hosts_beat_wildcards_and_the_first_beats_the_rest() {
    let suffix = |s: &str| HostPattern::Suffix(s.into());
    let mut policy = policy();
    policy.routes = vec![
        to_reviews("any", &[HostPattern::Any]),
        to_reviews("short", &[suffix(".svc.cluster.local")]),
        to_reviews("long", &[suffix(".default.svc.cluster.local")]),
        to_reviews("long-too", &[suffix(".default.svc.cluster.local")]),
        to_reviews("exact", &[reviews()]),
        to_reviews("exact-too", &[reviews()]),
    ];
    let snapshot = snapshot(&policy, &bookinfo());
    let name = |url: &str| routed(&snapshot, url).split(' ').next().unwrap().to_owned();
    assert_eq!(name("http://reviews:9080/"), "exact");
    assert_eq!(name("http://ratings:9080/"), "long");
    assert_eq!(name("http://other.elsewhere:9080/"), "short");
}

#[test]
fn routes_are_for_their_callers_and_ports() {
    let scoped = |name: &str, source: Option<SourceScope>, port: Option<u16>| {
        let destination = weighted(&full("ratings", "default"), None, 1);
        ScopedRoute {
            source,
            port,
            ..route_to(name, vec![destination])
        }
    };
    let source = |pairs: &[(&str, &str)], namespace: Option<&str>| {
        Some(SourceScope {
            labels: labels(pairs),
            namespace: namespace.map(Into::into),
        })
    };
    let pick = |routes: Vec<ScopedRoute>| {
        let mut policy = policy();
        policy.routes = vec![rule("r", &[reviews()], routes)];
        let routed = routed(&snapshot(&policy, &bookinfo()), "http://reviews:9080/");
        routed.split(' ').next().unwrap().to_owned()
    };
    let last = || scoped("last", None, None);
    assert_eq!(
        pick(vec![
            scoped("a", source(&[("app", "productpage")], None), None),
            last()
        ]),
        "a"
    );
    assert_eq!(
        pick(vec![
            scoped("a", source(&[("app", "x")], None), None),
            last()
        ]),
        "last"
    );
    assert_eq!(
        pick(vec![
            scoped("a", source(&[], Some("default")), None),
            last()
        ]),
        "a"
    );
    assert_eq!(
        pick(vec![scoped("a", source(&[], Some("x")), None), last()]),
        "last"
    );
    assert_eq!(pick(vec![scoped("a", None, Some(9080)), last()]), "a");
    assert_eq!(pick(vec![scoped("a", None, Some(81)), last()]), "last");
    // With nothing left the rule does not count at all, and the service has its default route.
    assert_eq!(pick(vec![scoped("a", None, Some(81))]), "default");
}

#[test]
fn a_rule_without_a_matching_route_means_404() {
    let mut only_get = route_to("r", vec![weighted(&full("reviews", "default"), None, 1)]);
    let post = crate::policy::StringMatch::Exact("POST".into());
    only_get.route.matcher.method = Some(post);
    let mut policy = policy();
    policy.routes = vec![rule("r", &[reviews()], vec![only_get])];
    assert_eq!(
        routed(&snapshot(&policy, &bookinfo()), "http://reviews:9080/"),
        "404"
    );
}

#[test]
fn invisible_rules_do_not_count() {
    let mut hidden = to_reviews("hidden", &[reviews()]);
    hidden.visible_to = vec!["elsewhere".into()];
    let mut policy = policy();
    policy.routes = vec![hidden, to_reviews("seen", &[reviews()])];
    assert!(routed(&snapshot(&policy, &bookinfo()), "http://reviews:9080/").starts_with("seen "));
}

/// A name that no service bears exists beside a named service of the same rule, or alone on port 80.
#[test]
fn unregistered_hosts_have_a_place() {
    let mut policy = policy();
    policy.routes = vec![
        to_reviews("alone", &[exact("shop.test")]),
        to_reviews("beside", &[exact("beside.test"), reviews()]),
    ];
    let snapshot = snapshot(&policy, &bookinfo());
    assert!(routed(&snapshot, "http://shop.test/").starts_with("alone "));
    assert_eq!(routed(&snapshot, "http://shop.test:9080/"), "unknown");
    assert!(routed(&snapshot, "http://beside.test:9080/").starts_with("beside "));
}

/// pilot looks the destination's service up among those that have the caller's port.
#[test]
fn a_destination_without_a_port_means_the_callers() {
    let mut registry = bookinfo();
    let odd = service("odd", "default", &[(7000, 7000)]);
    registry.services.insert(odd.host.clone(), odd);
    let mut policy = policy();
    let to_odd = route_to("r", vec![weighted(&full("odd", "default"), None, 1)]);
    policy.routes = vec![rule("r", &[reviews()], vec![to_odd])];
    let snapshot = snapshot(&policy, &registry);
    let want = "r outbound|9080||odd.default.svc.cluster.local";
    assert_eq!(routed(&snapshot, "http://reviews:9080/"), want);
    let exists = |name: &str| snapshot.clusters.iter().any(|c| c.name.as_str() == name);
    assert!(!exists("outbound|9080||odd.default.svc.cluster.local"));
    assert!(exists("outbound|7000||odd.default.svc.cluster.local"));
}

#[test]
fn a_single_destination_is_folded_into_its_route() {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut only = weighted(&full("reviews", "default"), None, 100);
    only.request_headers.set = vec![pair("x", "destination"), pair("Host", "destination")];
    only.request_headers.remove = vec!["gone".into()];
    let mut scoped = route_to("r", vec![only]);
    scoped.route.request_headers.set = vec![pair("x", "route"), pair("host", "route")];
    let mut policy = policy();
    policy.routes = vec![rule("r", &[reviews()], vec![scoped])];
    let snapshot = snapshot(&policy, &bookinfo());
    let host = &table(&snapshot, 9080)
        .hosts
        .iter()
        .find(|h| h.name.starts_with("reviews"))
        .unwrap();
    let route = &host.routes[0];
    let set = &route.request_headers.set;
    assert_eq!(
        *set,
        [
            pair("x", "route"),
            pair("host", "route"),
            pair("x", "destination")
        ]
    );
    assert_eq!(route.request_headers.remove, ["gone"]);
}

#[test]
fn written_retries_keep_their_origin() {
    let mut policy = policy();
    let mut rule = to_reviews("r", &[reviews()]);
    rule.routes[0].route.retry = sourced(RetryPolicy::none(), "written");
    policy.routes = vec![rule];
    let snapshot = snapshot(&policy, &bookinfo());
    let host = table(&snapshot, 9080)
        .hosts
        .iter()
        .find(|h| h.name.starts_with("reviews"));
    assert_eq!(
        host.unwrap().routes[0].retry,
        sourced(RetryPolicy::none(), "written")
    );
}
