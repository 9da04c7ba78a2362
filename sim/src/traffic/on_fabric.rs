//! Apps and sources on the real fabric: two hosts, TCP, 250 µs each way.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mesh_core::seam::{Instant, Rng};
use mesh_core::telemetry::NullObserver;

use super::drive;
use crate::app::testbed::{Ended, Log, Told, app, direct, source};
use crate::app::{AppPod, Egress, serve};
use crate::fabric::{Fabric, FabricConfig, HostId, HostSpec};
use crate::plan::{
    AppPlan, Arrivals, CancelPolicy, Distribution, EndpointPlan, LinkPlan, LinkQuality, Load,
    RatePoint, RateProfile, ScriptedResponse, TrafficPlan,
};
use crate::record::{AppOutcome, TrafficOutcome};

const APP: HostId = HostId::new(0);
const CLIENT: HostId = HostId::new(1);
const SEED: u64 = 12;
const ONE_WAY: u64 = 250_000;
const ADDRESS: &str = "10.0.0.1:80";

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn at(ms: u64) -> Instant {
    Instant::from_nanos(ms * 1_000_000)
}

fn fabric() -> Fabric {
    let host = |name: &str, last| HostSpec {
        name: name.into(),
        ip: [10, 0, 0, last].into(),
        region: "r".into(),
        zone: "z".into(),
    };
    let link = LinkQuality {
        latency: Distribution::Constant(Duration::from_nanos(ONE_WAY)),
        loss: 0.0,
        bandwidth_bps: None,
        queue_bytes_max: None,
    };
    let links = LinkPlan {
        same_zone: link.clone(),
        cross_zone: link.clone(),
        cross_region: link,
    };
    let hosts = vec![host("a-0", 1), host("clients", 2)];
    Fabric::new(FabricConfig::new(SEED, Duration::ZERO, hosts, links)).unwrap()
}

fn start_app(fabric: &mut Fabric, listen: &str, plan: AppPlan, incarnation: u32) -> Rc<Log> {
    let log = Rc::new(Log::default());
    let pod = AppPod {
        knobs: Default::default(),
        name: "a-0".into(),
        service: "a".into(),
        listen: vec![listen.parse().unwrap()],
        plan: Arc::new(plan),
        egress: direct(),
        incarnation,
    };
    let (seams, told) = (fabric.seams(APP, Rc::new(NullObserver)), log.clone());
    fabric.start(APP, move || {
        Box::pin(async move { serve(seams, pod, told).await.unwrap() })
    });
    log
}

fn start_source(fabric: &mut Fabric, host: HostId, plan: TrafficPlan, egress: Egress) -> Rc<Log> {
    let log = Rc::new(Log::default());
    let (seams, told) = (fabric.seams(host, Rc::new(NullObserver)), log.clone());
    fabric.start(host, move || {
        Box::pin(drive(
            seams,
            plan,
            egress,
            Instant::ZERO,
            Instant::NEVER,
            told,
            Rc::default(),
        ))
    });
    log
}

fn open(per_second: f64, arrivals: Arrivals, stop: Duration) -> TrafficPlan {
    let at = Duration::ZERO;
    let rate = RateProfile(vec![RatePoint { at, per_second }]);
    let mut plan = source(ADDRESS, Load::Open { rate, arrivals });
    plan.stop = Some(stop);
    plan
}

fn working(service_time: Distribution, workers: u32) -> AppPlan {
    let mut endpoint = EndpointPlan::echo();
    endpoint.service_time = service_time;
    let mut plan = app(endpoint);
    plan.workers = Some(workers);
    plan
}

fn responding(responses: Vec<ScriptedResponse>) -> AppPlan {
    let mut endpoint = EndpointPlan::echo();
    endpoint.responses = responses;
    app(endpoint)
}

fn by_arrival(log: &Log) -> Vec<Told> {
    let mut told = log.apps.borrow().clone();
    told.sort_by_key(|t| t.arrived);
    told
}

fn by_sequence(log: &Log) -> Vec<Ended> {
    let mut ended = log.ended.borrow().clone();
    ended.sort_by_key(|e| e.sequence);
    ended
}

