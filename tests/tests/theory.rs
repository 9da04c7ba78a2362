//! Queueing theory through the whole mesh: a request goes from its client
//! through two sidecars and mutual TLS to an app, and spends there, to the
//! nanosecond, the time that theory says.

use std::time::Duration;

use mesh_core::policy::{ConnectionPool, DestinationPolicy, LoadBalancer};
use mesh_core::seam::Rng;
use meshquake::plan::{Distribution, Load, Plan};
use meshquake_reports::{FailureKind, RequestOutcome};
use meshquake_tests::mesh::{self, Ran, Request, observe};
use meshquake_tests::theory::{
    PoissonArrivals, Servers, ServiceTimes, erlang_b, erlang_c_wait, kiefer_wolfowitz, lindley, mean,
    replicate, supermarket_time,
};
use meshquake_tests::chaos;

/// Mean time of service.
const SERVICE: Duration = Duration::from_millis(2);
const SERVICE_NS: f64 = 2e6;

/// Long enough for any line in these tests to empty.
const DRAIN: Duration = Duration::from_secs(1);

/// A run in which about `requests` of them are sent at `per_second`, and all end.
fn mesh_for(seed: u64, requests: f64, per_second: f64, one_way: Duration) -> Plan {
    let sending = Duration::from_secs_f64(requests / per_second);
    mesh::empty(seed, Distribution::Constant(one_way), sending + DRAIN)
}

fn add_poisson(plan: &mut Plan, name: &str, per_second: f64) {
    mesh::add_client(plan, name, "echo", mesh::poisson(per_second));
    let stop = plan.duration - DRAIN;
    plan.traffic.iter_mut().for_each(|traffic| traffic.stop = Some(stop));
}

fn arrivals(plan: &Plan, client: &str, per_second: f64) -> Vec<u64> {
    let stop = (plan.duration - DRAIN).as_nanos() as u64;
    let arrivals = PoissonArrivals::new(plan.seed, client, per_second);
    arrivals.take_while(|at| *at < stop).collect()
}

/// Service times at the first pod.
fn services(seed: u64, count: usize) -> Vec<u64> {
    ServiceTimes::new(seed, "echo-0", SERVICE).take(count).collect()
}

/// How a queue of `workers` in the mesh and in the recursion compare: equal.
fn is_the_textbook_queue(seed: u64, workers: u32, requests: f64, rho: f64) {
    let rate = rho * f64::from(workers) / SERVICE.as_secs_f64();
    let mut plan = mesh_for(seed, requests, rate, Duration::ZERO);
    mesh::add_service(&mut plan, "echo", 1, mesh::exponential(workers, SERVICE));
    add_poisson(&mut plan, "client", rate);
    let ran = observe(&plan);

    let arrivals = arrivals(&plan, "client", rate);
    let services = services(plan.seed, arrivals.len());
    let waits = match workers {
        1 => lindley(&arrivals, &services),
        _ => kiefer_wolfowitz(&arrivals, &services, workers as usize),
    };
    assert_eq!(ran.requests.len(), arrivals.len());
    let expected = arrivals.iter().zip(waits.iter().zip(&services));
    for (request, (arrival, (wait, service))) in ran.requests.iter().zip(expected) {
        let split = request.split.unwrap();
        let found = (request.intended_ns, split.queue_ns, split.service_ns, request.latency());
        assert_eq!(found, (*arrival, *wait, *service, wait + service), "{request:?}");
    }
    the_report_agrees(&ran, &arrivals, &waits, &services);

    let (found, theory) = (mean(waits) / SERVICE_NS, erlang_c_wait(workers, rho));
    let count = arrivals.len();
    let (_, deviation) = replicate(100, |seed| recursion(seed, workers, rate, count));
    println!(
        "M/M/{workers}, ρ {rho}, {count} requests: mean wait {found:.4} service times, theory {theory:.4}, \
         standard error {deviation:.4}; equal to the recursion in every request"
    );
    // One in sixteen thousand samples of a normal distribution lies beyond four deviations.
    assert!((found - theory).abs() < 4.0 * deviation);
}

