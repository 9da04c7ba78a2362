//! Two pods of reviews, open-loop shoppers, a scripted probe, one crash, two expectations.

use std::sync::Arc;
use std::time::Duration;

use mesh_core::control::{Locality, Service, ServicePort, Workload, WorkloadState};
use mesh_core::policy::{MeshPolicy, Note, NoteKind, Position, Profile};

use crate::plan::{
    AppPlan, Arrivals, Bound, CancelPolicy, Claim, Comparison, Demand, Distribution, EndpointPlan,
    Expectation, ExpectedOutcome, FaultKind, FaultPlan, LatencyMeasure, LinkPlan, LinkQuality,
    Load, Measure, Plan, PodPlan, PodSelector, ProcessFault, QueueOrder, RatePoint, RateProfile,
    RequestPlan, Schedule, ScriptedRequest, Subject, Take, TrafficPlan, Window,
};

fn workload(name: &str, last: u8) -> Workload {
    Workload {
        name: name.into(),
        namespace: "default".into(),
        ip: [10, 0, 0, last].into(),
        labels: [("app".to_owned(), "reviews".to_owned())].into(),
        service_account: "default".into(),
        meshed: true,
        locality: Locality::default(),
        state: WorkloadState::Ready,
    }
}

fn pod(name: &str, last: u8) -> PodPlan {
    PodPlan {
        node: "node-0".into(),
        waits: false,
        workload: workload(name, last),
        ports: vec![9080],
        app: Arc::new(AppPlan {
            workers: Some(1),
            queue_max: None,
            queue_order: QueueOrder::Fifo,
            cancel: CancelPolicy::Stop,
            endpoints: Vec::new(),
            fallback: EndpointPlan::echo(),
            process: Default::default(),
        }),
        service: "reviews".into(),
    }
}

fn request() -> RequestPlan {
    RequestPlan {
        authority: "reviews:9080".into(),
        service: "reviews".into(),
        method: "GET".into(),
        path: "/reviews/0".into(),
        headers: Vec::new(),
        body_bytes: 0,
    }
}

fn traffic(name: &str, last: u8, load: Load) -> TrafficPlan {
    TrafficPlan {
        name: name.into(),
        workload: workload(&format!("client-{name}"), last),
        request: request(),
        load,
        bursts: Vec::new(),
        start: Duration::ZERO,
        stop: None,
        timeout: Some(Duration::from_secs(2)),
        client: Default::default(),
    }
}

fn script() -> Load {
    let scripted = |at, status| ScriptedRequest {
        at: Duration::from_secs(at),
        request: request(),
        expect: ExpectedOutcome {
            status: Some(status),
            ..ExpectedOutcome::default()
        },
        place: "scenario.yaml:20".into(),
    };
    Load::Script(vec![scripted(1, 503), scripted(2, 200), scripted(90, 200)])
}

fn expectation(measure: Measure, comparison: Comparison, value: f64) -> Expectation {
    let subject = Subject::Traffic("shoppers".into());
    Expectation {
        demand: Demand::Measured {
            claim: Claim::new(subject, measure).expect("traffic has these measures"),
            window: Window::clock(Duration::ZERO, Duration::from_secs(60)),
        },
        bound: Bound { comparison, value },
        place: "scenario.yaml:30".into(),
    }
}

/// The plan.
pub(crate) fn plan() -> Plan {
    let rate = RateProfile(vec![RatePoint {
        at: Duration::ZERO,
        per_second: 1.0,
    }]);
    let open = Load::Open {
        rate,
        arrivals: Arrivals::Poisson,
    };
    let quality = LinkQuality {
        latency: Distribution::Constant(Duration::from_micros(250)),
        loss: 0.0,
        bandwidth_bps: None,
        queue_bytes_max: None,
    };
    let mut mesh = MeshPolicy::defaults(Profile::istio());
    mesh.notes.push(Note {
        at: Position {
            file: "mesh/reviews.yaml".into(),
            line: 12,
            column: 7,
        },
        kind: NoteKind::NotHonoured,
        object: "VirtualService default/reviews".into(),
        field: "spec.http[0].corsPolicy".into(),
        message: "CORS policies are read but not acted on.".into(),
    });
    Plan {
        name: "crash".into(),
        about: "A pod crashes; retries hide it.".into(),
        seed: 7,
        duration: Duration::from_secs(60),
        epoch: Duration::from_secs(1_767_225_600),
        mesh,
        services: vec![Service {
            name: "reviews".into(),
            namespace: "default".into(),
            host: "reviews.default.svc.cluster.local".into(),
            ports: vec![ServicePort {
                port: 9080,
                target: 9080,
                name: "http".into(),
                http2: false,
            }],
            selector: [("app".to_owned(), "reviews".to_owned())].into(),
        }],
        pods: vec![pod("reviews-v1-0", 1), pod("reviews-v1-1", 2)],
        links: LinkPlan {
            same_zone: quality.clone(),
            cross_zone: quality.clone(),
            cross_region: quality,
        },
        traffic: vec![
            traffic("shoppers", 11, open),
            traffic("probe", 12, script()),
        ],
        faults: vec![FaultPlan {
            name: "crash reviews-v1-0".into(),
            what: "crash reviews-v1-0".into(),
            schedule: Schedule::once(Duration::from_secs(10), Some(Duration::from_secs(5))),
            ramp: Duration::ZERO,
            kind: FaultKind::Process(ProcessFault::Crash {
                pods: PodSelector {
                    pods: vec!["reviews-v1-0".into()],
                    take: Take::All,
                    text: "reviews-v1-0".into(),
                },
            }),
            place: "scenario.yaml:25".into(),
        }],
        expectations: vec![
            expectation(Measure::Success, Comparison::AtLeast, 0.5),
            expectation(
                Measure::Latency(LatencyMeasure::Quantile(0.99)),
                Comparison::Less,
                1e9,
            ),
        ],
        unjudged: 0,
        declared: meshquake_reports::Declared::Held,
        fingerprint: "f".repeat(64),
    }
}
