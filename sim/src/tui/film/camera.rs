//! Records a run into pieces of film.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_core::seam::Instant;
use mesh_core::telemetry::{
    AttemptEvent, ConnectionEvent, Direction, Event, Mechanism, MechanismEvent, RequestEvent,
    ResponseFlags,
};
use meshquake_reports::{RequestOutcome, TraceReport};

use super::burst::Bursts;
use super::cast::{Cast, EdgeId, Part, PartId, PodId};
use super::entry::{Breaker, CertificateStep, ConfigStep, Entry, What};
use super::flight::{Flights, Limit, Pool, PoolId};
use super::names::Names;
use super::recent::Recent;
use super::standing::Standing;
use super::{EdgeCell, Frame, PodCell, Row, TrafficCell, unflagged};
use crate::plan::Plan;
use crate::record::quick::Map;
use crate::record::{
    AppArrival, AppEvent, AppOutcome, Check, FaultEvent, FaultPhase, Listener, PodEvent, Teller,
    TrafficEvent, TrafficOutcome, destination, failed, nanos, outbound,
};
use crate::tui::text::Label;
use crate::world::ORIGIN;

/// Moments of a film.
const FRAMES: u64 = 1_000;
/// Most entries of a film.
const ENTRIES_MAX: u64 = 200_000;
/// Most requests of a film.
const ROWS_MAX: u64 = 2_000_000;
/// Requests whose flags are kept until their client is heard.
const FLAGS_MAX: usize = 10_000;
/// Requests whose attempts are counted until they end.
const TRIED_MAX: usize = 200_000;
/// A breaker that has rejected nothing for so long opens anew.
const QUIET_NS: u64 = 5_000_000_000;
/// Most breakers of sidecars that are followed.
const BREAKERS_MAX: usize = 20_000;
/// Requests told in full: of each kind of failure, and of successes, in a moment.
const TRACES_EACH: u32 = 8;
/// Requests told in full in all.
const TRACES_MAX: usize = 20_000;

/// What was recorded since the piece before.
#[derive(Debug, Default)]
pub(crate) struct Piece {
    pub(super) start: Option<Arc<Standing>>,
    pub(super) parts: Vec<Part>,
    pub(super) edges: Vec<(PartId, PartId)>,
    pub(super) kinds: Vec<Label>,
    pub(super) pools: Vec<Pool>,
    pub(super) active: BTreeMap<(PoolId, u32), i32>,
    pub(super) limits: Vec<(PoolId, u64, Limit)>,
    pub(super) frames: Vec<Frame>,
    pub(super) entries: Vec<Entry>,
    pub(super) entries_omitted: u64,
    pub(super) rows: Vec<Row>,
    pub(super) rows_omitted: u64,
    pub(super) traces: Vec<((u16, u64), Arc<TraceReport>)>,
    pub(super) reached: u64,
}

/// Hears a run and sends it on as pieces of film.
pub(crate) struct Camera {
    to: Box<dyn FnMut(Piece)>,
    piece: Piece,
    names: Names,
    standing: Arc<Standing>,
    begun: bool,
    frame: Draft,
    /// Length of the run.
    length: u64,
    /// Length of a frame.
    cadence: u64,
    /// Between two calls of `reached`, at most.
    slice: u64,
    /// World time up to which everything has been told.
    reached: u64,
    /// The latest entry or row.
    latest: u64,
    entries: u64,
    rows: u64,
    traces: usize,
    /// Requests told in full so far, by kind of failure and by the moment they belong to: they are told late.
    told: BTreeMap<(u16, u64), u32>,
    /// Flags that the sources' sidecars gave, until the request's client is heard.
    flags: Recent<u128, ResponseFlags>,
    /// How requests failed that have ended, until they are told in full.
    failures: Map<(u16, u64), u16>,
    flights: Flights,
    bursts: Bursts,
    /// Attempts of requests that have not ended, by the sidecar, the trace and the sidecar's cluster.
    tried: Recent<(PodId, u128, u32), u32>,
    /// When each breaker of each sidecar's clusters rejected a request last.
    breakers: Map<(PodId, u32, Breaker), u64>,
}

