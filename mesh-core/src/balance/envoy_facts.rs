//! What Envoy 1.40.0 was observed to do, as tests; each names the recorded case.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::fixture::{Bench, assignment, cluster, endpoint};
use super::{EndpointId, PickRequest};
use crate::control::{Endpoint, EndpointHealth, Locality};
use crate::policy::{Fraction, HashAlgorithm, HashKey, LoadBalancer, Sourced, Warmup};
use crate::seam::Instant;

const LEAST_REQUEST: LoadBalancer = LoadBalancer::LeastRequest { choices: 2 };

fn located(number: u8, zone: &str, priority: u32) -> Endpoint {
    Endpoint {
        locality: Locality {
            region: "r".into(),
            zone: zone.into(),
            subzone: "".into(),
        },
        priority,
        ..endpoint(number)
    }
}

fn hashing(algorithm: HashAlgorithm) -> LoadBalancer {
    LoadBalancer::Hash {
        key: HashKey::Header("x-user".into()),
        algorithm,
    }
}

#[test]
fn lb_round_robin_rotates_strictly_from_anywhere() {
    let mut starts = BTreeSet::new();
    for seed in 0..16 {
        let members = assignment((0..3).map(endpoint).collect());
        let mut bench = Bench::new(&cluster(LoadBalancer::RoundRobin, 50), &members, seed);
        let picks: Vec<u32> = (0..30)
            .map(|_| bench.pick().unwrap().endpoint.id().0)
            .collect();
        assert!(
            picks.windows(2).all(|w| w[1] == (w[0] + 1) % 3),
            "{picks:?}"
        );
        starts.insert(picks[0]);
    }
    assert_eq!(starts.len(), 3);
}

#[test]
fn lb_weighted_rr_is_three_one_one() {
    let mut bench = Bench::of(LoadBalancer::RoundRobin, 50, &[3, 1, 1]);
    assert_eq!(bench.counts(500), [300, 100, 100]);
}

#[test]
fn lb_least_request_weighted_is_four_to_one_when_idle() {
    let mut bench = Bench::of(LEAST_REQUEST, 50, &[4, 1]);
    assert_eq!(bench.counts(500), [400, 100]);
}

#[test]
fn lb_random_is_uniform() {
    let mut bench = Bench::of(LoadBalancer::Random, 50, &[1; 4]);
    // 6 standard deviations of a binomial(4000, 1/4) are 164.
    for count in bench.counts(4000) {
        assert!(count.abs_diff(1000) < 164, "{count}");
    }
}

#[test]
fn lb_locality_weighted_follows_weights_and_health() {
    let mut members = assignment(vec![
        located(0, "A", 0),
        located(1, "A", 0),
        located(2, "B", 0),
        located(3, "B", 0),
        located(4, "C", 0),
        located(5, "C", 0),
    ]);
    members.locality_weights =
        BTreeMap::from([("r/A".into(), 70), ("r/B".into(), 20), ("r/C".into(), 10)]);
    let mut bench = Bench::new(&cluster(LoadBalancer::RoundRobin, 50), &members, 7);
    let zones = |counts: Vec<usize>| {
        [
            counts[0] + counts[1],
            counts[2] + counts[3],
            counts[4] + counts[5],
        ]
    };
    assert_eq!(zones(bench.counts(1500)), [1050, 300, 150]);
    bench.eject(0);
    let half = zones(bench.counts(1500)); // weights 49, 20, 10; recorded 930-931, 380, 189-190
    assert!(
        half[0].abs_diff(930) <= 1 && half[1].abs_diff(380) <= 1,
        "{half:?}"
    );
    bench.eject(1);
    let gone = zones(bench.counts(1500));
    assert!(gone[0] == 0 && gone[1].abs_diff(1000) <= 1, "{gone:?}");
}

#[test]
fn lb_priority_failover_spills_over() {
    // Recorded with 10 and 4 endpoints: share of the second priority, in percent.
    for (bad, second) in [
        (0, 0.0),
        (2, 0.0),
        (3, 2.0),
        (5, 30.0),
        (7, 58.0),
        (9, 86.0),
        (10, 100.0),
    ] {
        let first = (0..10).map(|n| Endpoint {
            health: [EndpointHealth::Healthy, EndpointHealth::Unhealthy][usize::from(n < bad)],
            ..endpoint(n)
        });
        let others = (10..14).map(|n| located(n, "b", 1));
        let members = assignment(first.chain(others).collect());
        let mut bench = Bench::new(&cluster(LoadBalancer::RoundRobin, 50), &members, 3);
        let counts = bench.counts(6000);
        assert_eq!(counts[..usize::from(bad)].iter().sum::<usize>(), 0);
        let share = counts[10..].iter().sum::<usize>() as f64 / 60.0;
        assert!((share - second).abs() < 3.0, "{bad} bad: {share}");
    }
}

#[test]
fn lb_priority_failover_with_all_bad() {
    let bad = |n: u8| Endpoint {
        health: EndpointHealth::Unhealthy,
        priority: u32::from(n >= 10),
        ..endpoint(n)
    };
    let members = assignment((0..14).map(bad).collect());
    let mut panicking = Bench::new(&cluster(LoadBalancer::RoundRobin, 50), &members, 3);
    let counts = panicking.counts(1400); // recorded 98-103 of 140 on the first ten
    let first: usize = counts[..10].iter().sum();
    assert!(first.abs_diff(1000) < 60, "{first}");
    assert!(panicking.pick().unwrap().panicked);
    let mut strict = Bench::new(&cluster(LoadBalancer::RoundRobin, 0), &members, 3);
    assert!(strict.pick().is_none());
}

