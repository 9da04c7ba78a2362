//! Small runs, event by event: windows by faults, recovery and what sustains an overload.

use std::time::Duration;

use mesh_core::seam::Instant;
use mesh_core::telemetry::AttemptEvent;
use meshquake_reports::{ExpectationReport, Recovered, RecoveryReport};

use super::occurrence::tests::event;
use super::{ClientEnd, Teller, Witness, judge};
use crate::plan::{
    Arrivals, Bound, BurstPlan, Claim, Comparison, Demand, Expectation, FaultSet, FaultWindow,
    Load, Mark, Measure, Offset, Plan, RatePoint, RateProfile, Subject, Turn, Window,
};
use crate::record::{AppEvent, AppOutcome, FaultPhase, PodChange, PodEvent, sample};

const S: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn cut() -> FaultSet {
    FaultSet {
        indices: vec![0],
        name: "cut".into(),
    }
}

fn later(seconds: u64) -> Offset {
    Offset::later(Duration::from_secs(seconds))
}

/// The sample's plan, over two minutes, with these expectations.
fn plan(expectations: Vec<Expectation>) -> Plan {
    let mut plan = sample::plan();
    plan.duration = Duration::from_secs(120);
    plan.expectations = expectations;
    plan
}

fn success(faults: Vec<FaultWindow>) -> Expectation {
    let mut window = Window::clock(Duration::ZERO, Duration::from_secs(120));
    window.faults = faults;
    measured(
        Subject::Traffic("shoppers".into()),
        Measure::Success,
        window,
    )
}

fn measured(subject: Subject, measure: Measure, window: Window) -> Expectation {
    Expectation {
        demand: Demand::Measured {
            claim: Claim::new(subject, measure).unwrap(),
            window,
        },
        bound: Bound {
            comparison: Comparison::AtLeast,
            value: 0.0,
        },
        place: "scenario.yaml:9".into(),
    }
}

fn recovers(share: f64, within: f64) -> Expectation {
    Expectation {
        demand: Demand::Recovers {
            traffic: "shoppers".into(),
            share,
        },
        bound: Bound {
            comparison: Comparison::AtMost,
            value: within,
        },
        place: "scenario.yaml:9".into(),
    }
}

/// What happens, second by second: how many requests, how many of them succeed, attempts per request, the time in
/// line in ms, and whether the work is wasted.
#[derive(Clone, Copy)]
struct Second {
    offered: u64,
    succeeded: u64,
    attempts: u64,
    wait_ms: u64,
    wasted: bool,
    /// The length of the line; as long as the time in it when nothing is said.
    line: Option<u32>,
}

const FINE: Second = Second {
    offered: 50,
    succeeded: 50,
    attempts: 1,
    wait_ms: 1,
    wasted: false,
    line: None,
};
const BROKEN: Second = Second {
    offered: 50,
    succeeded: 0,
    attempts: 2,
    wait_ms: 5_000,
    wasted: true,
    line: None,
};

/// Plays two minutes to a witness; the fault, if the plan has one, is there from second 20 to second `healed`.
fn play(plan: &Plan, healed: u64, second: impl Fn(u64) -> Second) -> Witness {
    let mut witness = Witness::new(plan);
    witness.meet(0, "shoppers", "reviews");
    let faulty = !plan.faults.is_empty();
    for now in 0..120 {
        if faulty && now == 20 {
            witness.fault(at(20 * S), &event(0, FaultPhase::Began));
        }
        if faulty && now == healed {
            witness.fault(at(healed * S), &event(0, FaultPhase::Ended));
        }
        play_second(&mut witness, now * S, second(now));
    }
    if faulty && healed >= 120 {
        witness.fault(at(120 * S), &event(0, FaultPhase::Ended));
    }
    witness.close(plan, at(120 * S));
    witness
}