/// A frame in the making.
#[derive(Default)]
struct Draft {
    from: u64,
    traffic: Vec<TrafficCell>,
    edges: BTreeMap<EdgeId, EdgeCell>,
    pods: BTreeMap<PodId, PodCell>,
    acts: BTreeMap<EdgeId, Vec<Act>>,
}

/// A mechanism that acted on an edge in the frame in the making.
struct Act {
    mechanism: Mechanism,
    count: u32,
    first: u64,
    last: u64,
    /// Entries made in the frame before the first time.
    place: usize,
}

impl Camera {
    /// For a run of `plan`, whose cast is `cast`.
    pub(crate) fn new(plan: &Plan, cast: &Cast, to: Box<dyn FnMut(Piece)>) -> Self {
        let length = nanos(plan.duration);
        let draft = Draft {
            traffic: vec![TrafficCell::default(); plan.traffic.len()],
            ..Draft::default()
        };
        Self {
            to,
            piece: Piece::default(),
            names: Names::of(plan, cast),
            standing: Arc::new(Standing::of(cast)),
            begun: false,
            frame: draft,
            length,
            cadence: (length / FRAMES).max(1),
            slice: length.div_ceil(FRAMES).max(1),
            reached: 0,
            latest: 0,
            entries: 0,
            rows: 0,
            traces: 0,
            told: BTreeMap::new(),
            flags: Recent::new(FLAGS_MAX),
            failures: Map::default(),
            flights: Flights::of(plan),
            bursts: Bursts::of(plan),
            tried: Recent::new(TRIED_MAX),
            breakers: Map::default(),
        }
    }

    /// An instant on the scenario's clock. A host whose clock is wrong tells of times that are not: they are brought
    /// between what has been told and what can have happened since.
    fn local(&mut self, at: Instant) -> u64 {
        let at = at.as_nanos().saturating_sub(ORIGIN.as_nanos());
        let at = at.clamp(
            self.latest.max(self.reached),
            self.latest.max(self.reached + self.slice),
        );
        self.latest = at;
        at
    }

    fn entry(&mut self, at: Instant, what: What) {
        let boot = at < ORIGIN;
        if !boot {
            self.begin();
        }
        let at = self.local(at);
        if !boot {
            self.bursts(at);
        }
        Arc::make_mut(&mut self.standing).apply(at, &what);
        // While the mesh comes up, all that comes up is no news.
        let news = match &what {
            What::Config { step, .. } => *step == ConfigStep::Nack,
            What::Certificate { step, .. } => {
                matches!(step, CertificateStep::Refused | CertificateStep::Failed)
            }
            What::Pod { .. } => false,
            _ => true,
        };
        if boot && !news {
            return;
        }
        // Told of the boot, but not to be folded again: what it changed is in the state that the film begins with.
        let what = if boot { what.into_told() } else { what };
        self.keep(Entry { at, what });
    }

    fn keep(&mut self, entry: Entry) {
        if self.entries >= ENTRIES_MAX {
            self.piece.entries_omitted += 1;
            return;
        }
        self.entries += 1;
        self.piece.entries.push(entry);
    }

    /// Tells of the bursts that have begun or ended by `until`.
    fn bursts(&mut self, until: u64) {
        while let Some((at, what)) = self.bursts.next(until) {
            Arc::make_mut(&mut self.standing).apply(at, &what);
            self.keep(Entry { at, what });
        }
    }

    /// The scenario begins: how things stand now is what everything else is the consequence of.
    fn begin(&mut self) {
        if !self.begun {
            self.begun = true;
            self.piece.start = Some(self.standing.clone());
        }
    }

