//! Whole meshes built by program: a client, its sidecar, mutual TLS, the
//! callee's sidecar, its app; run, and read through what a user gets: the
//! report and the request log.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mesh_core::control::{Locality, Service, ServicePort, Workload, WorkloadState};
use mesh_core::policy::{
    DestinationPolicy, DestinationRule, Fraction, HostPattern, MeshPolicy, Origin, Profile, Sourced,
};
use meshquake::plan::{
    AppPlan, Arrivals, CallPlan, CancelPolicy, Distribution, EndpointPlan, LinkPlan, LinkQuality,
    Load, Plan, PodPlan, QueueOrder, RatePoint, RateProfile, RequestPlan, Step, TrafficPlan,
};
use meshquake::world::{RunOptions, run};
use meshquake_reports::{RequestOutcome, RunReport, Split};
use serde::Deserialize;

/// A mesh without a service: Istio's defaults, every link `one_way` long.
pub fn empty(seed: u64, one_way: Distribution, duration: Duration) -> Plan {
    let link = LinkQuality {
        latency: one_way,
        loss: 0.0,
        bandwidth_bps: None,
        queue_bytes_max: None,
    };
    Plan {
        name: "theory".into(),
        about: String::new(),
        seed,
        duration,
        epoch: Duration::from_secs(1_700_000_000),
        mesh: MeshPolicy::defaults(Profile::istio()),
        services: Vec::new(),
        pods: Vec::new(),
        links: LinkPlan {
            same_zone: link.clone(),
            cross_zone: link.clone(),
            cross_region: link,
        },
        traffic: Vec::new(),
        faults: Vec::new(),
        expectations: Vec::new(),
        unjudged: 0,
        declared: meshquake_reports::Declared::Held,
        fingerprint: String::new(),
    }
}

/// Adds a service on port 80 with `replicas` pods, `name-0` and on, that all run `app`.
pub fn add_service(plan: &mut Plan, name: &str, replicas: usize, app: AppPlan) {
    plan.services.push(Service {
        name: name.into(),
        namespace: "default".into(),
        host: host(name).into(),
        ports: vec![ServicePort {
            port: 80,
            target: 8080,
            name: "http".into(),
            http2: false,
        }],
        selector: labels(name),
    });
    let app = Arc::new(app);
    for number in 0..replicas {
        let pod = PodPlan {
            node: String::new(),
            waits: false,
            workload: workload(name, format!("{name}-{number}"), 0, plan.pods.len()),
            ports: vec![8080],
            app: app.clone(),
            service: name.into(),
        };
        plan.pods.push(pod);
    }
}

/// Adds a traffic source that sends `load` to service `to`, in a pod of its own with the same name.
pub fn add_client(plan: &mut Plan, name: &str, to: &str, load: Load) {
    plan.traffic.push(TrafficPlan {
        name: name.into(),
        workload: workload(name, name.to_owned(), 9, plan.traffic.len()),
        request: get(to),
        load,
        bursts: Vec::new(),
        start: Duration::ZERO,
        stop: None,
        timeout: None,
        client: Default::default(),
    });
}

/// Every caller treats `service` so (one DestinationRule).
pub fn govern(plan: &mut Plan, service: &str, policy: DestinationPolicy) {
    plan.mesh.destinations.push(DestinationRule {
        name: format!("default/{service}"),
        namespace: "default".into(),
        host: HostPattern::Exact(host(service)),
        visible_to: Vec::new(),
        workload_selector: BTreeMap::new(),
        policy,
        ports: BTreeMap::new(),
        subsets: Vec::new(),
        origin: Origin::default_of("a test"),
    });
}

/// A value that a test has set.
pub fn set<T>(value: T) -> Option<Sourced<T>> {
    Some(Sourced::default_of(value, "a test"))
}

/// The fully qualified host of a service.
pub fn host(service: &str) -> String {
    format!("{service}.default.svc.cluster.local")
}

/// `GET http://service/`.
pub fn get(service: &str) -> RequestPlan {
    RequestPlan {
        authority: format!("{service}:80"),
        service: service.into(),
        method: "GET".into(),
        path: "/".into(),
        headers: Vec::new(),
        body_bytes: 0,
    }
}

fn workload(app: &str, name: String, network: u8, number: usize) -> Workload {
    let [.., high, low] = (number + 1).to_be_bytes();
    Workload {
        name: name.into(),
        namespace: "default".into(),
        ip: IpAddr::V4(Ipv4Addr::new(10, network, high, low)),
        labels: labels(app),
        service_account: app.into(),
        meshed: true,
        locality: Locality::default(),
        state: WorkloadState::Ready,
    }
}

fn labels(app: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("app".to_owned(), app.to_owned())])
}