/// Checks every start and end against the recursion of Kiefer and Wolfowitz
/// (Lindley's, for one worker) on the same arrivals and the same draws.
#[track_caller]
fn is_the_textbook_queue(told: &[Told], service: &Distribution, workers: usize) {
    let mut draws = Rng::named(SEED, "a-0/app/a-0/service-time");
    let mut free_at = vec![0; workers];
    for told in told {
        free_at.sort_unstable();
        let start = told.arrived.max(free_at[0]);
        let end = start + u64::try_from(service.sample(&mut draws).as_nanos()).unwrap();
        free_at[0] = end;
        assert_eq!((told.started, told.ended), (Some(start), end));
    }
}

#[test]
fn queues_across_the_network_are_exact_to_the_nanosecond() {
    for workers in [1, 4] {
        let service = Distribution::Exponential { mean: ms(2) };
        let rate = 0.8 * 500.0 * f64::from(workers);
        let mut fabric = fabric();
        let apps = start_app(&mut fabric, ADDRESS, working(service.clone(), workers), 0);
        let plan = open(
            rate,
            Arrivals::Poisson,
            Duration::from_secs_f64(3000.0 / rate),
        );
        let clients = start_source(&mut fabric, CLIENT, plan, direct());
        fabric.run_until(at(60_000)).unwrap();
        let (told, ended) = (by_arrival(&apps), by_sequence(&clients));
        assert!(told.len() > 2700 && told.len() == ended.len());
        is_the_textbook_queue(&told, &service, workers as usize);
        for ended in &ended {
            let told = told.iter().find(|t| t.trace == ended.trace).unwrap();
            // An idle connection costs one way; a new one a handshake before.
            let travel = told.arrived - ended.intended;
            assert!(travel == ONE_WAY || travel == 3 * ONE_WAY, "{travel}");
            assert_eq!(ended.ended, told.ended + ONE_WAY);
        }
    }
}

#[test]
fn within_a_pod_nothing_is_added() {
    let listen = "127.0.0.1:15001";
    let service = Distribution::LogNormal {
        p50: ms(4),
        p99: ms(30),
    };
    let mut fabric = fabric();
    let apps = start_app(&mut fabric, listen, working(service.clone(), 2), 0);
    let sidecar: SocketAddr = listen.parse().unwrap();
    let plan = open(250.0, Arrivals::Poisson, Duration::from_secs(10));
    let clients = start_source(&mut fabric, APP, plan, Egress::Sidecar(sidecar, None));
    fabric.run_until(at(60_000)).unwrap();
    let (told, ended) = (by_arrival(&apps), by_sequence(&clients));
    assert!(told.len() > 2200 && told.len() == ended.len());
    is_the_textbook_queue(&told, &service, 2);
    for (told, ended) in told.iter().zip(&ended) {
        assert_eq!((told.arrived, told.trace), (ended.intended, ended.trace));
    }
    let whole = |log: &Log| log.ended.borrow().iter().all(|e| e.upstream == "a-0");
    assert!(whole(&clients));
}

#[test]
fn an_abandoned_call_is_heard_of_one_way_later() {
    for (cancel, outcome) in [
        (CancelPolicy::Stop, AppOutcome::Cancelled),
        (CancelPolicy::Finish, AppOutcome::Wasted),
    ] {
        let mut fabric = fabric();
        let mut plan = working(Distribution::Constant(ms(100)), 8);
        plan.cancel = cancel;
        let apps = start_app(&mut fabric, ADDRESS, plan, 0);
        let mut plan = open(10.0, Arrivals::Constant, ms(450));
        plan.timeout = Some(ms(30));
        let clients = start_source(&mut fabric, CLIENT, plan, direct());
        fabric.run_until(at(2000)).unwrap();
        let (told, ended) = (by_arrival(&apps), by_sequence(&clients));
        assert_eq!((told.len(), ended.len()), (5, 5));
        for (told, ended) in told.iter().zip(&ended) {
            assert_eq!(ended.outcome, TrafficOutcome::Timeout);
            assert_eq!(ended.ended, ended.intended + 30_000_000);
            let heard = ended.ended + ONE_WAY;
            let done = told.arrived + 100_000_000;
            let expected = if cancel == CancelPolicy::Stop {
                heard
            } else {
                done
            };
            assert_eq!((told.outcome, told.ended), (outcome, expected));
        }
    }
}