    fn edge(&mut self, teller: Teller<'_>, cluster: &str, authority: &str) -> Option<EdgeId> {
        let from = self.names.caller(teller)?;
        let host = destination(cluster, authority);
        let to = self.names.callee(host, &mut self.piece.parts)?;
        self.names.edge((from, to), &mut self.piece.edges)
    }

    fn kind(&mut self, name: &str) -> u16 {
        if name == "-" {
            return 0;
        }
        self.names.kind(name, &mut self.piece.kinds)
    }

    fn request(&mut self, teller: Teller<'_>, event: &RequestEvent<'_>) {
        if event.direction == Direction::Inbound {
            return;
        }
        if let Some(edge) = self.edge(teller, event.cluster, event.authority) {
            let tried = self.tried_for(teller, event);
            let cell = self.frame.edges.entry(edge).or_default();
            cell.requests += 1;
            cell.tried += tried;
            cell.failed += u32::from(failed(event.status));
            cell.latency.add(nanos(event.duration), 1);
        }
        if self.names.source(teller.service).is_some()
            && !event.flags.is_empty()
            && event.trace != 0
        {
            self.flags.insert(event.trace, event.flags);
        }
        if let Some(by) = self.names.pod(teller.pod)
            && outbound(event.cluster)
        {
            let cluster = self.names.cluster(event.cluster);
            // A request that waits for an injected delay is not in flight yet.
            let start = event.start + event.timing.fault;
            let start = start.as_nanos().saturating_sub(ORIGIN.as_nanos());
            self.flights.request(by, cluster, start, event);
        }
    }

    /// Attempts that were made for a request which has ended: a full breaker counts one and makes none.
    fn tried_for(&mut self, teller: Teller<'_>, event: &RequestEvent<'_>) -> u32 {
        let by = self
            .names
            .pod(teller.pod)
            .filter(|_| outbound(event.cluster));
        let Some(by) = by else {
            return event.attempts;
        };
        // Several requests of one trace may be on their way between the same two.
        let key = (by, event.trace, self.names.cluster(event.cluster));
        let made = self.tried.take(&key).unwrap_or(0);
        let own = made.min(event.attempts);
        if made > own {
            self.tried.insert(key, made - own);
        }
        own
    }

    fn attempt(&mut self, teller: Teller<'_>, event: &AttemptEvent<'_>) {
        if event.direction == Direction::Inbound || event.mirror {
            return;
        }
        if let Some(edge) = self.edge(teller, event.cluster, "") {
            self.frame.edges.entry(edge).or_default().attempts += 1;
            if let Some(by) = self.names.pod(teller.pod) {
                let cluster = self.names.cluster(event.cluster);
                let key = (by, event.trace, cluster);
                let made = self.tried.take(&key).unwrap_or(0);
                self.tried.insert(key, made + 1);
                let (by, met) = ((by, teller.pod), &mut self.piece.pools);
                self.flights.attempt(by, cluster, edge, event, met);
            }
        }
        if let Some(pod) = self.names.pod(event.upstream) {
            let cell = self.frame.pods.entry(pod).or_default();
            cell.attempts += 1;
            cell.failed += u32::from(failed(event.status));
        }
    }

    fn connection(&mut self, teller: Teller<'_>, event: &ConnectionEvent<'_>) {
        if !outbound(event.cluster) {
            return;
        }
        if let Some(edge) = self.edge(teller, event.cluster, "") {
            let cell = self.frame.edges.entry(edge).or_default();
            match event.what {
                "open" => cell.opened += 1,
                "fail" => cell.refused += 1,
                _ => cell.closed += 1,
            }
        }
    }

    fn mechanism(&mut self, at: Instant, teller: Teller<'_>, event: &MechanismEvent<'_>) {
        if !outbound(event.subject) {
            return;
        }
        let Some(edge) = self.edge(teller, event.subject, "") else {
            return;
        };
        let cell = self.frame.edges.entry(edge).or_default();
        cell.acted(event.mechanism, 1);
        self.acted(at, event.mechanism, edge);
        let Some(by) = self.names.pod(teller.pod) else {
            return;
        };
        let cluster = self.names.cluster(event.subject);
        match event.mechanism {
            Mechanism::Retry => self.flights.retry(by, cluster),
            Mechanism::Overflow => {
                let breaker = match event.detail {
                    "pending" => Breaker::Pending,
                    _ => Breaker::Requests,
                };
                self.overflow(at, (by, cluster, breaker), edge);
            }
            _ => {}
        }
    }

