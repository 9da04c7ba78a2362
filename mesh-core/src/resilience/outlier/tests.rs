use super::*;
use crate::balance::fixture::Bench;
use crate::policy::{LoadBalancer, SuccessRate};
use proptest::prelude::*;

use Observation::{Answer, Connected, Failure};

const REFUSED: Observation = Failure(AttemptFailure::Connect);

fn policy() -> OutlierDetection {
    OutlierDetection {
        consecutive_5xx: None,
        consecutive_gateway: None,
        split_local_origin: false,
        consecutive_local: None,
        interval: Duration::from_millis(200),
        ejection_base: Duration::from_secs(1),
        ejection_max: Duration::from_secs(300),
        ejected_percent_max: 100,
        healthy_percent_min: 0,
        success_rate: None,
        failure_percentage: None,
        always_eject_one: false,
    }
}

fn at(ms: u64) -> Instant {
    Instant::ZERO + Duration::from_millis(ms)
}

struct Watched {
    bench: Bench,
    detector: OutlierDetector,
}

impl Watched {
    fn new(policy: OutlierDetection, endpoints: usize) -> Self {
        let bench = Bench::of(LoadBalancer::RoundRobin, 0, &vec![1; endpoints]);
        let detector = OutlierDetector::new(policy, bench.set.clone(), at(0));
        Self { bench, detector }
    }

    fn result(&self, place: usize, ms: u64, observation: Observation) -> Option<EjectionReason> {
        let endpoint = self.bench.set.members()[place].clone();
        let change = self.detector.on_result(&endpoint, at(ms), observation);
        change.and_then(|change| change.reason)
    }

    fn ejected(&self) -> usize {
        self.bench.set.ejected()
    }
}

#[test]
fn od_consecutive_5xx() {
    let watched = Watched::new(
        OutlierDetection {
            consecutive_5xx: Some(3),
            ..policy()
        },
        2,
    );
    for (ms, status) in [(0, 500), (1, 503), (2, 200), (3, 500), (4, 500)] {
        assert_eq!(watched.result(1, ms, Answer(status)), None);
    }
    let reason = watched.result(1, 5, Answer(502));
    assert_eq!(reason, Some(EjectionReason::Consecutive5xx));
    // Back at the first sweep after the base time: not at 1000 ms, but at 1200 ms.
    for sweep in [200, 400, 600, 800, 1000] {
        assert_eq!(watched.detector.next_sweep(), at(sweep));
        assert!(watched.detector.sweep(at(sweep)).is_empty());
    }
    let changes = watched.detector.sweep(at(1200));
    assert_eq!((changes.len(), changes[0].reason), (1, None));
    assert_eq!(watched.ejected(), 0);
}

#[test]
fn od_counts_retries() {
    let mut watched = Watched::new(
        OutlierDetection {
            consecutive_5xx: Some(3),
            ..policy()
        },
        1,
    );
    for attempt in 0..3 {
        assert!(watched.bench.pick().is_some());
        watched.result(0, attempt, Answer(503));
    }
    assert!(watched.bench.pick().is_none()); // the fourth attempt finds nobody: UH
}

#[test]
fn od_max_ejection_percent() {
    let cases = [
        (10, 10, 1),
        (10, 35, 3),
        (10, 50, 5),
        (10, 100, 10),
        (10, 0, 0),
        (3, 10, 0),
        (3, 34, 1),
        (3, 50, 1),
        (3, 67, 2),
        (2, 50, 1),
        (1, 10, 0),
        (4, 30, 1),
    ];
    for (endpoints, percent, expected) in cases {
        let rule = OutlierDetection {
            consecutive_5xx: Some(1),
            ejected_percent_max: percent,
            ..policy()
        };
        let fail_all = |watched: &Watched| {
            for place in 0..endpoints {
                watched.result(place, 0, Answer(500));
            }
            watched.ejected()
        };
        let watched = Watched::new(rule.clone(), endpoints);
        assert_eq!(fail_all(&watched), expected, "{endpoints} at {percent} %");
        let always = Watched::new(
            OutlierDetection {
                always_eject_one: true,
                ..rule
            },
            endpoints,
        );
        assert_eq!(fail_all(&always), expected.max(1));
    }
}