/// Mean wait in service times of `count` requests, by the recursion alone.
fn recursion(seed: u64, workers: u32, rate: f64, count: usize) -> f64 {
    let arrivals: Vec<u64> = PoissonArrivals::new(seed, "client", rate).take(count).collect();
    let services = services(seed, count);
    mean(kiefer_wolfowitz(&arrivals, &services, workers as usize)) / SERVICE_NS
}

/// The report's own numbers: counts, exact means, and the longest line that an arrival found.
fn the_report_agrees(ran: &Ran, arrivals: &[u64], waits: &[u64], services: &[u64]) {
    let report = &ran.report;
    let (client, service) = (&report.traffic["client"], &report.services[0]);
    let count = arrivals.len() as u64;
    assert_eq!((client.requests, client.succeeded, service.requests), (count, count, count));
    assert_eq!(service.inbound.mtls, Some(1.0));
    let ms = |spans: &[u64]| mean(spans.iter().copied()) / 1e6;
    let latency = waits.iter().zip(services).map(|(wait, service)| wait + service);
    let latency: Vec<u64> = latency.collect();
    let told = [service.queue_ms, service.service_ms, client.latency_ms];
    for (told, spans) in told.into_iter().zip([waits, services, &latency]) {
        let told = told.unwrap().mean;
        assert!((told / ms(spans) - 1.0).abs() < 1e-12, "{told}");
    }
    // Who waits when a request arrives: those before it that have not started. Starts are in order.
    let starts: Vec<u64> = arrivals.iter().zip(waits).map(|(at, wait)| at + wait).collect();
    let found = arrivals.iter().enumerate().map(|(i, at)| {
        let started = starts[..i].partition_point(|start| start <= at);
        i - started
    });
    assert_eq!(service.queue_max, found.max().unwrap() as u64);
}

#[test]
fn one_worker_behind_two_sidecars_is_lindley_to_the_nanosecond() {
    is_the_textbook_queue(1, 1, 20_000.0, 0.8);
}

#[test]
fn four_workers_behind_two_sidecars_are_kiefer_wolfowitz_to_the_nanosecond() {
    is_the_textbook_queue(2, 4, 20_000.0, 0.8);
}

/// With links of length L a request reaches its app L after it was sent, or 5 L when it needs a new connection: one
/// round trip for TCP and one for TLS 1.3. From there on it is the same queue, in the order of arrival.
#[test]
fn links_shift_the_queue_by_their_length_and_nothing_else() {
    const L: u64 = 250_000;
    let rate = 0.8 / SERVICE.as_secs_f64();
    let mut plan = mesh_for(3, 6000.0, rate, Duration::from_nanos(L));
    mesh::add_service(&mut plan, "echo", 1, mesh::exponential(1, SERVICE));
    add_poisson(&mut plan, "client", rate);
    let ran = observe(&plan);
    let mut seen: Vec<(u64, &Request)> = ran.requests.iter().map(|request| {
        let pool = request.split.unwrap().pool_ns;
        assert!(pool == 0 || pool == 4 * L, "{pool}");
        (request.intended_ns + pool + L, request)
    }).collect();
    seen.sort_by_key(|(arrival, _)| *arrival);
    let arrivals: Vec<u64> = seen.iter().map(|(arrival, _)| *arrival).collect();
    let services = services(plan.seed, arrivals.len());
    let waits = lindley(&arrivals, &services);
    for ((arrival, request), (wait, service)) in seen.into_iter().zip(waits.into_iter().zip(services)) {
        let split = request.split.unwrap();
        assert_eq!((split.queue_ns, split.service_ns, split.network_ns), (wait, service, 2 * L));
        let end = request.intended_ns + request.latency();
        assert_eq!(end, arrival + wait + service + L);
    }
}

