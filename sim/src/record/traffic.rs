//! What the clients saw.

use std::collections::BTreeMap;

use crate::record::quick::Map;
use mesh_core::telemetry::{RequestEvent, ResponseFlags};
use meshquake_reports::record::{millis, seconds};
use meshquake_reports::{LatencyHistogram, ScriptedReport, TrafficReport};

use super::count::{Counts, status};
use super::edge::{nanos, rate};
use super::event::{Check, RequestEnded, RequestSent, TrafficOutcome};
use super::series::{Cut, Windows};
use crate::plan::{ExpectedOutcome, Load, Plan, ScriptedRequest, TrafficPlan};
use crate::verdict::{InFlight, Start};

/// All traffic sources, in plan order.
pub(super) struct Sources(Map<Box<str>, Source>);

/// One traffic source.
pub(super) struct Source {
    meshed: bool,
    requests: u64,
    succeeded: u64,
    failed: u64,
    in_flight: InFlight,
    status: Counts<u16>,
    unanswered: Counts<&'static str>,
    /// Flags by its own sidecar's account, and by the answers' headers.
    logged_flags: Counts<ResponseFlags>,
    header_flags: BTreeMap<Box<str>, u64>,
    latency: LatencyHistogram,
    windows: Windows,
    script: Vec<Scripted>,
}

struct Scripted {
    demands: bool,
    sent: bool,
    report: ScriptedReport,
}

/// How a request counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Judged {
    /// Whether it is a success.
    pub(super) succeeded: bool,
    /// Its latency in nanoseconds, from the intended start, when it was answered.
    pub(super) latency: Option<u64>,
    /// The status that was answered; 0 is no answer.
    pub(super) status: u16,
}

impl Judged {
    /// A script's demand decides where there is one; else an answer below 500 is a success.
    pub(super) fn of(event: &RequestEnded<'_>) -> Self {
        let answered = match event.outcome {
            TrafficOutcome::Answered(status) => status,
            _ => 0,
        };
        let succeeded = match event.check {
            Check::None => (1..500).contains(&answered),
            Check::Met => true,
            Check::Missed(_) => false,
        };
        let latency = (answered != 0).then(|| nanos(event.ended.since(event.intended)));
        Self {
            succeeded,
            latency,
            status: answered,
        }
    }
}

impl Sources {
    pub(super) fn new(plan: &Plan, cut: Cut) -> Self {
        let sources = plan.traffic.iter();
        Self(
            sources
                .map(|traffic| (traffic.name.as_str().into(), Source::new(traffic, cut)))
                .collect(),
        )
    }

    /// The number of the source called `name`.
    pub(super) fn index(&self, name: &str) -> Option<usize> {
        self.0.get_index_of(name)
    }

    pub(super) fn get(&mut self, index: usize) -> Option<&mut Source> {
        self.0.get_index_mut(index).map(|(_, source)| source)
    }

    pub(super) fn name(&self, index: usize) -> &str {
        self.0.get_index(index).map_or("", |(name, _)| name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Source)> {
        self.0.iter().map(|(name, source)| (&**name, source))
    }
}

impl Source {
    fn new(traffic: &TrafficPlan, cut: Cut) -> Self {
        let script = match &traffic.load {
            Load::Script(script) => script.iter().map(Scripted::new).collect(),
            Load::Open { .. } | Load::Closed { .. } => Vec::new(),
        };
        Self {
            meshed: traffic.workload.meshed,
            requests: 0,
            succeeded: 0,
            failed: 0,
            in_flight: InFlight::default(),
            status: Counts::default(),
            unanswered: Counts::default(),
            logged_flags: Counts::default(),
            header_flags: BTreeMap::new(),
            latency: LatencyHistogram::new(),
            windows: Windows::new(cut),
            script,
        }
    }

    /// Whether its pod has a sidecar.
    pub(super) const fn meshed(&self) -> bool {
        self.meshed
    }

    /// Counts and latencies over time.
    pub(super) const fn windows(&self) -> &Windows {
        &self.windows
    }

    /// The requests in flight.
    pub(super) fn in_flight(&self) -> impl Iterator<Item = Start> {
        self.in_flight.starts()
    }

