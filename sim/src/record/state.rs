//! Where each event goes.

use std::io;
use std::time::Duration;

use crate::record::quick::Map;
use mesh_core::seam::Instant;
use mesh_core::telemetry::{AccessNotes, AttemptEvent, Direction, Event, Mechanism, RequestEvent};

use super::access_log::OpenAccessLog;
use super::burst::Bursts;
use super::callee::{Callees, outbound};
use super::control::{ControlPlane, Teller};
use super::course::Course;
use super::detail::Asked;
use super::digest::{Digest, Family, HostId};
use super::edge::{Caller, Edges};
use super::event::{
    AppArrival, AppEvent, FaultEvent, PodEvent, RequestEnded, RequestSent, TrafficEvent,
};
use super::fault::Faults;
use super::listener::{self, Listener};
use super::mechanism::Mechanisms;
use super::request::{RequestLog, Requests, Wanted};
use super::series::Cut;
use super::service::Services;
use super::timeline::Timeline;
use super::traffic::{Judged, Sources};
use super::{RecordOptions, RunEnd};
use crate::plan::Plan;
use crate::verdict::{self, ClientEnd, Start, Witness};
use meshquake_reports::RunReport;

/// The host of events that belong to no pod.
const WORLD: &str = "world";
/// Violations of invariants told; more of the same say nothing new.
const VIOLATIONS_MAX: usize = 20;

/// Everything a recorder keeps.
pub(super) struct State {
    pub(super) plan: Plan,
    pub(super) seed: u64,
    /// When the scenario's clock shows zero.
    pub(super) origin: Instant,
    pub(super) reproduce: String,
    pub(super) digest: Digest,
    pub(super) sources: Sources,
    pub(super) services: Services,
    pub(super) edges: Edges,
    pub(super) mechanisms: Mechanisms,
    pub(super) control: ControlPlane,
    pub(super) faults: Faults,
    pub(super) bursts: Bursts,
    pub(super) timeline: Timeline,
    pub(super) witness: Witness,
    /// Broken invariants, as sentences.
    pub(super) violations: Vec<String>,
    world: HostId,
    watched: Map<Box<str>, Watched>,
    pub(super) requests: Option<Requests>,
    pub(super) course: Option<Course>,
    pub(super) asked: Asked,
    pub(super) cut: Cut,
    tells_traces: bool,
    access_log: Option<OpenAccessLog>,
    written: io::Result<()>,
    requests_ended: u64,
    listeners: Vec<Box<dyn Listener>>,
    /// The digest, once the run has ended.
    closed: Option<String>,
}

/// A host whose mesh events are taken.
struct Watched {
    host: HostId,
    service: Box<str>,
    /// Its traffic source, if it is one's pod.
    source: Option<usize>,
    teller: Teller,
    caller: Caller,
}

impl State {
    pub(super) fn new(plan: &Plan, options: RecordOptions) -> Self {
        let cut = Cut::of(plan.duration, options.origin);
        let mut digest = Digest::new();
        let world = digest.host(WORLD);
        let mut listeners = options.listeners.iter();
        let tells_traces = listeners.any(|listener| listener.wants_traces());
        let wanted = Wanted {
            log: options.requests.map(RequestLog::new),
            detail: options.detail,
            traces: tells_traces,
        };
        let joins = wanted.log.is_some() || wanted.detail || wanted.traces;
        Self {
            seed: options.seed,
            origin: options.origin,
            reproduce: options.reproduce,
            sources: Sources::new(plan, cut),
            services: Services::new(plan),
            edges: Edges::new(Callees::new(plan), cut),
            mechanisms: Mechanisms::default(),
            control: ControlPlane::default(),
            faults: Faults::new(plan),
            bursts: Bursts::new(plan),
            timeline: Timeline::new(options.origin, began(plan, options.origin)),
            witness: Witness::new(plan),
            violations: Vec::new(),
            digest,
            world,
            watched: Map::default(),
            requests: joins.then(|| Requests::new(wanted, cut)),
            course: options.detail.then(|| Course::new(plan, cut)),
            asked: Asked::default(),
            cut,
            tells_traces,
            access_log: options.access_log.map(OpenAccessLog::new),
            written: Ok(()),
            requests_ended: 0,
            listeners: options.listeners,
            closed: None,
            plan: plan.clone(),
        }
    }

