//! Everything that a verdict is made of, gathered while the run goes on.

use std::collections::BTreeSet;

use mesh_core::seam::Instant;
use mesh_core::telemetry::{
    AttemptEvent, ConfigEvent, EjectionEvent, MechanismEvent, RequestEvent,
};
use meshquake_reports::{Recovered, RecoveryReport};

use super::detection::Detections;
use super::invariant::Invariants;
use super::layers::{EdgeId, Layers};
use super::ledger::{ClientEnd, GRACE, Ledger};
use super::metastable::{self, Aftermath};
use super::recovery::Recovery;
use super::stage::Stages;
use crate::plan::Plan;
use crate::record::{AppEvent, FaultEvent, FaultPhase, PodChange, PodEvent, nanos};

/// The witness of one run. All instants it is given are on the scenario's clock.
pub(crate) struct Witness {
    pub(super) ledger: Ledger,
    pub(super) detections: Detections,
    recovery: Recovery,
    layers: Layers,
    invariants: Invariants,
    edges: Vec<Option<Watched>>,
    stages: Stages,
    end: u64,
    /// Pods that something took away.
    away: BTreeSet<Box<str>>,
}

/// An edge and whoever asks for it.
struct Watched {
    accounts: Box<[usize]>,
    layer: EdgeId,
}

/// A host whose sidecar tells something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Teller<'a> {
    /// Its number.
    pub(crate) host: usize,
    /// Its pod.
    pub(crate) pod: &'a str,
    /// Its service.
    pub(crate) service: &'a str,
    /// The traffic source, if it is one's pod.
    pub(crate) source: Option<usize>,
}

impl Witness {
    pub(crate) fn new(plan: &Plan) -> Self {
        let (ledger, end) = (Ledger::new(plan), nanos(plan.duration));
        Self {
            stages: Stages::new(ledger.occurrences(), end),
            end,
            ledger,
            detections: Detections::new(plan),
            recovery: Recovery::new(plan),
            layers: Layers::new(plan),
            invariants: Invariants::new(plan),
            edges: Vec::new(),
            away: BTreeSet::new(),
        }
    }

    /// Whether edge `index` has not been met.
    pub(crate) fn is_new(&self, index: usize) -> bool {
        !matches!(self.edges.get(index), Some(Some(_)))
    }

    /// Edge `index` is the one from `from` to `to`.
    pub(crate) fn meet(&mut self, index: usize, from: &str, to: &str) {
        if index >= self.edges.len() {
            self.edges.resize_with(index + 1, || None);
        }
        self.edges[index] = Some(Watched {
            accounts: self.ledger.of_edge(from, to),
            layer: self.layers.edge(from, to),
        });
    }

    /// A request passed the outbound side of a sidecar.
    pub(crate) fn outbound(
        &mut self,
        edge: usize,
        teller: Teller<'_>,
        start: Instant,
        event: &RequestEvent<'_>,
    ) {
        let Some(Some(watched)) = self.edges.get(edge) else {
            return;
        };
        self.layers
            .request(watched.layer, start, event.attempts, &self.stages);
        self.invariants.outbound(teller, event);
        let accounts = &watched.accounts;
        self.ledger
            .outbound(accounts, teller.source, teller.pod, start, event);
    }

    /// An attempt of a sidecar ended.
    pub(crate) fn attempt(
        &mut self,
        edge: usize,
        teller: Teller<'_>,
        start: Instant,
        event: &AttemptEvent<'_>,
    ) {
        let Some(Some(watched)) = self.edges.get(edge) else {
            return;
        };
        if !event.mirror {
            self.layers.attempt(watched.layer, start, &self.stages);
        }
        self.invariants.attempt(teller, start, event);
        let accounts = &watched.accounts;
        self.ledger
            .attempt(accounts, teller.source, teller.pod, start, event);
    }

    /// A request passed the inbound side of a sidecar.
    pub(crate) fn inbound(&mut self, teller: Teller<'_>, start: Instant, event: &RequestEvent<'_>) {
        self.invariants.inbound(teller, event);
        if self.ledger.watches(teller.service) {
            let unauthorised = self.invariants.unauthorised(teller, event);
            let (service, pod) = (teller.service, teller.pod);
            self.ledger
                .inbound(service, pod, start, event, unauthorised);
        }
    }

    /// A sidecar's attempt at its own app ended.
    pub(crate) fn app_attempt(&mut self, teller: Teller<'_>, event: &AttemptEvent<'_>) {
        self.invariants.app_attempt(teller, event);
    }

    /// An endpoint was ejected or returned.
    pub(crate) fn ejection(&mut self, teller: Teller<'_>, at: Instant, event: &EjectionEvent<'_>) {
        let occurrences = self.ledger.occurrences();
        self.detections.ejection(at, event, occurrences);
        self.invariants.ejection(teller, at, event);
    }

