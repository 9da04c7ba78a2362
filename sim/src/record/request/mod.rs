//! What is known of each traffic request, joined by its trace id.
//!
//! A request is known by its trace id. What its client, the sidecars and the
//! apps tell of it is kept until the request has ended, then handed to whoever
//! wants it: the [request log](line), the [blame] and the [traces](trace) of
//! the worst. A sidecar learns that its client gave up only afterwards, so an
//! unanswered request waits for its sidecar's last word; no more than
//! [`PATIENCE`] requests wait. And what a mesh goes on doing for a client that
//! has gone is often what broke it: a failed request's trace is told only when
//! [`LINGER`] more have failed.

mod blame;
mod line;
mod split;
mod trace;
mod worst;

use std::collections::{BTreeMap, VecDeque};
use std::io;

use crate::record::quick::{Map, Set};
use mesh_core::seam::Instant;
use mesh_core::telemetry::{
    AttemptEvent, Direction, RequestEvent, RequestTiming, ResponseFlag, ResponseFlags,
};
use meshquake_reports::{BlameReport, RequestOutcome, Split, Told, TraceReport};

use super::edge::nanos;
use super::event::{AppEvent, RequestEnded, RequestSent, TrafficOutcome};
use super::listener::Teller;
use super::series::Cut;
use super::traffic::{Judged, Sources};
use blame::Blame;
pub(super) use line::RequestLog;
use split::{Testimony, Tried, Visit, split};
use trace::Span;
use worst::Worst;

/// Requests that may wait for their sidecar's last word.
const PATIENCE: usize = 4_096;
/// Failed requests whose traces may still grow.
const LINGER: usize = 1_024;
/// Apps' accounts kept of one trace: enough for a fan-out that a person drew.
const VISITS_MAX: usize = 128;
/// Attempts kept of one request.
const ATTEMPTS_MAX: usize = 128;

/// Who wants to know.
#[derive(Default)]
pub(super) struct Wanted {
    /// A line for each request.
    pub(super) log: Option<RequestLog>,
    /// Blame, and the traces of the worst.
    pub(super) detail: bool,
    /// The traces of all.
    pub(super) traces: bool,
}

/// The requests of traffic sources.
pub(super) struct Requests {
    /// When the scenario's clock shows zero.
    origin: Instant,
    live: Map<u128, Live>,
    waiting: VecDeque<u128>,
    lingering: VecDeque<u128>,
    names: Names,
    log: Option<RequestLog>,
    detail: Option<(Blame, Worst)>,
    traces: bool,
    /// Traces that are to be told.
    told: Vec<TraceReport>,
}

/// Names that recur, by number.
struct Names(Set<Box<str>>);

/// The number of the empty name.
const NOBODY: usize = 0;

impl Names {
    fn new() -> Self {
        Self(Set::from_iter(["".into()]))
    }

    fn number(&mut self, name: &str) -> usize {
        if name.is_empty() {
            return NOBODY;
        }
        match self.0.get_index_of(name) {
            Some(index) => index,
            None => self.0.insert_full(name.into()).0,
        }
    }

    fn get(&self, number: usize) -> &str {
        self.0.get_index(number).map_or("", |name| name)
    }
}

/// What is known of a request so far.
struct Live {
    source: usize,
    sequence: u64,
    meshed: bool,
    intended: Instant,
    attempts: Vec<Attempt>,
    visits: Vec<Visit>,
    passage: Option<Passage>,
    end: Option<End>,
    spans: Vec<Span>,
    spans_omitted: u32,
    /// It was complete; only its trace may still grow.
    complete: bool,
}

struct Attempt {
    number: u32,
    upstream: usize,
    duration: u64,
    status: u16,
    flags: ResponseFlags,
    mirror: bool,
}

/// The request through its client's sidecar.
struct Passage {
    method: usize,
    authority: usize,
    path: Box<str>,
    route: usize,
    cluster: usize,
    details: usize,
    flags: ResponseFlags,
    timing: RequestTiming,
}

