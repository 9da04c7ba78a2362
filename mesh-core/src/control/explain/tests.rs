//! What people are told, for the requests they ask about.

use std::time::Duration;

use super::*;
use crate::control::compile;
use crate::control::fixture::*;
use crate::policy::{
    AbortKind, Destination, DestinationPolicy, DirectResponse, FaultPolicy, Fraction,
    HashAlgorithm, HashKey, HeaderMatch, MeshPolicy, Mirror, MtlsMode, Origin, PathMatch,
    PathRewrite, Pattern, PeerAuthentication, Position, QueryMatch, Redirect, RedirectPort,
    RequestMatch, ScopedRoute, Sourced, StringMatch, WorkloadSelector,
};

fn reviews() -> String {
    full("reviews", "default")
}

fn explained(policy: &MeshPolicy, request: &str, headers: &[&str]) -> Explanation {
    let registry = bookinfo();
    let snapshot = compile(policy, &registry, &registry.workloads["productpage-0"], 1);
    explain(&snapshot, &ExplainRequest::parse(request, headers).unwrap())
}

fn written(line: u32) -> Origin {
    Origin::Written(Position {
        file: "mesh.yaml".into(),
        line,
        column: 3,
    })
}

fn matching(name: &str, subset: &str, line: u32, matcher: RequestMatch) -> ScopedRoute {
    let mut scoped = route_to(name, vec![weighted(&reviews(), Some(subset), 1)]);
    scoped.route.matcher = matcher;
    scoped.route.origin = written(line);
    scoped
}

fn header(name: &str, value: StringMatch, invert: bool) -> RequestMatch {
    RequestMatch {
        headers: vec![HeaderMatch {
            name: name.into(),
            value,
            invert,
        }],
        ..RequestMatch::default()
    }
}

fn is(text: &str) -> StringMatch {
    StringMatch::Exact(text.into())
}

fn regex(source: &str) -> Pattern {
    Pattern::new(source).unwrap()
}

fn ruled(routes: Vec<ScopedRoute>) -> MeshPolicy {
    let mut policy = policy();
    policy.routes = vec![rule("reviews", &[exact(&reviews())], routes)];
    let mut subsets = destination_rule("default", exact(&reviews()), DestinationPolicy::default());
    subsets.subsets = ["v1", "v2"]
        .map(|v| subset(v, v, DestinationPolicy::default()))
        .to_vec();
    policy.destinations = vec![subsets];
    policy
}

