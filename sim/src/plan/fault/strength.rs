//! How strong a fault is, in the words of a scenario: who reads a report is to see it without the file beside him.

use std::time::Duration;

use super::{AppEffect, FaultKind, LoadChange, NetworkFault, ProcessFault, SourceEffect};
use crate::plan::Distribution;
use meshquake_reports::summary::unit;

impl FaultKind {
    /// Such as `40%, 503`; `None` for what has no number worth telling.
    pub fn strength(&self) -> Option<String> {
        match self {
            Self::Network(fault) => network(fault),
            Self::Process(ProcessFault::CrashLoop { lives, .. }) => {
                Some(format!("each life {lives:?}"))
            }
            Self::Capacity(fault) => capacity(&fault.effect),
            Self::Traffic(fault) => traffic(&fault.effect),
            Self::Process(_) | Self::Clock(_) | Self::Identity(_) | Self::Control(_) => None,
        }
    }
}

fn network(fault: &NetworkFault) -> Option<String> {
    match fault {
        NetworkFault::Latency { add, .. } => Some(delay(add)),
        NetworkFault::Loss { share, .. } => Some(percent(*share)),
        NetworkFault::Bandwidth { bps, .. } => Some(format!("{} Mbit/s", *bps as f64 / 1e6)),
        _ => None,
    }
}

fn capacity(effect: &AppEffect) -> Option<String> {
    let told = match effect {
        AppEffect::Slow { times, add, .. } => {
            let times = (*times != 1.0).then(|| format!("×{times}"));
            let add = (*add != Distribution::Constant(Duration::ZERO)).then(|| delay(add));
            let parts: Vec<String> = times.into_iter().chain(add).collect();
            parts.join(", ")
        }
        AppEffect::Errors { rate, status, .. } => format!("{rate}, {status}"),
        AppEffect::Workers { to } => format!("to {to}"),
        AppEffect::Throttle { quota, period } => format!("{quota} of each {period:?}"),
        AppEffect::Leak { rate } => rate.to_string(),
        AppEffect::Memory { .. } | AppEffect::CacheFlush => return None,
    };
    Some(told)
}

fn traffic(effect: &SourceEffect) -> Option<String> {
    match effect {
        SourceEffect::Load(LoadChange::Times(times)) => Some(format!("×{times}")),
        SourceEffect::Load(LoadChange::PerSecond(rate)) => Some(format!("{rate}/s")),
        SourceEffect::Herd { requests, over, .. } => Some(format!("{requests} in {over:?}")),
        SourceEffect::HotKey { rate, .. } => Some(rate.to_string()),
        SourceEffect::SlowLoris { connections, .. } => Some(format!("{connections} connections")),
        SourceEffect::Retries(_) | SourceEffect::Mix(_) => None,
    }
}

fn delay(add: &Distribution) -> String {
    match add {
        Distribution::Constant(add) => format!("+{add:?}"),
        _ => "a drawn delay".into(),
    }
}

fn percent(share: f64) -> String {
    format!("{}%", unit::trimmed(share * 100.0, 4))
}

#[cfg(test)]
mod tests {
    use mesh_core::policy::Fraction;

    use super::*;
    use crate::plan::{CapacityFault, PodSelector, RequestScope, Take};

    fn of(effect: AppEffect) -> Option<String> {
        let pods = PodSelector {
            pods: vec!["api-0".into()],
            take: Take::All,
            text: "api-0".into(),
        };
        FaultKind::from(CapacityFault { pods, effect }).strength()
    }

    #[test]
    fn strengths_are_told_as_they_are_written() {
        let on = RequestScope::default;
        let slow = |times, add| AppEffect::Slow {
            on: on(),
            times,
            add: Distribution::Constant(Duration::from_millis(add)),
        };
        assert_eq!(of(slow(3.0, 0)).as_deref(), Some("×3"));
        assert_eq!(of(slow(1.0, 1_500)).as_deref(), Some("+1.5s"));
        let errors = AppEffect::Errors {
            on: on(),
            rate: Fraction::from_ppm(400_000),
            status: 503,
            fast: true,
        };
        assert_eq!(of(errors).as_deref(), Some("40%, 503"));
        assert_eq!(of(AppEffect::CacheFlush), None);
        assert_eq!(percent(0.07), "7%");
    }
}
