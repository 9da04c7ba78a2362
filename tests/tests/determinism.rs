//! One plan and one seed give one run: twice in a process, in threads side by
//! side, on a machine that stalls. Another seed gives another.

use std::process::Command;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use meshquake::plan::{Distribution, Plan};
use meshquake_reports::RunReport;
use meshquake_tests::chaos;
use meshquake_tests::mesh::{self, Ran, Request, observe, observe_with};

const SEED: u64 = 41;

/// What a run was.
#[derive(Debug, PartialEq)]
struct Account {
    requests: Vec<Request>,
    report: RunReport,
}

fn account(ran: Ran) -> Account {
    let Ran {
        mut report,
        requests,
    } = ran;
    // The one field that may differ.
    report.wall_seconds = 0.0;
    Account { requests, report }
}

/// The run that others are compared with.
fn reference() -> &'static Account {
    static REFERENCE: OnceLock<Account> = OnceLock::new();
    REFERENCE.get_or_init(|| account(observe(&chaos::plan(SEED))))
}

#[track_caller]
fn assert_same(found: &Account, reference: &Account) {
    assert_same_requests(&found.requests, &reference.requests);
    assert_eq!(found.report, reference.report);
    assert_eq!(found.report.digest.len(), 64);
}

/// One by one: it says which request differs.
#[track_caller]
fn assert_same_requests(found: &[Request], reference: &[Request]) {
    for (found, reference) in found.iter().zip(reference) {
        assert_eq!(found, reference);
    }
    assert_eq!(found.len(), reference.len());
}

/// The chaos is one: otherwise equal runs prove little.
#[test]
fn the_plan_is_chaos() {
    let report = &reference().report;
    for (name, client) in &report.traffic {
        println!("{name}: {} requests, {:?}", client.requests, client.status);
        assert!(
            client.unanswered["timeout"] > client.requests / 5,
            "callers give up in masses"
        );
        assert!(client.succeeded > client.requests / 5, "and do not all");
    }
    println!("{:?} {:?}", report.mechanisms, report.network);
    assert!(
        report.network.lost > 100 && report.network.parked > 20,
        "packets are lost and parked"
    );
    let (cart, stock) = (&report.services[1], &report.services[2]);
    assert!(
        cart.wasted > 100 && stock.cancelled > 50 && stock.errors > 20,
        "work is in vain"
    );
    for mechanism in ["retry", "ejection"] {
        assert!(
            report
                .mechanisms
                .get(mechanism)
                .is_some_and(|count| *count > 10),
            "{mechanism}"
        );
    }
    assert!(report.faults.iter().all(|fault| !fault.inert));
    println!("{DIGEST}{}", report.digest);
}

const DIGEST: &str = "the digest is ";

/// A process of its own has other addresses in memory, other TLS keys and another moment.
#[test]
fn another_process_gives_the_same_run() {
    let mut other = Command::new(std::env::current_exe().unwrap());
    let output = other
        .args(["--exact", "the_plan_is_chaos", "--nocapture"])
        .output()
        .unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    let digest = output.lines().find_map(|line| line.split_once(DIGEST));
    assert_eq!(
        digest.map(|(_, digest)| digest),
        Some(reference().report.digest.as_str())
    );
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
#[expect(
    clippy::disallowed_methods,
    reason = "this test is about real time that passes behind a run's back"
)]
fn stall(at: Duration, length: Duration) {
    // Three of a run's thousand slices.
    let slice = chaos::DURATION / 1000;
    let often = slice * 300;
    if at.as_nanos() % often.as_nanos() < slice.as_nanos() {
        thread::sleep(length);
    }
}

#[test]
fn a_machine_that_stalls_changes_nothing() {
    let ran = observe_with(&chaos::plan(SEED), |at, _| {
        stall(at, Duration::from_millis(700))
    });
    assert_same(&account(ran), reference());
}

/// HTTP/2 keeps the streams that it has reset for a while, against frames that come late; if that while is real time, a
/// stall changes what a late frame meets. Callers here give up while the answer is on its way.
fn cancellations() -> Plan {
    let mut plan = mesh::empty(
        SEED,
        Distribution::Constant(Duration::from_millis(20)),
        chaos::DURATION,
    );
    let mut app = mesh::scripted(vec![meshquake::plan::Step::Sleep(Distribution::Uniform {
        low: Duration::ZERO,
        high: Duration::from_millis(10),
    })]);
    app.fallback.response_bytes = 1000;
    mesh::add_service(&mut plan, "echo", 2, app);
    plan.services[0].ports[0].http2 = true;
    mesh::add_client(&mut plan, "hasty", "echo", mesh::poisson(1000.0));
    mesh::add_client(&mut plan, "patient", "echo", mesh::poisson(200.0));
    for traffic in &mut plan.traffic {
        traffic.request.body_bytes = 500;
    }
    plan.traffic[0].timeout = Some(Duration::from_millis(44));
    plan
}

#[test]
fn a_stall_longer_than_http2_remembers_resets_changes_nothing() {
    let smooth = account(observe(&cancellations()));
    let hasty = &smooth.report.traffic["hasty"];
    println!("{} requests, {} given up", hasty.requests, hasty.failed);
    assert!(hasty.failed > 1500 && hasty.succeeded > 1000, "{hasty:?}");
    let stalled = observe_with(&cancellations(), |at, _| {
        stall(at, Duration::from_millis(1100))
    });
    assert_same(&account(stalled), &smooth);
}

#[test]
fn another_seed_is_another_run() {
    let other = account(observe(&chaos::plan(SEED + 1)));
    assert_ne!(other.report.digest, reference().report.digest);
    let latencies = |account: &Account| {
        account
            .requests
            .iter()
            .map(|r| r.latency_ns)
            .collect::<Vec<_>>()
    };
    assert_ne!(latencies(&other), latencies(reference()));
}

/// Common random numbers: a source that shares neither services nor links with the others changes nothing for them.
#[test]
fn an_unrelated_source_changes_nothing_for_the_others() {
    let mut plan = chaos::plan(SEED);
    chaos::add_auditors(&mut plan);
    let ran = observe(&plan);
    let (others, own): (Vec<Request>, Vec<Request>) = ran
        .requests
        .into_iter()
        .partition(|request| request.traffic != "auditors");
    assert!(own.len() > 500);
    assert_same_requests(&others, &reference().requests);
    assert_ne!(ran.report.digest, reference().report.digest);
}