/// The Bookinfo sample: jason sees v2, others v1.
#[test]
fn a_routed_request_reads_from_top_to_bottom() {
    let admin = RequestMatch {
        path: PathMatch::Prefix("/admin".into()),
        ..RequestMatch::default()
    };
    let mut jason = matching("jason", "v2", 12, header("end-user", is("jason"), false));
    jason.route.mirrors = vec![Mirror {
        destination: Destination {
            host: reviews(),
            subset: Some("v1".into()),
            port: None,
        },
        fraction: Fraction::from_percent(5.0).unwrap(),
        origin: written(20),
    }];
    jason.route.fault = Some(FaultPolicy {
        delay: Some((Duration::from_millis(500), Fraction::ONE)),
        abort: Some((AbortKind::Http(503), Fraction::from_percent(0.5).unwrap())),
        origin: written(14),
    });
    let last = matching("rest", "v1", 30, RequestMatch::default());
    let policy = ruled(vec![matching("admin", "v1", 7, admin), jason, last]);
    let explanation = explained(
        &policy,
        "GET http://reviews:9080/reviews/1",
        &["end-user: jason"],
    );
    insta::assert_snapshot!(explanation, @r#"
    GET http://reviews:9080/reviews/1
      end-user: jason

    virtual host  reviews.default.svc.cluster.local:9080 (by domain reviews)
    not taken     admin: path /reviews/1 does not start with /admin  [mesh.yaml:7:3]
    route         jason: header end-user is "jason"  [mesh.yaml:12:3]
                  1 more route comes after it
    fault         delay 500ms for 100%, abort with 503 for 0.5%  [mesh.yaml:14:3]
    timeout       3s  [default (jason)]
    retry         2 retries on connect-failure,refused-stream,unavailable,cancelled, back-off 25ms to 250ms, prefers endpoints not tried  [default (jason)]
    mirror        5% to outbound|9080|v1|reviews.default.svc.cluster.local  [mesh.yaml:20:3]

    to            100% outbound|9080|v2|reviews.default.svc.cluster.local  [default (test)]
      as          reviews:9080/reviews/1
      endpoints   reviews-v2-0 10.0.0.4:8080, mutual TLS
      balancing   least request of 2  [default (Istio 1.14+: LEAST_REQUEST, two choices; cluster_traffic_policy.go)]
      pool        no limits, connect in 10s, idle 1h  [default (Istio: no limits, 10 s connect timeout, 1 h idle timeout; cluster_traffic_policy.go, mesh.go)]
      ejection    off
      tls         mutual where the endpoint has a sidecar, else plain  [default (Istio: auto-mTLS (enableAutoMtls); mesh.go)]
    "#);
}

fn first_route(matcher: RequestMatch, request: &str, headers: &[&str]) -> (bool, String) {
    let policy = ruled(vec![matching("r", "v1", 1, matcher)]);
    let route = explained(&policy, request, headers).routes.remove(0);
    (route.matched, route.why)
}

#[test]
fn failed_conditions_are_told_in_words() {
    let path = |path, ignore_path_case| RequestMatch {
        path,
        ignore_path_case,
        ..RequestMatch::default()
    };
    let base = RequestMatch::default;
    let query = |value| RequestMatch {
        query: vec![QueryMatch {
            name: "q".into(),
            value,
        }],
        ..base()
    };
    let url = "GET http://reviews:9080/a?q=1";
    let cases = [
        (
            path(PathMatch::Exact("/b".into()), false),
            "path /a is not /b",
        ),
        (
            path(PathMatch::Prefix("/b".into()), true),
            "path /a does not start with /b (in any case)",
        ),
        (
            path(PathMatch::PathPrefix("/b".into()), false),
            "path /a is neither /b nor below it",
        ),
        (
            path(PathMatch::Regex(regex("/b.*")), false),
            "path /a does not match /b.*",
        ),
        (
            RequestMatch {
                method: Some(is("POST")),
                ..base()
            },
            "method is \"GET\", not \"POST\"",
        ),
        (
            RequestMatch {
                scheme: Some(is("https")),
                ..base()
            },
            "scheme is \"http\", not \"https\"",
        ),
        (
            RequestMatch {
                authority: Some(StringMatch::Prefix("shop".into())),
                ..base()
            },
            "authority is \"reviews:9080\", which does not start with \"shop\"",
        ),
        (header("x", is("1"), false), "header x is missing"),
        (header("y", is("1"), false), "header y is \"2\", not \"1\""),
        (
            header("y", StringMatch::Regex(regex("[a-z]")), false),
            "header y is \"2\", which does not match [a-z]",
        ),
        (
            header("y", is("2"), true),
            "header y is \"2\", which is excluded",
        ),
        (
            header("y", StringMatch::Present, true),
            "header y is present, which is excluded",
        ),
        (
            header("x", StringMatch::Regex(regex(".*")), true),
            "header x is missing, which counts as empty, and that is excluded",
        ),
        (
            query(StringMatch::Suffix("2".into())),
            "query parameter q is \"1\", which does not end with \"2\"",
        ),
        (
            RequestMatch {
                query: vec![QueryMatch {
                    name: "z".into(),
                    value: is(""),
                }],
                ..base()
            },
            "query parameter z is missing",
        ),
    ];
    for (matcher, why) in cases {
        assert_eq!(
            first_route(matcher, url, &["y: 2"]),
            (false, why.to_owned())
        );
    }
}

#[test]
fn conditions_that_held_are_told_too() {
    let all = RequestMatch {
        path: PathMatch::PathPrefix(String::new()),
        ignore_path_case: false,
        scheme: None,
        method: Some(is("GET")),
        authority: None,
        headers: vec![
            HeaderMatch {
                name: "a".into(),
                value: StringMatch::Present,
                invert: false,
            },
            HeaderMatch {
                name: "b".into(),
                value: StringMatch::Regex(regex("x+")),
                invert: true,
            },
        ],
        query: vec![QueryMatch {
            name: "q".into(),
            value: StringMatch::Prefix("1".into()),
        }],
    };
    let why = "path is / or below it, method is \"GET\", header a is present, header b does not match x+, \
               query parameter q starts with \"1\"";
    assert_eq!(
        first_route(all, "http://reviews:9080/?q=12", &["a: "]),
        (true, why.to_owned())
    );
    let none = first_route(RequestMatch::default(), "http://reviews:9080/", &[]);
    assert_eq!(none, (true, "takes every request".to_owned()));
}

#[test]
fn a_slip_in_the_host_or_port_is_suspected() {
    let nearest = |request: &str| explained(&policy(), request, &[]).nearest_host;
    let reviews = Some("reviews:9080".to_owned());
    assert_eq!(nearest("http://reveiws:9080/"), reviews);
    assert_eq!(nearest("http://reviews:908/"), reviews);
    assert_eq!(nearest("http://reviews:9080/"), None);
    assert_eq!(nearest("http://ghost.test/"), None);
    let told = explained(&policy(), "http://reveiws:9080/", &[]).to_string();
    assert!(
        told.contains("none; did you mean `reviews:9080`?"),
        "{told}"
    );
}

#[test]
fn every_ending_is_told_apart() {
    let ending = |policy: &MeshPolicy, request: &str| explained(policy, request, &[]).outcome;
    let mut policy = policy();
    assert_eq!(ending(&policy, "http://ghost.test/"), Outcome::PassThrough);
    policy.profile.allow_any_outbound = false;
    assert_eq!(ending(&policy, "http://ghost.test/"), Outcome::Blocked);
    let post = RequestMatch {
        method: Some(is("POST")),
        ..RequestMatch::default()
    };
    assert_eq!(
        ending(
            &ruled(vec![matching("p", "v1", 1, post)]),
            "http://reviews:9080/"
        ),
        Outcome::NoRoute
    );
    let weightless = route_to(
        "w",
        vec![weighted(&reviews(), None, 0), weighted(&reviews(), None, 0)],
    );
    assert_eq!(
        ending(&ruled(vec![weightless]), "http://reviews:9080/"),
        Outcome::NoDestination
    );
    let answering = |action| {
        let mut scoped = route_to("a", vec![]);
        scoped.route.action = action;
        ending(&ruled(vec![scoped]), "http://reviews:9080/old?q")
    };
    let redirect = RouteAction::Redirect(Redirect {
        scheme: None,
        authority: Some("new.test".into()),
        path: None,
        port: RedirectPort::Unchanged,
        status: 302,
    });
    let location = "http://new.test/old?q".to_owned();
    assert_eq!(
        answering(redirect),
        Outcome::Redirect {
            status: 302,
            location
        }
    );
    let direct = RouteAction::Direct(DirectResponse {
        status: 418,
        body: b"teapot".to_vec(),
    });
    assert_eq!(
        answering(direct),
        Outcome::Direct {
            status: 418,
            body_bytes: 6
        }
    );
}

fn destinations(policy: &MeshPolicy, headers: &[&str]) -> Vec<DestinationFinding> {
    match explained(policy, "http://reviews:9080/old/x?q", headers).outcome {
        Outcome::Forward(forwarding) => forwarding.destinations,
        other => panic!("{other:?}"),
    }
}

#[test]
fn shares_and_rewrites_are_each_destinations_own() {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut scoped = route_to(
        "w",
        vec![
            weighted(&reviews(), Some("v1"), 1),
            weighted(&reviews(), Some("v2"), 3),
        ],
    );
    scoped.route.request_headers.remove = vec!["gone".into()];
    let RouteAction::Forward(forward) = &mut scoped.route.action else {
        unreachable!()
    };
    forward.path_rewrite = Some(PathRewrite::Full("/new".into()));
    forward.destinations[1].request_headers.set = vec![pair("x-to", "v2"), pair("Host", "v2.test")];
    let found = destinations(&ruled(vec![scoped]), &["gone: 1", "kept: 1"]);
    let shares: Vec<f64> = found.iter().map(|d| d.share_percent).collect();
    assert_eq!(shares, [25.0, 75.0]);
    assert_eq!(
        found[0].sent,
        SentRequest {
            authority: "reviews:9080".into(),
            path: "/new?q".into(),
            headers_set: vec!["x-envoy-original-path: /old/x?q".into()],
            headers_removed: vec!["gone".into()],
        }
    );
    assert_eq!(found[1].sent.authority, "v2.test");
    assert!(found[1].sent.headers_set.contains(&"x-to: v2".to_owned()));
}

#[test]
fn a_missing_cluster_is_accounted_for() {
    let why = |destination: Destination| {
        let mut to = weighted("", None, 1);
        to.destination = destination;
        let found = destinations(&ruled(vec![route_to("r", vec![to])]), &[]);
        match &found[0].target {
            Target::Missing(why) => why.clone(),
            other => panic!("{other:?}"),
        }
    };
    let to = |host: &str, subset: Option<&str>, port| Destination {
        host: host.into(),
        subset: subset.map(Into::into),
        port,
    };
    assert_eq!(
        why(to("ghost.test", None, None)),
        "no service ghost.test is known"
    );
    assert_eq!(
        why(to(&reviews(), None, Some(80))),
        "reviews.default.svc.cluster.local has no port 80, only 9080; write the destination's port",
    );
    assert_eq!(
        why(to(&reviews(), Some("v9"), None)),
        "no DestinationRule that governs this caller defines subset v9 of reviews.default.svc.cluster.local",
    );
}

#[test]
fn settings_come_with_their_origins() {
    let mut policy = ruled(vec![matching("r", "v1", 1, RequestMatch::default())]);
    let hash = LoadBalancer::Hash {
        key: HashKey::Header("user".into()),
        algorithm: HashAlgorithm::Ring { size_min: 1024 },
    };
    policy.destinations[0].policy = DestinationPolicy {
        load_balancer: Some(Sourced::new(hash, written(40))),
        outlier: Some(Sourced::new(outlier(50).value, written(44))),
        ..DestinationPolicy::default()
    };
    policy.peer_authentication = vec![PeerAuthentication {
        name: "default/plain".into(),
        selector: WorkloadSelector {
            namespace: Some("default".into()),
            labels: labels(&[("version", "v1")]),
        },
        mode: Some(Sourced::new(MtlsMode::Disable, written(60))),
        ports: Default::default(),
        origin: written(58),
    }];
    let cluster = |headers: &[&str]| match destinations(&policy, headers).remove(0).target {
        Target::Cluster(cluster) => *cluster,
        other => panic!("{other:?}"),
    };
    let found = cluster(&["user: a"]);
    assert_eq!(found.load_balancer.origin, written(40));
    assert_eq!(
        found.outlier.as_ref().map(|o| &o.origin),
        Some(&written(44))
    );
    assert!(matches!(found.pool.origin, Origin::Default(_)));
    assert_eq!(found.panic_threshold_percent, 50);
    assert!(found.hash.is_some() && cluster(&[]).hash.is_none());
    let seen: Vec<_> = found
        .endpoints
        .iter()
        .map(|e| (&*e.workload, e.protection))
        .collect();
    assert_eq!(
        seen,
        [
            ("reviews-v1-0", Protection::Plain),
            ("reviews-v1-1", Protection::Plain)
        ]
    );
    let text = explained(&policy, "http://reviews:9080/", &[]).to_string();
    assert!(
        text.contains(
            "by header user, ring of at least 1024 (not in this request: random)  [mesh.yaml:40:3]"
        ),
        "{text}"
    );
}

#[test]
fn machines_read_it_as_json() {
    let policy = ruled(vec![matching("r", "v1", 1, RequestMatch::default())]);
    let json = serde_json::to_value(explained(&policy, "http://reviews:9080/", &["a: b"])).unwrap();
    assert_eq!(json["request"]["headers"][0][1], "b");
    assert_eq!(json["virtual_host"]["domain"], "reviews");
    let destination = &json["outcome"]["forward"]["destinations"][0];
    assert_eq!(
        destination["cluster"],
        "outbound|9080|v1|reviews.default.svc.cluster.local"
    );
    let pool = &destination["target"]["cluster"]["pool"];
    assert_eq!(pool["value"]["pending_max"], u32::MAX);
}

const WRITTEN: &str = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http:
    - name: jason
      match: [{ headers: { end-user: { exact: jason } } }]
      timeout: 2s
      retries: { attempts: 3, perTryTimeout: 400ms, retryOn: 'gateway-error,connect-failure' }
      route:
        - { destination: { host: reviews, subset: v2 }, weight: 90 }
        - { destination: { host: reviews, subset: v3 }, weight: 10 }
    - name: rest
      route: [{ destination: { host: reviews, subset: v1 } }]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews }
