//! The router against Envoy's recorded behaviour, and against a matcher too simple to be wrong.

use proptest::prelude::*;

use super::*;
use crate::policy::{
    DirectResponse, HeaderMatch, HeaderMutations, Origin, PathMatch, PathRewrite, Redirect,
    RedirectPort, RequestMatch, RetryPolicy, Sourced, StringMatch, WeightedDestination,
};
use crate::seam::Rng;

fn origin() -> Origin {
    Origin::default_of("test")
}

fn route(name: &str, matcher: RequestMatch, action: RouteAction) -> Arc<Route> {
    Arc::new(Route {
        name: name.into(),
        matcher,
        action,
        request_headers: HeaderMutations::default(),
        response_headers: HeaderMutations::default(),
        fault: None,
        timeout: Sourced::default_of(None, "test"),
        retry: Sourced::default_of(RetryPolicy::none(), "test"),
        mirrors: Vec::new(),
        rate_limit: None,
        origin: origin(),
    })
}

fn weighted(host: &str, weight: u32) -> WeightedDestination {
    WeightedDestination {
        destination: Destination {
            host: host.into(),
            subset: None,
            port: None,
        },
        weight,
        request_headers: HeaderMutations::default(),
        response_headers: HeaderMutations::default(),
        origin: origin(),
    }
}

fn split(weights: &[(&str, u32)]) -> RouteAction {
    RouteAction::Forward(Forward {
        destinations: weights.iter().map(|(h, w)| weighted(h, *w)).collect(),
        path_rewrite: None,
        authority_rewrite: None,
    })
}

fn path(path: PathMatch) -> RequestMatch {
    RequestMatch {
        path,
        ..RequestMatch::default()
    }
}

fn prefix(text: &str) -> RequestMatch {
    path(PathMatch::Prefix(text.into()))
}

fn router(routes: Vec<Arc<Route>>) -> Router {
    Router::new(&[table(80, vec![("svc.test", routes)])])
}

fn table(port: u16, hosts: Vec<(&str, Vec<Arc<Route>>)>) -> Arc<RouteTable> {
    let host = |(domain, routes): (&str, Vec<Arc<Route>>)| VirtualHost {
        name: format!("{domain}:{port}").into(),
        domains: vec![domain.into()],
        routes,
    };
    Arc::new(RouteTable {
        port,
        hosts: hosts.into_iter().map(host).collect(),
    })
}

