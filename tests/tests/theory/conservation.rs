//! What holds in every run: Little's law, and that nothing is lost.

use std::time::Duration;

use meshquake::plan::{Distribution, Load};
use meshquake_reports::{FailureKind, RequestOutcome};
use meshquake_tests::chaos;
use meshquake_tests::mesh::{self, Request, observe};
use meshquake_tests::theory::{erlang_c_wait, replicate};

use super::{DRAIN, SERVICE, add_poisson, mesh_for, recursion};

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
    assert_eq!(
        (client.in_flight_at_end, client.failed),
        (0, 0),
        "the run ends empty"
    );

    let whole = ran
        .requests
        .iter()
        .map(|r| (r.intended_ns, r.intended_ns + r.latency()));
    let in_line = ran.requests.iter().map(|r| {
        let split = r.split();
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
    let mut plan = mesh::empty(
        9,
        Distribution::Constant(Duration::from_micros(100)),
        Duration::from_secs(5),
    );
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
    assert!(
        most_at_once(&ran.requests) <= i64::from(USERS),
        "more requests in flight than users"
    );
}

/// The most requests in flight at once.
fn most_at_once(requests: &[Request]) -> i64 {
    let mut events: Vec<(u64, i64)> = Vec::new();
    for request in requests {
        let end = request
            .latency_ns
            .map_or(u64::MAX, |latency| request.intended_ns + latency);
        events.extend([(request.intended_ns, 1), (end, -1)]);
    }
    events.sort_unstable();
    let open = events.iter().scan(0, |open, (_, step)| {
        *open += step;
        Some(*open)
    });
    open.max().unwrap_or(0)
}

/// Whatever happens, every request is accounted for exactly once, and its latency is the sum of its parts.
#[test]
fn nothing_is_lost_and_nothing_counts_twice() {
    let mut plan = chaos::plan(10);
    chaos::add_auditors(&mut plan);
    let ran = observe(&plan);
    let broken = ran
        .report
        .failures
        .iter()
        .filter(|f| f.kind == FailureKind::Invariant);
    assert_eq!(
        broken.map(|f| &f.message).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
    for (name, told) in &ran.report.traffic {
        let own: Vec<&Request> = ran.requests.iter().filter(|r| r.traffic == *name).collect();
        let numbers: Vec<u64> = own.iter().map(|r| r.sequence).collect();
        assert_eq!(numbers, (0..told.requests).collect::<Vec<_>>(), "{name}");
        let count =
            |which: &dyn Fn(&Request) -> bool| own.iter().filter(|r| which(r)).count() as u64;
        let in_flight = count(&|r| r.outcome == RequestOutcome::InFlight);
        assert_eq!(told.in_flight_at_end, in_flight);
        assert_eq!(
            told.succeeded,
            count(&|r| r.status.is_some_and(|s| s < 500))
        );
        assert_eq!(told.requests, told.succeeded + told.failed + in_flight);
        assert_eq!(told.status.values().sum::<u64>(), told.requests - in_flight);
        assert_eq!(
            told.unanswered.values().sum::<u64>(),
            count(&|r| r.status.is_none()) - in_flight
        );
        assert_eq!(told.series.requests.iter().sum::<u64>(), told.requests);
        assert!(
            told.requests > 500 && told.succeeded > 100,
            "{name}: {told:?}"
        );
    }
    for request in ran.requests.iter().filter(|r| r.latency_ns.is_some()) {
        let split = request.split();
        assert_eq!(Some(split.total_ns()), request.latency_ns, "{request:?}");
    }
    assert!(ran.report.faults.iter().all(|fault| !fault.inert));
}