    fn acted(&mut self, at: Instant, mechanism: Mechanism, edge: EdgeId) {
        let boot = at < ORIGIN;
        let at = self.local(at);
        if !boot {
            self.bursts(at);
        }
        let acts = self.frame.acts.entry(edge).or_default();
        match acts.iter_mut().find(|act| act.mechanism == mechanism) {
            Some(act) => (act.count, act.last) = (act.count + 1, at),
            None => acts.push(Act {
                mechanism,
                count: 1,
                first: at,
                last: at,
                place: self.piece.entries.len(),
            }),
        }
    }

    /// Puts what mechanisms did among the entries of the frame: one for an edge and a mechanism, for they act by the
    /// thousand, where it acted first.
    fn tell_acts(&mut self, acts: BTreeMap<EdgeId, Vec<Act>>) {
        let acts = acts.into_iter();
        let acts = acts.flat_map(|(edge, acts)| acts.into_iter().map(move |act| (edge, act)));
        let mut acts: Vec<(EdgeId, Act)> = acts.collect();
        acts.sort_by_key(|(_, act)| (act.place, act.first));
        let room = ENTRIES_MAX.saturating_sub(self.entries) as usize;
        let omitted = acts.len().saturating_sub(room);
        self.piece.entries_omitted += omitted as u64;
        acts.truncate(room);
        self.entries += acts.len() as u64;
        let mut others = std::mem::take(&mut self.piece.entries).into_iter();
        let mut before = 0;
        for (edge, act) in acts {
            let until = act.place.saturating_sub(before);
            before += until;
            self.piece.entries.extend(others.by_ref().take(until));
            let what = What::Acted {
                mechanism: act.mechanism,
                edge,
                count: act.count,
                over_ns: act.last - act.first,
            };
            self.piece.entries.push(Entry {
                at: act.first,
                what,
            });
        }
        self.piece.entries.extend(others);
    }

    /// A breaker rejected a request: news, unless it has done so a moment ago.
    fn overflow(&mut self, at: Instant, key: (PodId, u32, Breaker), edge: EdgeId) {
        let now = self.local(at);
        let known = self.breakers.len() < BREAKERS_MAX || self.breakers.contains_key(&key);
        if !known {
            return;
        }
        let last = self.breakers.insert(key, now);
        if last.is_none_or(|last| last + QUIET_NS < now) {
            let (by, _, breaker) = key;
            self.entry(at, What::Opened { by, edge, breaker });
        }
    }

    /// Ends the frame at `at`, and sends what there is.
    fn cut(&mut self, at: u64) {
        self.begin();
        self.latest = self.latest.max(at);
        self.bursts(at);
        let next = Draft {
            from: at,
            traffic: vec![TrafficCell::default(); self.frame.traffic.len()],
            ..Draft::default()
        };
        let draft = std::mem::replace(&mut self.frame, next);
        self.tell_acts(draft.acts);
        self.piece.frames.push(Frame {
            from: draft.from,
            to: at,
            traffic: draft.traffic,
            edges: draft.edges.into_iter().collect(),
            pods: draft.pods.into_iter().collect(),
            retries: self.flights.cut(at),
            standing: self.standing.clone(),
            entries: self.entries as usize,
        });
        self.piece.active = self.flights.changes();
        self.piece.limits = self.flights.told();
        self.piece.reached = at;
        (self.to)(std::mem::take(&mut self.piece));
    }