fn parts(path: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = http::Request::get(path).header("host", "svc.test");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn decide(router: &Router, path: &str) -> Decision {
    let parts = parts(path, &[]);
    router.route(
        &RequestView::of(&parts, 80, None),
        &mut Rng::named(1, "route"),
    )
}

fn cluster_of(decision: Decision) -> String {
    match decision {
        Decision::Forward(choice) => choice.cluster().as_str().to_owned(),
        other => panic!("{other:?}"),
    }
}

/// Recorded from Envoy 1.40: only the order of the list counts.
#[test]
fn the_first_match_wins() {
    let router = router(vec![
        route("a", prefix("/api"), split(&[("a", 1)])),
        route("b", prefix("/api/v2"), split(&[("b", 1)])),
        route(
            "c",
            path(PathMatch::Exact("/api/x".into())),
            split(&[("b", 1)]),
        ),
        route("d", prefix("/"), split(&[("b", 1)])),
    ]);
    for (path, host) in [
        ("/api/v2", "a"),
        ("/api/x", "a"),
        ("/apiary", "a"),
        ("/other", "b"),
    ] {
        assert_eq!(
            cluster_of(decide(&router, path)),
            format!("outbound|80||{host}"),
            "{path}"
        );
    }
}

#[test]
fn what_is_not_found_is_told_apart() {
    let routes = vec![route("a", prefix("/a"), split(&[("a", 1)]))];
    let router = router(routes);
    assert!(matches!(decide(&router, "/none"), Decision::NoRoute(host) if &*host == "svc.test:80"));
    let parts = parts("/a", &[]);
    let mut rng = Rng::named(1, "route");
    let elsewhere = RequestView {
        authority: "ghost",
        ..RequestView::of(&parts, 80, None)
    };
    assert!(matches!(
        router.route(&elsewhere, &mut rng),
        Decision::NoHost
    ));
    let port = RequestView {
        port: 81,
        ..RequestView::of(&parts, 80, None)
    };
    assert!(matches!(router.route(&port, &mut rng), Decision::NoHost));
}

#[test]
fn an_update_makes_only_what_changed() {
    let of = |port, name: &str| {
        table(
            port,
            vec![(
                "svc.test",
                vec![route(name, prefix("/"), split(&[("a", 1)]))],
            )],
        )
    };
    let (kept, old, new) = (of(80, "kept"), of(81, "old"), of(81, "new"));
    let before = Router::new(&[kept.clone(), old]);
    let after = before.updated(&[new, kept]);
    let entry =
        |router: &Router, port| router.find(port, "svc.test").unwrap().0.entries()[0].clone();
    assert!(Arc::ptr_eq(&entry(&before, 80), &entry(&after, 80)));
    assert_eq!(entry(&before, 81).route().name, "old");
    assert_eq!(entry(&after, 81).route().name, "new");
}

#[test]
fn a_subset_and_a_port_are_part_of_the_cluster() {
    let mut action = split(&[("a", 1)]);
    if let RouteAction::Forward(forward) = &mut action {
        forward.destinations[0].destination.subset = Some("v2".into());
        forward.destinations[0].destination.port = Some(9080);
    }
    let router = router(vec![route("r", prefix("/"), action)]);
    assert_eq!(cluster_of(decide(&router, "/")), "outbound|9080|v2|a");
}

/// Recorded from Envoy 1.40: no flag, details `direct_response`, text/plain, no body for 204.
#[test]
fn direct_responses_are_answered_at_once() {
    let answer = |status, body: &str| {
        RouteAction::Direct(DirectResponse {
            status,
            body: body.into(),
        })
    };
    let router = router(vec![
        route("b", prefix("/body"), answer(418, "teapot")),
        route("n", prefix("/nobody"), answer(204, "")),
    ]);
    let Decision::Answer(_, response) = decide(&router, "/body") else {
        panic!("not answered");
    };
    assert_eq!(response.status(), 418);
    assert_eq!(response.headers()[CONTENT_TYPE], "text/plain");
    assert_eq!(response.body(), "teapot");
    let Decision::Answer(_, response) = decide(&router, "/nobody") else {
        panic!("not answered");
    };
    assert_eq!(response.status(), 204);
    assert!(response.headers().is_empty());
}

#[test]
fn answers_get_the_routes_response_headers() {
    let mut route = route(
        "r",
        prefix("/"),
        RouteAction::Redirect(Redirect {
            scheme: Some("https".into()),
            authority: None,
            path: None,
            port: RedirectPort::Unchanged,
            status: 308,
        }),
    );
    let mutations = &mut Arc::get_mut(&mut route).unwrap().response_headers;
    mutations.set = vec![("x-a".into(), "1".into())];
    let Decision::Answer(_, response) = decide(&router(vec![route]), "/a?b") else {
        panic!("not answered");
    };
    assert_eq!(response.status(), 308);
    assert_eq!(response.headers()[LOCATION], "https://svc.test/a?b");
    assert_eq!(response.headers()["x-a"], "1");
}

/// Recorded from Envoy 1.40: the destination's values stand before the route's, and the route's overwriting wins.
#[test]
fn mutations_go_from_the_destination_to_the_route() {
    let pair = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let mut action = split(&[("a", 1)]);
    let RouteAction::Forward(forward) = &mut action else {
        unreachable!()
    };
    let own = &mut forward.destinations[0];
    own.request_headers.add = pair("x-order", "destination");
    own.request_headers.set = pair("x-last", "destination");
    own.request_headers
        .set
        .extend(pair("Host", "destination.test"));
    own.response_headers.add = pair("x-order", "destination");
    forward.path_rewrite = Some(PathRewrite::Matched("/new".into()));
    let mut route = route("r", prefix("/old"), action);
    let whole = Arc::get_mut(&mut route).unwrap();
    whole.request_headers.add = pair("x-order", "route");
    whole.request_headers.set = pair("x-last", "route");
    whole.response_headers.add = pair("x-order", "route");
    let Decision::Forward(choice) = decide(&router(vec![route]), "/old/a?q") else {
        panic!("not forwarded");
    };
    let all = |headers: &HeaderMap| -> Vec<String> {
        let values = headers.get_all("x-order").iter();
        values.map(|v| v.to_str().unwrap().to_owned()).collect()
    };
    let mut request = parts("/old/a?q", &[]);
    choice.apply_to_request(&mut request, None);
    assert_eq!(request.uri, "/new/a?q");
    assert_eq!(request.headers["host"], "destination.test");
    assert_eq!(request.headers["x-last"], "route");
    assert_eq!(all(&request.headers), ["destination", "route"]);
    let mut response = HeaderMap::new();
    choice.apply_to_response(&mut response, None);
    assert_eq!(all(&response), ["destination", "route"]);
}

#[test]
fn the_routes_authority_wins_over_its_headers_and_the_destinations() {
    let host = |to: &str| vec![("host".to_owned(), to.to_owned())];
    let authority = |rewrite: Option<&str>, own: Option<&str>| {
        let mut action = split(&[("a", 1)]);
        let RouteAction::Forward(forward) = &mut action else {
            unreachable!()
        };
        forward.authority_rewrite = rewrite.map(str::to_owned);
        forward.destinations[0].request_headers.set = host("destination");
        let mut route = route("r", prefix("/"), action);
        if let Some(own) = own {
            Arc::get_mut(&mut route).unwrap().request_headers.set = host(own);
        }
        let Decision::Forward(choice) = decide(&router(vec![route]), "/") else {
            panic!("not forwarded");
        };
        let mut request = parts("/", &[]);
        choice.apply_to_request(&mut request, None);
        request.headers["host"].to_str().unwrap().to_owned()
    };
    assert_eq!(authority(Some("rewrite"), Some("route")), "rewrite");
    assert_eq!(authority(None, Some("route")), "route");
    assert_eq!(authority(None, None), "destination");
}

/// Six standard deviations of a binomial with `n` trials and probability `p`.
fn six_sigma(n: f64, p: f64) -> f64 {
    6.0 * (n * p * (1.0 - p)).sqrt()
}

fn counts(weights: &[u32], trials: u32) -> Vec<u32> {
    let names: Vec<String> = (0..weights.len()).map(|i| i.to_string()).collect();
    let named: Vec<(&str, u32)> = names
        .iter()
        .map(String::as_str)
        .zip(weights.iter().copied())
        .collect();
    let router = router(vec![route("r", prefix("/"), split(&named))]);
    let parts = parts("/", &[]);
    let view = RequestView::of(&parts, 80, None);
    let mut rng = Rng::named(7, "weights");
    let mut counts = vec![0; weights.len()];
    for _ in 0..trials {
        match router.route(&view, &mut rng) {
            Decision::Forward(choice) => counts[choice.destination()] += 1,
            Decision::NoDestination(_) => {}
            other => panic!("{other:?}"),
        }
    }
    counts
}

#[test]
fn no_weight_means_no_traffic() {
    assert_eq!(counts(&[0, 5], 300), [0, 300]);
    assert_eq!(counts(&[0, 0], 10), [0, 0]);
    assert_eq!(counts(&[0], 10), [0]);
}

/// Recorded from Envoy 1.40: 80/20 of 4000 gives runs of the heavier up to 23 to 47 long, so the draws are independent.
#[test]
fn draws_are_independent() {
    let router = router(vec![route(
        "r",
        prefix("/"),
        split(&[("a", 80), ("b", 20)]),
    )]);
    let parts = parts("/", &[]);
    let view = RequestView::of(&parts, 80, None);
    let mut rng = Rng::named(3, "runs");
    let (mut run, mut longest) = (0, 0);
    for _ in 0..4000 {
        match router.route(&view, &mut rng) {
            Decision::Forward(choice) if choice.destination() == 0 => run += 1,
            _ => run = 0,
        }
        longest = longest.max(run);
    }
    assert!((15..=80).contains(&longest), "{longest}");
}

/// The conditions a random test uses, judged the plain way.
fn plainly_matches(want: &RequestMatch, path: &str, header: Option<&str>) -> bool {
    let path = path.split('?').next().unwrap();
    let path_holds = match &want.path {
        PathMatch::Any => true,
        PathMatch::Exact(exact) if want.ignore_path_case => {
            exact.to_lowercase() == path.to_lowercase()
        }
        PathMatch::Exact(exact) => exact == path,
        PathMatch::Prefix(p) if want.ignore_path_case => {
            path.to_lowercase().starts_with(&p.to_lowercase())
        }
        PathMatch::Prefix(p) => path.starts_with(p.as_str()),
        other => panic!("{other:?}"),
    };
    path_holds
        && want.headers.iter().all(|h| {
            let StringMatch::Exact(value) = &h.value else {
                panic!("{h:?}")
            };
            let equal = header == Some(value.as_str());
            if h.invert {
                header.unwrap_or("") != value
            } else {
                equal
            }
        })
}

fn plain_host<'a>(domains: &'a [String], authority: &str) -> Option<&'a String> {
    let host = authority.split(':').next().unwrap().to_lowercase();
    let exact = domains.iter().find(|d| **d == host);
    let suffix = |d: &&String| {
        d.len() > 1 && d.starts_with('*') && host.len() >= d.len() && host.ends_with(&d[1..])
    };
    let longest = domains.iter().filter(suffix).max_by_key(|d| d.len());
    exact
        .or(longest)
        .or_else(|| domains.iter().find(|d| *d == "*"))
}

