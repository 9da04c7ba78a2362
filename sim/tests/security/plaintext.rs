//! No byte that means anything crosses between pods under STRICT: a whole run
//! of services that call each other, with a wiretap on every link.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mesh_core::control::{Locality, Service, ServicePort, Workload, WorkloadState};
use mesh_core::policy::{Fraction, MeshPolicy, MtlsMode, Profile, Sourced};
use meshquake::plan::{
    AppPlan, Arrivals, CallPlan, CancelPolicy, Distribution, EndpointPlan, LinkPlan, LinkQuality,
    Load, Plan, PodPlan, QueueOrder, RatePoint, RateProfile, RequestPlan, ScriptedResponse, Step,
    TrafficPlan,
};
use meshquake::world::{self, RunOptions};

use crate::credentials::{EPOCH, SEED};
use crate::wiretap::{Findings, Wiretap};

/// What must not be read: parts of requests and answers, filling of bodies, HTTP itself, identities, tokens.
const SECRETS: [&str; 9] = [
    "SECRET-PATH",
    "SECRET-QUERY",
    "SECRET-HEADER",
    "SECRET-CALL",
    "SECRET-ANSWER",
    "................................",
    "HTTP/",
    "spiffe://",
    "token-of-",
];

const PORT: u16 = 8080;
const DURATION: Duration = Duration::from_secs(5);
const PER_SECOND: f64 = 20.0;

fn workload(name: &str, app: &str, ip: &str, meshed: bool) -> Workload {
    Workload {
        name: name.into(),
        namespace: "default".into(),
        ip: ip.parse().unwrap(),
        labels: BTreeMap::from([("app".into(), app.into())]),
        service_account: app.into(),
        meshed,
        locality: Locality::default(),
        state: WorkloadState::Ready,
    }
}

fn service(name: &str) -> Service {
    Service {
        name: name.into(),
        namespace: "default".into(),
        host: format!("{name}.default.svc.cluster.local").into(),
        ports: vec![ServicePort {
            port: 80,
            target: PORT,
            name: "http".into(),
            http2: false,
        }],
        selector: BTreeMap::from([("app".into(), name.into())]),
    }
}

fn call(service: &str) -> Step {
    Step::Call(CallPlan {
        authority: format!("{service}:80"),
        service: service.into(),
        method: "POST".into(),
        path: "/SECRET-CALL?SECRET-QUERY=1".into(),
        headers: vec![("x-secret".into(), "SECRET-HEADER".into())],
        forward_headers: vec!["x-secret-of-client".into()],
        body_bytes: 5_000,
        probability: Fraction::ONE,
        timeout: None,
        tries: 1,
        optional: false,
    })
}

/// An app that makes these calls and answers with secrets of its own.
fn app(steps: Vec<Step>) -> Arc<AppPlan> {
    let answer = ScriptedResponse::Full {
        status: 200,
        delay: Duration::ZERO,
        headers: vec![("x-secret".into(), "SECRET-ANSWER".into())],
        bytes: 40_000,
    };
    Arc::new(AppPlan {
        workers: None,
        queue_max: None,
        queue_order: QueueOrder::Fifo,
        cancel: CancelPolicy::Stop,
        endpoints: vec![],
        fallback: EndpointPlan {
            steps,
            responses: vec![answer],
            ..EndpointPlan::echo()
        },
        process: Default::default(),
    })
}

/// A client calls front, front calls cart and stock at once, both call ledger. Two pods each.
fn plan(mtls: MtlsMode, client_is_meshed: bool) -> Plan {
    let mut profile = Profile::istio();
    profile.mtls = Sourced::default_of(mtls, "this test");
    let both = Step::Parallel(vec![call("cart"), call("stock")]);
    let apps = [
        ("front", app(vec![both])),
        ("cart", app(vec![call("ledger")])),
        ("stock", app(vec![call("ledger")])),
        ("ledger", app(vec![])),
    ];
    let pods = (1..).zip(&apps).flat_map(|(n, (name, app))| {
        [1, 2].map(|replica| PodPlan {
            node: String::new(),
            waits: false,
            workload: workload(
                &format!("{name}-{replica}"),
                name,
                &format!("10.0.{n}.{replica}"),
                true,
            ),
            ports: vec![PORT],
            app: app.clone(),
            service: (*name).into(),
        })
    });
    let link = LinkQuality {
        latency: Distribution::Constant(Duration::from_micros(500)),
        loss: 0.01,
        bandwidth_bps: None,
        queue_bytes_max: None,
    };
    Plan {
        name: "wiretap".into(),
        about: String::new(),
        seed: SEED,
        duration: DURATION,
        epoch: EPOCH,
        mesh: MeshPolicy::defaults(profile),
        services: apps.iter().map(|(name, _)| service(name)).collect(),
        pods: pods.collect(),
        links: LinkPlan {
            same_zone: link.clone(),
            cross_zone: link.clone(),
            cross_region: link,
        },
        traffic: vec![TrafficPlan {
            name: "client".into(),
            workload: workload("client", "client", CLIENT, client_is_meshed),
            request: RequestPlan {
                authority: "front:80".into(),
                service: "front".into(),
                method: "POST".into(),
                path: "/SECRET-PATH?SECRET-QUERY=1".into(),
                headers: vec![("x-secret-of-client".into(), "SECRET-HEADER".into())],
                body_bytes: 5_000,
            },
            load: Load::Open {
                rate: RateProfile(vec![RatePoint {
                    at: Duration::ZERO,
                    per_second: PER_SECOND,
                }]),
                arrivals: Arrivals::Constant,
            },
            bursts: Vec::new(),
            start: Duration::ZERO,
            stop: Some(DURATION - Duration::from_secs(2)),
            timeout: None,
            client: Default::default(),
        }],
        faults: vec![],
        expectations: vec![],
        unjudged: 0,
        declared: meshquake_reports::Declared::Held,
        fingerprint: String::new(),
    }
}