fn play_second(witness: &mut Witness, from: u64, second: Second) {
    let teller = Teller {
        host: 0,
        pod: "client-shoppers",
        service: "shoppers",
        source: Some(0),
    };
    for i in 0..second.offered {
        let start = at(from + i * S / second.offered.max(1));
        witness.sent(0, 0, start, start);
        for number in 1..=second.attempts {
            let attempt = AttemptEvent {
                start,
                ..sample::attempt(1, number as u32, 0, 1_000)
            };
            witness.attempt(0, teller, start, &attempt);
        }
        let mut request = sample::through_sidecar(1, 0, [0, 0, 0, 1_000, 0]);
        request.start = start;
        request.attempts = second.attempts as u32;
        witness.outbound(0, teller, start, &request);
        let started = start + Duration::from_millis(second.wait_ms);
        let work = AppEvent {
            pod: "reviews-v1-1",
            service: "reviews",
            trace: 1,
            arrived: start,
            started: Some(started),
            ended: started + Duration::from_millis(35),
            outcome: if second.wasted {
                AppOutcome::Wasted
            } else {
                AppOutcome::Answered
            },
            status: 200,
            queue: second.line.unwrap_or(second.wait_ms as u32),
        };
        witness.app(&work, |at| at);
        let succeeded = i < second.succeeded;
        let end = ClientEnd {
            traffic: 0,
            intended: start,
            ended: start + Duration::from_millis(5),
            succeeded,
            latency: succeeded.then_some(5 * MS),
            status: if succeeded { 200 } else { 503 },
            flags: None,
        };
        witness.ended(&end, start);
    }
}

fn judged(plan: &Plan, witness: &Witness) -> (Vec<ExpectationReport>, Vec<RecoveryReport>) {
    let recovery = witness.recovery(plan, 120 * S);
    (judge(plan, witness, &recovery, 120 * S), recovery)
}

fn recovery(plan: &Plan, healed: u64, second: impl Fn(u64) -> Second) -> RecoveryReport {
    let witness = play(plan, healed, second);
    judged(plan, &witness).1.remove(0)
}

#[test]
fn windows_follow_the_faults() {
    let mark = |turn| Mark {
        turn,
        offset: Offset::default(),
    };
    let during = FaultWindow::Each {
        faults: cut(),
        from: mark(Turn::Begin),
        to: Some(mark(Turn::Heal)),
    };
    let before = |offset| FaultWindow::Before {
        faults: cut(),
        offset,
    };
    let after = |offset| FaultWindow::After {
        faults: cut(),
        offset,
    };
    let plan = plan(vec![
        success(vec![during]),
        success(vec![before(Offset::default())]),
        success(vec![before(Offset::earlier(Duration::from_secs(5)))]),
        success(vec![after(later(10))]),
        success(vec![after(later(0)), before(Offset::default())]),
    ]);
    let witness = play(&plan, 30, |now| Second {
        succeeded: if (20..40).contains(&now) { 0 } else { 50 },
        ..FINE
    });
    let told = judged(&plan, &witness).0;
    let measured: Vec<_> = told
        .iter()
        .map(|e| (e.window.from_s, e.window.to_s, e.requests, e.measured))
        .collect();
    assert_eq!(
        measured,
        [
            (20.0, 30.0, 500, Some(0.0)),
            (0.0, 20.0, 1_000, Some(1.0)),
            (0.0, 15.0, 750, Some(1.0)),
            (40.0, 120.0, 4_000, Some(1.0)),
            (0.0, 0.0, 0, None),
        ]
    );
    assert!(
        told[4].message.starts_with("there was no time"),
        "{}",
        told[4].message
    );
}

#[test]
fn a_fault_that_comes_back_begins_its_aftermath_anew() {
    let after = FaultWindow::After {
        faults: cut(),
        offset: Offset::default(),
    };
    let plan = plan(vec![success(vec![after])]);
    let mut witness = Witness::new(&plan);
    for (began, healed) in [(20, 30), (60, 70)] {
        witness.fault(at(began * S), &event(0, FaultPhase::Began));
        witness.fault(at(healed * S), &event(0, FaultPhase::Ended));
        for now in healed..healed + 10 {
            play_second(&mut witness, now * S, FINE);
        }
    }
    witness.close(&plan, at(120 * S));
    let told = judged(&plan, &witness).0;
    assert_eq!((told[0].window.from_s, told[0].requests), (70.0, 500));
}