    /// The run has ended: sends what came after the last frame, and the worst of all requests. Which these are is known
    /// only now; of each moment the first few have been told in full.
    pub(crate) fn wrap(&mut self, worst: &[TraceReport]) {
        for trace in worst.iter().filter(|trace| trace.latency_ns.is_some()) {
            if let Some(source) = self.names.source(&trace.traffic) {
                let key = (source, trace.sequence);
                self.piece.traces.push((key, Arc::new(trace.clone())));
            }
        }
        if self.reached > self.frame.from {
            self.cut(self.reached);
        } else {
            self.piece.reached = self.reached;
            (self.to)(std::mem::take(&mut self.piece));
        }
    }
}

impl Listener for Camera {
    fn mesh(&mut self, at: Instant, teller: Teller<'_>, event: &Event<'_>) {
        match event {
            Event::Request(request) => self.request(teller, request),
            Event::Attempt(attempt) => self.attempt(teller, attempt),
            Event::Connection(connection) => self.connection(teller, connection),
            Event::Mechanism(event) => self.mechanism(at, teller, event),
            Event::Ejection(event) => {
                let (Some(pod), Some(by)) =
                    (self.names.pod(event.upstream), self.names.pod(teller.pod))
                else {
                    return;
                };
                let cluster = self.names.cluster(event.cluster);
                let least_ns = nanos(event.ejected_for);
                let what = match event.reason {
                    None => What::Returned { pod, by, cluster },
                    Some(reason) => What::Ejected {
                        pod,
                        by,
                        cluster,
                        reason,
                        least_ns,
                    },
                };
                self.entry(at, what);
            }
            Event::Config(event) => {
                match event.what {
                    "push" => {
                        let at = at.as_nanos();
                        self.flights.pushed(event.workload, event.version, at);
                    }
                    "apply" => {
                        let at = self.local(at);
                        self.flights.apply(event.workload, event.version, at);
                    }
                    _ => {}
                }
                let step = match event.what {
                    "push" => ConfigStep::Push,
                    "ack" => ConfigStep::Ack,
                    "nack" => ConfigStep::Nack,
                    "connect" => ConfigStep::Connect,
                    "disconnect" => ConfigStep::Disconnect,
                    _ => return,
                };
                let what = What::Config {
                    step,
                    version: event.version,
                    pod: self.names.pod(event.workload),
                    why: Label::new(event.why),
                };
                self.entry(at, what);
            }
            Event::Identity(event) => {
                let step = match event.what {
                    "obtain" => CertificateStep::Obtained,
                    "rotate" => CertificateStep::Rotated,
                    "refuse" => CertificateStep::Refused,
                    "fail" => CertificateStep::Failed,
                    _ => return,
                };
                let what = What::Certificate {
                    step,
                    pod: self.names.pod(teller.pod),
                    not_after: event.not_after,
                    why: Label::new(event.why),
                };
                self.entry(at, what);
            }
        }
    }