fn any_match() -> impl Strategy<Value = RequestMatch> {
    let path = prop_oneof![
        Just(PathMatch::Any),
        "/[abA]{0,2}".prop_map(PathMatch::Exact),
        "/[abA]{0,2}".prop_map(PathMatch::Prefix),
    ];
    let header = ("[vw]?", any::<bool>()).prop_map(|(value, invert)| HeaderMatch {
        name: "h".into(),
        value: StringMatch::Exact(value),
        invert,
    });
    let headers = proptest::collection::vec(header, 0..2);
    (path, any::<bool>(), headers).prop_map(|(path, ignore_path_case, headers)| RequestMatch {
        path,
        ignore_path_case,
        headers,
        ..RequestMatch::default()
    })
}

fn any_domain() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ab]{1,2}(\\.[ab]{1,2}){0,2}",
        "\\*(\\.[ab]{1,2}){1,2}",
        Just("*".to_owned()),
    ]
}

proptest! {
    #[test]
    fn weights_are_met(weights in proptest::collection::vec(0u32..100, 1..5)) {
        let trials = 3000;
        let sum: u32 = weights.iter().sum();
        for (count, weight) in counts(&weights, trials).iter().zip(&weights) {
            let share = if sum == 0 { 0.0 } else { f64::from(*weight) / f64::from(sum) };
            let mean = f64::from(trials) * share;
            let off = (f64::from(*count) - mean).abs();
            prop_assert!(off <= six_sigma(f64::from(trials), share) + 1e-9, "{count} of {mean}");
        }
    }

    #[test]
    fn routing_agrees_with_the_plain_matcher(
        domains in proptest::collection::btree_set(any_domain(), 1..5),
        matches in proptest::collection::vec(any_match(), 0..5),
        authority in "[abA]{1,2}(\\.[abA]{1,2}){0,2}(:80)?",
        path in "/[abA]{0,3}(\\?q)?",
        header in proptest::option::of("[vw]"),
    ) {
        let domains: Vec<String> = domains.into_iter().collect();
        let routes: Vec<_> = matches.iter().enumerate()
            .map(|(i, m)| route(&i.to_string(), m.clone(), split(&[("a", 1)])))
            .collect();
        let hosts = domains.iter().map(|d| (d.as_str(), routes.clone())).collect();
        let router = Router::new(&[table(80, hosts)]);
        let mut request = http::Request::get(&path).header("host", &authority);
        if let Some(header) = &header {
            request = request.header("h", header);
        }
        let parts = request.body(()).unwrap().into_parts().0;
        let view = RequestView::of(&parts, 80, None);
        let want_host = plain_host(&domains, &authority);
        let host = router.find(80, &authority).map(|(_, domain)| domain.to_string());
        prop_assert_eq!(host.as_ref(), want_host);
        let want = matches.iter().position(|m| plainly_matches(m, &path, header.as_deref()));
        let got = match router.route(&view, &mut Rng::named(1, "plain")) {
            Decision::Forward(choice) => Ok(choice.route().name.parse::<usize>().unwrap()),
            Decision::NoRoute(_) => Err("no route"),
            Decision::NoHost => Err("no host"),
            other => panic!("{other:?}"),
        };
        let want = match (want_host, want) {
            (None, _) => Err("no host"),
            (_, None) => Err("no route"),
            (_, Some(index)) => Ok(index),
        };
        prop_assert_eq!(got, want);
    }
}