#[test]
fn od_split_local_origin() {
    let rule = OutlierDetection {
        split_local_origin: true,
        consecutive_local: Some(2),
        consecutive_5xx: Some(4),
        ..policy()
    };
    let watched = Watched::new(rule, 4);
    assert_eq!(watched.result(0, 0, REFUSED), None);
    let reason = watched.result(0, 0, REFUSED);
    assert_eq!(reason, Some(EjectionReason::ConsecutiveLocal));
    for answer in 1..=4 {
        watched.result(1, 0, Connected);
        let reason = watched.result(1, 0, Answer(500));
        assert_eq!(reason.is_some(), answer == 4);
    }
    // Resets and timeouts after a successful connect never add up.
    let reset = Failure(AttemptFailure::Reset { request_sent: true });
    for failure in [reset, Failure(AttemptFailure::Timeout)] {
        for _ in 0..7 {
            watched.result(2, 0, Connected);
            assert_eq!(watched.result(2, 0, failure), None);
        }
    }
}

#[test]
fn unsplit_local_failures_count_as_503_and_504() {
    let rule = OutlierDetection {
        consecutive_gateway: Some(2),
        ..policy()
    };
    let watched = Watched::new(rule, 1);
    watched.result(0, 0, REFUSED);
    watched.result(0, 0, Connected);
    watched.result(0, 0, Failure(AttemptFailure::Overflow));
    let reason = watched.result(0, 0, Failure(AttemptFailure::PerTryTimeout));
    assert_eq!(reason, Some(EjectionReason::ConsecutiveGateway));
}

#[test]
fn a_500_breaks_a_row_of_gateway_errors() {
    let rule = OutlierDetection {
        consecutive_gateway: Some(2),
        ..policy()
    };
    let watched = Watched::new(rule, 1);
    for status in [503, 500, 502] {
        assert_eq!(watched.result(0, 0, Answer(status)), None);
    }
    assert!(watched.result(0, 0, Answer(504)).is_some());
}

fn fill(watched: &Watched, failing: &[u32], requests: u32) {
    for (place, percent) in failing.iter().enumerate() {
        for request in 0..requests {
            let status = if request * 100 < percent * requests {
                500
            } else {
                200
            };
            watched.result(place, 0, Answer(status));
        }
    }
}

#[test]
fn od_success_rate() {
    let rate = SuccessRate {
        hosts_min: 5,
        requests_min: 20,
        stdev_factor_milli: 1900,
    };
    let by_rate = OutlierDetection {
        success_rate: Some(rate),
        ..policy()
    };
    let by_percentage = OutlierDetection {
        failure_percentage: Some(50),
        ..policy()
    };
    for (rule, reason) in [
        (by_rate.clone(), EjectionReason::SuccessRate),
        (by_percentage.clone(), EjectionReason::FailurePercentage),
    ] {
        let watched = Watched::new(rule, 6);
        fill(&watched, &[60, 0, 0, 0, 0, 0], 50);
        let changes = watched.detector.sweep(at(200));
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].reason, Some(reason));
        assert_eq!(
            changes[0].endpoint.id(),
            watched.bench.set.members()[0].id()
        );
    }
    for rule in [by_rate, by_percentage] {
        let too_few = Watched::new(rule, 4);
        fill(&too_few, &[60, 0, 0, 0], 50);
        assert!(too_few.detector.sweep(at(200)).is_empty());
    }
}

#[test]
fn the_threshold_is_mean_less_deviations() {
    // Rates 50 and four times 100: mean 90, deviation 20; 1.9 deviations below is 52.
    let rate = |stdev_factor_milli| OutlierDetection {
        success_rate: Some(SuccessRate {
            hosts_min: 5,
            requests_min: 10,
            stdev_factor_milli,
        }),
        ..policy()
    };
    for (factor, ejected) in [(1900, 1), (2000, 0)] {
        let watched = Watched::new(rate(factor), 5);
        fill(&watched, &[50, 0, 0, 0, 0], 10);
        assert_eq!(watched.detector.sweep(at(200)).len(), ejected);
        // An interval is judged once.
        assert!(watched.detector.sweep(at(400)).is_empty());
    }
}

