//! The request log: one line of JSON per traffic request, in the order in which they were complete.
//!
//! A request is known by its trace id. What its client, the client's sidecar
//! and the apps tell of it is kept until the request has ended, then written
//! and forgotten. A sidecar learns that its client gave up only afterwards, so
//! an unanswered request waits for its sidecar's last word; no more than
//! [`PATIENCE`] requests wait.

use std::collections::VecDeque;
use std::io::{self, Write};

use indexmap::{IndexMap, IndexSet};
use mesh_core::seam::Instant;
use mesh_core::telemetry::{
    AttemptEvent, RequestEvent, RequestTiming, ResponseFlag, ResponseFlags,
};
use meshquake_reports::record::millis;
use meshquake_reports::{RequestAttempt, RequestLine, RequestOutcome};

use super::edge::nanos;
use super::event::{AppEvent, RequestEnded, RequestSent, TrafficOutcome};
use super::sink::LineSink;
use super::split::{Testimony, Tried, Visit, split};
use super::traffic::{Judged, Sources};

/// Requests that may wait for their sidecar's last word.
const PATIENCE: usize = 4_096;
/// Apps' accounts kept of one trace: enough for a fan-out that a person drew.
const VISITS_MAX: usize = 128;
/// Attempts kept of one request.
const ATTEMPTS_MAX: usize = 128;

/// The log.
pub(super) struct RequestLog {
    sink: LineSink,
    /// When the scenario's clock shows zero.
    origin: Instant,
    live: IndexMap<u128, Live>,
    waiting: VecDeque<u128>,
    names: IndexSet<Box<str>>,
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
}

impl RequestLog {
    pub(super) fn new(sink: Box<dyn Write>, origin: Instant) -> Self {
        Self {
            sink: LineSink::new(sink),
            origin,
            live: IndexMap::new(),
            waiting: VecDeque::new(),
            names: IndexSet::new(),
        }
    }

    fn name(&mut self, name: &str) -> usize {
        match self.names.get_index_of(name) {
            Some(index) => index,
            None => self.names.insert_full(name.into()).0,
        }
    }

    /// A request left its client. One without a trace id of its own is not joined.
    pub(super) fn sent(&mut self, source: usize, meshed: bool, event: &RequestSent<'_>) {
        if event.trace == 0 || self.live.contains_key(&event.trace) {
            return;
        }
        self.live.insert(
            event.trace,
            Live {
                source,
                sequence: event.sequence,
                meshed,
                intended: event.intended,
                attempts: Vec::new(),
                visits: Vec::new(),
                passage: None,
                end: None,
            },
        );
    }

    /// A client's own sidecar ended an attempt.
    pub(super) fn attempt(&mut self, event: &AttemptEvent<'_>) {
        if !self.live.contains_key(&event.trace) {
            return;
        }
        let upstream = self.name(event.upstream);
        if let Some(live) = self.live.get_mut(&event.trace)
            && live.attempts.len() < ATTEMPTS_MAX
        {
            live.attempts.push(Attempt {
                number: event.number,
                upstream,
                duration: nanos(event.duration),
                status: event.status,
                flags: event.flags,
                mirror: event.mirror,
            });
        }
    }

    /// An app is done with a request of some trace.
    pub(super) fn visit(&mut self, event: &AppEvent<'_>) {
        if !self.live.contains_key(&event.trace) {
            return;
        }
        let pod = self.name(event.pod);
        if let Some(live) = self.live.get_mut(&event.trace)
            && live.visits.len() < VISITS_MAX
        {
            let left_queue = event.started.unwrap_or(event.ended);
            live.visits.push(Visit {
                pod,
                queue: nanos(left_queue.since(event.arrived)),
                service: nanos(event.ended.since(left_queue)),
            });
        }
    }

