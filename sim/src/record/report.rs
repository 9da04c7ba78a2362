//! The report, drawn from what was kept.

use indexmap::IndexSet;
use mesh_core::policy::{Note, NoteKind};
use meshquake_reports::record::seconds;
use meshquake_reports::{
    EdgeReport, ExpectationReport, Failure, FailureKind, FaultReport, NetworkReport, NoteReport,
    RecoveryReport, RunReport, SCHEMA, TrafficReport, Verdict,
};

use super::RunEnd;
use super::event::FabricEvent;
use super::inert;
use super::state::State;
use crate::plan::Plan;
use crate::verdict::{broken, judge};

impl State {
    /// The report of a run of this length in nanoseconds.
    pub(super) fn report(&self, end: &RunEnd, length: u64) -> RunReport {
        let plan = &self.plan;
        let sources = self.sources.iter();
        let traffic = sources
            .map(|(name, source)| (name.to_owned(), source.report(length)))
            .collect();
        let recovery = self.witness.recovery(plan, length);
        let expectations = judge(plan, &self.witness, &recovery, length);
        let mut faults = self.faults.report(plan, self.origin);
        let edges = self.edges.report(&self.ranks(), length);
        let known = (plan, edges.as_slice());
        let mut failures = failures(&traffic, &expectations, &faults, &self.violations, known);
        failures.extend(metastable(&recovery));
        // After the faults, whose places in the list are those of the plan.
        faults.extend(self.bursts.report(plan, length));
        let (timeline, timeline_omitted) = self.timeline.report();
        RunReport {
            schema: SCHEMA.into(),
            meshquake_version: env!("CARGO_PKG_VERSION").into(),
            scenario: plan.name.clone(),
            about: plan.about.clone(),
            seed: self.seed,
            fingerprint: plan.fingerprint.clone(),
            digest: self.digest(),
            verdict: verdict(&failures),
            declared: plan.declared,
            failures,
            virtual_seconds: seconds(length),
            wall_seconds: end.wall.as_micros() as f64 / 1e6,
            reproduce: self.reproduce.clone(),
            edges,
            services: self.services.report(),
            expectations,
            expectations_unjudged: plan.unjudged,
            faults,
            recovery,
            mechanisms: self.mechanisms.report(),
            control_plane: self.control.report(),
            network: network(&end.fabric),
            timeline,
            timeline_omitted,
            notes: plan.mesh.notes.iter().map(note).collect(),
            detail: None,
            traffic,
        }
    }

    /// The order of names in reports: traffic sources, then services, as in the plan.
    fn ranks(&self) -> IndexSet<String> {
        let traffic = self.plan.traffic.iter().map(|traffic| traffic.name.clone());
        let services = self.plan.pods.iter().map(|pod| pod.service.clone());
        traffic.chain(services).collect()
    }
}

/// A defect of Meshquake makes every other verdict worthless; a mesh that keeps itself broken has missed whatever else
/// was demanded of it for that reason.
fn verdict(failures: &[Failure]) -> Verdict {
    let any = |kind| failures.iter().any(|failure| failure.kind == kind);
    if failures.is_empty() {
        Verdict::Held
    } else if any(FailureKind::Metastable) && !any(FailureKind::Invariant) {
        Verdict::Metastable
    } else {
        Verdict::Failed
    }
}

/// The traffic that stayed broken.
fn metastable(recovery: &[RecoveryReport]) -> impl Iterator<Item = Failure> {
    recovery.iter().filter_map(broken).map(|message| Failure {
        kind: FailureKind::Metastable,
        message,
        place: String::new(),
    })
}

/// Everything that was demanded and did not come true.
fn failures(
    traffic: &indexmap::IndexMap<String, TrafficReport>,
    expectations: &[ExpectationReport],
    faults: &[FaultReport],
    violations: &[String],
    (plan, edges): (&Plan, &[EdgeReport]),
) -> Vec<Failure> {
    let failure = |kind, message: String, place: &str| Failure {
        kind,
        message,
        place: place.into(),
    };
    let missed = expectations.iter().filter(|e| !e.held);
    let missed = missed.map(|e| failure(FailureKind::Expectation, e.message.clone(), &e.place));
    let scripted = traffic
        .iter()
        .flat_map(|(name, traffic)| traffic.scripted.iter().map(move |s| (name, s)))
        .filter(|(_, scripted)| scripted.held == Some(false))
        .map(|(name, s)| {
            let message = format!("{name}, {}: {}", s.request, s.message);
            failure(FailureKind::Scripted, message, &s.place)
        });
    let inert = plan
        .faults
        .iter()
        .zip(faults)
        .filter(|(_, told)| told.inert);
    let inert = inert.map(|(fault, told)| {
        let why = inert::why(fault, told, plan, edges);
        failure(FailureKind::InertFault, why, &fault.place)
    });
    let broken = violations.iter();
    let broken = broken.map(|text| failure(FailureKind::Invariant, text.clone(), ""));
    missed.chain(scripted).chain(inert).chain(broken).collect()
}

fn network(fabric: &FabricEvent) -> NetworkReport {
    NetworkReport {
        packets: fabric.packets,
        bytes: fabric.bytes,
        lost: fabric.lost,
        parked: fabric.parked,
        reset: fabric.reset,
    }
}

fn note(note: &Note) -> NoteReport {
    NoteReport {
        file: note.at.file.to_string(),
        line: note.at.line,
        column: note.at.column,
        kind: kind(note.kind).into(),
        object: note.object.clone(),
        field: note.field.clone(),
        message: note.message.clone(),
    }
}

const fn kind(kind: NoteKind) -> &'static str {
    match kind {
        NoteKind::NotHonoured => "not_honoured",
        NoteKind::UnknownField => "unknown_field",
        NoteKind::NoEffect => "no_effect",
        NoteKind::Suspicious => "suspicious",
    }
}