    /// The number of the host called `pod`.
    pub(super) fn watch(&mut self, pod: &str, service: &str) -> usize {
        if let Some(known) = self.watched.get_index_of(pod) {
            return known;
        }
        let mut sources = self.plan.traffic.iter();
        let source = sources.position(|traffic| &*traffic.workload.name == pod);
        let mut pods = self.plan.pods.iter();
        let meshed = source.is_some() || pods.any(|plan| &*plan.workload.name == pod);
        let name = source.map_or(service, |source| self.plan.traffic[source].name.as_str());
        let watched = Watched {
            host: self.digest.host(pod),
            service: service.into(),
            source,
            teller: if meshed {
                Teller::Sidecar
            } else {
                Teller::ControlPlane
            },
            caller: self.edges.caller(name),
        };
        self.watched.insert_full(pod.into(), watched).0
    }

    /// An event of the mesh, from the host numbered `index`.
    pub(super) fn mesh(&mut self, index: usize, at: Instant, event: &Event<'_>) {
        let Some((pod, watched)) = self
            .watched
            .get_index_mut(index)
            .filter(|_| self.closed.is_none())
        else {
            return;
        };
        self.digest.append(at, watched.host, Family::Mesh, event);
        for listener in &mut self.listeners {
            let service = &watched.service;
            listener.mesh(at, listener::Teller { pod, service }, event);
        }
        let moment = local(self.origin, at);
        match event {
            Event::Request(request) => self.request(index, request),
            Event::Attempt(attempt) => self.attempt(index, attempt),
            Event::Connection(connection) => {
                let caller = &mut watched.caller;
                if outbound(connection.cluster) {
                    let (_, edge) = self.edges.edge(caller, connection.cluster, "");
                    edge.connection(connection);
                    if let Some(course) = &mut self.course {
                        course.connection(at, index, connection);
                    }
                }
            }
            Event::Ejection(ejection) => {
                self.mechanisms.ejection(ejection);
                self.timeline.ejection(at, pod, ejection);
                let teller = watched.as_teller(index, pod);
                self.witness.ejection(teller, moment, ejection);
                if let Some(course) = &mut self.course {
                    course.ejection(at, index, ejection);
                }
            }
            Event::Config(config) => {
                self.control.config(at, watched.teller, config);
                // The control plane learns of a lost sidecar when its connection dies, which may be long after.
                let late = config.what == "disconnect" && watched.teller == Teller::ControlPlane;
                if !late {
                    self.timeline.config(at, config);
                }
                self.witness.config(moment, config);
                let told = (watched.teller == Teller::Sidecar) == (config.what == "disconnect");
                if let Some(course) = self.course.as_mut().filter(|_| told) {
                    let sidecar = self.watched.get_index_of(config.workload);
                    course.config(at, sidecar.unwrap_or(usize::MAX), config);
                }
            }
            Event::Identity(identity) => {
                self.control.identity(watched.teller, identity);
                // A certificate that the control plane refuses is one that a sidecar does not get.
                if watched.teller == Teller::Sidecar {
                    self.timeline.identity(at, pod, identity);
                    if let Some(course) = &mut self.course {
                        course.identity(at, index, identity);
                    }
                }
            }
            Event::Mechanism(event) => {
                self.mechanisms
                    .acted(event.mechanism, outbound(event.subject));
                self.timeline.mechanism(at, pod, event);
                if outbound(event.subject) {
                    let (number, edge) = self.edges.edge(&mut watched.caller, event.subject, "");
                    edge.mechanism(event.mechanism);
                    if event.mechanism == Mechanism::Overflow {
                        let ends = self.edges.ends(number);
                        let breakers = &mut self.timeline.breakers;
                        breakers.overflow(at, (index, pod), number, ends, event.detail);
                    }
                    let teller = watched.as_teller(index, pod);
                    self.witness.mechanism(teller, moment, event);
                }
            }
        }
    }

    pub(super) fn keeps_access_log(&self) -> bool {
        self.access_log.is_some()
    }

    /// A request has passed the sidecar of the host numbered `index`.
    pub(super) fn log_access(
        &mut self,
        index: usize,
        pass: &RequestEvent<'_>,
        notes: &AccessNotes,
    ) {
        let open = self.access_log.as_mut().filter(|_| self.closed.is_none());
        if let (Some(log), Some((pod, _))) = (open, self.watched.get_index(index)) {
            log.pass(pod, pass, notes);
        }
    }

