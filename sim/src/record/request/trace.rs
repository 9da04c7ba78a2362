//! A request's trace: who did what for it, and who caused it.
//!
//! Proxies here propagate trace ids and not span ids of ours, so causes are
//! found by place and time: an attempt belongs to the request that its sidecar
//! was working on then, what comes in at a pod to the attempt that went there
//! last, a call that an app makes to the work it was doing. Where two pieces of
//! work of one trace overlap at one pod, the later begun is taken.

use std::cmp::Reverse;

use mesh_core::seam::Instant;
use mesh_core::telemetry::{AttemptEvent, Direction, RequestEvent, ResponseFlags, TlsState};
use meshquake_reports::{SpanKind, SpanReport, Told, TraceReport};

use super::super::edge::nanos;
use super::super::event::{AppEvent, AppOutcome, RequestEnded, TrafficOutcome};
use super::super::listener::Teller;
use super::super::traffic::Sources;
use super::{Live, NOBODY, Names, told};

/// Spans kept of one trace.
const SPANS_MAX: usize = 512;

/// A span with its names by number.
pub(super) struct Span {
    kind: SpanKind,
    pod: usize,
    service: usize,
    start: Instant,
    end: Instant,
    /// Method, authority, path.
    request: Option<(usize, usize, Box<str>)>,
    cluster: usize,
    peer: usize,
    status: u16,
    flags: ResponseFlags,
    details: usize,
    attempt: u32,
    mirror: bool,
    mtls: Option<bool>,
    fault: u64,
    backoff: u64,
    pool: u64,
    queue: u64,
}

impl Span {
    fn new(
        names: &mut Names,
        kind: SpanKind,
        teller: Teller<'_>,
        from: Instant,
        to: Instant,
    ) -> Self {
        Self {
            kind,
            pod: names.number(teller.pod),
            service: names.number(teller.service),
            start: from,
            end: to,
            request: None,
            cluster: NOBODY,
            peer: NOBODY,
            status: 0,
            flags: ResponseFlags::default(),
            details: NOBODY,
            attempt: 0,
            mirror: false,
            mtls: None,
            fault: 0,
            backoff: 0,
            pool: 0,
            queue: 0,
        }
    }

    pub(super) fn client(names: &mut Names, teller: Teller<'_>, event: &RequestEnded<'_>) -> Self {
        let status = match event.outcome {
            TrafficOutcome::Answered(status) => status,
            _ => 0,
        };
        let peer = names.number(event.upstream);
        Self {
            status,
            peer,
            ..Self::new(names, SpanKind::Client, teller, event.sent, event.ended)
        }
    }

    pub(super) fn passage(names: &mut Names, teller: Teller<'_>, event: &RequestEvent<'_>) -> Self {
        let (kind, peer) = match event.direction {
            Direction::Outbound => (SpanKind::Outbound, event.upstream),
            Direction::Inbound => (SpanKind::Inbound, event.peer),
        };
        let method = names.number(event.method);
        let authority = names.number(event.authority);
        let inbound = kind == SpanKind::Inbound;
        Self {
            request: Some((method, authority, event.path.into())),
            cluster: names.number(if inbound { "" } else { event.cluster }),
            peer: names.number(peer),
            status: event.status,
            flags: event.flags,
            details: names.number(event.details),
            mtls: inbound.then_some(event.downstream_tls == TlsState::Mutual),
            fault: nanos(event.timing.fault),
            backoff: nanos(event.timing.backoff),
            pool: nanos(event.timing.pool),
            ..Self::new(
                names,
                kind,
                teller,
                event.start,
                event.start + event.duration,
            )
        }
    }

    pub(super) fn attempt(names: &mut Names, teller: Teller<'_>, event: &AttemptEvent<'_>) -> Self {
        let end = event.start + event.duration;
        Self {
            cluster: names.number(event.cluster),
            peer: names.number(event.upstream),
            status: event.status,
            flags: event.flags,
            attempt: event.number,
            mirror: event.mirror,
            mtls: (!event.upstream.is_empty()).then_some(event.tls == TlsState::Mutual),
            ..Self::new(names, SpanKind::Attempt, teller, event.start, end)
        }
    }

    pub(super) fn app(names: &mut Names, event: &AppEvent<'_>) -> Self {
        let outcome = match event.outcome {
            AppOutcome::Answered => "answered",
            AppOutcome::Rejected => "rejected",
            AppOutcome::Cancelled => "cancelled",
            AppOutcome::Wasted => "wasted",
            AppOutcome::Abandoned => "abandoned",
        };
        let teller = Teller {
            pod: event.pod,
            service: event.service,
        };
        let left_queue = event.started.unwrap_or(event.ended);
        Self {
            status: event.status,
            details: names.number(outcome),
            queue: nanos(left_queue.since(event.arrived)),
            ..Self::new(names, SpanKind::App, teller, event.arrived, event.ended)
        }
    }

    /// Whether `cause` may have caused this: it is the right kind at the right place, and was at it then.
    fn follows(&self, cause: &Self) -> bool {
        let here = cause.pod == self.pod;
        let place = match (cause.kind, self.kind) {
            (SpanKind::Client, SpanKind::Outbound)
            | (SpanKind::App, SpanKind::Outbound)
            | (SpanKind::Inbound, SpanKind::App) => here,
            (SpanKind::Outbound, SpanKind::Attempt) => here && cause.cluster == self.cluster,
            (SpanKind::Attempt, SpanKind::Inbound | SpanKind::App) => cause.peer == self.pod,
            _ => false,
        };
        place && cause.start <= self.start
    }
}

