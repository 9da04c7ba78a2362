//! Faults: when, where and what.

use mesh_core::document::Diagnostic;
use mesh_core::policy::Position;

use super::groups::Groups;
use super::selectors::{Candidate, candidates, select};
use super::{Frame, place};
use crate::plan::{EdgeSelector, FaultKind, FaultPlan, PodPlan, PodSelector, TrafficPlan};
use crate::scenario::file::{EdgeSpec, FaultSpec, Placed, PodsSpec, Scenario, Short};
use crate::scenario::problems::Problems;
use crate::scenario::value::written;

/// The faults of a scenario.
pub(super) fn plans(
    scenario: &Scenario,
    pods: &[PodPlan],
    traffic: &[TrafficPlan],
    groups: &Groups<'_>,
    frame: &Frame,
    problems: &mut Problems,
) -> Vec<FaultPlan> {
    let candidates = candidates(pods, traffic, groups);
    let mut plans = Vec::new();
    for fault in scenario.faults.iter() {
        if is_late(fault, frame, problems) {
            continue;
        }
        match plan(fault, &candidates, problems) {
            Ok(plan) => plans.push(plan),
            Err(error) => problems.push(error),
        }
    }
    plans
}

/// Whether a fault begins when the run is over, which is said.
fn is_late(fault: &Placed<FaultSpec>, frame: &Frame, problems: &mut Problems) -> bool {
    let late = fault.at.0 >= frame.duration;
    if late {
        let at = fault.value().at.at();
        let message = format!(
            "this fault never happens: the run ends after {}",
            written(frame.duration)
        );
        let diagnostic = if frame.duration_overridden {
            problems.warning(at, message)
        } else {
            problems.error(at, message)
        };
        problems.push(diagnostic);
    }
    late
}

fn plan(
    fault: &Placed<FaultSpec>,
    candidates: &[Candidate<'_>],
    problems: &Problems,
) -> Result<FaultPlan, Diagnostic> {
    if let Some(lasts) = fault.lasts.as_ref().filter(|lasts| lasts.0.is_zero()) {
        return Err(problems.error(lasts.at(), "a fault must last for some time"));
    }
    let spec = fault.value();
    let kinds = [
        spec.latency.is_some(),
        spec.partition.is_some(),
        spec.crash.is_some(),
        spec.restart.is_some(),
    ];
    if kinds.iter().filter(|given| **given).count() != 1 {
        return Err(problems
            .error(
                fault.at(),
                "a fault is exactly one of `latency`, `partition`, `crash` and `restart`",
            )
            .help("write one item of the list for each fault"));
    }
    let (verb, kind) = kind(spec, candidates, problems)?;
    Ok(FaultPlan {
        name: spec
            .name
            .clone()
            .unwrap_or_else(|| format!("{verb} {}", subject(&kind))),
        at: spec.at.0,
        duration: spec.lasts.as_ref().map(|lasts| lasts.0),
        kind,
        place: place(fault.at()),
    })
}

fn kind(
    spec: &FaultSpec,
    candidates: &[Candidate<'_>],
    problems: &Problems,
) -> Result<(&'static str, FaultKind), Diagnostic> {
    if let Some(latency) = &spec.latency {
        let on = edge(&latency.edge(), latency.at(), candidates, problems)?;
        let add = latency.add.0.clone();
        return Ok(("latency", FaultKind::Latency { on, add }));
    }
    if let Some(partition) = &spec.partition {
        let on = edge(partition, partition.at(), candidates, problems)?;
        return Ok(("partition", FaultKind::Partition { on }));
    }
    if let Some(pods) = &spec.crash {
        let pods = apps(pods, candidates, problems)?;
        return Ok(("crash", FaultKind::Crash { pods }));
    }
    if let (Some(_), Some(lasts)) = (&spec.restart, &spec.lasts) {
        return Err(problems
            .error(lasts.at(), "a restart is over at once")
            .help("use `crash` for pods that stay away for a time"));
    }
    match &spec.restart {
        Some(pods) => {
            let pods = apps(pods, candidates, problems)?;
            Ok(("restart", FaultKind::Restart { pods }))
        }
        None => Err(Diagnostic::error("a fault has no kind")),
    }
}

/// Pods that run apps: a traffic source does not die.
fn apps(
    pods: &Placed<Short<PodsSpec>>,
    candidates: &[Candidate<'_>],
    problems: &Problems,
) -> Result<PodSelector, Diagnostic> {
    let sources = candidates
        .iter()
        .filter(|candidate| candidate.is_source)
        .count();
    let apps = &candidates[..candidates.len() - sources];
    select(pods, pods.at(), apps, problems)
}

fn edge(
    spec: &EdgeSpec,
    at: &Position,
    candidates: &[Candidate<'_>],
    problems: &Problems,
) -> Result<EdgeSelector, Diagnostic> {
    let from = match (spec.direct(), &spec.from) {
        (Some(_), Some(from)) => {
            return Err(problems.error(
                from.at(),
                "`from` stands beside another selector; keep one of them",
            ));
        }
        (Some(direct), None) => select(&direct, at, candidates, problems)?,
        (None, Some(from)) => select(from, from.at(), candidates, problems)?,
        (None, None) => {
            return Err(problems
                .error(at, "which packets?")
                .help("such as `zone: a`, or `from: productpage` and `to: reviews`"));
        }
    };
    let to = match &spec.to {
        Some(to) => Some(select(to, to.at(), candidates, problems)?),
        None => None,
    };
    let everybody = from.pods.len() == candidates.len();
    let oneself = |to: &PodSelector| to.pods == from.pods && from.pods.len() == 1;
    if to.as_ref().map_or(everybody, oneself) {
        return Err(problems.error(
            at,
            "no packet is on this way: there is nobody at its other end",
        ));
    }
    Ok(EdgeSelector {
        from,
        to,
        both_ways: !spec.one_way,
    })
}

fn subject(kind: &FaultKind) -> String {
    match kind {
        FaultKind::Crash { pods } | FaultKind::Restart { pods } => pods.text.clone(),
        FaultKind::Latency { on, .. } | FaultKind::Partition { on } => match &on.to {
            Some(to) if on.both_ways => format!("{} ↔ {}", on.from.text, to.text),
            Some(to) => format!("{} → {}", on.from.text, to.text),
            None => on.from.text.clone(),
        },
    }
}