#[test]
fn an_edge_and_the_mesh_have_measures_of_their_own() {
    let whole = || Window::clock(Duration::ZERO, Duration::from_secs(120));
    let edge = || Subject::Edge {
        from: Some("shoppers".into()),
        to: None,
    };
    let plan = plan(vec![
        measured(edge(), Measure::Attempts, whole()),
        measured(edge(), Measure::Fairness, whole()),
        measured(edge(), Measure::Rate, whole()),
        measured(Subject::Mesh, Measure::Wasted, whole()),
        measured(
            Subject::Service("reviews".into()),
            Measure::Wait(0.5),
            whole(),
        ),
    ]);
    let witness = play(&plan, 30, |now| if now < 60 { FINE } else { BROKEN });
    let told = judged(&plan, &witness).0;
    let measured: Vec<_> = told
        .iter()
        .map(|e| (e.subject.as_str(), e.measured))
        .collect();
    assert_eq!(
        measured,
        [
            ("shoppers → any", Some(1.5)),
            ("shoppers → any", Some(1.0)),
            ("shoppers → any", Some(50.0)),
            ("the mesh", Some(0.5)),
            ("service reviews", Some(1.0)),
        ]
    );
}

#[test]
fn goodput_is_back_from_the_first_good_second_on() {
    let plan = plan(vec![recovers(0.99, 15.0), recovers(0.99, 5.0)]);
    let witness = play(&plan, 30, |now| Second {
        // One lucky second in the middle of the outage is no recovery.
        succeeded: if (20..42).contains(&now) && now != 33 {
            0
        } else {
            50
        },
        ..FINE
    });
    let (told, recovery) = judged(&plan, &witness);
    assert_eq!(told[0].measured, Some(12.0));
    assert_eq!((told[0].held, told[1].held), (true, false));
    assert_eq!(
        told[1].message,
        "goodput of shoppers was back to 99% after 12 s, not <= 5 s"
    );
    assert_eq!(recovery[0].recovered, Recovered::Yes);
    assert_eq!(
        (recovery[0].healed_s, recovery[0].before_per_s),
        (30.0, 50.0)
    );
}

/// The share that succeeds counts, because how many requests an open load sends is chance.
#[test]
fn fewer_requests_are_not_less_goodput() {
    let told = recovery(&plan(vec![recovers(0.999, 5.0)]), 30, |now| Second {
        offered: if now < 30 { 50 } else { 40 },
        succeeded: if now < 30 { 50 } else { 40 },
        ..FINE
    });
    assert_eq!((told.recovered, told.after_s), (Recovered::Yes, Some(0.0)));
}

#[test]
fn overload_that_outlives_its_cause_is_metastable() {
    let told = recovery(
        &plan(vec![]),
        30,
        |now| if now < 20 { FINE } else { BROKEN },
    );
    assert_eq!(told.recovered, Recovered::Metastable);
    let cause = told.sustained_by.unwrap();
    assert_eq!(
        cause.sentence,
        "shoppers → reviews: 2.00 attempts per request (1.00 before) make 100/s on a capacity of \
         about 57.1/s; 100% of the work is for callers that have gone; requests wait 5.00 s in \
         line, and their callers 2.00 s"
    );
    assert_eq!(cause.layers[0].attempts.before, Some(1.0));
    assert_eq!(cause.layers[0].attempts.after, Some(2.0));
    assert_eq!(cause.layers[0].wasted.after, Some(1.0));
}

fn broken_after(now: u64) -> Second {
    if now < 20 { FINE } else { BROKEN }
}

#[test]
fn a_demand_above_what_is_reached_makes_the_difference() {
    let shaky = |now: u64| Second {
        succeeded: if now < 20 { 50 } else { 40 },
        ..broken_after(now)
    };
    assert_eq!(recovery(&plan(vec![]), 30, shaky).recovered, Recovered::No);
    let demanded = plan(vec![recovers(0.9, 10.0)]);
    assert_eq!(
        recovery(&demanded, 30, shaky).recovered,
        Recovered::Metastable
    );
}