/// The recursions, which the mesh equals, have the textbook's means and quantiles.
#[test]
fn the_recursions_have_the_closed_forms() {
    const SEED: u64 = 4;
    const DRAWS: usize = 3_000_000;
    for workers in [1, 4] {
        let rate = 0.8 * f64::from(workers) / SERVICE.as_secs_f64();
        let found = recursion(SEED, workers, rate, DRAWS);
        let theory = erlang_c_wait(workers, 0.8);
        println!("M/M/{workers}, ρ 0.8, {DRAWS} draws: mean wait {found:.4}, theory {theory:.4}");
        // Standard error of the mean wait of M/M/1: √(ρ(2+5ρ−4ρ²+ρ³)/((1−ρ)⁴n)) = 0.026 service times (Daley, 1968),
        // 0.64 % of the mean; 0.0083 by replication for four workers, 1.1 %. Four of them.
        let tolerance = if workers == 1 { 0.026 } else { 0.045 };
        assert!((found / theory - 1.0).abs() < tolerance, "{found} {theory}");
    }
    let rate = 0.8 / SERVICE.as_secs_f64();
    let arrivals: Vec<u64> = PoissonArrivals::new(SEED, "client", rate).take(DRAWS).collect();
    let services = services(SEED, DRAWS);
    let waits = lindley(&arrivals, &services);
    let mut times: Vec<u64> = waits.iter().zip(&services).map(|(w, s)| w + s).collect();
    times.sort_unstable();
    // The time in the system is exponential with mean 1/(1 − ρ): −ln(1 − p)/(1 − ρ).
    for (p, theory) in [(0.5, 3.466), (0.99, 23.03)] {
        let found = times[(p * DRAWS as f64) as usize] as f64 / SERVICE_NS;
        println!("M/M/1, ρ 0.8: {p}-quantile {found:.3}, theory {theory}");
        assert!((found / theory - 1.0).abs() < 0.05, "{found} {theory}");
    }
}

/// Limits of connection pools, where Istio has none by default.
fn limit(plan: &mut Plan, limits: impl Fn(&mut ConnectionPool)) {
    let mut pool = plan.mesh.profile.pool.value.clone();
    limits(&mut pool);
    let policy = DestinationPolicy { pool: mesh::set(pool), ..DestinationPolicy::default() };
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
    let lost = |times: &[Option<u64>]| times.iter().filter(|time| time.is_none()).count() as f64 / times.len() as f64;
    let (found, theory) = (lost(&times), erlang_b(PLACES, offered));
    let (_, deviation) = replicate(50, |seed| {
        let arrivals: Vec<u64> = PoissonArrivals::new(seed, "client", rate).take(times.len()).collect();
        lost(&loss(seed, &arrivals, PLACES as usize))
    });
    println!("{PLACES} places, {offered} offered: lost {found:.4}, theory {theory:.4}, standard error {deviation:.4}");
    assert!((found - theory).abs() < 4.0 * deviation);
}

/// Times in a loss system, `None` for what was lost.
fn loss(seed: u64, arrivals: &[u64], places: usize) -> Vec<Option<u64>> {
    let mut services = ServiceTimes::new(seed, "echo-0", SERVICE);
    let mut busy_until: Vec<u64> = Vec::new();
    arrivals.iter().map(|at| {
        busy_until.retain(|end| end > at);
        if busy_until.len() == places {
            return None;
        }
        let service = services.next()?;
        busy_until.push(at + service);
        Some(service)
    }).collect()
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
        assert_eq!((request.outcome, request.latency_ns.unwrap()), expected, "{request:?}");
    }
    assert!(gave_up > 500, "{gave_up}");
}

const SERVERS: usize = 100;
const LAMBDA: f64 = 0.7;

fn servers(seed: u64, count: usize) -> Servers {
    let times = (0..count).map(|i| ServiceTimes::new(seed, &format!("echo-{i}"), SERVICE));
    Servers::new(times.collect())
}

/// The balancer's stream in a client's sidecar; its first word sets where rotations begin.
fn picks(seed: u64, client: &str) -> Rng {
    let cluster = format!("outbound|80||{}", mesh::host("echo"));
    let mut rng = Rng::named(seed, &format!("{client}/cluster/{cluster}"));
    rng.bits();
    rng
}

/// A market under Istio's default balancer, or under `balancer`.
fn market(plan: &mut Plan, servers: usize, balancer: Option<LoadBalancer>) {
    mesh::add_service(plan, "echo", servers, mesh::exponential(1, SERVICE));
    if let Some(balancer) = balancer {
        let load_balancer = mesh::set(balancer);
        let policy = DestinationPolicy { load_balancer, ..DestinationPolicy::default() };
        mesh::govern(plan, "echo", policy);
    }
}