const CLIENT: &str = "10.9.0.1";

/// What a wiretap finds in a run of `plan`, and how many of the client's requests succeeded.
fn overhear(plan: &Plan) -> (Findings, u64) {
    let wiretap = Wiretap::new(&SECRETS);
    let options = RunOptions {
        tap: Some(wiretap.tap()),
        ..RunOptions::default()
    };
    let report = world::run(plan, options).unwrap();
    (wiretap.findings(), report.traffic["client"].succeeded)
}

/// The pods that dialled each other; the control plane is left out.
fn pairs(findings: &Findings) -> BTreeSet<(IpAddr, IpAddr)> {
    let control: IpAddr = "10.255.0.1".parse().unwrap();
    let pairs = findings
        .dialled
        .iter()
        .map(|(from, to)| (from.ip(), to.ip()));
    pairs.filter(|(_, to)| *to != control).collect()
}

#[test]
fn strict_lets_nothing_be_read() {
    let (findings, succeeded) = overhear(&plan(MtlsMode::Strict, true));
    // It was a real run: every request made its five calls, between every two pods that had to talk.
    assert_eq!(succeeded, 60);
    let pairs = pairs(&findings);
    for (caller, callee) in [
        ("10.0.1", "10.0.2"),
        ("10.0.1", "10.0.3"),
        ("10.0.2", "10.0.4"),
        ("10.0.3", "10.0.4"),
    ] {
        let between = pairs.iter().filter(|(from, to)| {
            from.to_string().starts_with(caller) && to.to_string().starts_with(callee)
        });
        assert_eq!(between.count(), 4, "{caller} → {callee}: {pairs:?}");
    }
    assert!(findings.bytes > 60 * 5 * 45_000, "{}", findings.bytes);
    assert!(
        findings.application_records > 60 * 5 * 4,
        "{}",
        findings.application_records
    );
    assert_eq!(findings.unknown, 0);

    assert_eq!(findings.not_tls, Vec::<String>::new());
    assert_eq!(findings.leaked, BTreeSet::new());
}

#[test]
fn permissive_lets_an_unmeshed_client_be_read() {
    // The same ears on the same run hear everything that the one plain edge has to say, and nothing else.
    let (findings, succeeded) = overhear(&plan(MtlsMode::Permissive, false));
    assert_eq!(succeeded, 60);
    let client: IpAddr = CLIENT.parse().unwrap();
    let of_client = findings
        .dialled
        .iter()
        .filter(|(from, _)| from.ip() == client);
    // Each of the client's connections is bad in both directions.
    assert_eq!(findings.not_tls.len(), 2 * of_client.count());
    assert!(
        findings
            .not_tls
            .iter()
            .all(|stream| stream.contains(CLIENT))
    );
    let read: BTreeSet<&str> = findings
        .leaked
        .iter()
        .map(|(secret, ..)| &**secret)
        .collect();
    let said = [
        "SECRET-PATH",
        "SECRET-QUERY",
        "SECRET-HEADER",
        "SECRET-ANSWER",
        SECRETS[5],
        "HTTP/",
    ];
    assert_eq!(read, BTreeSet::from(said));
    let at_client = |from: &IpAddr, to: &IpAddr| *from == client || *to == client;
    assert!(
        findings
            .leaked
            .iter()
            .all(|(_, from, to)| at_client(&from.ip(), &to.ip()))
    );
}

#[test]
fn strict_lets_an_unmeshed_client_say_what_it_likes_to_nobody() {
    // What a stranger says in plain text is on the wire, but nobody answers.
    let (findings, succeeded) = overhear(&plan(MtlsMode::Strict, false));
    assert_eq!(succeeded, 0);
    let client: IpAddr = CLIENT.parse().unwrap();
    assert!(findings.not_tls.len() >= 60, "{}", findings.not_tls.len());
    assert!(
        findings
            .leaked
            .iter()
            .all(|(_, from, _)| from.ip() == client)
    );
    assert_eq!(
        pairs(&findings)
            .iter()
            .filter(|(from, _)| *from != client)
            .count(),
        0
    );
}