/// The request's end as its client saw it.
struct End {
    outcome: TrafficOutcome,
    judged: Judged,
    client: u64,
    latency: u64,
    flags: Box<str>,
    /// The flags of its sidecar's account or, without one, of the answer's header; or what else went wrong.
    failure: Option<Box<str>>,
}

impl Requests {
    pub(super) fn new(wanted: Wanted, cut: Cut) -> Self {
        let detail = wanted.detail.then(|| (Blame::new(cut), Worst::default()));
        Self {
            origin: cut.origin(),
            live: Map::default(),
            waiting: VecDeque::new(),
            lingering: VecDeque::new(),
            names: Names::new(),
            log: wanted.log,
            detail,
            traces: wanted.traces,
            told: Vec::new(),
        }
    }

    /// Whether what happens away from the client matters.
    fn keeps_spans(&self) -> bool {
        self.traces || self.detail.is_some()
    }

    /// A request left its client. One without a trace id of its own is not joined.
    pub(super) fn sent(&mut self, source: usize, meshed: bool, event: &RequestSent<'_>) {
        if event.trace == 0 || self.live.contains_key(&event.trace) {
            return;
        }
        let live = Live::new(source, event.sequence, meshed, event.intended);
        self.live.insert(event.trace, live);
    }

    /// A sidecar ended an attempt; `own` is whether it is the client's.
    pub(super) fn attempt(&mut self, teller: Teller<'_>, own: bool, event: &AttemptEvent<'_>) {
        let spans = self.keeps_spans();
        if !(own || spans) {
            return;
        }
        let Some(live) = self.live.get_mut(&event.trace) else {
            return;
        };
        if spans {
            live.span(|| Span::attempt(&mut self.names, teller, event));
        }
        if own && !live.complete && live.attempts.len() < ATTEMPTS_MAX {
            live.attempts.push(Attempt {
                number: event.number,
                upstream: self.names.number(event.upstream),
                duration: nanos(event.duration),
                status: event.status,
                flags: event.flags,
                mirror: event.mirror,
            });
        }
    }

    /// An app is done with a request of some trace.
    pub(super) fn visit(&mut self, event: &AppEvent<'_>) {
        let spans = self.keeps_spans();
        let Some(live) = self.live.get_mut(&event.trace) else {
            return;
        };
        if spans {
            live.span(|| Span::app(&mut self.names, event));
        }
        if !live.complete && live.visits.len() < VISITS_MAX {
            let left_queue = event.started.unwrap_or(event.ended);
            live.visits.push(Visit {
                pod: self.names.number(event.pod),
                queue: nanos(left_queue.since(event.arrived)),
                service: nanos(event.ended.since(left_queue)),
            });
        }
    }

    /// A sidecar is done with a request; `own` is whether it is the client's.
    pub(super) fn passage(
        &mut self,
        sources: &Sources,
        teller: Teller<'_>,
        own: bool,
        event: &RequestEvent<'_>,
    ) {
        let spans = self.keeps_spans();
        if !(own || spans) {
            return;
        }
        let Some(live) = self.live.get_mut(&event.trace) else {
            return;
        };
        if spans {
            live.span(|| Span::passage(&mut self.names, teller, event));
        }
        if !own || event.direction == Direction::Inbound || live.complete {
            return;
        }
        let names = &mut self.names;
        live.passage = Some(Passage {
            method: names.number(event.method),
            authority: names.number(event.authority),
            path: event.path.into(),
            route: names.number(event.route),
            cluster: names.number(event.cluster),
            details: names.number(event.details),
            flags: event.flags,
            timing: event.timing,
        });
        if live.end.is_some() {
            self.waiting.retain(|trace| *trace != event.trace);
            self.complete(sources, event.trace);
        }
    }