#[test]
fn a_fault_that_never_heals_is_no_recovery() {
    let plan = plan(vec![recovers(0.9, 10.0)]);
    let witness = play(&plan, 120, broken_after);
    let (told, recovery) = judged(&plan, &witness);
    assert!(recovery.is_empty() && !told[0].held);
    assert_eq!(
        told[0].message,
        "crash reviews-v1-0 had not healed when the run ended, so there is no recovery to measure"
    );
}

#[test]
fn more_load_than_before_is_overload() {
    let told = recovery(&plan(vec![]), 30, |now| Second {
        offered: if now < 30 { 50 } else { 80 },
        ..broken_after(now)
    });
    assert_eq!(told.recovered, Recovered::No);
}

#[test]
fn a_pod_that_stays_away_is_less_capacity() {
    let plan = plan(vec![]);
    let mut witness = play(&plan, 30, broken_after);
    let crashed = PodEvent {
        pod: "reviews-v1-0",
        change: PodChange::Crashed,
    };
    witness.pod(&crashed);
    assert_eq!(judged(&plan, &witness).1[0].recovered, Recovered::No);
    witness.pod(&PodEvent {
        change: PodChange::Ready,
        ..crashed
    });
    assert_eq!(
        judged(&plan, &witness).1[0].recovered,
        Recovered::Metastable
    );
}

#[test]
fn a_line_that_gets_shorter_is_a_drain() {
    let told = recovery(&plan(vec![]), 30, |now| Second {
        wait_ms: if now < 20 { 1 } else { 20_000 - 100 * now },
        ..broken_after(now)
    });
    assert_eq!(told.recovered, Recovered::NotYet);
}

/// The time in a full line varies as the work does.
#[test]
fn a_line_that_stays_full_is_no_drain() {
    let told = recovery(&plan(vec![]), 30, |now| Second {
        wait_ms: if now < 20 { 1 } else { 20_000 - 100 * now },
        line: Some(if now < 20 { 0 } else { 400 }),
        ..broken_after(now)
    });
    assert_eq!(told.recovered, Recovered::Metastable);
}

#[test]
fn goodput_that_rises_is_on_its_way() {
    let told = recovery(&plan(vec![]), 30, |now| Second {
        succeeded: if now < 20 { 50 } else { now.saturating_sub(80) },
        ..broken_after(now)
    });
    assert_eq!(told.recovered, Recovered::NotYet);
}

#[test]
fn without_a_loop_nobody_is_accused() {
    let told = recovery(&plan(vec![]), 30, |now| Second {
        attempts: 1,
        wasted: false,
        ..broken_after(now)
    });
    assert_eq!((told.recovered, told.sustained_by), (Recovered::No, None));
}

#[test]
fn a_moment_after_the_heal_shows_nothing() {
    let told = recovery(&plan(vec![]), 115, broken_after);
    assert_eq!(told.recovered, Recovered::No);
}

#[test]
fn users_who_wait_are_counted_by_what_they_get() {
    let mut plan = plan(vec![]);
    plan.traffic[0].load = Load::Closed {
        users: 5,
        think: crate::plan::Distribution::ZERO,
    };
    let slow = |now: u64| Second {
        offered: if now < 20 { 50 } else { 10 },
        succeeded: if now < 20 { 50 } else { 10 },
        ..FINE
    };
    let told = recovery(&plan, 30, slow);
    assert_eq!(told.after_s, None);
    assert!((told.ratio - 0.2).abs() < 1e-9, "{}", told.ratio);
    plan.traffic[0].load = Load::Open {
        rate: RateProfile(vec![RatePoint {
            at: Duration::ZERO,
            per_second: 50.0,
        }]),
        arrivals: Arrivals::Poisson,
    };
    assert_eq!(recovery(&plan, 30, slow).after_s, Some(0.0));
}

/// A plan without faults, whose shoppers come in a burst at these times.
fn bursting(stretches: &[(u64, u64)], expectations: Vec<Expectation>) -> Plan {
    let mut plan = plan(expectations);
    plan.faults.clear();
    bring(&mut plan, "burst of shoppers", stretches);
    plan
}