#[test]
fn hangups_and_closed_ports_are_seen_through_tcp() {
    let mut fabric = fabric();
    let responses = vec![
        ScriptedResponse::Reset,
        ScriptedResponse::Close,
        ScriptedResponse::Status(200),
        ScriptedResponse::Refuse { during: ms(150) },
        ScriptedResponse::Status(200),
    ];
    start_app(&mut fabric, ADDRESS, responding(responses), 0);
    let plan = open(10.0, Arrivals::Constant, ms(650));
    let clients = start_source(&mut fabric, CLIENT, plan, direct());
    fabric.run_until(at(2000)).unwrap();
    let outcomes: Vec<_> = by_sequence(&clients).iter().map(|e| e.outcome).collect();
    use TrafficOutcome::{Answered, Broken, ConnectFailed};
    let expected = [
        Broken,
        Broken,
        Answered(200),
        Broken,
        ConnectFailed,
        Answered(200),
        Answered(200),
    ];
    assert_eq!(outcomes, expected);
}

#[test]
fn an_app_that_dies_takes_its_requests_along_and_comes_back() {
    let mut fabric = fabric();
    let service = Distribution::Exponential { mean: ms(50) };
    start_app(&mut fabric, ADDRESS, working(service.clone(), 4), 0);
    let plan = open(50.0, Arrivals::Constant, Duration::from_secs(2));
    let clients = start_source(&mut fabric, CLIENT, plan, direct());
    fabric.run_until(at(500)).unwrap();
    fabric.crash(APP);
    fabric.run_until(at(1000)).unwrap();
    let second_life = start_app(&mut fabric, ADDRESS, working(service.clone(), 4), 1);
    fabric.run_until(at(10_000)).unwrap();
    let ended = by_sequence(&clients);
    assert_eq!(ended.len(), 100);
    let broken = ended
        .iter()
        .filter(|e| e.outcome == TrafficOutcome::Broken)
        .count();
    assert!((1..=8).contains(&broken), "{broken}");
    let dead = |e: &&Ended| (500_000_000..999_000_000).contains(&e.intended);
    assert!(
        ended
            .iter()
            .filter(dead)
            .all(|e| e.outcome != TrafficOutcome::Answered(200))
    );
    let later = |e: &&Ended| e.intended > 1_000_000_000;
    assert!(
        ended
            .iter()
            .filter(later)
            .all(|e| e.outcome == TrafficOutcome::Answered(200))
    );
    // The second life is not the first one's repetition.
    let mut draws = Rng::named(SEED, "a-0/app/a-0#1/service-time");
    let first = by_arrival(&second_life)[0];
    assert_eq!(
        first.ended - first.started.unwrap(),
        service.sample(&mut draws).as_nanos() as u64
    );
}

#[test]
fn a_run_repeats_itself() {
    let run = || {
        let mut fabric = fabric();
        let mut plan = working(
            Distribution::Pareto {
                min: ms(1),
                shape: 1.5,
            },
            2,
        );
        plan.queue_max = Some(5);
        plan.fallback.response_bytes = 150_000;
        let apps = start_app(&mut fabric, ADDRESS, plan, 0);
        let mut plan = open(900.0, Arrivals::Poisson, Duration::from_secs(1));
        plan.timeout = Some(ms(20));
        plan.request.body_bytes = 100_000;
        let clients = start_source(&mut fabric, CLIENT, plan, direct());
        fabric.run_until(at(5000)).unwrap();
        (apps.apps.take(), clients.ended.take())
    };
    let (first, second) = (run(), run());
    assert!(first.1.len() > 800);
    assert_eq!(first, second);
}
