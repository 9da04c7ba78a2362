//! What must hold whatever happens, and what theory says of choices.

use std::rc::Rc;
use std::time::Duration;

use proptest::prelude::*;

use super::fixture::{Bench, assignment, cluster, endpoint};
use super::{ActiveRequest, EndpointSet, PickRequest};
use crate::control::{Endpoint, EndpointHealth};
use crate::policy::{HashAlgorithm, HashKey, LoadBalancer};
use crate::seam::{Instant, Rng};

fn algorithms() -> impl Strategy<Value = LoadBalancer> {
    let hash = |algorithm| LoadBalancer::Hash {
        key: HashKey::SourceIp,
        algorithm,
    };
    prop::sample::select(vec![
        LoadBalancer::RoundRobin,
        LoadBalancer::Random,
        LoadBalancer::LeastRequest { choices: 2 },
        LoadBalancer::PeakEwma {
            decay: Duration::from_secs(10),
            default_rtt: Duration::from_millis(30),
        },
        hash(HashAlgorithm::Ring { size_min: 32 }),
        hash(HashAlgorithm::Maglev { table_size: 31 }),
        LoadBalancer::PassThrough,
    ])
}

prop_compose! {
    fn any_endpoint()(
        number in 0u8..12, priority in 0u32..3, weight in 0u32..5, healthy: bool,
    ) -> Endpoint {
        let health = if healthy { EndpointHealth::Healthy } else { EndpointHealth::Unhealthy };
        Endpoint { priority, weight, health, ..endpoint(number) }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Outside panic an endpoint that is ejected, unhealthy or gone is never
    /// picked, and something is picked whenever anything is available.
    #[test]
    fn health_is_respected_outside_panic(
        load_balancer in algorithms(),
        threshold in prop::sample::select(vec![0u32, 50, 100]),
        generations in prop::collection::vec(
            (prop::collection::vec(any_endpoint(), 0..10), prop::collection::vec(0usize..10, 0..6)),
            1..5,
        ),
        seed: u64,
    ) {
        let mut bench = Bench::new(&cluster(load_balancer, threshold), &assignment(vec![]), seed);
        for (endpoints, ejections) in generations {
            bench.set.update(&assignment(endpoints), bench.now);
            for place in ejections.into_iter().filter(|place| *place < bench.set.len()) {
                bench.eject(place);
            }
            for _ in 0..20 {
                match bench.pick() {
                    Some(pick) => {
                        prop_assert!(!pick.endpoint.removed());
                        prop_assert!(pick.panicked || pick.endpoint.available());
                        prop_assert!(!pick.panicked || threshold > 0);
                        prop_assert_eq!(pick.priority, pick.endpoint.priority());
                    }
                    None => prop_assert_eq!(bench.set.available(), 0),
                }
            }
        }
    }

    /// Requests in flight are what was begun and not dropped, over any update.
    #[test]
    fn survivors_keep_their_state(
        first in prop::collection::vec(any_endpoint(), 1..10),
        second in prop::collection::vec(any_endpoint(), 1..10),
        begun in 1usize..5,
    ) {
        let set = EndpointSet::new(
            &cluster(LoadBalancer::Random, 50), &assignment(first), Instant::ZERO,
        );
        let guards: Vec<ActiveRequest> = (set.members().iter())
            .flat_map(|e| (0..begun).map(|_| e.begin(Instant::ZERO)))
            .collect();
        let before: Vec<_> = set.members().to_vec();
        before.iter().for_each(|e| { set.set_ejected(e, true); });
        let gone = set.update(&assignment(second), Instant::ZERO + Duration::from_secs(1));
        for endpoint in &before {
            let stays = set.members().iter().any(|e| Rc::ptr_eq(e, endpoint));
            prop_assert_eq!(stays, !endpoint.removed());
            prop_assert_eq!(!stays, gone.iter().any(|e| Rc::ptr_eq(e, endpoint)));
            prop_assert!(endpoint.ejected());
            prop_assert_eq!(endpoint.active() as usize, begun);
        }
        drop(guards);
        prop_assert!(before.iter().all(|e| e.active() == 0));
    }
}

#[test]
fn an_update_that_changes_nothing_is_no_new_generation() {
    let members = assignment((0..3).map(endpoint).collect());
    let set = EndpointSet::new(&cluster(LoadBalancer::Random, 50), &members, Instant::ZERO);
    let before = set.generation();
    assert!(set.update(&members, Instant::ZERO).is_empty());
    assert_eq!(set.generation(), before);
    let mut reversed = members;
    reversed.endpoints.reverse();
    set.update(&reversed, Instant::ZERO);
    assert_ne!(set.generation(), before);
}

#[test]
fn an_address_with_a_new_workload_is_a_new_endpoint() {
    let members = assignment(vec![endpoint(1)]);
    let set = EndpointSet::new(&cluster(LoadBalancer::Random, 50), &members, Instant::ZERO);
    let before = set.members()[0].clone();
    let mut reused = members;
    reused.endpoints[0].workload = "other".into();
    let gone = set.update(&reused, Instant::ZERO);
    assert!(Rc::ptr_eq(&gone[0], &before) && before.removed());
    assert_ne!(set.members()[0].id(), before.id());
}

#[test]
fn peak_ewma_shuns_the_slow() {
    let ewma = LoadBalancer::PeakEwma {
        decay: Duration::from_secs(10),
        default_rtt: Duration::from_millis(30),
    };
    let mut bench = Bench::of(ewma, 50, &[1; 3]);
    let slow = bench.set.members()[0].clone();
    for _ in 0..100 {
        let pick = bench.pick().unwrap();
        let mut request = pick.endpoint.begin(bench.now);
        let latency = if Rc::ptr_eq(&pick.endpoint, &slow) {
            500
        } else {
            5
        };
        bench.now = bench.now + Duration::from_millis(latency);
        request.measure(bench.now);
    }
    // In pairs with the slow one, the other is always cheaper: it is never picked.
    assert_eq!(bench.counts(100)[0], 0);
}

/// Mean time in system, in service times, of Poisson arrivals at `load` per
/// server over `servers` single servers of rate 1, by Little's law on the
/// uniformised chain: each step is an arrival, or one server's chance to finish.
fn time_in_system(load_balancer: LoadBalancer, load: f64, servers: u8, steps: u32) -> f64 {
    let mut bench = Bench::of(load_balancer, 50, &vec![1; usize::from(servers)]);
    let mut queues: Vec<Vec<ActiveRequest>> = (0..servers).map(|_| Vec::new()).collect();
    let (mut inside, mut area) = (0u64, 0u64);
    let mut rng = Rng::named(11, "queues");
    let warm = steps / 5;
    for step in 0..steps {
        if rng.uniform() < load / (1.0 + load) {
            let pick = bench
                .balancer
                .pick(bench.now, &mut bench.rng, &PickRequest::default());
            let request = pick.unwrap().endpoint.begin(bench.now);
            let server = request.endpoint().id().0 as usize;
            queues[server].push(request);
            inside += 1;
        } else {
            let server = rng.below(u64::from(servers)) as usize;
            inside -= u64::from(queues[server].pop().is_some());
        }
        if step >= warm {
            area += inside;
        }
    }
    area as f64 / f64::from(steps - warm) / (load * f64::from(servers))
}

#[test]
fn two_choices_shorten_queues_as_theory_says() {
    // Supermarket model (Mitzenmacher, TPDS 2001) at load 0.7: 3.333 for one
    // choice; 1.6145 for two in the limit, 1.62 with 100 servers.
    let one = time_in_system(LoadBalancer::Random, 0.7, 100, 1_000_000);
    assert!((one / 3.333 - 1.0).abs() < 0.05, "{one}");
    let two = time_in_system(
        LoadBalancer::LeastRequest { choices: 2 },
        0.7,
        100,
        1_000_000,
    );
    assert!((two / 1.6202 - 1.0).abs() < 0.03, "{two}");
}