    fn request(&mut self, index: usize, event: &RequestEvent<'_>) {
        let Some((pod, watched)) = self.watched.get_index_mut(index) else {
            return;
        };
        let start = local(self.origin, event.start);
        if let Some(requests) = &mut self.requests {
            let service = &watched.service;
            let own = watched.source.is_some();
            let teller = listener::Teller { pod, service };
            requests.passage(&self.sources, teller, own, event);
        }
        if event.direction == Direction::Inbound {
            self.services.inbound(&watched.service, event);
            self.witness
                .inbound(watched.as_teller(index, pod), start, event);
            return;
        }
        let caller = &mut watched.caller;
        let (number, edge) = self.edges.edge(caller, event.cluster, event.authority);
        edge.request(event);
        meet(&mut self.witness, &self.edges, number);
        if self.course.is_some() {
            self.asked.request(number, pod, event);
        }
        let teller = watched.as_teller(index, pod);
        self.witness.outbound(number, teller, start, event);
        let Some(source) = watched.source else {
            return;
        };
        if let Some(source) = self.sources.get(source) {
            source.logged(event);
        }
    }

    fn attempt(&mut self, index: usize, event: &AttemptEvent<'_>) {
        let Some((pod, watched)) = self.watched.get_index_mut(index) else {
            return;
        };
        if let Some(requests) = &mut self.requests
            && event.direction == Direction::Outbound
        {
            let service = &watched.service;
            let own = watched.source.is_some();
            requests.attempt(listener::Teller { pod, service }, own, event);
        }
        if event.direction == Direction::Inbound {
            self.witness
                .app_attempt(watched.as_teller(index, pod), event);
            return;
        }
        if outbound(event.cluster) {
            let (number, edge) = self.edges.edge(&mut watched.caller, event.cluster, "");
            edge.attempt(event);
            meet(&mut self.witness, &self.edges, number);
            let start = local(self.origin, event.start);
            let teller = watched.as_teller(index, pod);
            self.witness.attempt(number, teller, start, event);
        }
    }

    pub(super) fn traffic(&mut self, at: Instant, event: &TrafficEvent<'_>) {
        let name = match event {
            TrafficEvent::Sent(sent) => sent.traffic,
            TrafficEvent::Ended(ended) => ended.traffic,
        };
        let Some(source) = self.sources.index(name).filter(|_| self.closed.is_none()) else {
            return;
        };
        let host = self.digest.host(&self.plan.traffic[source].workload.name);
        self.digest.append(at, host, Family::Traffic, event);
        for listener in &mut self.listeners {
            listener.traffic(at, event);
        }
        match event {
            TrafficEvent::Sent(sent) => self.sent(source, sent),
            TrafficEvent::Ended(ended) => self.ended(source, ended),
        }
    }

    fn sent(&mut self, index: usize, event: &RequestSent<'_>) {
        let Some(source) = self.sources.get(index) else {
            return;
        };
        let kept = source.sent(event);
        let meshed = source.meshed();
        if kept.is_ok() {
            let intended = local(self.origin, event.intended);
            let sent = local(self.origin, event.sent);
            self.witness.sent(index, event.trace, intended, sent);
            self.bursts.sent(index, intended);
        }
        if let Some(requests) = &mut self.requests {
            requests.sent(index, meshed, event);
        }
        self.keep(event.traffic, event.sequence, kept);
    }

    fn ended(&mut self, index: usize, event: &RequestEnded<'_>) {
        let judged = Judged::of(event);
        let Some(source) = self.sources.get(index) else {
            return;
        };
        let kept = source.ended(event, judged);
        let meshed = source.meshed();
        self.requests_ended += u64::from(kept.is_ok());
        if kept.is_ok() {
            let end = ClientEnd {
                traffic: index,
                intended: local(self.origin, event.intended),
                ended: local(self.origin, event.ended),
                succeeded: judged.succeeded,
                latency: judged.latency,
                status: judged.status,
                flags: (!meshed).then_some(event.flags),
            };
            self.witness.ended(&end, local(self.origin, event.sent));
            if let Some(requests) = &mut self.requests {
                let pod = &*self.plan.traffic[index].workload.name;
                requests.ended(&self.sources, (index, pod), event, judged);
            }
        }
        self.keep(event.traffic, event.sequence, kept);
    }

    fn keep(&mut self, traffic: &str, sequence: u64, kept: Result<(), &'static str>) {
        if let Err(broken) = kept
            && self.violations.len() < VIOLATIONS_MAX
        {
            let violation = format!("request {sequence} of {traffic} {broken}");
            self.violations.push(violation);
        }
    }

    pub(super) fn arrived(&mut self, at: Instant, arrival: &AppArrival<'_>) {
        if self.closed.is_some() {
            return;
        }
        for listener in &mut self.listeners {
            listener.arrived(at, arrival);
        }
        self.services.arrived(arrival);
        if let Some(course) = &mut self.course {
            course.arrived(at, arrival);
        }
    }