    fn traffic(&mut self, _at: Instant, event: &TrafficEvent<'_>) {
        let ended = match event {
            TrafficEvent::Sent(sent) => {
                if let Some(source) = self.names.source(sent.traffic) {
                    let intended = sent.intended.as_nanos();
                    let intended = intended.saturating_sub(ORIGIN.as_nanos());
                    self.bursts.sent(usize::from(source), intended);
                    self.frame.traffic[usize::from(source)].sent += 1;
                }
                return;
            }
            TrafficEvent::Ended(ended) => ended,
        };
        let Some(source) = self.names.source(ended.traffic) else {
            return;
        };
        let (status, outcome) = match ended.outcome {
            TrafficOutcome::Answered(status) => (status, RequestOutcome::Answered),
            TrafficOutcome::Timeout => (0, RequestOutcome::Timeout),
            TrafficOutcome::ConnectFailed => (0, RequestOutcome::ConnectFailed),
            TrafficOutcome::Broken => (0, RequestOutcome::Broken),
        };
        let answered = outcome == RequestOutcome::Answered;
        let succeeded = match ended.check {
            Check::None => answered && status < 500,
            Check::Met => true,
            Check::Missed(_) => false,
        };
        let kind = match (self.flags.take(&ended.trace), ended.flags) {
            (Some(flags), _) => self.kind(&flags.to_string()),
            (None, "" | "-") => self.kind(&unflagged(outcome, status, succeeded)),
            (None, flags) => self.kind(flags),
        };
        if !succeeded {
            self.failures.insert((source, ended.sequence), kind);
        }
        let at = self.local(ended.ended);
        let intended = ended.intended.as_nanos().saturating_sub(ORIGIN.as_nanos());
        let cell = &mut self.frame.traffic[usize::from(source)];
        if answered {
            let latency = ended.ended.since(ended.intended);
            cell.latency.add(nanos(latency), 1);
        }
        if succeeded {
            cell.succeeded += 1;
        } else {
            match cell.failed.iter_mut().find(|(k, _)| *k == kind) {
                Some((_, count)) => *count += 1,
                None => cell.failed.push((kind, 1)),
            }
        }
        if self.rows >= ROWS_MAX {
            self.piece.rows_omitted += 1;
            return;
        }
        self.rows += 1;
        self.piece.rows.push(Row {
            at,
            intended: intended.min(at),
            sequence: ended.sequence,
            source,
            status,
            kind,
            succeeded,
            outcome,
        });
    }

    fn arrived(&mut self, _at: Instant, arrival: &AppArrival<'_>) {
        let Some(pod) = self.names.pod(arrival.pod) else {
            return;
        };
        let cell = self.frame.pods.entry(pod).or_default();
        cell.queue = cell.queue.max(arrival.queue);
    }

    fn app(&mut self, _at: Instant, event: &AppEvent<'_>) {
        let Some(pod) = self.names.pod(event.pod) else {
            return;
        };
        let cell = self.frame.pods.entry(pod).or_default();
        cell.done += 1;
        let answered = event.outcome == AppOutcome::Answered && event.status < 500;
        cell.errors += u32::from(!answered);
    }

    fn fault(&mut self, at: Instant, event: &FaultEvent<'_>) {
        let began = event.phase == FaultPhase::Began;
        let now = at.as_nanos();
        self.flights.fault(event.index, now, began, event.drawn);
        let what = What::Fault {
            fault: event.index,
            began,
            pods: event.pods,
            packets: event.packets,
            requests: event.requests,
        };
        self.entry(at, what);
    }

    fn pod(&mut self, at: Instant, event: &PodEvent<'_>) {
        if let Some(pod) = self.names.pod(event.pod) {
            let change = event.change;
            if change.kills() {
                self.flights.killed(pod);
            }
            self.entry(at, What::Pod { pod, change });
        }
    }

    fn wants_traces(&self) -> bool {
        true
    }

    fn trace(&mut self, trace: &TraceReport) {
        let Some(source) = self.names.source(&trace.traffic) else {
            return;
        };
        // As its row has it: what its sidecar told after its client had given up is another story.
        let failure = self.failures.swap_remove(&(source, trace.sequence));
        let kind = match trace.succeeded {
            Some(true) => 0,
            Some(false) => failure.unwrap_or_default(),
            // It has not ended, and has no row.
            None => return,
        };
        if self.traces >= TRACES_MAX {
            return;
        }
        let moment = trace.intended_ns / self.cadence;
        let told = self.told.entry((kind, moment)).or_default();
        if *told >= TRACES_EACH {
            return;
        }
        *told += 1;
        self.traces += 1;
        self.piece
            .traces
            .push(((source, trace.sequence), Arc::new(trace.clone())));
    }

    fn reached(&mut self, at: Instant) {
        let at = at.as_nanos().saturating_sub(ORIGIN.as_nanos());
        self.reached = self.reached.max(at);
        // The last moment is cut by `wrap`, with what the end of the run still tells.
        if at >= self.frame.from + self.cadence && at < self.length {
            self.cut(at);
        }
    }
}
