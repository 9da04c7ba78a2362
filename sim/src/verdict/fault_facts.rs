//! What verdicts need to know about the kinds of fault.

use crate::plan::{FarEnd, FaultKind, FaultPlan, NetworkFault, ProcessFault};

/// Whether a fault of this kind only strikes, and does not last: it heals as it begins, unless it says otherwise.
pub(super) const fn strikes(kind: &FaultKind) -> bool {
    matches!(kind, FaultKind::Network(NetworkFault::HalfOpen { .. }))
}

/// Whether a fault of this kind changes the mesh's configuration.
pub(super) const fn configures(kind: &FaultKind) -> bool {
    matches!(kind, FaultKind::Control(_) | FaultKind::Identity(_))
}

/// The pods that a fault takes away or cuts off; `None` when it does neither.
pub(super) fn pods(fault: &FaultPlan) -> Option<Vec<String>> {
    match &fault.kind {
        FaultKind::Process(
            ProcessFault::Crash { pods }
            | ProcessFault::PowerOff { pods }
            | ProcessFault::CrashLoop { pods, .. }
            | ProcessFault::Freeze { pods },
        ) => Some(pods.pods.clone()),
        FaultKind::Network(
            NetworkFault::Partition { on }
            | NetworkFault::Blackhole { on }
            | NetworkFault::Reset { on }
            | NetworkFault::Refuse { on },
        ) => {
            let to = match &on.to {
                FarEnd::Pods(pods) => pods.pods.as_slice(),
                FarEnd::Others | FarEnd::Everybody => &[],
            };
            Some(on.from.pods.iter().chain(to).cloned().collect())
        }
        _ => None,
    }
}