    /// A mechanism acted.
    pub(crate) fn mechanism(
        &mut self,
        teller: Teller<'_>,
        at: Instant,
        event: &MechanismEvent<'_>,
    ) {
        self.invariants.mechanism(teller, at, event);
    }

    /// Configuration moved.
    pub(crate) fn config(&mut self, at: Instant, event: &ConfigEvent<'_>) {
        self.invariants.config(at, event);
    }

    /// A client sent a request.
    pub(crate) fn sent(&mut self, traffic: usize, trace: u128, intended: Instant, sent: Instant) {
        self.ledger.sent(traffic, trace, intended);
        self.invariants.sent(traffic, sent);
    }

    /// A client's request ended, which was sent at `sent`.
    pub(crate) fn ended(&mut self, end: &ClientEnd<'_>, sent: Instant) {
        self.recovery
            .ended(end.traffic, end.intended, end.succeeded, &self.stages);
        self.invariants.ended(end.traffic, sent, end.ended);
        self.ledger.ended(end);
    }

    /// A client's request was in flight when the run ended.
    pub(crate) fn in_flight(
        &mut self,
        traffic: usize,
        intended: Instant,
        sent: Instant,
        end: Instant,
    ) {
        if intended + GRACE < end {
            self.recovery.ended(traffic, intended, false, &self.stages);
        }
        self.invariants.in_flight(traffic, sent, end);
        self.ledger.in_flight(traffic, intended, end);
    }

    /// An app is done with a request; `local` puts an instant on the scenario's clock.
    pub(crate) fn app(&mut self, event: &AppEvent<'_>, local: impl Fn(Instant) -> Instant) {
        self.layers.app(event, local(event.ended), &self.stages);
        self.invariants.app(event);
        self.ledger.app(event, local);
    }

    /// A fault began or ended.
    pub(crate) fn fault(&mut self, at: Instant, event: &FaultEvent<'_>) {
        self.ledger.fault(at, event);
        self.stages = Stages::new(self.ledger.occurrences(), self.end);
        if event.phase == FaultPhase::Began {
            self.recovery.began();
            self.layers.began();
        }
    }

    /// A pod came or went.
    pub(crate) fn pod(&mut self, event: &PodEvent<'_>) {
        match event.change {
            PodChange::Ready | PodChange::Thawed => {
                self.away.remove(event.pod);
            }
            PodChange::Started => {}
            _ => {
                self.away.insert(event.pod.into());
            }
        }
    }

    /// The run is over. What it broke of the laws that every run keeps is told as sentences.
    pub(crate) fn close(&mut self, plan: &Plan, end: Instant) -> Vec<String> {
        self.ledger.close();
        self.invariants.close(plan, end)
    }

    /// From the last heal until goodput of traffic source `traffic` was back at `share` of what it was, in seconds.
    pub(super) fn back(&self, traffic: usize, share: f64, length: u64) -> Option<f64> {
        let stages = Stages::new(self.ledger.occurrences(), length);
        stages.healed()?;
        self.recovery.sources().nth(traffic)?.back(share, &stages)
    }

    /// What became of each traffic source when the faults had healed, in a run of this length in nanoseconds.
    pub(crate) fn recovery(&self, plan: &Plan, length: u64) -> Vec<RecoveryReport> {
        let stages = Stages::new(self.ledger.occurrences(), length);
        if stages.healed().is_none() {
            return Vec::new();
        }
        let mut sources = self.recovery.sources();
        let burst = self.ledger.occurrences().bursts().last_healed(length);
        let burst = burst.filter(|(at, _)| Some(*at) == stages.healed());
        let world = Aftermath {
            stages: &stages,
            burst: burst.map(|(_, name)| name),
            pods_away: !self.away.is_empty(),
            overloaded: sources.any(|source| metastable::sends_more(source, &stages)),
        };
        let sources = plan.traffic.iter().zip(self.recovery.sources());
        let told = sources.filter_map(|(traffic, source)| {
            let layers = self.layers.down_from(&traffic.name, &stages);
            metastable::judge(&traffic.name, source, &layers, &world)
        });
        told.collect()
    }
}

/// The sentence on a traffic source that is metastable.
pub(crate) fn broken(report: &RecoveryReport) -> Option<String> {
    use meshquake_reports::summary::unit;
    if report.recovered != Recovered::Metastable {
        return None;
    }
    let healed = unit::span(report.healed_s);
    let trigger = match &report.burst {
        Some(burst) => format!("the {burst} was over"),
        None => "the last fault healed".to_owned(),
    };
    let mut text = format!(
        "{} stayed broken after {trigger} at {healed}: {}/s succeed, {}/s did before",
        report.traffic,
        unit::rate(report.last_per_s),
        unit::rate(report.before_per_s)
    );
    if let Some(cause) = &report.sustained_by {
        text.push_str("; ");
        text.push_str(&cause.sentence);
    }
    Some(text)
}
