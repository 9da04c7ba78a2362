//! The account of one run.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{
    ControlPlaneReport, Detail, EdgeReport, ExpectationReport, FaultReport, NetworkReport,
    NoteReport, RecoveryReport, ServiceReport, TimelineEntry, TrafficReport,
};

/// The version of the JSON contract.
pub const SCHEMA: &str = "meshquake.run/v1";

/// Whether a run was as demanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything demanded came true.
    Held,
    /// Something did not: [`RunReport::failures`] says what.
    Failed,
    /// Something did not, and overload outlived the fault that caused it: the mesh keeps itself broken.
    Metastable,
    /// The run was ended before its time: what it shows is true of the part that ran, and nothing is judged.
    Interrupted,
}

/// The verdict a scenario says it comes to. One that shows what breaks a mesh declares that it fails, so that a
/// suite of scenarios notices when it no longer does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Declared {
    /// Everything demanded comes true.
    #[default]
    Held,
    /// Something demanded does not.
    Failed,
    /// It stays broken after its faults have healed.
    Metastable,
}

impl Declared {
    /// Whether a run came to what was declared.
    pub fn is(self, verdict: Verdict) -> bool {
        match self {
            Self::Held => verdict == Verdict::Held,
            Self::Failed => verdict == Verdict::Failed,
            Self::Metastable => verdict == Verdict::Metastable,
        }
    }
}

/// What kind of demand was not met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// An expectation.
    Expectation,
    /// A scripted request came back otherwise than demanded.
    Scripted,
    /// A fault touched no packet and no pod, so the run tested nothing.
    InertFault,
    /// The mesh stayed broken after its faults had healed, and keeps itself so.
    Metastable,
    /// Something that must hold in any run did not: a defect of Meshquake itself.
    Invariant,
}

/// One reason why a run failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of demand.
    pub kind: FailureKind,
    /// One sentence for a person.
    pub message: String,
    /// `file:line` of the demand; empty when it has none.
    pub place: String,
}

/// The account of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// [`SCHEMA`].
    pub schema: String,
    /// The version of Meshquake that ran it.
    pub meshquake_version: String,
    /// The scenario's name.
    pub scenario: String,
    /// What the scenario is about.
    pub about: String,
    /// The seed of this run.
    pub seed: u64,
    /// BLAKE3 of the inputs, hexadecimal: which scenario this was.
    pub fingerprint: String,
    /// BLAKE3 of the run's event stream, hexadecimal: which run this was.
    pub digest: String,
    /// Whether it was as demanded.
    pub verdict: Verdict,
    /// The verdict that the scenario says it comes to.
    #[serde(default)]
    pub declared: Declared,
    /// Why it failed; empty when it held.
    pub failures: Vec<Failure>,
    /// Length of the run in virtual time.
    pub virtual_seconds: f64,
    /// How long it took to simulate. The only field that two runs of one scenario and seed may differ in.
    pub wall_seconds: f64,
    /// The command that makes this run again.
    pub reproduce: String,
    /// Traffic sources by name, in plan order.
    pub traffic: IndexMap<String, TrafficReport>,
    /// Who called whom, through the callers' sidecars: traffic sources first, then services in plan order.
    pub edges: Vec<EdgeReport>,
    /// What the apps saw, in plan order.
    pub services: Vec<ServiceReport>,
    /// What was expected, and what came.
    pub expectations: Vec<ExpectationReport>,
    /// Demands that were not judged: they lie beyond the end of a run which the command line has cut.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub expectations_unjudged: u64,
    /// What was done to the mesh.
    pub faults: Vec<FaultReport>,
    /// What became of each traffic source when the faults had healed; empty when none did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recovery: Vec<RecoveryReport>,
    /// How often each resilience mechanism acted, by its name (`retry`, `ejection`…).
    pub mechanisms: BTreeMap<String, u64>,
    /// Configuration and certificates.
    pub control_plane: ControlPlaneReport,
    /// Packets.
    pub network: NetworkReport,
    /// What happened when, in order; bounded.
    pub timeline: Vec<TimelineEntry>,
    /// Happenings beyond the timeline's bound.
    pub timeline_omitted: u64,
    /// What the user should know about their configuration.
    pub notes: Vec<NoteReport>,
    /// What charts and waterfalls are drawn from; `None` when the run was not recorded for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Box<Detail>>,
}

impl RunReport {
    /// Attempts for each request, over all edges: what retries make of the load; `None` without a request.
    pub fn attempts_per_request(&self) -> Option<f64> {
        let requests: u64 = self.edges.iter().map(|edge| edge.requests).sum();
        let attempts: u64 = self.edges.iter().map(|edge| edge.attempts).sum();
        (requests > 0).then(|| attempts as f64 / requests as f64)
    }
}

impl RunReport {
    /// The report as JSON: one key to a line, a series' columns on one line each, a newline at the end.
    ///
    /// # Errors
    /// None that data of these types can cause.
    pub fn to_json(&self) -> serde_json::Result<String> {
        super::json::pretty(self)
    }

    /// Whether everything demanded came true.
    pub fn held(&self) -> bool {
        self.verdict == Verdict::Held
    }

    /// The run was ended before its time: what had not happened yet did not fail.
    pub fn interrupted(&mut self) {
        self.verdict = Verdict::Interrupted;
        self.failures.clear();
    }
}