    /// A request ended for its client.
    pub(super) fn ended(
        &mut self,
        sources: &Sources,
        (source, pod): (usize, &str),
        event: &RequestEnded<'_>,
        judged: Judged,
    ) {
        let end = End {
            outcome: event.outcome,
            judged,
            client: nanos(event.sent.since(event.intended)),
            latency: nanos(event.ended.since(event.intended)),
            flags: event.flags.into(),
            failure: None,
        };
        let spans = self.keeps_spans();
        let own = |live: &&mut Live| {
            live.source == source && live.sequence == event.sequence && !live.complete
        };
        let Some(live) = self.live.get_mut(&event.trace).filter(own) else {
            let mut alone = Live::new(source, event.sequence, false, event.intended);
            alone.end = Some(end);
            self.settle(sources, event.trace, &mut alone);
            self.tell(sources, event.trace, &alone);
            return;
        };
        if spans {
            let service = sources.name(source);
            let client = Span::client(&mut self.names, Teller { pod, service }, event);
            live.spans.push(client);
        }
        let heard = live.passage.is_some();
        let deaf = !live.meshed || event.outcome == TrafficOutcome::ConnectFailed;
        live.end = Some(end);
        if heard || deaf {
            self.complete(sources, event.trace);
            return;
        }
        self.waiting.push_back(event.trace);
        if self.waiting.len() > PATIENCE
            && let Some(oldest) = self.waiting.pop_front()
        {
            self.complete(sources, oldest);
        }
    }

    /// A request has ended, and all that its client's side will tell of it is told.
    fn complete(&mut self, sources: &Sources, trace: u128) {
        let Some(mut live) = self.live.swap_remove(&trace) else {
            return;
        };
        self.settle(sources, trace, &mut live);
        let grows =
            self.keeps_spans() && live.end.as_ref().is_some_and(|end| !end.judged.succeeded);
        if !grows {
            self.tell(sources, trace, &live);
            return;
        }
        live.complete = true;
        self.live.insert(trace, live);
        self.lingering.push_back(trace);
        if self.lingering.len() > LINGER
            && let Some(oldest) = self.lingering.pop_front()
        {
            self.last_word(sources, oldest);
        }
    }

    fn last_word(&mut self, sources: &Sources, trace: u128) {
        if let Some(live) = self.live.swap_remove(&trace) {
            self.tell(sources, trace, &live);
        }
    }

    /// Counts a request that has ended, and logs it.
    fn settle(&mut self, sources: &Sources, trace: u128, live: &mut Live) {
        if let Some(log) = &mut self.log {
            log.write(sources, &self.names, (self.origin, trace), live);
        }
        let (Some((blame, _)), Some(end)) = (&mut self.detail, &live.end) else {
            return;
        };
        let split = live.split(end);
        let failed = !end.judged.succeeded;
        let failure = failed.then(|| failure(live.flags(), end.outcome));
        let why = failure.as_deref().map(|why| (live.intended, why));
        blame.ended(live.source, end.latency, &split, why);
        if let Some(end) = &mut live.end {
            end.failure = failure;
        }
    }

    /// Tells the trace to those who want it.
    fn tell(&mut self, sources: &Sources, trace: u128, live: &Live) {
        let report = |told| live.trace(&self.names, sources, (self.origin, trace), told);
        if let (Some((_, worst)), Some(end)) = (&mut self.detail, &live.end) {
            worst.consider(end.failure.as_deref(), end.latency, report);
        }
        if self.traces {
            self.told.push(report(Told::Every));
        }
    }

    /// Traces that have become complete since this was last called.
    pub(super) fn told(&mut self) -> Vec<TraceReport> {
        std::mem::take(&mut self.told)
    }