/// One sidecar sends everything, so it knows every line; each request goes where the model sends it and takes as long.
/// Returns the mean time in the system and the standard error, in service times.
fn is_the_supermarket(seed: u64, choices: u32, balancer: Option<LoadBalancer>, warm_up: usize, measured: usize) -> (f64, f64) {
    let rate = LAMBDA * SERVERS as f64 / SERVICE.as_secs_f64();
    let mut plan = mesh_for(seed, (warm_up + measured) as f64, rate, Duration::ZERO);
    market(&mut plan, SERVERS, balancer);
    add_poisson(&mut plan, "client", rate);
    let ran = observe(&plan);
    let arrivals = arrivals(&plan, "client", rate);
    assert_eq!(ran.requests.len(), arrivals.len());
    let (mut model, mut rng) = (servers(seed, SERVERS), picks(seed, "client"));
    for (request, arrival) in ran.requests.iter().zip(&arrivals) {
        let (server, time) = model.arrive(*arrival, 0, choices as usize, &mut rng);
        let pod = format!("echo-{server}");
        let found = (request.intended_ns, request.upstream(), request.latency());
        assert_eq!(found, (*arrival, pod.as_str(), time), "{request:?}");
    }
    let warm = ran.requests[warm_up..].iter().map(Request::latency);
    let found = mean(warm) / SERVICE_NS;
    let count = arrivals.len();
    let (expected, deviation) = replicate(40, |seed| modelled(seed, choices as usize, warm_up, count));
    let theory = supermarket_time(LAMBDA, choices);
    println!(
        "{SERVERS} servers, λ {LAMBDA}, d = {choices}, {} requests: mean time {found:.4} service times, theory {theory:.4}, \
         {SERVERS} servers by replication {expected:.4}, standard error {deviation:.4}",
        count - warm_up,
    );
    assert!((found - expected).abs() < 4.0 * deviation, "the mesh is off its model");
    // The theory is of infinitely many servers; a hundred are 0.4 % slower (same paper, table 1).
    let tolerance = 0.01 * theory + 4.0 * deviation / 40f64.sqrt();
    assert!((expected - theory).abs() < tolerance, "the model is off the theory");
    (found, deviation)
}

/// The model's mean time in the system after the warm-up.
fn modelled(seed: u64, choices: usize, warm_up: usize, count: usize) -> f64 {
    let rate = LAMBDA * SERVERS as f64 / SERVICE.as_secs_f64();
    let (mut model, mut rng) = (servers(seed, SERVERS), picks(seed, "client"));
    let arrivals = PoissonArrivals::new(seed, "client", rate).take(count);
    let times: Vec<u64> = arrivals.map(|at| model.arrive(at, 0, choices, &mut rng).1).collect();
    mean(times[warm_up..].iter().copied()) / SERVICE_NS
}

/// Mitzenmacher's table: 1.6145 for two choices, 3.3333 for one.
#[test]
fn two_choices_are_as_good_as_the_supermarket_says() {
    // 28 service times of warm-up: the lines are short, and forget quickly.
    let (found, deviation) = is_the_supermarket(5, 2, None, 2000, 12_000);
    assert!(supermarket_time(LAMBDA, 1) - found > 30.0 * deviation, "far better than one choice");
}

#[test]
fn random_choice_is_as_bad_as_the_supermarket_says() {
    // 100 service times of warm-up, almost three relaxation times 1/(1 − √λ)² of M/M/1.
    let (found, deviation) = is_the_supermarket(6, 1, Some(LoadBalancer::Random), 7000, 8000);
    assert!(found - supermarket_time(LAMBDA, 2) > 4.0 * deviation, "far worse than two choices");
}

