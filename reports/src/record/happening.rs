//! What happened: faults, the control plane, the network, the timeline.

use serde::{Deserialize, Serialize};

use super::LatencyMs;

/// One fault, or one burst of a traffic source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultReport {
    /// Its name.
    pub name: String,
    /// What it does and to whom, whatever its name: `errors api-3 (40%, 503)`; empty when that is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub what: String,
    /// When it first began, or was to begin.
    pub at_s: f64,
    /// How long it was to last each time; `None` when that was drawn, or when it lasts to the end of the run or until it is over by itself.
    pub for_s: Option<f64>,
    /// From its first beginning to its last end; `None` when it never began.
    #[serde(default)]
    pub over_s: Option<f64>,
    /// How often it began.
    #[serde(default)]
    pub times: u64,
    /// Whether it began before the run ended.
    pub began: bool,
    /// Pods touched.
    pub pods: u64,
    /// Those of them that were drawn at random from among more; twenty at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drawn: Vec<String>,
    /// Packets touched.
    pub packets: u64,
    /// Requests, connections, names or messages touched.
    #[serde(default)]
    pub requests: u64,
    /// It touched nothing, so it tested nothing.
    pub inert: bool,
    /// `file:line` where it was written.
    pub place: String,
    /// Whether it is no fault but a burst that a traffic source brings along. Bursts come after all faults.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub burst: bool,
}

impl FaultReport {
    /// What it does, where its name does not say so already.
    pub fn explained(&self) -> Option<&str> {
        (!self.what.is_empty() && self.what != self.name).then_some(&*self.what)
    }
}

/// Configuration and certificates, as the control plane saw them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ControlPlaneReport {
    /// Snapshots pushed.
    pub pushes: u64,
    /// Snapshots taken.
    pub acks: u64,
    /// Snapshots refused.
    pub nacks: u64,
    /// Sidecars that connected.
    pub connects: u64,
    /// Sidecars that disconnected.
    pub disconnects: u64,
    /// The last version pushed; 0 when none was.
    pub version: u64,
    /// From a push to its ACK.
    pub push_to_ack_ms: Option<LatencyMs>,
    /// Certificates issued.
    pub svids_issued: u64,
    /// Certificates rotated in a sidecar.
    pub svids_rotated: u64,
    /// Certificate requests refused.
    pub svids_refused: u64,
    /// Certificate requests that failed.
    pub svids_failed: u64,
}

/// Packets of the whole run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkReport {
    /// Packets delivered.
    pub packets: u64,
    /// Bytes delivered.
    pub bytes: u64,
    /// Packets lost (and sent again).
    pub lost: u64,
    /// Packets held back by a partition.
    pub parked: u64,
    /// Connections reset by the network.
    pub reset: u64,
}

/// The kinds of happening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    /// A fault began or ended.
    Fault,
    /// A pod came or went.
    Pod,
    /// An endpoint was ejected or returned.
    Ejection,
    /// A breaker turned requests away.
    Breaker,
    /// Configuration was pushed.
    Push,
    /// Configuration was refused, or the control plane lost.
    Config,
    /// A certificate was refused or could not be had.
    Identity,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// When; negative while the mesh came up, before the scenario began.
    pub at_s: f64,
    /// What kind.
    pub kind: Happening,
    /// Whom it happened to.
    pub subject: String,
    /// What happened, for a person.
    pub text: String,
    /// How long it went on; `None` for an instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_s: Option<f64>,
}

/// What the user should know about their configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteReport {
    /// The file, as the user named it.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
    /// `not_honoured`, `unknown_field`, `no_effect` or `suspicious`.
    pub kind: String,
    /// The object, `Kind namespace/name`.
    pub object: String,
    /// The field's path in the object; empty for the whole object.
    pub field: String,
    /// One sentence.
    pub message: String,
}

/// What the name of a "file" begins with that is a value set by path: it has no line that anybody would look up.
pub(crate) const SET: &str = "--set ";

impl NoteReport {
    /// `file:line:column`, or `--set PATH`.
    pub fn place(&self) -> String {
        match self.file.starts_with(SET) {
            true => self.file.clone(),
            false => format!("{}:{}:{}", self.file, self.line, self.column),
        }
    }
}
