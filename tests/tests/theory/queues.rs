//! Lines in front of workers: M/M/1 and M/M/c.

use std::time::Duration;

use meshquake_tests::mesh::{self, Ran, Request, observe};
use meshquake_tests::theory::{
    PoissonArrivals, erlang_c_wait, kiefer_wolfowitz, lindley, mean, replicate,
};

use super::{SERVICE, SERVICE_NS, add_poisson, arrivals, mesh_for, recursion, services};

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
        let split = request.split();
        let found = (
            request.intended_ns,
            split.queue_ns,
            split.service_ns,
            request.latency(),
        );
        assert_eq!(
            found,
            (*arrival, *wait, *service, wait + service),
            "{request:?}"
        );
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

/// The report's own numbers: counts, exact means, and the longest line that an arrival found.
fn the_report_agrees(ran: &Ran, arrivals: &[u64], waits: &[u64], services: &[u64]) {
    let report = &ran.report;
    let (client, service) = (&report.traffic["client"], &report.services[0]);
    let count = arrivals.len() as u64;
    assert_eq!(
        (client.requests, client.succeeded, service.requests),
        (count, count, count)
    );
    assert_eq!(service.inbound.mtls, Some(1.0));
    let ms = |spans: &[u64]| mean(spans.iter().copied()) / 1e6;
    let latency = waits
        .iter()
        .zip(services)
        .map(|(wait, service)| wait + service);
    let latency: Vec<u64> = latency.collect();
    let told = [service.queue_ms, service.service_ms, client.latency_ms];
    for (told, spans) in told.into_iter().zip([waits, services, &latency]) {
        let told = told.expect("requests were made").mean;
        assert!((told / ms(spans) - 1.0).abs() < 1e-12, "{told}");
    }
    // Who waits when a request arrives: those before it that have not started. Starts are in order.
    let starts: Vec<u64> = arrivals
        .iter()
        .zip(waits)
        .map(|(at, wait)| at + wait)
        .collect();
    let found = arrivals.iter().enumerate().map(|(i, at)| {
        let started = starts[..i].partition_point(|start| start <= at);
        i - started
    });
    assert_eq!(service.queue_max, found.max().unwrap_or(0) as u64);
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
    let mut seen: Vec<(u64, &Request)> = ran
        .requests
        .iter()
        .map(|request| {
            let pool = request.split().pool_ns;
            assert!(pool == 0 || pool == 4 * L, "{pool}");
            (request.intended_ns + pool + L, request)
        })
        .collect();
    seen.sort_by_key(|(arrival, _)| *arrival);
    let arrivals: Vec<u64> = seen.iter().map(|(arrival, _)| *arrival).collect();
    let services = services(plan.seed, arrivals.len());
    let waits = lindley(&arrivals, &services);
    for ((arrival, request), (wait, service)) in
        seen.into_iter().zip(waits.into_iter().zip(services))
    {
        let split = request.split();
        assert_eq!(
            (split.queue_ns, split.service_ns, split.network_ns),
            (wait, service, 2 * L)
        );
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
        // 0.65 % of the mean; of four workers 0.0051 by replication, 0.7 %. Four of them.
        let tolerance = 0.028;
        assert!((found / theory - 1.0).abs() < tolerance, "{found} {theory}");
    }
    let rate = 0.8 / SERVICE.as_secs_f64();
    let arrivals: Vec<u64> = PoissonArrivals::new(SEED, "client", rate)
        .take(DRAWS)
        .collect();
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
