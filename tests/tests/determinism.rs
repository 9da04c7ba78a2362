//! One plan and one seed give one run: twice in a process, in threads side by
//! side, on a machine that stalls. Another seed gives another.

use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use meshquake::plan::{Distribution, Plan};
use meshquake_tests::chaos;
use meshquake_tests::mesh::{self, Ran, Request, observe, observe_with};

const SEED: u64 = 41;

/// What a run was: its digest, its log, and its report but for the time it took.
type Account = (String, Vec<Request>, String);

fn account(ran: Ran) -> Account {
    let mut report = ran.report;
    report.wall_seconds = 0.0;
    let json = report.to_json().unwrap();
    (report.digest, ran.requests, json)
}

/// The run that others are compared with.
fn reference() -> &'static Account {
    static REFERENCE: OnceLock<Account> = OnceLock::new();
    REFERENCE.get_or_init(|| account(observe(&chaos::plan(SEED))))
}

#[track_caller]
fn assert_same(found: &Account, reference: &Account) {
    // The log first: it says which request differs.
    for (found, reference) in found.1.iter().zip(&reference.1) {
        assert_eq!(found, reference);
    }
    assert_eq!(found.1.len(), reference.1.len());
    assert_eq!(found.2, reference.2);
    assert_eq!(found.0, reference.0);
}

/// The chaos is one: otherwise equal runs prove little.
#[test]
fn the_plan_is_chaos() {
    let ran = observe(&chaos::plan(SEED));
    let report = &ran.report;
    let (shoppers, robots) = (&report.traffic["shoppers"], &report.traffic["robots"]);
    println!("{:?} {:?}", shoppers.status, shoppers.unanswered);
    println!("{:?} {:?}", robots.status, robots.unanswered);
    println!("{:?} {:?}", report.mechanisms, report.network);
    for service in &report.services {
        println!("{}: {} requests, {} errors, {} cancelled, {} wasted", service.name, service.requests, service.errors, service.cancelled, service.wasted);
    }
    for client in [shoppers, robots] {
        assert!(client.unanswered["timeout"] > client.requests / 5, "callers give up in masses");
        assert!(client.succeeded > client.requests / 5, "and do not all");
    }
    let network = &report.network;
    assert!(network.lost > 100 && network.parked > 0 && network.reset > 0, "{network:?}");
    let (cart, stock) = (&report.services[1], &report.services[2]);
    assert!(cart.wasted > 100 && stock.cancelled > 10);
    for mechanism in ["retry", "ejection"] {
        assert!(report.mechanisms.get(mechanism).is_some_and(|count| *count > 0), "{mechanism}");
    }
    assert_eq!(report.digest, reference().0);
}

#[test]
fn two_runs_in_one_process_are_the_same() {
    assert_same(&account(observe(&chaos::plan(SEED))), reference());
}

#[test]
fn runs_in_two_threads_are_the_same() {
    let both: Vec<Account> = thread::scope(|scope| {
        let run = || scope.spawn(|| account(observe(&chaos::plan(SEED))));
        let threads = [run(), run()];
        threads.map(|thread| thread.join().unwrap()).into()
    });
    assert_same(&both[0], &both[1]);
    assert_same(&both[0], reference());
}

/// Stops the world's thread for real time now and then, in the way of a busy machine or a closed lid.
#[expect(clippy::disallowed_methods, reason = "this test is about real time that passes behind a run's back")]
fn stall(at: Duration, length: Duration) {
    // One of the thousand slices in each 800 ms.
    let slice = chaos::DURATION / 1000;
    let often = slice * 200;
    if at.as_nanos() % often.as_nanos() < slice.as_nanos() {
        thread::sleep(length);
    }
}

#[test]
fn a_machine_that_stalls_changes_nothing() {
    let ran = observe_with(&chaos::plan(SEED), |at, _| stall(at, Duration::from_millis(700)));
    assert_same(&account(ran), reference());
}

/// HTTP/2 keeps the streams that it has reset for a while, against frames that come late; if that while is real time, a
/// stall changes what a late frame meets. Callers here give up while the answer is on its way.
fn cancellations() -> Plan {
    let mut plan = mesh::empty(SEED, Distribution::Constant(Duration::from_millis(20)), chaos::DURATION);
    let mut app = mesh::scripted(vec![meshquake::plan::Step::Sleep(Distribution::Uniform {
        low: Duration::ZERO,
        high: Duration::from_millis(10),
    })]);
    app.fallback.response_bytes = 20_000;
    mesh::add_service(&mut plan, "echo", 2, app);
    plan.services[0].ports[0].http2 = true;
    mesh::add_client(&mut plan, "hasty", "echo", mesh::poisson(1000.0));
    mesh::add_client(&mut plan, "patient", "echo", mesh::poisson(200.0));
    for traffic in &mut plan.traffic {
        traffic.request.body_bytes = 2000;
    }
    plan.traffic[0].timeout = Some(Duration::from_millis(44));
    plan
}

#[test]
fn a_stall_longer_than_http2_remembers_resets_changes_nothing() {
    let smooth = account(observe(&cancellations()));
    let given_up = smooth.1.iter().filter(|request| request.status.is_none()).count();
    assert!(given_up > 1500, "{given_up}");
    let stalled = observe_with(&cancellations(), |at, _| stall(at, Duration::from_millis(1100)));
    assert_same(&account(stalled), &smooth);
}

#[test]
fn another_seed_is_another_run() {
    let other = account(observe(&chaos::plan(SEED + 1)));
    assert_ne!(other.0, reference().0);
    let latencies = |account: &Account| account.1.iter().map(|r| r.latency_ns).collect::<Vec<_>>();
    assert_ne!(latencies(&other), latencies(reference()));
}

/// Common random numbers: a source that shares neither services nor links with the others changes nothing for them.
#[test]
fn an_unrelated_source_changes_nothing_for_the_others() {
    let mut plan = chaos::plan(SEED);
    chaos::add_auditors(&mut plan);
    let ran = observe(&plan);
    let (others, own): (Vec<Request>, Vec<Request>) =
        ran.requests.into_iter().partition(|request| request.traffic != "auditors");
    assert!(own.len() > 500);
    for (found, reference) in others.iter().zip(&reference().1) {
        assert_eq!(found, reference);
    }
    assert_eq!(others.len(), reference().1.len());
    assert_ne!(ran.report.digest, reference().0);
}