#[test]
fn ejections_grow_to_the_maximum_and_shrink_with_good_behaviour() {
    let rule = OutlierDetection {
        consecutive_5xx: Some(1),
        ejection_max: Duration::from_secs(2),
        ..policy()
    };
    let watched = Watched::new(rule, 1);
    let endpoint = watched.bench.set.members()[0].clone();
    let mut ms = 0;
    let mut eject = |watched: &Watched| {
        let change = watched.detector.on_result(&endpoint, at(ms), Answer(500));
        assert!(change.is_some());
        while watched.ejected() == 1 {
            ms += 200;
            watched.detector.sweep(at(ms));
        }
        ms
    };
    let mut began = 0;
    for expected_ms in [1000, 2000, 2000, 2000] {
        let now = eject(&watched);
        assert_eq!(now - began, expected_ms);
        began = now;
    }
    // Each quiet interval after the return takes one step back.
    let mut now = began;
    for _ in 0..10 {
        now += 200;
        watched.detector.sweep(at(now));
    }
    let change = watched.detector.on_result(&endpoint, at(now), Answer(500));
    assert_eq!(change.unwrap().ejected_for, Duration::from_secs(1));
}

#[test]
fn results_in_flight_at_the_ejection_change_nothing() {
    let rule = OutlierDetection {
        consecutive_5xx: Some(1),
        ..policy()
    };
    let watched = Watched::new(rule, 2);
    assert!(watched.result(0, 0, Answer(500)).is_some());
    assert_eq!(watched.result(0, 1, Answer(500)), None);
    watched.detector.sweep(at(1000));
    assert_eq!(watched.ejected(), 0);
    assert!(watched.result(0, 1001, Answer(500)).is_some());
}

#[test]
fn an_ejection_ends_when_its_endpoint_leaves() {
    let watched = Watched::new(
        OutlierDetection {
            consecutive_5xx: Some(1),
            ..policy()
        },
        2,
    );
    assert!(watched.result(0, 0, Answer(500)).is_some());
    let [out, other] = [0, 1].map(|place| watched.bench.set.members()[place].clone());
    let change = watched.detector.left(&out).unwrap();
    assert_eq!((change.reason, change.ejected_now), (None, 0));
    assert!(watched.detector.left(&out).is_none(), "it ends once");
    assert!(watched.detector.left(&other).is_none(), "it was in service");
}

#[test]
fn all_return_when_the_policy_goes() {
    let watched = Watched::new(
        OutlierDetection {
            consecutive_5xx: Some(1),
            ..policy()
        },
        3,
    );
    for place in [0, 2] {
        assert!(watched.result(place, 0, Answer(500)).is_some());
    }
    let left: Vec<u32> = watched
        .detector
        .retire()
        .iter()
        .map(|change| change.ejected_now)
        .collect();
    assert_eq!(left, [1, 0]);
    assert_eq!(watched.ejected(), 0);
}

#[test]
fn endpoints_that_left_are_forgotten() {
    let watched = Watched::new(
        OutlierDetection {
            consecutive_5xx: Some(1),
            ..policy()
        },
        2,
    );
    let endpoint = watched.bench.set.members()[0].clone();
    watched.result(0, 0, Answer(500));
    watched
        .bench
        .set
        .update(&crate::balance::fixture::assignment(vec![]), at(1));
    assert!(
        watched
            .detector
            .on_result(&endpoint, at(2), Answer(500))
            .is_none()
    );
    assert!(watched.detector.sweep(at(200)).is_empty());
    assert!(watched.detector.records.borrow().is_empty());
}

proptest! {
    /// Never more out than allowed, and a quiet cluster gets everybody back.
    #[test]
    fn the_share_out_is_bounded_and_everybody_returns(
        endpoints in 1usize..12,
        percent in 0u32..=120,
        results in prop::collection::vec((0usize..12, 200u16..600, 0u64..400), 0..200),
    ) {
        let rule = OutlierDetection {
            consecutive_5xx: Some(2),
            consecutive_gateway: Some(2),
            ejected_percent_max: percent,
            success_rate: Some(SuccessRate { hosts_min: 2, requests_min: 2, stdev_factor_milli: 500 }),
            ..policy()
        };
        let watched = Watched::new(rule, endpoints);
        let mut ms = 0;
        for (place, status, gap) in results {
            ms += gap;
            while watched.detector.next_sweep() <= at(ms) {
                watched.detector.sweep(watched.detector.next_sweep());
            }
            watched.result(place % endpoints, ms, Answer(status));
            prop_assert!(watched.ejected() <= endpoints * percent.min(100) as usize / 100);
        }
        watched.detector.sweep(at(ms + 1));
        watched.detector.sweep(at(ms + 300_000));
        prop_assert_eq!(watched.ejected(), 0);
    }
}