spec:
  host: reviews
  trafficPolicy:
    connectionPool:
      http: { http1MaxPendingRequests: 10 }
    outlierDetection: { consecutive5xxErrors: 3, baseEjectionTime: 90s }
  subsets:
    - { name: v1, labels: { version: v1 } }
    - { name: v2, labels: { version: v2 } }
";

/// Every written value leads back to its line.
#[test]
fn istios_own_files_are_explained_with_their_lines() {
    let source = crate::document::Source::new("mesh.yaml", WRITTEN);
    let documents = crate::document::parse(&source).unwrap();
    let policy = crate::dialect::istio::compile(&documents, &policy().profile).unwrap();
    let explanation = explained(&policy, "http://reviews:9080/", &["end-user: jason"]);
    insta::assert_snapshot!(explanation, @r#"
    GET http://reviews:9080/
      end-user: jason

    virtual host  reviews.default.svc.cluster.local:9080 (by domain reviews)
    route         reviews/jason: header end-user is "jason"  [mesh.yaml:8:15]
                  1 more route comes after it
    timeout       2s  [mesh.yaml:9:16]
    retry         3 retries on gateway-error,connect-failure, 400ms per try, back-off 25ms to 250ms, prefers endpoints not tried  [mesh.yaml:10:16]

    to            90% outbound|9080|v2|reviews.default.svc.cluster.local  [mesh.yaml:12:11]
      as          reviews:9080/
      endpoints   reviews-v2-0 10.0.0.4:8080, mutual TLS
      balancing   least request of 2  [default (Istio 1.14+: LEAST_REQUEST, two choices; cluster_traffic_policy.go)]
      pool        10 pending requests, connect in 10s, idle 1h  [mesh.yaml:24:7]
      ejection    3 5xx in a row: out for 1m30s and longer each time, at most 10%, swept every 10s  [mesh.yaml:25:23]
      tls         mutual where the endpoint has a sidecar, else plain  [default (Istio: auto-mTLS (enableAutoMtls); mesh.go)]

    to            10% outbound|9080|v3|reviews.default.svc.cluster.local  [mesh.yaml:13:11]
      as          reviews:9080/
      answer      503 NC: no DestinationRule that governs this caller defines subset v3 of reviews.default.svc.cluster.local
    "#);
}