/// A sidecar counts the requests it has sent itself. Where many share the servers, each sees a part of the lines, and two
/// choices gain less: exactly as much less as in a model whose callers see only their own.
#[test]
fn many_callers_who_see_their_own_requests_alone_gain_less() {
    const SEED: u64 = 7;
    const CALLERS: usize = 8;
    const FEW: usize = 40;
    let rate = LAMBDA * FEW as f64 / SERVICE.as_secs_f64();
    let each = rate / CALLERS as f64;
    let mut plan = mesh_for(SEED, 12_000.0, rate, Duration::ZERO);
    market(&mut plan, FEW, None);
    let names: Vec<String> = (0..CALLERS).map(|i| format!("client-{i}")).collect();
    names.iter().for_each(|name| add_poisson(&mut plan, name, each));
    let ran = observe(&plan);

    let mut all: Vec<(u64, usize)> = Vec::new();
    for (caller, name) in names.iter().enumerate() {
        all.extend(arrivals(&plan, name, each).into_iter().map(|at| (at, caller)));
    }
    all.sort_unstable();
    let mut rngs: Vec<Rng> = names.iter().map(|name| picks(SEED, name)).collect();
    let mut partial = servers(SEED, FEW);
    let mut sorted: Vec<&Request> = ran.requests.iter().collect();
    sorted.sort_by_key(|request| request.intended_ns);
    assert_eq!(sorted.len(), all.len());
    for (request, (at, caller)) in sorted.iter().zip(&all) {
        let (server, time) = partial.arrive(*at, *caller, 2, &mut rngs[*caller]);
        let pod = format!("echo-{server}");
        let found = (request.traffic.as_str(), request.upstream(), request.latency());
        assert_eq!(found, (names[*caller].as_str(), pod.as_str(), time), "{request:?}");
    }
    // The same arrivals under a view of everything, and under none.
    let under = |choices| {
        let (mut model, mut rng) = (servers(SEED, FEW), picks(SEED, "client"));
        mean(all.iter().map(|(at, _)| model.arrive(*at, 0, choices, &mut rng).1)) / SERVICE_NS
    };
    let (fresh, blind) = (under(2), under(1));
    let found = mean(sorted.iter().map(|request| request.latency())) / SERVICE_NS;
    println!("{FEW} servers, λ {LAMBDA}, {CALLERS} callers: all seen {fresh:.3}, own seen {found:.3}, none seen {blind:.3}");
    assert!(fresh < found && found < blind);
}

/// Little's law, L = λW, by witnesses that share nothing: L from the lifetimes of single requests in the log, λ and W from
/// the report's counters and histograms. And against Erlang's formula.
#[test]
fn lines_obey_littles_law() {
    const RHO: f64 = 0.8;
    let rate = RHO * 4.0 / SERVICE.as_secs_f64();
    let mut plan = mesh_for(8, 12_000.0, rate, Duration::from_micros(100));
    mesh::add_service(&mut plan, "echo", 1, mesh::exponential(4, SERVICE));
    add_poisson(&mut plan, "client", rate);
    let ran = observe(&plan);
    let (client, service) = (&ran.report.traffic["client"], &ran.report.services[0]);
    assert_eq!((client.in_flight_at_end, client.failed), (0, 0), "the run ends empty");

    let whole = ran.requests.iter().map(|r| (r.intended_ns, r.intended_ns + r.latency()));
    let in_line = ran.requests.iter().map(|r| {
        let split = r.split.unwrap();
        let arrival = r.intended_ns + split.pool_ns + 100_000;
        (arrival, arrival + split.queue_ns)
    });
    let length = plan.duration.as_secs_f64();
    let lambda = client.requests as f64 / length;
    for (inside, w) in [
        (area_under(whole.collect()), client.latency_ms),
        (area_under(in_line.collect()), service.queue_ms),
    ] {
        let (l, w) = (inside / (length * 1e9), w.unwrap().mean / 1e3);
        println!("L {l:.6}, λW {:.6}", lambda * w);
        assert!((l / (lambda * w) - 1.0).abs() < 1e-9, "{l} {lambda} {w}");
    }
    // While requests came: L = λW of the waiting line alone is a·Wq, 3.2 × 0.7455.
    let sending = (plan.duration - DRAIN).as_secs_f64();
    let lq = client.requests as f64 / sending * service.queue_ms.unwrap().mean / 1e3;
    let theory = RHO * 4.0 * erlang_c_wait(4, RHO);
    let count = ran.requests.len();
    let (_, deviation) = replicate(100, |seed| recursion(seed, 4, rate, count));
    println!("mean line {lq:.3}, theory {theory:.3}");
    assert!((lq - theory).abs() < 4.0 * 3.2 * deviation);
}

