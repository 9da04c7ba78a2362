//! The request log: one line of JSON per traffic request, in the order in which they were complete.

use std::io::{self, Write};

use mesh_core::seam::Instant;
use meshquake_reports::record::millis;
use meshquake_reports::{RequestAttempt, RequestLine};

use super::super::edge::nanos;
use super::super::sink::LineSink;
use super::super::traffic::Sources;
use super::{Live, Names, Passage, told};

/// The log.
pub(in super::super) struct RequestLog(LineSink);

impl RequestLog {
    pub(in super::super) fn new(sink: Box<dyn Write>) -> Self {
        Self(LineSink::new(sink))
    }

    /// Writes what is left, and flushes.
    ///
    /// # Errors
    /// The first error of the sink.
    pub(super) fn close(&mut self) -> io::Result<()> {
        self.0.close()
    }

    /// Writes a request; `origin` is when the scenario's clock shows zero.
    pub(super) fn write(
        &mut self,
        sources: &Sources,
        names: &Names,
        (origin, trace): (Instant, u128),
        live: &Live,
    ) {
        let trace = format!("{trace:032x}");
        let flags: Vec<String> = live.attempts.iter().map(|a| a.flags.to_string()).collect();
        let attempts: Vec<RequestAttempt<'_>> = live
            .attempts
            .iter()
            .zip(&flags)
            .map(|(attempt, flags)| RequestAttempt {
                number: attempt.number,
                upstream: names.get(attempt.upstream),
                status: (attempt.status != 0).then_some(attempt.status),
                flags,
                duration_ms: millis(attempt.duration),
                mirror: attempt.mirror,
            })
            .collect();
        let passage = live.passage.as_ref();
        let text = |of: fn(&Passage) -> usize| passage.map_or("", |passage| names.get(of(passage)));
        let end = live.end.as_ref();
        let (outcome, status) = told(end.map(|end| end.outcome));
        let line = RequestLine {
            traffic: sources.name(live.source),
            sequence: live.sequence,
            trace: &trace,
            intended_ns: nanos(live.intended.since(origin)),
            method: text(|passage| passage.method),
            authority: text(|passage| passage.authority),
            path: passage.map_or("", |passage| &passage.path),
            route: text(|passage| passage.route),
            cluster: text(|passage| passage.cluster),
            outcome,
            succeeded: end.map(|end| end.judged.succeeded),
            status,
            flags: &live.flags(),
            details: text(|passage| passage.details),
            latency_ns: end.map(|end| end.latency),
            latency_ms: end.map(|end| millis(end.latency)),
            split: end.map(|end| live.split(end)),
            attempts: &attempts,
        };
        self.0.append(|out| {
            if serde_json::to_writer(&mut *out, &line).is_ok() {
                out.push(b'\n');
            }
        });
    }
}
