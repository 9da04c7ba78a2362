//! What a scenario becomes.

use std::time::Duration;

use mesh_core::policy::{MtlsMode, Origin};

use super::{load, try_load};
use crate::plan::{
    Arrivals, CancelPolicy, Comparison, Demand, Distribution, ErrorInjection, Expectation,
    LatencyMeasure, Load, Measure, QueueOrder, ScriptedResponse, Step, Window,
};
use crate::scenario::load::{Overrides, load_source};

const MS: Duration = Duration::from_millis(1);

#[test]
fn the_frame_has_defaults() {
    let plan = load("").plan;
    assert_eq!(plan.name, "shop");
    assert_eq!(plan.seed, 1);
    assert_eq!(plan.duration, Duration::from_secs(60));
    assert_eq!(plan.epoch, Duration::from_secs(1_767_225_600));
    assert_eq!(plan.fingerprint.len(), 64);
    assert_eq!(
        plan.links.same_zone.latency,
        Distribution::Constant(250 * MS / 1000)
    );
}

#[test]
fn a_service_becomes_pods() {
    let plan = load(
        "topology: {zones: [a, b]}\nservices: {web: {replicas: 3, ports: [80], labels: {team: x}}}",
    )
    .plan;
    let names: Vec<&str> = plan.pods.iter().map(|pod| &*pod.workload.name).collect();
    assert_eq!(names, ["web-0", "web-1", "web-2"]);
    let zones: Vec<&str> = plan
        .pods
        .iter()
        .map(|pod| &*pod.workload.locality.zone)
        .collect();
    assert_eq!(zones, ["a", "b", "a"]);
    let ips: Vec<String> = plan
        .pods
        .iter()
        .map(|pod| pod.workload.ip.to_string())
        .collect();
    assert_eq!(ips, ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    let pod = &plan.pods[0];
    assert_eq!(pod.ports, [80]);
    assert_eq!(pod.service, "web");
    assert_eq!(pod.workload.labels["app"], "web");
    assert_eq!(pod.workload.labels["team"], "x");
    assert_eq!(&*pod.workload.service_account, "web");
    assert!(pod.workload.meshed);
    let service = &plan.services[0];
    assert_eq!(&*service.host, "web.default.svc.cluster.local");
    assert_eq!(service.selector["app"], "web");
}

#[test]
fn versions_say_what_differs() {
    let plan = load(
        "services:\n  web:\n    replicas: 2\n    workers: 4\n    service-time: 5ms\n    handles: {/a: [sleep: 1ms], /b: [sleep: 2ms]}\n    versions:\n      v1:\n      v2: {replicas: 1, workers: 8, sidecar: false, handles: {/b: [sleep: 9ms]}}\n",
    )
    .plan;
    let names: Vec<&str> = plan.pods.iter().map(|pod| &*pod.workload.name).collect();
    assert_eq!(names, ["web-v1-0", "web-v1-1", "web-v2-0"]);
    let (v1, v2) = (&plan.pods[0], &plan.pods[2]);
    assert_eq!(v2.workload.labels["version"], "v2");
    assert!(v1.workload.meshed && !v2.workload.meshed);
    assert_eq!((v1.app.workers, v2.app.workers), (Some(4), Some(8)));
    let sleep = |ms: u32| vec![Step::Sleep(Distribution::Constant(ms * MS))];
    let steps = |app: &crate::plan::AppPlan| -> Vec<_> {
        app.endpoints
            .iter()
            .map(|endpoint| (endpoint.path_prefix.clone(), endpoint.steps.clone()))
            .collect()
    };
    assert_eq!(
        steps(&v1.app),
        [("/a".to_owned(), sleep(1)), ("/b".to_owned(), sleep(2))]
    );
    assert_eq!(
        steps(&v2.app),
        [("/a".to_owned(), sleep(1)), ("/b".to_owned(), sleep(9))]
    );
    // Handlers take the service's time on a worker.
    assert_eq!(
        v2.app.endpoints[0].service_time,
        Distribution::Constant(5 * MS)
    );
    assert_eq!(v2.app.fallback.service_time, Distribution::Constant(5 * MS));
}

#[test]
fn a_script_is_read_in_order() {
    let plan = load(
        "services:\n  a:\n    script:\n    - [call: b, {call: {service: 'b:8080', path: /x?y=1, method: POST, request-size: 1KiB, headers: {X-A: '1'}, forward: [End-User], probability: 25%, timeout: 1s, tries: 2, optional: true}}]\n    - sleep: uniform(1ms, 2ms)\n  b:\n",
    )
    .plan;
    let Step::Parallel(calls) = &plan.pods[0].app.fallback.steps[0] else {
        panic!("concurrent calls");
    };
    let (Step::Call(short), Step::Call(long)) = (&calls[0], &calls[1]) else {
        panic!("two calls");
    };
    assert_eq!(
        (
            short.authority.as_str(),
            short.method.as_str(),
            short.path.as_str()
        ),
        ("b:8080", "GET", "/")
    );
    assert_eq!(
        (short.tries, short.optional, short.probability.ppm()),
        (1, false, 1_000_000)
    );
    assert_eq!(
        (long.service.as_str(), long.path.as_str(), long.body_bytes),
        ("b", "/x?y=1", 1024)
    );
    assert_eq!(long.headers, [("x-a".to_owned(), "1".to_owned())]);
    assert_eq!(long.forward_headers, ["end-user"]);
    assert_eq!(
        (long.tries, long.optional, long.probability.ppm()),
        (2, true, 250_000)
    );
    assert_eq!(long.timeout, Some(Duration::from_secs(1)));
}

#[test]
fn the_longest_path_and_the_named_method_come_first() {
    let plan =
        load("services: {a: {handles: {/: [], /ab: [], 'GET /ab': [], /abc: {responses: [503]}}}}")
            .plan;
    let order: Vec<(&str, Option<&str>)> = plan.pods[0]
        .app
        .endpoints
        .iter()
        .map(|endpoint| (endpoint.path_prefix.as_str(), endpoint.method.as_deref()))
        .collect();
    assert_eq!(
        order,
        [
            ("/abc", None),
            ("/ab", Some("GET")),
            ("/ab", None),
            ("/", None)
        ]
    );
}

#[test]
fn an_app_has_capacity_and_answers() {
    let plan = load(
        "services:\n  a:\n    workers: 2\n    queue: 5\n    queue-order: lifo\n    cancel: finish\n    errors: every 20th\n    response-size: 2KiB\n    responses: [503, reset, hang, close, {refuse: 2s}, {slow-body: {size: 10KiB, over: 2s}}, {status: 200, delay: 10ms, headers: {X-B: c}}]\n",
    )
    .plan;
    let app = &plan.pods[0].app;
    assert_eq!((app.workers, app.queue_max), (Some(2), Some(5)));
    assert_eq!(
        (app.queue_order, app.cancel),
        (QueueOrder::Lifo, CancelPolicy::Finish)
    );
    assert_eq!(app.fallback.errors, ErrorInjection::EveryNth(20));
    assert_eq!(app.fallback.response_bytes, 2048);
    let two = Duration::from_secs(2);
    assert_eq!(
        app.fallback.responses,
        [
            ScriptedResponse::Status(503),
            ScriptedResponse::Reset,
            ScriptedResponse::Hang,
            ScriptedResponse::Close,
            ScriptedResponse::Refuse { during: two },
            ScriptedResponse::SlowBody {
                bytes: 10_240,
                over: two
            },
            ScriptedResponse::Full {
                status: 200,
                delay: 10 * MS,
                headers: vec![("x-b".into(), "c".into())],
                bytes: 0
            },
        ]
    );
}

#[test]
fn traffic_comes_in_three_kinds() {
    let plan = load(
        "services: {web: {ports: [80, 8080]}}\ntraffic:\n  open: {to: 'http://web/', rate: constant(10/s), sidecar: false, start: 5s, stop: 10s}\n  closed: {to: 'web:8080/x', users: 3, think: 1s, timeout: 2s}\n  script:\n    to: http://web/\n    headers: {a: '1', b: '2'}\n    requests:\n    - {at: 2s, path: /later, headers: {b: '3'}, expect: {status: none, flags: UH}}\n    - {at: 1s, count: 2, every: 500ms, method: POST, request-size: 10B, expect: {status: 200, upstream: web-, at-most: 1s}}\n",
    )
    .plan;
    let [open, closed, script] = plan.traffic.as_slice() else {
        panic!("three sources");
    };
    assert_eq!(open.request.authority, "web:80");
    assert!(!open.workload.meshed);
    assert_eq!((open.start, open.stop), (5000 * MS, Some(10_000 * MS)));
    assert!(matches!(
        &open.load,
        Load::Open {
            arrivals: Arrivals::Constant,
            ..
        }
    ));
    assert_eq!(
        (
            closed.request.authority.as_str(),
            closed.request.path.as_str()
        ),
        ("web:8080", "/x")
    );
    assert!(matches!(closed.load, Load::Closed { users: 3, .. }));
    let Load::Script(requests) = &script.load else {
        panic!("a script");
    };
    let at: Vec<Duration> = requests.iter().map(|request| request.at).collect();
    assert_eq!(at, [1000 * MS, 1500 * MS, 2000 * MS]);
    assert_eq!(requests[0].request.method, "POST");
    assert_eq!(requests[0].place, "shop.yaml:12");
    assert_eq!(requests[2].expect.status, Some(0));
    let headers = [
        ("a".to_owned(), "1".to_owned()),
        ("b".to_owned(), "3".to_owned()),
    ];
    assert_eq!(requests[2].request.headers, headers);
}

#[test]
fn callers_are_outside_the_zones_unless_they_say() {
    let plan = load(
        "topology: {regions: {eu: [a, b], us: [c]}}\nservices: {web: {zone: [c, a], replicas: 2}}\ntraffic: {x: {to: web, rate: 1/s}, y: {to: web, rate: 1/s, zone: c}}",
    )
    .plan;
    let at = |index: usize| plan.traffic[index].workload.locality.to_string();
    assert_eq!((at(0).as_str(), at(1).as_str()), ("eu", "us/c"));
    assert_eq!(plan.pods[0].workload.locality.to_string(), "us/c");
    assert_eq!(plan.pods[1].workload.locality.to_string(), "eu/a");
}

#[test]
fn defaults_of_the_mesh_can_be_changed() {
    let plan = load("mesh: {trust-domain: shop.example, proxy-latency: 600us, defaults: {retries: 0, timeout: 2s, mtls: strict, load-balancer: round-robin, panic-threshold: 50%, outbound-traffic-policy: registry-only}}").plan;
    let profile = &plan.mesh.profile;
    assert_eq!(profile.trust_domain, "shop.example");
    assert_eq!(profile.retry.value.retries, 0);
    assert!(matches!(&profile.retry.origin, Origin::Written(at) if at.line == 3));
    assert_eq!(profile.timeout.value, Some(2000 * MS));
    assert_eq!(profile.mtls.value, MtlsMode::Strict);
    assert_eq!(profile.panic_threshold_percent, 50);
    assert_eq!(
        profile.proxy_latency.value,
        (600 * MS / 1000, 600 * MS / 1000)
    );
    assert!(!profile.allow_any_outbound);
}

#[test]
fn faults_select_pods() {
    use crate::plan::{FarEnd, FaultKind, NetworkFault, ProcessFault};
    let plan = load(
        "topology: {zones: [a, b]}\nservices: {web: {replicas: 2, versions: {v1: , v2: }}, db: {zone: b}}\ntraffic: {shop: {to: web, rate: 1/s, zone: b}}\nfaults:\n- {at: 1s, for: 2s, crash: web-v1-*}\n- {at: 1s, restart: {service: web, version: v2}}\n- {at: 1s, partition: {zone: b}}\n- {at: 1s, name: slow, latency: {add: 5ms ± 1ms, from: web, to: {service: db}, one-way: true}}\n",
    )
    .plan;
    let pods = |selector: &crate::plan::PodSelector| selector.pods.join(" ");
    let FaultKind::Process(ProcessFault::Crash { pods: crashed }) = &plan.faults[0].kind else {
        panic!("crash")
    };
    assert_eq!(pods(crashed), "web-v1-0 web-v1-1");
    assert_eq!(plan.faults[0].name, "crash web-v1-*");
    assert_eq!(plan.faults[0].schedule.known_length(), Some(2000 * MS));
    let FaultKind::Process(ProcessFault::Restart { pods: restarted }) = &plan.faults[1].kind else {
        panic!("restart")
    };
    assert_eq!(pods(restarted), "web-v2-0 web-v2-1");
    let FaultKind::Network(NetworkFault::Partition { on }) = &plan.faults[2].kind else {
        panic!("partition")
    };
    assert_eq!(pods(&on.from), "web-v1-1 web-v2-1 db-0 shop");
    assert!(on.to == FarEnd::Others && on.both_ways);
    assert_eq!(plan.faults[2].name, "partition zone b");
    let FaultKind::Network(NetworkFault::Latency { on, add }) = &plan.faults[3].kind else {
        panic!("latency")
    };
    let FarEnd::Pods(to) = &on.to else {
        panic!("pods")
    };
    assert_eq!(pods(to), "db-0");
    assert!(!on.both_ways);
    assert_eq!(
        *add,
        Distribution::Uniform {
            low: 4 * MS,
            high: 6 * MS
        }
    );
    assert_eq!(
        (plan.faults[3].name.as_str(), plan.faults[3].place.as_str()),
        ("slow", "shop.yaml:10")
    );
}

#[test]
fn an_expectation_has_one_demand_each() {
    let plan = load(
        "services: {web: }\ntraffic: {t: {to: web, rate: 1/s}}\nexpect:\n- {traffic: t, success: '>= 99%', p99: '< 250ms', mean: <= 10ms}\n- {traffic: t, during: 30s.., p999: < 1s}\n",
    )
    .plan;
    let measured: Vec<(Measure, Window)> = plan.expectations.iter().map(measured).collect();
    let measures: Vec<Measure> = measured.iter().map(|(m, _)| m.clone()).collect();
    assert_eq!(
        measures,
        [
            Measure::Success,
            Measure::Latency(LatencyMeasure::Quantile(0.99)),
            Measure::Latency(LatencyMeasure::Mean),
            Measure::Latency(LatencyMeasure::Quantile(0.999)),
        ]
    );
    assert_eq!(plan.expectations[0].bound.comparison, Comparison::AtLeast);
    assert_eq!(plan.expectations[1].bound.value, 250e6);
    assert_eq!(measured[0].1.to, Duration::from_secs(60));
    assert_eq!(measured[3].1.from, Duration::from_secs(30));
    assert_eq!(plan.expectations[3].place, "shop.yaml:7");
}

fn measured(expectation: &Expectation) -> (Measure, Window) {
    match &expectation.demand {
        Demand::Measured { claim, window } => (claim.measure().clone(), window.clone()),
        other => panic!("{other:?}"),
    }
}

fn overridden(yaml: &str, overrides: &Overrides) -> crate::scenario::Loaded {
    let source = mesh_core::document::Source::new("shop.yaml", yaml);
    load_source(&source, std::path::Path::new(""), "shop", overrides)
        .unwrap_or_else(|errors| panic!("{}", super::shown(&errors)))
}

#[test]
fn overrides_come_from_outside() {
    let yaml = "meshquake: v1\nduration: 1m\nseed: 3\nservices: {web: }\ntraffic: {t: {to: web, rate: 1/s}}\nfaults: [{at: 30s, crash: web}]\nexpect: [{traffic: t, during: 5s.., success: '> 0%'}, {traffic: t, during: 20s..30s, success: '> 0%'}]\n";
    let set = vec![("services.web.replicas".to_owned(), "4".to_owned())];
    let overrides = Overrides {
        seed: Some(9),
        duration: Some(Duration::from_secs(10)),
        set,
    };
    let loaded = overridden(yaml, &overrides);
    assert_eq!(loaded.plan.seed, 9);
    assert_eq!(loaded.plan.duration, Duration::from_secs(10));
    assert_eq!(loaded.plan.pods.len(), 4);
    // What lies beyond the shorter run is left out, and said.
    assert!(loaded.plan.faults.is_empty());
    assert_eq!(loaded.plan.expectations.len(), 1);
    assert_eq!(loaded.warnings.len(), 2);
}

#[test]
fn a_fingerprint_is_of_everything_but_the_seed() {
    let yaml = "meshquake: v1\nduration: 1m\nservices: {web: }\n";
    let of = |yaml: &str, overrides: &Overrides| overridden(yaml, overrides).plan.fingerprint;
    let plain = of(yaml, &Overrides::default());
    let with = |path: &str, value: &str| Overrides {
        set: vec![(path.into(), value.into())],
        ..Overrides::default()
    };
    assert_eq!(
        plain,
        of(
            yaml,
            &Overrides {
                seed: Some(5),
                ..Overrides::default()
            }
        )
    );
    assert_ne!(plain, of(&format!("{yaml}# x"), &Overrides::default()));
    assert_ne!(plain, of(yaml, &with("duration", "1m")));
    assert_ne!(of(yaml, &with("seed", "1")), of(yaml, &with("seed", "2")));
}

#[test]
fn the_largest_seed_is_a_seed() {
    let loaded = try_load("meshquake: v1\nduration: 1s\nseed: 18446744073709551615\n").unwrap();
    assert_eq!(loaded.plan.seed, u64::MAX);
}
