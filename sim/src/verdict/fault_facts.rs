//! What verdicts need to know about the kinds of fault.

use crate::plan::{FaultKind, FaultPlan};

/// Whether a fault of this kind only strikes, and does not last: it heals as it begins, unless it says otherwise.
pub(super) const fn strikes(kind: &FaultKind) -> bool {
    matches!(kind, FaultKind::Restart { .. })
}

/// Whether a fault of this kind changes the mesh's configuration.
pub(super) const fn configures(_kind: &FaultKind) -> bool {
    false
}

/// The pods that a fault takes away or cuts off; `None` when it does neither.
pub(super) fn pods(fault: &FaultPlan) -> Option<Vec<String>> {
    match &fault.kind {
        FaultKind::Crash { pods } => Some(pods.pods.clone()),
        FaultKind::Partition { on } => {
            let to = on.to.iter().flat_map(|to| &to.pods);
            Some(on.from.pods.iter().chain(to).cloned().collect())
        }
        _ => None,
    }
}