#[test]
fn od_panic_partial_and_hc_panic_threshold() {
    let mut bench = Bench::of(LoadBalancer::RoundRobin, 50, &[1; 4]);
    assert_eq!(bench.counts(40), [10; 4]);
    bench.eject(0);
    let one_out = bench.counts(40);
    assert!(one_out[0] == 0 && one_out[1..].iter().all(|c| (13..=14).contains(c)));
    bench.eject(1);
    assert_eq!(bench.counts(40), [0, 0, 20, 20]);
    bench.eject(2);
    assert_eq!(bench.counts(40), [10; 4]);
    assert!(bench.pick().unwrap().panicked);
}

#[test]
fn hc_panic_threshold_zero_never_panics() {
    let mut bench = Bench::of(LoadBalancer::RoundRobin, 0, &[1; 4]);
    (0..3).for_each(|place| bench.eject(place));
    assert_eq!(bench.counts(40), [0, 0, 0, 40]);
    assert!(!bench.pick().unwrap().panicked);
    bench.eject(3);
    assert!(bench.pick().is_none());
}

#[test]
fn lb_ring_hash_is_sticky_and_random_without_a_hash() {
    for algorithm in [
        HashAlgorithm::Ring { size_min: 1024 },
        HashAlgorithm::Maglev { table_size: 251 },
    ] {
        let mut bench = Bench::of(hashing(algorithm), 50, &[1; 5]);
        for user in 0..50 {
            let request = PickRequest {
                hash: Some(xxhash_rust::xxh64::xxh64(
                    format!("user-{user}").as_bytes(),
                    0,
                )),
                ..PickRequest::default()
            };
            let mut draw = || bench.pick_for(&request).unwrap().endpoint.id();
            assert_eq!(draw(), draw());
        }
        assert!(bench.counts(200).iter().all(|count| *count > 0));
    }
}

#[test]
fn a_hash_keeps_to_weighted_localities() {
    let mut members = assignment(vec![located(0, "A", 0), located(1, "B", 0)]);
    members.locality_weights = BTreeMap::from([("r/A".into(), 1)]);
    let ring = hashing(HashAlgorithm::Ring { size_min: 64 });
    let mut bench = Bench::new(&cluster(ring.clone(), 50), &members, 1);
    assert_eq!(bench.counts(20), [20, 0]);
    members.locality_weights = BTreeMap::from([("r/Z".into(), 1)]);
    let mut nowhere = Bench::new(&cluster(ring, 50), &members, 1);
    assert!(nowhere.pick().is_none());
}

#[test]
fn redraws_avoid_endpoints_already_tried() {
    // Envoy's previous_hosts predicate with host_selection_retry_max_attempts.
    for load_balancer in [
        LoadBalancer::RoundRobin,
        LEAST_REQUEST,
        hashing(HashAlgorithm::Maglev { table_size: 251 }),
        hashing(HashAlgorithm::Ring { size_min: 64 }),
    ] {
        let mut bench = Bench::of(load_balancer, 50, &[1; 3]);
        let tried = [EndpointId(0), EndpointId(1)];
        let request = PickRequest {
            hash: Some(12),
            avoid: &tried,
            redraws_max: 100,
            ..PickRequest::default()
        };
        for _ in 0..20 {
            let picked = bench.pick_for(&request).unwrap().endpoint.id();
            assert_eq!(picked, EndpointId(2));
        }
        // All tried: the last draw stands.
        let all: Vec<_> = (0..3).map(EndpointId).collect();
        let request = PickRequest {
            avoid: &all,
            ..request
        };
        assert!(bench.pick_for(&request).is_some());
    }
}

#[test]
fn retries_may_leave_the_priority_tried() {
    let members = assignment(vec![located(0, "a", 0), located(1, "b", 1)]);
    let mut bench = Bench::new(&cluster(LEAST_REQUEST, 50), &members, 7);
    assert_eq!(bench.pick().unwrap().priority, 0);
    let elsewhere = PickRequest {
        avoid_priorities: &[0],
        ..PickRequest::default()
    };
    assert_eq!(bench.pick_for(&elsewhere).unwrap().priority, 1);
}

#[test]
fn a_warming_endpoint_gets_its_share_of_the_curve() {
    let mut cluster = cluster(LoadBalancer::RoundRobin, 50);
    let warmup = Warmup {
        duration: Duration::from_secs(60),
        weight_min: Fraction::from_ppm(100_000),
        aggression_milli: 1000,
    };
    cluster.warmup = Some(Sourced::default_of(warmup, "test"));
    let mut bench = Bench::new(&cluster, &assignment(vec![endpoint(0)]), 7);
    bench.now = Instant::ZERO + Duration::from_secs(600);
    bench
        .set
        .update(&assignment(vec![endpoint(0), endpoint(1)]), bench.now);
    let young = bench.counts(1100); // weights 1 and 0.1
    assert!(young[1].abs_diff(100) <= 1, "{young:?}");
    bench.now = bench.now + Duration::from_secs(30);
    let middle = bench.counts(1500); // weights 1 and 0.5; one pick was still due at 0.1
    assert!(middle[1].abs_diff(500) <= 5, "{middle:?}");
    bench.now = bench.now + Duration::from_secs(31);
    let grown = bench.counts(1000);
    assert!(grown[1].abs_diff(500) <= 5, "{grown:?}");
}