    pub(super) fn app(&mut self, at: Instant, event: &AppEvent<'_>) {
        if self.closed.is_some() {
            return;
        }
        let host = self.digest.host(event.pod);
        self.digest.append(at, host, Family::App, event);
        for listener in &mut self.listeners {
            listener.app(at, event);
        }
        self.services.app(event);
        let origin = self.origin;
        self.witness.app(event, |at| local(origin, at));
        if let Some(course) = &mut self.course {
            course.app(event);
        }
        if let Some(requests) = &mut self.requests {
            requests.visit(event);
        }
    }

    pub(super) fn fault(&mut self, at: Instant, event: &FaultEvent<'_>) {
        if self.closed.is_some() {
            return;
        }
        self.digest.append(at, self.world, Family::Fault, event);
        for listener in &mut self.listeners {
            listener.fault(at, event);
        }
        self.faults.event(at, event);
        self.timeline.fault(at, event);
        self.witness.fault(local(self.origin, at), event);
    }

    pub(super) fn pod(&mut self, at: Instant, event: &PodEvent<'_>) {
        if self.closed.is_some() {
            return;
        }
        let host = self.digest.host(event.pod);
        self.digest.append(at, host, Family::Pod, event);
        for listener in &mut self.listeners {
            listener.pod(at, event);
        }
        self.timeline.pod(at, event);
        if let Some(course) = &mut self.course {
            course.pod(at, self.watched.get_index_of(event.pod), event);
        }
        self.witness.pod(event);
    }

    pub(super) fn digest(&self) -> String {
        self.closed.clone().unwrap_or_else(|| self.digest.hex())
    }

    pub(super) fn reached(&mut self, at: Instant) {
        self.tell_traces();
        for listener in &mut self.listeners {
            listener.reached(at);
        }
    }

    pub(super) fn requests_ended(&self) -> u64 {
        self.requests_ended
    }

    pub(super) fn finish(&mut self, end: RunEnd) -> RunReport {
        if self.closed.is_none() {
            self.close(&end);
        }
        let length = local(self.origin, end.at).as_nanos();
        let detail = self.detail(end.at, length);
        RunReport {
            detail: detail.map(Box::new),
            ..self.report(&end, length)
        }
    }

    fn close(&mut self, end: &RunEnd) {
        self.digest
            .append(end.at, self.world, Family::Fabric, &end.fabric);
        self.closed = Some(self.digest.hex());
        let ended = local(self.origin, end.at);
        let length = (self.origin, ended.as_nanos());
        self.bursts.tell(&self.plan, length, |at, event| {
            self.timeline.fault(at, event);
        });
        self.timeline.close(end.at);
        for (index, (_, source)) in self.sources.iter().enumerate() {
            for Start { intended, sent } in source.in_flight() {
                let (intended, sent) = (local(self.origin, intended), local(self.origin, sent));
                self.witness.in_flight(index, intended, sent, ended);
            }
        }
        self.violations
            .extend(self.witness.close(&self.plan, ended));
        self.violations.extend(self.edges.violations());
        self.violations.truncate(VIOLATIONS_MAX);
        if let Some(requests) = &mut self.requests {
            self.written = requests.close(&self.sources);
        }
        self.tell_traces();
        if let Some(log) = &mut self.access_log {
            let closed = log.close();
            self.written = std::mem::replace(&mut self.written, Ok(())).and(closed);
        }
    }

    /// Tells listeners of the requests that have become complete.
    fn tell_traces(&mut self) {
        let Some(requests) = self.requests.as_mut().filter(|_| self.tells_traces) else {
            return;
        };
        for trace in requests.told() {
            for listener in self.listeners.iter_mut().filter(|l| l.wants_traces()) {
                listener.trace(&trace);
            }
        }
    }

    pub(super) fn close_logs(&mut self) -> io::Result<()> {
        std::mem::replace(&mut self.written, Ok(()))
    }
}

impl Watched {
    fn as_teller<'a>(&'a self, host: usize, pod: &'a str) -> verdict::Teller<'a> {
        verdict::Teller {
            host,
            pod,
            service: &self.service,
            source: self.source,
        }
    }
}

/// Makes `witness` know the edge numbered `number`.
fn meet(witness: &mut Witness, edges: &Edges, number: usize) {
    if witness.is_new(number)
        && let Some((from, to)) = edges.ends(number)
    {
        witness.meet(number, from, to);
    }
}

/// Wall time when the world began, since the Unix epoch: a boot before the scenario.
fn began(plan: &Plan, origin: Instant) -> Duration {
    let boot = Duration::from_nanos(origin.as_nanos());
    plan.epoch.saturating_sub(boot)
}

/// An instant of the world on the scenario's clock, which begins at `origin`.
fn local(origin: Instant, at: Instant) -> Instant {
    Instant::ZERO + at.since(origin)
}
