//! What became of the traffic when the faults had healed.

use serde::{Deserialize, Serialize};

/// How a traffic source fared after the last fault had healed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recovered {
    /// Goodput is back.
    Yes,
    /// It is not, and gets better or has work left over from the fault.
    NotYet,
    /// It is not, and does not get better; nothing shows what keeps it so.
    No,
    /// It is not, and the load that the mesh makes for itself keeps it so.
    Metastable,
}

/// The recovery of one traffic source. Goodput is what it is of the requests that were sent then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecoveryReport {
    /// The traffic source.
    pub traffic: String,
    /// When the last fault healed, or the last burst was over.
    pub healed_s: f64,
    /// The burst, if it was one that was over last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<String>,
    /// Successes per second before the first fault.
    pub before_per_s: f64,
    /// Successes per second in the last third of the time after the heal.
    pub last_per_s: f64,
    /// The share of what it was before that counts as back.
    pub threshold: f64,
    /// How goodput in the last third compares with what it was, given the load.
    pub ratio: f64,
    /// From the heal until goodput was back for good; `None` when it is not.
    pub after_s: Option<f64>,
    /// How it fared.
    pub recovered: Recovered,
    /// What keeps it broken, when it is metastable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sustained_by: Option<LoopReport>,
}

impl RecoveryReport {
    /// It counts as back although it is below the share that does: by no more than chance may make of how often users
    /// come.
    pub fn is_back_by_chance(&self) -> bool {
        self.recovered == Recovered::Yes && self.ratio < self.threshold
    }
}

/// A number before the first fault, while there were faults, and in the last third of the time after the last heal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Phases {
    /// Before; `None` when there was nothing to measure.
    pub before: Option<f64>,
    /// During.
    pub during: Option<f64>,
    /// After.
    pub after: Option<f64>,
}

/// What sustains an overload, layer by layer from the traffic down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoopReport {
    /// In a sentence or two.
    pub sentence: String,
    /// Who retries whom.
    pub layers: Vec<LayerReport>,
}

/// One edge of the chain, and the service at its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerReport {
    /// The caller.
    pub from: String,
    /// The callee.
    pub to: String,
    /// Requests per second on the edge.
    pub requests_per_s: Phases,
    /// Attempts per request.
    pub attempts: Phases,
    /// Requests per second that reached the callee's apps, from all callers.
    pub arrivals_per_s: Phases,
    /// What the callee's workers can do per second; `None` when they are unlimited or idle.
    pub capacity_per_s: Option<f64>,
    /// Share of the workers' time that was used.
    pub utilisation: Phases,
    /// Mean time in line, of what got a worker.
    pub wait_ms: Phases,
    /// How long the caller waits for an answer; `None` when that is not known.
    pub timeout_ms: Option<f64>,
    /// Share of the workers' time spent for callers that had gone.
    pub wasted: Phases,
}