    /// # Errors
    /// When the request had been sent before.
    pub(super) fn sent(&mut self, event: &RequestSent<'_>) -> Result<(), &'static str> {
        self.requests += 1;
        self.windows.begun(event.intended);
        if let Some(scripted) = self.scripted(event.sequence) {
            scripted.sent = true;
        }
        let RequestSent { intended, sent, .. } = *event;
        self.in_flight
            .sent(event.sequence, Start { intended, sent })
    }

    /// # Errors
    /// When the request was not in flight.
    pub(super) fn ended(
        &mut self,
        event: &RequestEnded<'_>,
        judged: Judged,
    ) -> Result<(), &'static str> {
        self.in_flight.ended(event.sequence)?;
        if judged.succeeded {
            self.succeeded += 1;
        } else {
            self.failed += 1;
        }
        let (code, reason) = outcome(event.outcome);
        self.status.add(code);
        if let Some(reason) = reason {
            self.unanswered.add(reason);
        }
        if let Some(latency) = judged.latency {
            self.latency.record(latency);
        }
        self.windows
            .ended(event.intended, !judged.succeeded, judged.latency);
        self.header(event.flags);
        if let Some(scripted) = self.scripted(event.sequence) {
            scripted.ended(event);
        }
        Ok(())
    }

    fn header(&mut self, flags: &str) {
        let flags = if flags.is_empty() { "-" } else { flags };
        match self.header_flags.get_mut(flags) {
            Some(count) => *count += 1,
            None => {
                self.header_flags.insert(flags.into(), 1);
            }
        }
    }

    /// Its own sidecar is done with one of its requests.
    pub(super) fn logged(&mut self, event: &RequestEvent<'_>) {
        self.logged_flags.add(event.flags);
    }

    fn scripted(&mut self, sequence: u64) -> Option<&mut Scripted> {
        self.script.get_mut(usize::try_from(sequence).ok()?)
    }

    /// The report of a run of this length in nanoseconds.
    pub(super) fn report(&self, length: u64) -> TrafficReport {
        let flags = if self.logged_flags.is_empty() {
            let headers = self.header_flags.iter();
            headers.map(|(flags, n)| (flags.to_string(), *n)).collect()
        } else {
            self.logged_flags.told(|flags| flags.to_string())
        };
        TrafficReport {
            requests: self.requests,
            succeeded: self.succeeded,
            failed: self.failed,
            in_flight_at_end: self.in_flight.len() as u64,
            rps: rate(self.requests, seconds(length)),
            status: self.status.told(status),
            flags,
            unanswered: self.unanswered.told(str::to_owned),
            latency_ms: self.latency.summary(),
            series: self.windows.told(length),
            scripted: self.script.iter().map(Scripted::told).collect(),
        }
    }
}

/// The status (0 for none) and why there was none.
const fn outcome(outcome: TrafficOutcome) -> (u16, Option<&'static str>) {
    match outcome {
        TrafficOutcome::Answered(status) => (status, None),
        TrafficOutcome::Timeout => (0, Some("timeout")),
        TrafficOutcome::ConnectFailed => (0, Some("connect_failed")),
        TrafficOutcome::Broken => (0, Some("broken")),
    }
}

impl Scripted {
    fn new(request: &ScriptedRequest) -> Self {
        let demands = request.expect != ExpectedOutcome::default();
        let sent = &request.request;
        Self {
            demands,
            sent: false,
            report: ScriptedReport {
                at_s: seconds(nanos(request.at)),
                request: format!("{} {}{}", sent.method, sent.authority, sent.path),
                place: request.place.clone(),
                status: None,
                upstream: String::new(),
                flags: "-".into(),
                latency_ms: None,
                held: None,
                message: String::new(),
            },
        }
    }

    fn ended(&mut self, event: &RequestEnded<'_>) {
        let report = &mut self.report;
        report.status = match event.outcome {
            TrafficOutcome::Answered(status) => Some(status),
            _ => None,
        };
        report.upstream = event.upstream.into();
        if !event.flags.is_empty() {
            report.flags = event.flags.into();
        }
        report.latency_ms = Some(millis(nanos(event.ended.since(event.intended))));
        report.held = match event.check {
            Check::None => None,
            Check::Met => Some(true),
            Check::Missed(_) => Some(false),
        };
        if let Check::Missed(why) = event.check {
            report.message = why.into();
        }
    }

    fn told(&self) -> ScriptedReport {
        let mut report = self.report.clone();
        if self.demands && report.held.is_none() && report.latency_ms.is_none() {
            report.held = Some(false);
            report.message = if self.sent {
                "it had not ended when the run did".into()
            } else {
                "it was not sent before the run ended".into()
            };
        }
        report
    }
}
