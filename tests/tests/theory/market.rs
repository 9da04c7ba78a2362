//! Load balancing: the supermarket model, whose customers join the shortest of a few random lines.

use std::time::Duration;

use mesh_core::policy::{DestinationPolicy, LoadBalancer};
use mesh_core::seam::Rng;
use meshquake::plan::Plan;
use meshquake_tests::mesh::{self, Request, observe};
use meshquake_tests::theory::{
    PoissonArrivals, Servers, ServiceTimes, mean, replicate, supermarket_time,
};

use super::{SERVICE, SERVICE_NS, add_poisson, arrivals, mesh_for};

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
        let policy = DestinationPolicy {
            load_balancer,
            ..DestinationPolicy::default()
        };
        mesh::govern(plan, "echo", policy);
    }
}

/// One sidecar sends everything, so it knows every line; each request goes where the model sends it and takes as long.
/// Returns the mean time in the system and the standard error, in service times.
fn is_the_supermarket(
    seed: u64,
    choices: u32,
    balancer: Option<LoadBalancer>,
    warm_up: usize,
    measured: usize,
) -> (f64, f64) {
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
    let (expected, deviation) =
        replicate(40, |seed| modelled(seed, choices as usize, warm_up, count));
    let theory = supermarket_time(LAMBDA, choices);
    println!(
        "{SERVERS} servers, λ {LAMBDA}, d = {choices}, {} requests: mean time {found:.4} service times, theory {theory:.4}, \
         {SERVERS} servers by replication {expected:.4}, standard error {deviation:.4}",
        count - warm_up,
    );
    assert!(
        (found - expected).abs() < 4.0 * deviation,
        "the mesh is off its model"
    );
    // The theory is of infinitely many servers; a hundred are 0.8 % slower, by eight million arrivals of the model.
    let tolerance = 0.01 * theory + 4.0 * deviation / 40f64.sqrt();
    assert!(
        (expected - theory).abs() < tolerance,
        "the model is off the theory"
    );
    (found, deviation)
}

/// The model's mean time in the system after the warm-up.
fn modelled(seed: u64, choices: usize, warm_up: usize, count: usize) -> f64 {
    let rate = LAMBDA * SERVERS as f64 / SERVICE.as_secs_f64();
    let (mut model, mut rng) = (servers(seed, SERVERS), picks(seed, "client"));
    let arrivals = PoissonArrivals::new(seed, "client", rate).take(count);
    let times: Vec<u64> = arrivals
        .map(|at| model.arrive(at, 0, choices, &mut rng).1)
        .collect();
    mean(times[warm_up..].iter().copied()) / SERVICE_NS
}

/// Mitzenmacher's table: 1.6145 for two choices, 3.3333 for one.
#[test]
fn two_choices_are_as_good_as_the_supermarket_says() {
    // 28 service times of warm-up: the lines are short, and forget quickly.
    let (found, deviation) = is_the_supermarket(5, 2, None, 2000, 12_000);
    assert!(
        supermarket_time(LAMBDA, 1) - found > 30.0 * deviation,
        "far better than one choice"
    );
}

#[test]
fn random_choice_is_as_bad_as_the_supermarket_says() {
    // 100 service times of warm-up, almost three relaxation times 1/(1 − √λ)² of M/M/1.
    let (found, deviation) = is_the_supermarket(6, 1, Some(LoadBalancer::Random), 7000, 8000);
    assert!(
        found - supermarket_time(LAMBDA, 2) > 4.0 * deviation,
        "far worse than two choices"
    );
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
    names
        .iter()
        .for_each(|name| add_poisson(&mut plan, name, each));
    let ran = observe(&plan);

    let mut all: Vec<(u64, usize)> = Vec::new();
    for (caller, name) in names.iter().enumerate() {
        all.extend(
            arrivals(&plan, name, each)
                .into_iter()
                .map(|at| (at, caller)),
        );
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
        let found = (
            request.traffic.as_str(),
            request.upstream(),
            request.latency(),
        );
        assert_eq!(
            found,
            (names[*caller].as_str(), pod.as_str(), time),
            "{request:?}"
        );
    }
    // The same arrivals under a view of everything, and under none.
    let under = |choices| {
        let (mut model, mut rng) = (servers(SEED, FEW), picks(SEED, "client"));
        mean(
            all.iter()
                .map(|(at, _)| model.arrive(*at, 0, choices, &mut rng).1),
        ) / SERVICE_NS
    };
    let (fresh, blind) = (under(2), under(1));
    let found = mean(sorted.iter().map(|request| request.latency())) / SERVICE_NS;
    println!(
        "{FEW} servers, λ {LAMBDA}, {CALLERS} callers: all seen {fresh:.3}, own seen {found:.3}, none seen {blind:.3}"
    );
    assert!(fresh < found && found < blind);
}
