//! Limits of the caller's sidecar: a breaker is a loss system, a bounded pool is a line.

use std::time::Duration;

use mesh_core::policy::{ConnectionPool, DestinationPolicy};
use meshquake::plan::Plan;
use meshquake_reports::RequestOutcome;
use meshquake_tests::mesh::{self, observe};
use meshquake_tests::theory::{PoissonArrivals, ServiceTimes, erlang_b, replicate};

use super::{SERVICE, add_poisson, arrivals, mesh_for};

/// Limits of connection pools, where Istio has none by default.
fn limit(plan: &mut Plan, limits: impl Fn(&mut ConnectionPool)) {
    let mut pool = plan.mesh.profile.pool.value.clone();
    limits(&mut pool);
    let policy = DestinationPolicy {
        pool: mesh::set(pool),
        ..DestinationPolicy::default()
    };
    mesh::govern(plan, "echo", policy);
}

/// A breaker on requests in flight, in front of workers without end, is Erlang's loss system: what finds all places taken
/// is lost at once.
#[test]
fn a_breaker_on_requests_is_erlangs_loss_system() {
    const PLACES: u32 = 10;
    let offered = 8.0;
    let rate = offered / SERVICE.as_secs_f64();
    let mut plan = mesh_for(11, 15_000.0, rate, Duration::ZERO);
    let mut app = mesh::exponential(1, SERVICE);
    app.workers = None;
    mesh::add_service(&mut plan, "echo", 1, app);
    limit(&mut plan, |pool| pool.requests_max = PLACES);
    add_poisson(&mut plan, "client", rate);
    let ran = observe(&plan);
    let arrivals = arrivals(&plan, "client", rate);
    assert_eq!(ran.requests.len(), arrivals.len());
    let times = loss(plan.seed, &arrivals, PLACES as usize);
    for (request, time) in ran.requests.iter().zip(&times) {
        let expected = match time {
            Some(time) => (Some(200), Some(*time), "-"),
            None => (Some(503), Some(0), "UO"),
        };
        let found = (request.status, request.latency_ns, request.flags.as_str());
        assert_eq!(found, expected, "{request:?}");
    }
    let lost = |times: &[Option<u64>]| {
        times.iter().filter(|time| time.is_none()).count() as f64 / times.len() as f64
    };
    let (found, theory) = (lost(&times), erlang_b(PLACES, offered));
    let (_, deviation) = replicate(50, |seed| {
        let arrivals: Vec<u64> = PoissonArrivals::new(seed, "client", rate)
            .take(times.len())
            .collect();
        lost(&loss(seed, &arrivals, PLACES as usize))
    });
    println!(
        "{PLACES} places, {offered} offered: lost {found:.4}, theory {theory:.4}, standard error {deviation:.4}"
    );
    assert!((found - theory).abs() < 4.0 * deviation);
}

/// Times in a loss system, `None` for what was lost.
fn loss(seed: u64, arrivals: &[u64], places: usize) -> Vec<Option<u64>> {
    let mut services = ServiceTimes::new(seed, "echo-0", SERVICE);
    let mut busy_until: Vec<u64> = Vec::new();
    arrivals
        .iter()
        .map(|at| {
            busy_until.retain(|end| end > at);
            if busy_until.len() == places {
                return None;
            }
            let service = services.next()?;
            busy_until.push(at + service);
            Some(service)
        })
        .collect()
}

/// One HTTP/1.1 connection serves one request at a time, so a pool of one is a single server, and its line is Lindley's.
/// Callers who give up leave the line, or break the connection off in the middle of their service: then the next in line
/// gets a new one in that instant.
#[test]
fn a_pool_of_one_connection_is_a_line_with_impatient_callers() {
    let rate = 0.9 / SERVICE.as_secs_f64();
    let patience = Duration::from_millis(11);
    let mut plan = mesh_for(12, 10_000.0, rate, Duration::ZERO);
    let mut app = mesh::exponential(1, SERVICE);
    app.workers = None;
    mesh::add_service(&mut plan, "echo", 1, app);
    // Without a sidecar it is called in plain HTTP/1.1.
    plan.pods[0].workload.meshed = false;
    limit(&mut plan, |pool| pool.connections_max = 1);
    add_poisson(&mut plan, "client", rate);
    plan.traffic[0].timeout = Some(patience);
    let ran = observe(&plan);
    let arrivals = arrivals(&plan, "client", rate);
    assert_eq!(ran.requests.len(), arrivals.len());
    let mut services = ServiceTimes::new(plan.seed, "echo-0", SERVICE);
    let (mut free, mut gave_up) = (0, 0);
    for (request, at) in ran.requests.iter().zip(arrivals) {
        let start = free.max(at);
        let deadline = at + patience.as_nanos() as u64;
        let end = match start < deadline {
            true => start + services.next().unwrap(),
            false => u64::MAX,
        };
        let expected = match end <= deadline {
            true => (RequestOutcome::Answered, end - at),
            false => (RequestOutcome::Timeout, deadline - at),
        };
        gave_up += u32::from(end > deadline);
        free = free.max(end.min(deadline));
        assert_eq!(
            (request.outcome, request.latency_ns.unwrap()),
            expected,
            "{request:?}"
        );
    }
    assert!(gave_up > 500, "{gave_up}");
}