/// The integral over time of the number of open spans, by events.
fn area_under(spans: Vec<(u64, u64)>) -> f64 {
    let mut events: Vec<(u64, i64)> = Vec::new();
    for (from, to) in spans {
        events.extend([(from, 1), (to, -1)]);
    }
    events.sort_unstable();
    let (mut before, mut open, mut area) = (0, 0i64, 0f64);
    for (at, step) in events {
        area += open as f64 * (at - before) as f64;
        before = at;
        open += step;
    }
    assert_eq!(open, 0);
    area
}

/// Little's law around a closed loop: users = throughput × (time of a request + time to think).
#[test]
fn closed_loops_obey_the_response_time_law() {
    const USERS: u32 = 40;
    let think = Duration::from_millis(20);
    let mut plan = mesh::empty(9, Distribution::Constant(Duration::from_micros(100)), Duration::from_secs(5));
    mesh::add_service(&mut plan, "echo", 1, mesh::exponential(4, SERVICE));
    let load = Load::Closed {
        users: USERS,
        think: Distribution::Exponential { mean: think },
    };
    mesh::add_client(&mut plan, "client", "echo", load);
    let ran = observe(&plan);
    let client = &ran.report.traffic["client"];
    let (x, w) = (client.rps, client.latency_ms.unwrap().mean / 1e3);
    let users = x * (w + think.as_secs_f64());
    println!("{USERS} users: throughput {x:.1}/s × (request {w:.5} s + think 0.02 s) = {users:.3}");
    // A user's last cycle is cut off by the end: at most USERS of some 8000 cycles. The mean of 8000 exponential
    // thinks, most of a cycle, has a standard error of 1.1 %.
    assert!((users / f64::from(USERS) - 1.0).abs() < 0.045, "{users}");
    let peak = f64::from(USERS) * 0.99;
    assert!(area_bound(&ran.requests) <= USERS as usize, "more requests in flight than users");
    assert!(x < peak / think.as_secs_f64());
}

/// The most requests in flight at once.
fn area_bound(requests: &[Request]) -> usize {
    let mut events: Vec<(u64, i64)> = Vec::new();
    for request in requests {
        let end = request.latency_ns.map_or(u64::MAX, |latency| request.intended_ns + latency);
        events.extend([(request.intended_ns, 1), (end, -1)]);
    }
    events.sort_unstable();
    let open = events.iter().scan(0, |open, (_, step)| {
        *open += step;
        Some(*open)
    });
    usize::try_from(open.max().unwrap_or(0)).unwrap()
}

/// Whatever happens, every request is accounted for exactly once, and its latency is the sum of its parts.
#[test]
fn nothing_is_lost_and_nothing_counts_twice() {
    let mut plan = chaos::plan(10);
    chaos::add_auditors(&mut plan);
    let ran = observe(&plan);
    let broken = ran.report.failures.iter().filter(|f| f.kind == FailureKind::Invariant);
    assert_eq!(broken.map(|f| &f.message).collect::<Vec<_>>(), Vec::<&String>::new());
    for (name, told) in &ran.report.traffic {
        let own: Vec<&Request> = ran.requests.iter().filter(|r| r.traffic == *name).collect();
        let numbers: Vec<u64> = own.iter().map(|r| r.sequence).collect();
        assert_eq!(numbers, (0..told.requests).collect::<Vec<_>>(), "{name}");
        let count = |which: &dyn Fn(&Request) -> bool| own.iter().filter(|r| which(r)).count() as u64;
        let in_flight = count(&|r| r.outcome == RequestOutcome::InFlight);
        assert_eq!(told.in_flight_at_end, in_flight);
        assert_eq!(told.succeeded, count(&|r| r.status.is_some_and(|s| s < 500)));
        assert_eq!(told.requests, told.succeeded + told.failed + in_flight);
        assert_eq!(told.status.values().sum::<u64>(), told.requests - in_flight);
        assert_eq!(told.unanswered.values().sum::<u64>(), count(&|r| r.status.is_none()) - in_flight);
        assert_eq!(told.series.requests.iter().sum::<u64>(), told.requests);
        assert!(told.requests > 500 && told.succeeded > 100, "{name}: {told:?}");
    }
    for request in ran.requests.iter().filter(|r| r.latency_ns.is_some()) {
        let split = request.split.unwrap();
        assert_eq!(Some(split.total_ns()), request.latency_ns, "{request:?}");
    }
    assert!(ran.report.faults.iter().all(|fault| !fault.inert));
}