    /// Tells of what is left, requests in flight last, and flushes the log.
    ///
    /// # Errors
    /// The first error of the log's sink.
    pub(super) fn close(&mut self, sources: &Sources) -> io::Result<()> {
        while let Some(trace) = self.waiting.pop_front() {
            self.complete(sources, trace);
        }
        while let Some(trace) = self.lingering.pop_front() {
            self.last_word(sources, trace);
        }
        let mut rest = std::mem::take(&mut self.live);
        rest.sort_by(|_, a, _, b| (a.source, a.sequence).cmp(&(b.source, b.sequence)));
        for (trace, mut live) in rest {
            self.settle(sources, trace, &mut live);
            self.tell(sources, trace, &live);
        }
        self.log.as_mut().map_or(Ok(()), RequestLog::close)
    }

    /// Where requests spent their time, source by source.
    pub(super) fn blame(&self, sources: &Sources) -> Vec<BlameReport> {
        let detail = self.detail.as_ref();
        detail.map_or_else(Vec::new, |(blame, _)| blame.report(sources))
    }

    /// For each traffic source how many of the requests of each window failed, and why, for so many windows.
    pub(super) fn failed(&self, source: usize, windows: usize) -> BTreeMap<String, Vec<u64>> {
        let detail = self.detail.as_ref();
        detail.map_or_else(BTreeMap::new, |(blame, _)| blame.why(source, windows))
    }

    /// The worst requests.
    pub(super) fn worst(&self) -> Vec<TraceReport> {
        let detail = self.detail.as_ref();
        detail.map_or_else(Vec::new, |(_, worst)| worst.report())
    }
}

/// Why a request counts as failed: flags say it best.
fn failure(flags: String, outcome: TrafficOutcome) -> Box<str> {
    if flags != "-" {
        return flags.into();
    }
    match outcome {
        TrafficOutcome::Answered(status) => status.to_string().into(),
        TrafficOutcome::Timeout => "timeout".into(),
        TrafficOutcome::ConnectFailed => "connect_failed".into(),
        TrafficOutcome::Broken => "broken".into(),
    }
}

fn told(outcome: Option<TrafficOutcome>) -> (RequestOutcome, Option<u16>) {
    match outcome {
        None => (RequestOutcome::InFlight, None),
        Some(TrafficOutcome::Answered(status)) => (RequestOutcome::Answered, Some(status)),
        Some(TrafficOutcome::Timeout) => (RequestOutcome::Timeout, None),
        Some(TrafficOutcome::ConnectFailed) => (RequestOutcome::ConnectFailed, None),
        Some(TrafficOutcome::Broken) => (RequestOutcome::Broken, None),
    }
}

impl Live {
    fn new(source: usize, sequence: u64, meshed: bool, intended: Instant) -> Self {
        Self {
            source,
            sequence,
            meshed,
            intended,
            attempts: Vec::new(),
            visits: Vec::new(),
            passage: None,
            end: None,
            spans: Vec::new(),
            spans_omitted: 0,
            complete: false,
        }
    }

    /// Response flags as its sidecar's account has them or, without one, the answer's header; `-` when there are none.
    fn flags(&self) -> String {
        if let Some(passage) = &self.passage {
            return passage.flags.to_string();
        }
        let header = self.end.as_ref().map_or("", |end| &end.flags);
        if header.is_empty() { "-" } else { header }.to_owned()
    }

    fn split(&self, end: &End) -> Split {
        let attempts: Vec<Tried> = self
            .attempts
            .iter()
            .filter(|attempt| !attempt.mirror)
            .map(|attempt| Tried {
                upstream: attempt.upstream,
                duration: attempt.duration,
                // A connection that failed was the pool's time, not the upstream's.
                unanswered: attempt.status == 0
                    && !attempt
                        .flags
                        .contains(ResponseFlag::UpstreamConnectionFailure),
            })
            .collect();
        split(&Testimony {
            latency: end.latency,
            client: end.client,
            answered: matches!(end.outcome, TrafficOutcome::Answered(_)),
            timing: self.passage.as_ref().map(|passage| passage.timing),
            attempts: &attempts,
            visits: &self.visits,
        })
    }
}