impl Live {
    /// Keeps what `span` makes, unless there are too many.
    pub(super) fn span(&mut self, span: impl FnOnce() -> Span) {
        if self.spans.len() < SPANS_MAX {
            self.spans.push(span());
        } else {
            self.spans_omitted += 1;
        }
    }

    /// The trace as reports have it; `origin` is when the scenario's clock shows zero.
    pub(super) fn trace(
        &self,
        names: &Names,
        sources: &Sources,
        (origin, trace): (Instant, u128),
        why: Told,
    ) -> TraceReport {
        let end = self.end.as_ref();
        let (outcome, status) = told(end.map(|end| end.outcome));
        let request = self.passage.as_ref().map(|passage| {
            let (method, authority) = (names.get(passage.method), names.get(passage.authority));
            format!("{method} {authority}{}", passage.path)
        });
        TraceReport {
            told: why,
            traffic: sources.name(self.source).to_owned(),
            sequence: self.sequence,
            trace: format!("{trace:032x}"),
            intended_ns: nanos(self.intended.since(origin)),
            request: request.unwrap_or_default(),
            outcome,
            succeeded: end.map(|end| end.judged.succeeded),
            status,
            flags: self.flags(),
            latency_ns: end.map(|end| end.latency),
            split: end.map(|end| self.split(end)),
            spans: spans(&self.spans, names, origin),
            spans_omitted: self.spans_omitted,
        }
    }
}

/// Causes before effects, and of one cause the effects by beginning.
fn spans(all: &[Span], names: &Names, origin: Instant) -> Vec<SpanReport> {
    let mut all: Vec<&Span> = all.iter().collect();
    let client = |span: &Span| span.kind != SpanKind::Client;
    all.sort_by_key(|span| (client(span), span.start, Reverse(span.end), span.kind));
    let causes: Vec<Option<usize>> = (0..all.len()).map(|place| cause(&all, place)).collect();
    let order = order(&causes);
    let mut new_place = vec![0; all.len()];
    for (place, old) in order.iter().enumerate() {
        new_place[*old] = place;
    }
    let reports = order.iter().map(|old| {
        let parent = causes[*old].map(|cause| new_place[cause]);
        let before = parent.filter(|parent| *parent < new_place[*old]);
        let parent = before.and_then(|parent| u32::try_from(parent).ok());
        all[*old].report(names, origin, parent)
    });
    reports.collect()
}

/// Every place once, after the place of its cause. Where causes go round in a ring (at one instant, everything may have
/// caused everything), the ring is begun anywhere.
fn order(causes: &[Option<usize>]) -> Vec<usize> {
    let mut effects = vec![Vec::new(); causes.len()];
    let mut roots = Vec::new();
    for (place, cause) in causes.iter().enumerate() {
        match cause {
            Some(cause) => effects[*cause].push(place),
            None => roots.push(place),
        }
    }
    roots.extend(0..causes.len());
    let mut order = Vec::with_capacity(causes.len());
    let mut seen = vec![false; causes.len()];
    for root in roots {
        let mut open = vec![root];
        while let Some(place) = open.pop() {
            if !std::mem::replace(&mut seen[place], true) {
                order.push(place);
                open.extend(effects[place].iter().rev());
            }
        }
    }
    order
}

/// The latest begun that may have caused it and was still at it; else the latest begun.
fn cause(all: &[&Span], place: usize) -> Option<usize> {
    let span = all[place];
    let candidates = || {
        let others = all.iter().enumerate().filter(move |(i, _)| *i != place);
        others.filter(|(_, cause)| span.follows(cause)).rev()
    };
    let lasting = candidates().find(|(_, cause)| span.start <= cause.end);
    let (index, _) = lasting.or_else(|| candidates().next())?;
    Some(index)
}

impl Span {
    fn report(&self, names: &Names, origin: Instant, parent: Option<u32>) -> SpanReport {
        let text = |number: usize| names.get(number).to_owned();
        let request = self.request.as_ref().map(|(method, authority, path)| {
            format!("{} {}{path}", names.get(*method), names.get(*authority))
        });
        SpanReport {
            kind: self.kind,
            parent,
            pod: text(self.pod),
            service: text(self.service),
            start_ns: nanos(self.start.since(origin)),
            end_ns: nanos(self.end.since(origin)),
            request: request.unwrap_or_default(),
            cluster: text(self.cluster),
            peer: text(self.peer),
            status: (self.status != 0).then_some(self.status),
            flags: self.flags.to_string(),
            details: text(self.details),
            attempt: self.attempt,
            mirror: self.mirror,
            mtls: self.mtls,
            fault_ns: self.fault,
            backoff_ns: self.backoff,
            pool_ns: self.pool,
            queue_ns: self.queue,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::order;
    use proptest::prelude::*;

    #[test]
    fn effects_follow_their_cause() {
        let causes = [None, Some(3), Some(0), Some(0), Some(1)];
        assert_eq!(order(&causes), [0, 2, 3, 1, 4]);
    }

    proptest! {
        #[test]
        fn each_stands_there_once_whatever_caused_it(
            causes in prop::collection::vec(prop::option::of(0_usize..20), 20)
        ) {
            let mut order = order(&causes);
            order.sort_unstable();
            prop_assert_eq!(order, (0..20).collect::<Vec<_>>());
        }
    }
}