    /// A client's own sidecar is done with a request.
    pub(super) fn passage(&mut self, sources: &Sources, event: &RequestEvent<'_>) {
        if !self.live.contains_key(&event.trace) {
            return;
        }
        let passage = Passage {
            method: self.name(event.method),
            authority: self.name(event.authority),
            path: event.path.into(),
            route: self.name(event.route),
            cluster: self.name(event.cluster),
            details: self.name(event.details),
            flags: event.flags,
            timing: event.timing,
        };
        if let Some(live) = self.live.get_mut(&event.trace) {
            live.passage = Some(passage);
            if live.end.is_some() {
                self.waiting.retain(|trace| *trace != event.trace);
                self.complete(sources, event.trace);
            }
        }
    }

    /// A request ended for its client.
    pub(super) fn ended(
        &mut self,
        sources: &Sources,
        source: usize,
        event: &RequestEnded<'_>,
        judged: Judged,
    ) {
        let end = End {
            outcome: event.outcome,
            judged,
            client: nanos(event.sent.since(event.intended)),
            latency: nanos(event.ended.since(event.intended)),
            flags: event.flags.into(),
        };
        let own = |live: &&mut Live| live.source == source && live.sequence == event.sequence;
        let Some(live) = self.live.get_mut(&event.trace).filter(own) else {
            let alone = Live {
                source,
                sequence: event.sequence,
                meshed: false,
                intended: event.intended,
                attempts: Vec::new(),
                visits: Vec::new(),
                passage: None,
                end: Some(end),
            };
            self.write(sources, event.trace, &alone);
            return;
        };
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

    fn complete(&mut self, sources: &Sources, trace: u128) {
        if let Some(live) = self.live.swap_remove(&trace) {
            self.write(sources, trace, &live);
        }
    }

    /// Writes what is left, requests in flight last, and flushes.
    ///
    /// # Errors
    /// The first error of the sink.
    pub(super) fn close(&mut self, sources: &Sources) -> io::Result<()> {
        while let Some(trace) = self.waiting.pop_front() {
            self.complete(sources, trace);
        }
        let mut rest = std::mem::take(&mut self.live);
        rest.sort_by(|_, a, _, b| (a.source, a.sequence).cmp(&(b.source, b.sequence)));
        for (trace, live) in rest {
            self.write(sources, trace, &live);
        }
        self.sink.close()
    }

    fn write(&mut self, sources: &Sources, trace: u128, live: &Live) {
        let names = |index: usize| self.names.get_index(index).map_or("", |name| &**name);
        let trace = format!("{trace:032x}");
        let flags: Vec<String> = live.attempts.iter().map(|a| a.flags.to_string()).collect();
        let attempts: Vec<RequestAttempt<'_>> = live
            .attempts
            .iter()
            .zip(&flags)
            .map(|(attempt, flags)| RequestAttempt {
                number: attempt.number,
                upstream: names(attempt.upstream),
                status: (attempt.status != 0).then_some(attempt.status),
                flags,
                duration_ms: millis(attempt.duration),
                mirror: attempt.mirror,
            })
            .collect();
        let passage = live.passage.as_ref();
        let text = |of: fn(&Passage) -> usize| passage.map_or("", |passage| names(of(passage)));
        let logged = passage.map(|passage| passage.flags.to_string());
        let end = live.end.as_ref();
        let (outcome, status) = told(end.map(|end| end.outcome));
        let header = end.map(|end| &*end.flags).filter(|flags| !flags.is_empty());
        let line = RequestLine {
            traffic: sources.name(live.source),
            sequence: live.sequence,
            trace: &trace,
            intended_ns: nanos(live.intended.since(self.origin)),
            method: text(|passage| passage.method),
            authority: text(|passage| passage.authority),
            path: passage.map_or("", |passage| &passage.path),
            route: text(|passage| passage.route),
            cluster: text(|passage| passage.cluster),
            outcome,
            succeeded: end.map(|end| end.judged.succeeded),
            status,
            flags: logged.as_deref().or(header).unwrap_or("-"),
            details: text(|passage| passage.details),
            latency_ns: end.map(|end| end.latency),
            latency_ms: end.map(|end| millis(end.latency)),
            split: end.map(|end| live.split(end)),
            attempts: &attempts,
        };
        self.sink.append(|out| {
            if serde_json::to_writer(&mut *out, &line).is_ok() {
                out.push(b'\n');
            }
        });
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
    fn split(&self, end: &End) -> meshquake_reports::Split {
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
