//! The parts that a run is made of, one at a time, by criterion: `cargo bench -p meshquake-benches --bench parts`.
//!
//! What a whole request costs is measured by `mesh_path`; here one sees which part of the mesh logic grew. With an
//! argument, only the parts whose name contains it.

use std::hint::black_box;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion};
use mesh_core::balance::{Balancer, EndpointSet, PickRequest};
use mesh_core::control::{
    Cluster, ClusterName, Endpoint, EndpointHealth, LoadAssignment, Locality, RouteTable,
    VirtualHost,
};
use mesh_core::policy::{
    ConnectionPool, Destination, Forward, HashAlgorithm, HashKey, HeaderMutations, LoadBalancer,
    Origin, PathMatch, RequestMatch, RetryPolicy, Route, RouteAction, Sourced, UpstreamTls,
    WeightedDestination,
};
use mesh_core::route::{RequestView, Router};
use mesh_core::seam::{Instant, Rng};
use meshquake::scenario::{Loaded, Overrides, load};
use meshquake::world::{RunOptions, run};
use meshquake_benches::account::Account;
use meshquake_reports::{RunReport, report_html};

/// Endpoints of the cluster that balancers pick from.
const ENDPOINTS: u8 = 100;
/// Services with routes of their own.
const SERVICES: usize = 1_000;
/// Routes of each, of which a request matches the last.
const ROUTES: usize = 10;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    routing(&mut criterion);
    balancing(&mut criterion);
    loading(&mut criterion);
    pages(&mut criterion);
    criterion.final_summary();
    // Without lines: criterion keeps the numbers.
    let about = "The parts that a run is made of, by criterion, with 95% confidence intervals.";
    Account::new("parts", about).write();
}

fn sourced<T>(value: T) -> Sourced<T> {
    Sourced::default_of(value, "bench")
}

fn route(host: &str, number: usize) -> Arc<Route> {
    let destination = |weight| WeightedDestination {
        destination: Destination {
            host: host.into(),
            subset: None,
            port: None,
        },
        weight,
        request_headers: HeaderMutations::default(),
        response_headers: HeaderMutations::default(),
        origin: Origin::default_of("bench"),
    };
    Arc::new(Route {
        name: format!("route {number}"),
        matcher: RequestMatch {
            path: PathMatch::Prefix(format!("/api/v{number}/")),
            ..RequestMatch::default()
        },
        action: RouteAction::Forward(Forward {
            destinations: [90, 10].map(destination).into(),
            path_rewrite: None,
            authority_rewrite: None,
        }),
        request_headers: HeaderMutations::default(),
        response_headers: HeaderMutations::default(),
        fault: None,
        timeout: sourced(None),
        retry: sourced(RetryPolicy::none()),
        mirrors: Vec::new(),
        rate_limit: None,
        origin: Origin::default_of("bench"),
    })
}

/// A request finds its virtual host, its route and one of two weighted destinations.
fn routing(criterion: &mut Criterion) {
    let hosts = (0..SERVICES).map(|service| {
        let domain = format!("service-{service}.default.svc.cluster.local");
        VirtualHost {
            name: format!("{domain}:80").into(),
            routes: (0..ROUTES).map(|number| route(&domain, number)).collect(),
            domains: vec![domain],
        }
    });
    let table = RouteTable {
        port: 80,
        hosts: hosts.collect(),
    };
    let router = Router::new(&[Arc::new(table)]);
    let request = http::Request::get(format!("/api/v{}/items?page=2", ROUTES - 1))
        .header("host", "service-500.default.svc.cluster.local");
    let (parts, ()) = request.body(()).expect("a request").into_parts();
    let mut rng = Rng::named(1, "bench");
    criterion.bench_function("route: 1000 hosts, the last of 10 routes", |bencher| {
        bencher.iter(|| {
            let view = RequestView::of(black_box(&parts), 80, None);
            router.route(&view, &mut rng)
        });
    });
}

fn cluster(load_balancer: LoadBalancer) -> Cluster {
    Cluster {
        name: ClusterName::outbound(80, None, "bench"),
        load_balancer: sourced(load_balancer),
        locality: None,
        warmup: None,
        pool: sourced(ConnectionPool {
            connections_max: u32::MAX,
            pending_max: u32::MAX,
            requests_max: u32::MAX,
            retries_max: u32::MAX,
            requests_per_connection_max: 0,
            streams_max: u32::MAX,
            connect_timeout: Duration::from_secs(10),
            idle_timeout: None,
            connection_age_max: None,
            http2_upgrade: false,
        }),
        outlier: None,
        tls: sourced(UpstreamTls::Disable),
        retry_budget: None,
        panic_threshold_percent: 0,
        http2: false,
        identities: Vec::new(),
    }
}

fn endpoint(number: u8) -> Endpoint {
    Endpoint {
        address: SocketAddr::from(([10, 0, 0, number], 8_080)),
        workload: format!("pod-{number}").into(),
        locality: Locality::default(),
        priority: 0,
        weight: 1,
        health: EndpointHealth::Healthy,
        meshed: true,
    }
}

/// Each way to pick one of a hundred endpoints.
fn balancing(criterion: &mut Criterion) {
    let hash = |algorithm| LoadBalancer::Hash {
        key: HashKey::Header("user".into()),
        algorithm,
    };
    let ways = [
        ("round robin", LoadBalancer::RoundRobin),
        ("random", LoadBalancer::Random),
        ("least request", LoadBalancer::LeastRequest { choices: 2 }),
        (
            "peak EWMA",
            LoadBalancer::PeakEwma {
                decay: Duration::from_secs(10),
                default_rtt: Duration::from_millis(30),
            },
        ),
        ("ring hash", hash(HashAlgorithm::Ring { size_min: 1_024 })),
        ("Maglev", hash(HashAlgorithm::Maglev { table_size: 65_537 })),
    ];
    let mut group = criterion.benchmark_group("pick one of 100");
    for (name, way) in ways {
        let cluster = cluster(way);
        let assignment = LoadAssignment {
            cluster: cluster.name.clone(),
            endpoints: (0..ENDPOINTS).map(endpoint).collect(),
            locality_weights: Default::default(),
        };
        let mut rng = Rng::named(1, "bench");
        let set = EndpointSet::new(&cluster, &assignment, Instant::ZERO);
        let balancer = Balancer::new(&cluster, set, &mut rng);
        let mut key = 0_u64;
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| {
                // A multiplier that spreads consecutive numbers (Fibonacci hashing).
                key = key.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let request = PickRequest {
                    hash: Some(key),
                    ..PickRequest::default()
                };
                balancer.pick(Instant::ZERO, &mut rng, &request)
            });
        });
    }
    group.finish();
}

fn bookinfo() -> Loaded {
    let file = Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../scenarios/bookinfo/bookinfo.yaml"
    ));
    load(file, &Overrides::default()).expect("the shipped scenario is sound")
}

/// A scenario with its Kubernetes manifests and Istio objects, from YAML to a plan.
fn loading(criterion: &mut Criterion) {
    criterion.bench_function("load: bookinfo", |bencher| bencher.iter(bookinfo));
}

/// The page of a run with everything that pages want kept.
fn pages(criterion: &mut Criterion) {
    let options = RunOptions {
        detail: true,
        ..RunOptions::default()
    };
    let report: RunReport = run(&bookinfo().plan, options).expect("the shipped scenario runs");
    criterion.bench_function("page: bookinfo", |bencher| {
        bencher.iter(|| report_html(black_box(&report)));
    });
}