/// An app that answers at once.
pub fn echo() -> AppPlan {
    app(None, EndpointPlan::echo())
}

/// A line, `workers` workers, and an exponential time of service: M/M/c when arrivals are Poisson.
pub fn exponential(workers: u32, mean: Duration) -> AppPlan {
    let mut endpoint = EndpointPlan::echo();
    endpoint.service_time = Distribution::Exponential { mean };
    app(Some(workers), endpoint)
}

/// An app that takes these steps.
pub fn scripted(steps: Vec<Step>) -> AppPlan {
    let mut endpoint = EndpointPlan::echo();
    endpoint.steps = steps;
    app(None, endpoint)
}

fn app(workers: Option<u32>, fallback: EndpointPlan) -> AppPlan {
    AppPlan {
        workers,
        queue_max: None,
        queue_order: QueueOrder::Fifo,
        cancel: CancelPolicy::Stop,
        endpoints: Vec::new(),
        fallback,
        process: Default::default(),
    }
}

/// A step that calls `service` once.
pub fn call(service: &str) -> Step {
    Step::Call(CallPlan {
        authority: format!("{service}:80"),
        service: service.into(),
        method: "GET".into(),
        path: "/".into(),
        headers: Vec::new(),
        forward_headers: Vec::new(),
        body_bytes: 0,
        probability: Fraction::ONE,
        timeout: None,
        tries: 1,
        optional: false,
    })
}

/// A Poisson process of `per_second` requests.
pub fn poisson(per_second: f64) -> Load {
    open(per_second, Arrivals::Poisson)
}

/// Evenly spaced requests, `per_second` of them.
pub fn evenly(per_second: f64) -> Load {
    open(per_second, Arrivals::Constant)
}

fn open(per_second: f64, arrivals: Arrivals) -> Load {
    let at = Duration::ZERO;
    let rate = RateProfile(vec![RatePoint { at, per_second }]);
    Load::Open { rate, arrivals }
}

/// A run, as its user sees it.
pub struct Ran {
    /// The report.
    pub report: RunReport,
    /// The request log, by traffic source and number.
    pub requests: Vec<Request>,
}

/// A line of the request log.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Request {
    /// The traffic source.
    pub traffic: String,
    /// Its number there.
    pub sequence: u64,
    /// Its trace id.
    pub trace: String,
    /// Intended send time, nanoseconds since the beginning of the run.
    pub intended_ns: u64,
    /// How it ended.
    pub outcome: RequestOutcome,
    /// Status, if an answer came.
    pub status: Option<u16>,
    /// Response flags.
    pub flags: String,
    /// Latency, if it ended.
    pub latency_ns: Option<u64>,
    /// Where the latency went.
    pub split: Option<Split>,
    /// The attempts of the client's sidecar.
    pub attempts: Vec<Attempt>,
}

/// An attempt in the request log.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Attempt {
    /// Where it went.
    pub upstream: String,
    /// The upstream's status.
    pub status: Option<u16>,
}

impl Request {
    /// The latency of a request that was answered with 200.
    ///
    /// # Panics
    /// When it was not.
    pub fn latency(&self) -> u64 {
        assert_eq!(self.status, Some(200), "{self:?}");
        self.latency_ns.expect("an answered request has a latency")
    }

    /// Where the latency of a request that ended went.
    ///
    /// # Panics
    /// When it has not ended.
    pub fn split(&self) -> Split {
        self.split.expect("a request that ended has a split")
    }

    /// The pod that the last attempt went to.
    pub fn upstream(&self) -> &str {
        self.attempts.last().map_or("", |attempt| &attempt.upstream)
    }
}

/// Runs `plan` and keeps the request log.
///
/// # Panics
/// When the world breaks.
pub fn observe(plan: &Plan) -> Ran {
    observe_with(plan, |_, _| {})
}

/// As [`observe`]; `progress` is called between slices of the run and may take as long as it likes.
///
/// # Panics
/// When the world breaks.
pub fn observe_with(plan: &Plan, progress: impl Fn(Duration, u64) + 'static) -> Ran {
    let log = Rc::new(RefCell::new(Vec::new()));
    let options = RunOptions {
        requests: Some(Box::new(Sink(log.clone()))),
        progress: Box::new(progress),
        ..RunOptions::default()
    };
    let report = run(plan, options).unwrap_or_else(|error| panic!("the world broke: {error}"));
    let mut requests: Vec<Request> = log
        .borrow()
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).expect("the log is lines of JSON"))
        .collect();
    requests.sort_by(|a, b| (&a.traffic, a.sequence).cmp(&(&b.traffic, b.sequence)));
    Ran { report, requests }
}

struct Sink(Rc<RefCell<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
