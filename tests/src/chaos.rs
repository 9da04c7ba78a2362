//! A mesh in as much trouble as fits into four seconds: two hundred pods under
//! mutual TLS, links that jitter and lose, callers who give up early and in
//! masses, pods that err, crash and come back, a partition, ejections, retries.

use std::time::Duration;

use mesh_core::policy::{DestinationPolicy, Fraction, OutlierDetection};
use meshquake::plan::{
    CancelPolicy, Distribution, EdgeSelector, ErrorInjection, FarEnd, FaultKind, FaultPlan,
    NetworkFault, Plan, PodSelector, ProcessFault, Schedule, Step, Take,
};

use crate::mesh;

/// Length of the run.
pub const DURATION: Duration = Duration::from_secs(4);

/// The mesh. Shoppers call `web`, which calls `cart` (HTTP/2) and `stock` at once; `audit` has callers of its own, if
/// any, and shares nothing with them; `spare` is only there, and is told of everything.
pub fn plan(seed: u64) -> Plan {
    let jitter = Distribution::Uniform {
        low: Duration::from_micros(100),
        high: Duration::from_millis(4),
    };
    let mut plan = mesh::empty(seed, jitter, DURATION);
    for link in [&mut plan.links.same_zone, &mut plan.links.cross_zone] {
        link.loss = 0.01;
    }
    let mut web = mesh::exponential(4, ms(5));
    web.fallback.steps = vec![Step::Parallel(vec![
        mesh::call("cart"),
        mesh::call("stock"),
    ])];
    let mut cart = mesh::exponential(2, ms(20));
    cart.cancel = CancelPolicy::Finish;
    cart.fallback.response_bytes = 20_000;
    let mut stock = mesh::exponential(2, ms(10));
    stock.fallback.errors = ErrorInjection::Random(Fraction::from_ppm(50_000));
    mesh::add_service(&mut plan, "web", 12, web);
    mesh::add_service(&mut plan, "cart", 40, cart);
    mesh::add_service(&mut plan, "stock", 40, stock);
    mesh::add_service(&mut plan, "audit", 8, mesh::exponential(2, ms(10)));
    mesh::add_service(&mut plan, "spare", 100, mesh::echo());
    plan.services[1].ports[0].http2 = true;
    eject_failures(&mut plan, "stock");
    mesh::add_client(&mut plan, "shoppers", "web", mesh::poisson(300.0));
    mesh::add_client(&mut plan, "robots", "cart", mesh::poisson(300.0));
    // Below the mean time a request takes: about half of them are given up.
    plan.traffic[0].timeout = Some(ms(45));
    plan.traffic[1].timeout = Some(ms(20));
    plan.faults = faults();
    plan
}

/// Adds the unrelated traffic source `auditors`.
pub fn add_auditors(plan: &mut Plan) {
    mesh::add_client(plan, "auditors", "audit", mesh::poisson(200.0));
}

fn faults() -> Vec<FaultPlan> {
    let crash = FaultKind::Process(ProcessFault::Crash {
        pods: pods("web", 0..3),
    });
    let restart = FaultKind::Process(ProcessFault::Restart {
        pods: pods("stock", 0..6),
    });
    let partition = FaultKind::Network(NetworkFault::Partition {
        on: EdgeSelector {
            from: pods("web", 4..8),
            to: FarEnd::Pods(pods("cart", 0..20)),
            both_ways: true,
            port: None,
        },
    });
    let slow = FaultKind::Network(NetworkFault::Latency {
        on: EdgeSelector {
            from: pods("stock", 10..30),
            to: FarEnd::Others,
            both_ways: false,
            port: None,
        },
        add: Distribution::LogNormal {
            p50: ms(2),
            p99: ms(30),
        },
    });
    vec![
        fault("crash", 800, Some(1200), crash),
        fault("restart", 1000, None, restart),
        fault("partition", 1400, Some(700), partition),
        fault("slow", 1800, Some(800), slow),
    ]
}

fn fault(name: &str, at: u64, duration: Option<u64>, kind: FaultKind) -> FaultPlan {
    FaultPlan {
        name: name.into(),
        what: String::new(),
        schedule: Schedule::once(ms(at), duration.map(ms)),
        ramp: Duration::ZERO,
        kind,
        place: String::new(),
    }
}

fn pods(service: &str, numbers: std::ops::Range<u32>) -> PodSelector {
    PodSelector {
        take: Take::All,
        text: format!("{service}-{}..{}", numbers.start, numbers.end),
        pods: numbers
            .map(|number| format!("{service}-{number}"))
            .collect(),
    }
}

fn eject_failures(plan: &mut Plan, service: &str) {
    let outlier = OutlierDetection {
        consecutive_5xx: Some(1),
        consecutive_gateway: None,
        split_local_origin: false,
        consecutive_local: None,
        interval: ms(500),
        ejection_base: ms(300),
        ejection_max: Duration::from_secs(2),
        ejected_percent_max: 30,
        healthy_percent_min: 0,
        success_rate: None,
        failure_percentage: None,
        always_eject_one: false,
    };
    let policy = DestinationPolicy {
        outlier: mesh::set(outlier),
        ..DestinationPolicy::default()
    };
    mesh::govern(plan, service, policy);
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