fn bring(plan: &mut Plan, name: &str, stretches: &[(u64, u64)]) {
    let seconds = |(from, to): &(u64, u64)| (Duration::from_secs(*from), Duration::from_secs(*to));
    plan.traffic[0].bursts.push(BurstPlan {
        name: name.into(),
        stretches: stretches.iter().map(seconds).collect(),
        place: "scenario.yaml:7:5".into(),
    });
}

#[test]
fn a_burst_is_a_trigger_like_a_fault() {
    let fault = recovery(&plan(vec![]), 30, broken_after);
    let burst = recovery(&bursting(&[(20, 30)], vec![]), 0, broken_after);
    assert_eq!(burst.recovered, Recovered::Metastable);
    let sentence = super::broken(&burst).unwrap();
    let begun = "shoppers stayed broken after the burst of shoppers was over at 30 s: 0/s succeed";
    assert!(sentence.starts_with(begun), "{sentence}");
    assert_eq!(burst.burst.as_deref(), Some("burst of shoppers"));
    let numbers = |told: &RecoveryReport| {
        let sentence = told.sustained_by.as_ref().map(|told| told.sentence.clone());
        (told.healed_s, told.before_per_s, told.ratio, sentence)
    };
    assert_eq!(numbers(&burst), numbers(&fault));
}

#[test]
fn goodput_comes_back_after_a_burst() {
    let plan = bursting(&[(20, 30)], vec![recovers(0.95, 5.0)]);
    let witness = play(&plan, 0, |now| match now {
        20..33 => BROKEN,
        _ => FINE,
    });
    let (told, recovery) = judged(&plan, &witness);
    assert_eq!(recovery[0].after_s, Some(3.0));
    assert_eq!((told[0].held, told[0].measured), (true, Some(3.0)));
}

#[test]
fn the_last_of_faults_and_bursts_counts() {
    let mut both = plan(vec![]);
    bring(&mut both, "burst of shoppers", &[(60, 70)]);
    let late = recovery(&both, 30, |now| match now {
        20..40 | 60..72 => BROKEN,
        _ => FINE,
    });
    assert_eq!((late.healed_s, late.after_s), (70.0, Some(2.0)));
    assert_eq!(late.burst.as_deref(), Some("burst of shoppers"));
    let mut both = plan(vec![]);
    bring(&mut both, "burst of shoppers", &[(10, 15)]);
    let early = recovery(&both, 30, broken_after);
    assert_eq!((early.healed_s, early.burst), (30.0, None));
    assert_eq!(early.before_per_s, 50.0, "before the burst");
    assert_eq!(early.recovered, Recovered::Metastable);
}

/// It is there before the fault and after it.
#[test]
fn a_burst_that_comes_again_belongs_to_the_load() {
    let often = [(5, 6), (35, 36), (65, 66), (95, 96)];
    let mut both = plan(vec![]);
    bring(&mut both, "burst of shoppers", &often);
    let fault = recovery(&plan(vec![]), 30, broken_after);
    assert_eq!(recovery(&both, 30, broken_after), fault);
    // Where it is all there is, its last time is the last trigger.
    let alone = recovery(&bursting(&often, vec![]), 0, |_| FINE);
    assert_eq!((alone.healed_s, alone.after_s), (96.0, Some(0.0)));
}

#[test]
fn some_bursts_have_no_before_or_no_after() {
    let first = bursting(&[(0, 10)], vec![]);
    assert_eq!(judged(&first, &play(&first, 0, |_| FINE)).1, []);
    let plan = bursting(&[(100, 130)], vec![recovers(0.9, 10.0)]);
    let (told, recovery) = judged(&plan, &play(&plan, 0, broken_after));
    assert_eq!(recovery, []);
    assert_eq!(
        told[0].message,
        "burst of shoppers had not healed when the run ended, so there is no recovery to measure"
    );
    let late = bursting(&[(200, 210)], vec![]);
    assert_eq!(judged(&late, &play(&late, 0, broken_after)).1, []);
}
