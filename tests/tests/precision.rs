//! Exact time, end to end: links of L nanoseconds make a mesh whose times are
//! multiples of L, whatever L is, and nothing else adds a nanosecond.

use std::time::Duration;

use mesh_core::policy::Sourced;
use meshquake::plan::{
    Distribution, EdgeSelector, FarEnd, FaultKind, FaultPlan, Load, NetworkFault, Plan,
    PodSelector, Schedule, Step, Take,
};
use meshquake_reports::RequestOutcome;
use meshquake_tests::mesh::{self, observe};

const SEED: u64 = 22;

fn ns(ns: u64) -> Duration {
    Duration::from_nanos(ns)
}

fn constant(nanos: u64) -> Distribution {
    Distribution::Constant(ns(nanos))
}

/// One user who sends the next request when the last is answered.
fn one_after_another() -> Load {
    Load::Closed {
        users: 1,
        think: Distribution::ZERO,
    }
}

/// A client and an app that sleeps, on links of `link` nanoseconds.
fn pair(link: u64, sleep: u64, duration: Duration) -> Plan {
    let mut plan = mesh::empty(SEED, constant(link), duration);
    let app = mesh::scripted(vec![Step::Sleep(constant(sleep))]);
    mesh::add_service(&mut plan, "echo", 1, app);
    plan
}

/// A round trip on a warm connection is 2 L; the first request pays two more, for TCP and for TLS 1.3.
#[test]
fn a_round_trip_is_twice_the_link() {
    let mut plan = pair(250_000, 0, Duration::from_secs(2));
    mesh::add_client(&mut plan, "client", "echo", mesh::evenly(500.0));
    let latencies: Vec<u64> = observe(&plan)
        .requests
        .iter()
        .map(mesh::Request::latency)
        .collect();
    assert_eq!(latencies.len(), 1000);
    assert_eq!(latencies[0], 1_500_000);
    assert!(latencies[1..].iter().all(|latency| *latency == 500_000));
}

/// Many round trips add up to the nanosecond: request k begins when all before it have taken their time.
#[test]
fn no_error_builds_up() {
    for (link, sleep) in [
        (0, 1),
        (250_000, 0),
        (250_000, 100_000),
        (123_457, 1),
        (1, 1),
    ] {
        let cycle = 2 * link + sleep;
        let cold = cycle + 4 * link;
        let mut plan = pair(link, sleep, ns(cold + 999 * cycle));
        mesh::add_client(&mut plan, "client", "echo", one_after_another());
        let ran = observe(&plan);
        let begun: Vec<u64> = ran
            .requests
            .iter()
            .map(|request| request.intended_ns)
            .collect();
        let expected = (0..1000).map(|k| if k == 0 { 0 } else { cold + (k - 1) * cycle });
        assert_eq!(
            begun,
            expected.collect::<Vec<_>>(),
            "L = {link} ns, sleep {sleep} ns"
        );
        let ended = ran
            .requests
            .iter()
            .filter(|request| request.latency_ns.is_some());
        assert!(ended.skip(1).all(|request| request.latency() == cycle));
    }
}

/// A client and six services in a row, each calling the next: six hops, each through two sidecars.
fn chain(link: u64) -> Plan {
    let mut plan = mesh::empty(SEED, constant(link), Duration::from_secs(12));
    for hop in 1..=6 {
        let app = match hop {
            6 => mesh::echo(),
            _ => mesh::scripted(vec![mesh::call(&format!("s{}", hop + 1))]),
        };
        mesh::add_service(&mut plan, &format!("s{hop}"), 1, app);
    }
    mesh::add_client(&mut plan, "client", "s1", mesh::evenly(0.5));
    plan
}

/// With zero service time, six hops over links of length L take exactly 6 L there and 6 L back; a first request, which
/// opens six connections one after the other, 4 L more per hop.
#[test]
fn six_hops_take_six_links_there_and_six_back() {
    for link in [0, 1, 333, 123_457, 250_000, 999_999, 1_000_003, 40_000_000] {
        let ran = observe(&chain(link));
        let latencies: Vec<u64> = ran.requests.iter().map(mesh::Request::latency).collect();
        let mut expected = [2 * 6 * link; 6];
        expected[0] = 6 * (4 + 2) * link;
        assert_eq!(latencies, expected, "L = {link} ns");
    }
}

/// Each direction by itself: what is added to the links there, or back, comes six times.
#[test]
fn each_way_counts_its_own_links() {
    const L: u64 = 250_000;
    let mut plan = chain(L);
    let pod = |hop: u32| match hop {
        0 => "client".to_owned(),
        hop => format!("s{hop}-0"),
    };
    let slow = |at, from: u32, to: u32, add| FaultPlan {
        name: format!("slow {from} to {to}"),
        what: String::new(),
        schedule: Schedule::once(Duration::from_secs(at), Some(Duration::from_secs(2))),
        ramp: Duration::ZERO,
        kind: FaultKind::Network(NetworkFault::Latency {
            on: EdgeSelector {
                from: selected(pod(from)),
                to: FarEnd::Pods(selected(pod(to))),
                both_ways: false,
                port: None,
            },
            add: constant(add),
        }),
        place: String::new(),
    };
    for hop in 0..6 {
        plan.faults.push(slow(3, hop, hop + 1, 777_777));
        plan.faults.push(slow(7, hop + 1, hop, 1));
    }
    let latencies: Vec<u64> = observe(&plan)
        .requests
        .iter()
        .map(mesh::Request::latency)
        .collect();
    // Sent at 0, 2, 4, … s: the third finds the way there longer, the fifth the way back.
    let warm = 12 * L;
    assert_eq!(
        latencies,
        [36 * L, warm, warm + 6 * 777_777, warm, warm + 6, warm]
    );
}

fn selected(pod: String) -> PodSelector {
    PodSelector {
        take: Take::All,
        text: pod.clone(),
        pods: vec![pod],
    }
}

/// Sleeps of less than a millisecond are slept as they are.
#[test]
fn sleeps_are_exact_below_a_millisecond() {
    for sleep in [1, 999, 100_000, 999_999, 1_000_001] {
        let mut plan = pair(50_000, sleep, Duration::from_millis(200));
        mesh::add_client(&mut plan, "client", "echo", mesh::evenly(100.0));
        let ran = observe(&plan);
        assert_eq!(ran.requests.len(), 20);
        for request in &ran.requests[1..] {
            assert_eq!(request.latency(), 100_000 + sleep);
            assert_eq!(request.split().service_ns, sleep);
        }
    }
}

/// So are timeouts: a client's own, and a sidecar's for its route.
#[test]
fn timeouts_are_exact_below_a_millisecond() {
    let mut plan = pair(250_000, 0, Duration::from_millis(200));
    mesh::add_client(&mut plan, "client", "echo", mesh::evenly(100.0));
    plan.traffic[0].timeout = Some(ns(300_001));
    for request in observe(&plan).requests {
        let found = (request.outcome, request.latency_ns);
        assert_eq!(found, (RequestOutcome::Timeout, Some(300_001)));
    }
    plan.traffic[0].timeout = None;
    plan.mesh.profile.timeout = Sourced::default_of(Some(ns(499_999)), "a test");
    for request in observe(&plan).requests {
        let found = (request.status, request.latency_ns, request.flags.as_str());
        assert_eq!(found, (Some(504), Some(499_999), "UT"));
    }
}
