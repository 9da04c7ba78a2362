//! Why a fault touched nothing, and what it may have been meant for.

use std::collections::BTreeSet;

use meshquake_reports::summary::unit;
use meshquake_reports::{EdgeReport, FaultReport};

use crate::plan::{
    AppEffect, CapacityFault, EdgeSelector, FarEnd, FaultKind, FaultPlan, NetworkFault, Plan,
    PodSelector, SourceEffect, TrafficFault,
};

/// Calls told as what may have been meant.
const NEAREST_MAX: usize = 3;

/// One sentence, and the nearest matches of the fault's selector.
pub(super) fn why(
    fault: &FaultPlan,
    told: &FaultReport,
    plan: &Plan,
    edges: &[EdgeReport],
) -> String {
    let name = &fault.name;
    if !told.began {
        return match fault.schedule.known_start() {
            Some(_) => format!("the fault `{name}` never began: the run ended first"),
            None => {
                format!("the fault `{name}` never began: what it waits for did not happen in time")
            }
        };
    }
    let hint = match &fault.kind {
        FaultKind::Network(NetworkFault::Dns { .. }) => {
            "; only who opens a connection asks for a name, and nobody did for such a one".into()
        }
        FaultKind::Network(network) => match network.edge() {
            Some(on) => packets(network, on, plan, edges),
            None => String::new(),
        },
        FaultKind::Process(_) | FaultKind::Clock(_) => "; none of its pods was up".into(),
        FaultKind::Capacity(fault) => format!("{}{}", capacity(fault), called(edges)),
        FaultKind::Traffic(fault) => traffic(fault).into(),
        FaultKind::Identity(_) => {
            "; nobody asked for, or showed, such a certificate meanwhile".into()
        }
        FaultKind::Control(_) => "; there was nothing to push to its sidecars meanwhile".into(),
    };
    format!("the fault `{name}` touched nothing, so it tested nothing{hint}")
}

/// What did not happen to apps.
const fn capacity(fault: &CapacityFault) -> &'static str {
    match &fault.effect {
        AppEffect::Slow { .. } => "; its apps began no such work meanwhile",
        AppEffect::Errors { .. } | AppEffect::Memory { .. } => {
            "; no such request reached its apps meanwhile"
        }
        AppEffect::Workers { .. } => "; its apps never needed more workers than that",
        AppEffect::Throttle { .. } => "; its apps had no work meanwhile that took longer by it",
        AppEffect::Leak { .. } => "; its apps gave out no worker meanwhile",
        AppEffect::CacheFlush => "; the caches of its apps were empty",
    }
}

/// What did not happen to a traffic source.
const fn traffic(fault: &TrafficFault) -> &'static str {
    match &fault.effect {
        SourceEffect::Retries(_) => "; no try of its client failed meanwhile",
        SourceEffect::SlowLoris { .. } => "; it could open no connection",
        SourceEffect::Load(_)
        | SourceEffect::Herd { .. }
        | SourceEffect::HotKey { .. }
        | SourceEffect::Mix(_) => "; it sent no request meanwhile that this changes",
    }
}

/// What was called at the ends of an edge.
fn packets(fault: &NetworkFault, on: &EdgeSelector, plan: &Plan, edges: &[EdgeReport]) -> String {
    let from = services(&on.from, plan);
    let to = match &on.to {
        FarEnd::Pods(to) => services(to, plan),
        FarEnd::Others | FarEnd::Everybody => BTreeSet::new(),
    };
    let ends = |edge: &EdgeReport| {
        let has = |service: &str| from.contains(service) || to.contains(service);
        u8::from(has(&edge.from)) + u8::from(has(&edge.to))
    };
    let mut near: Vec<(u8, &EdgeReport)> = edges
        .iter()
        .map(|edge| (ends(edge), edge))
        .filter(|(ends, edge)| *ends > 0 && edge.requests > 0)
        .collect();
    near.sort_by_key(|(ends, edge)| std::cmp::Reverse((*ends, edge.requests)));
    if near.is_empty() {
        return "; nobody called from or to its pods in the whole run".into();
    }
    let stood = matches!(fault, NetworkFault::Refuse { .. }) && near[0].0 == 2;
    let told: Vec<String> = near
        .iter()
        .take(NEAREST_MAX)
        .map(|(_, edge)| {
            let requests = unit::counted(edge.requests, "request");
            format!("{} → {} ({requests})", edge.from, edge.to)
        })
        .collect();
    let hint = match (stood, on.port) {
        (true, _) => "; connections stood already, and none was opened meanwhile".to_owned(),
        (false, Some(port)) => format!("; no packet of its pods was for port {port}"),
        (false, None) => String::new(),
    };
    format!(
        "{hint}; the nearest calls of the run are {}",
        told.join(", ")
    )
}

/// Which services were called most in the whole run.
fn called(edges: &[EdgeReport]) -> String {
    let mut busy: Vec<&EdgeReport> = edges.iter().filter(|edge| edge.requests > 0).collect();
    busy.sort_by_key(|edge| std::cmp::Reverse(edge.requests));
    if busy.is_empty() {
        return String::new();
    }
    let told: Vec<String> = busy
        .iter()
        .take(NEAREST_MAX)
        .map(|edge| format!("{} ({})", edge.to, unit::counted(edge.requests, "request")))
        .collect();
    format!("; called in the whole run were {}", told.join(", "))
}

/// The services, or traffic sources, of pods.
fn services<'a>(pods: &PodSelector, plan: &'a Plan) -> BTreeSet<&'a str> {
    let meant = |name: &str| pods.pods.iter().any(|pod| pod == name);
    let apps = plan.pods.iter().filter(|pod| meant(&pod.workload.name));
    let sources = plan
        .traffic
        .iter()
        .filter(|source| meant(&source.workload.name));
    apps.map(|pod| pod.service.as_str())
        .chain(sources.map(|source| source.name.as_str()))
        .collect()
}
