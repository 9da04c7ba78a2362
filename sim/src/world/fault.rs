//! The plan's faults, on the running world.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mesh_core::control::WorkloadState;
use mesh_core::seam::Instant;

use super::cluster::{Cluster, KubernetesEvent, Shared, start_pod};
use crate::fabric::{Effect, Fabric, HostId, HostSet, PacketScope, RuleId};
use crate::plan::{EdgeSelector, FaultKind, FaultPlan, PodSelector};
use crate::record::{FaultEvent, FaultPhase, PodChange, PodEvent};

/// How long Kubernetes takes to notice that a container has died (the kubelet's PLEG relists every second).
const NOTICE: Duration = Duration::from_secs(1);

/// How long a container takes to start again.
const RESTART: Duration = Duration::from_secs(1);

/// A fault as it stands.
#[derive(Clone, Copy, Default)]
pub(super) struct FaultState {
    rule: Option<RuleId>,
    pods: u32,
    begun: bool,
    ended: bool,
}

/// Schedules every fault of the plan; `origin` is when the scenario's clock shows zero.
pub(super) fn schedule(cluster: &mut Cluster, origin: Instant) {
    let shared = cluster.shared.clone();
    let faults = shared.plan.faults.clone();
    *shared.faults.borrow_mut() = vec![FaultState::default(); faults.len()];
    for (index, fault) in faults.into_iter().enumerate() {
        let begin = origin + fault.at;
        let end = fault.duration.map(|span| begin + span);
        let fault = Rc::new(fault);
        let (starting, state) = (fault.clone(), shared.clone());
        cluster
            .fabric
            .at(begin, move |fabric| apply(fabric, &state, index, &starting));
        if let Some(end) = end {
            let state = shared.clone();
            cluster
                .fabric
                .at(end, move |fabric| heal(fabric, &state, index, &fault));
        }
    }
}

/// The run is over: faults that lasted to its end end with it.
pub(super) fn end(cluster: &mut Cluster) {
    let shared = cluster.shared.clone();
    for (index, fault) in shared.plan.faults.iter().enumerate() {
        let state = state_of(&shared, index);
        if state.begun && !state.ended {
            tell(&cluster.fabric, &shared, index, fault, FaultPhase::Ended);
        }
    }
}

/// What has become of a fault so far.
fn state_of(shared: &Shared, index: usize) -> FaultState {
    let states = shared.faults.borrow();
    states.get(index).copied().unwrap_or_default()
}

fn apply(fabric: &mut Fabric, shared: &Rc<Shared>, index: usize, fault: &FaultPlan) {
    let (mut rule, mut pods) = (None, 0);
    match &fault.kind {
        FaultKind::Latency { on, add } => {
            rule = Some(fabric.add_rule(scope(shared, on), Effect::Latency(add.clone())));
        }
        FaultKind::Partition { on } => {
            rule = Some(fabric.add_rule(scope(shared, on), Effect::Partition));
        }
        FaultKind::Crash { pods: selected } => {
            pods = crash(fabric, shared, selected);
        }
        FaultKind::Restart { pods: selected } => {
            pods = crash(fabric, shared, selected);
            let (shared, selected) = (shared.clone(), selected.clone());
            let again = fabric.now() + RESTART;
            fabric.at(again, move |fabric| revive(fabric, &shared, &selected));
        }
    }
    if let Some(state) = shared.faults.borrow_mut().get_mut(index) {
        *state = FaultState {
            rule,
            pods,
            begun: true,
            ended: false,
        };
    }
    tell(fabric, shared, index, fault, FaultPhase::Began);
}

fn heal(fabric: &mut Fabric, shared: &Rc<Shared>, index: usize, fault: &FaultPlan) {
    if let Some(rule) = state_of(shared, index).rule {
        fabric.remove(rule);
    }
    if let FaultKind::Crash { pods } = &fault.kind {
        revive(fabric, shared, pods);
    }
    tell(fabric, shared, index, fault, FaultPhase::Ended);
    if let Some(state) = shared.faults.borrow_mut().get_mut(index) {
        state.ended = true;
    }
}

fn tell(fabric: &Fabric, shared: &Shared, index: usize, fault: &FaultPlan, phase: FaultPhase) {
    let state = state_of(shared, index);
    let event = FaultEvent {
        index: u32::try_from(index).unwrap_or(u32::MAX),
        name: &fault.name,
        phase,
        pods: state.pods,
        packets: state.rule.map_or(0, |rule| fabric.touched(rule)),
    };
    shared.recorder.fault(fabric.now(), &event);
}

fn crash(fabric: &mut Fabric, shared: &Rc<Shared>, selected: &PodSelector) -> u32 {
    let mut crashed = 0;
    for name in &selected.pods {
        let Some(host) = shared.host(name) else {
            continue;
        };
        if !fabric.is_up(host) {
            continue;
        }
        fabric.crash(host);
        crashed += 1;
        shared.ready.borrow_mut().remove(name.as_str());
        let event = PodEvent {
            pod: name,
            change: PodChange::Crashed,
        };
        shared.recorder.pod(fabric.now(), &event);
        let (shared, name) = (shared.clone(), Arc::from(name.as_str()));
        let noticed = fabric.now() + NOTICE;
        fabric.at(noticed, move |fabric| notice(fabric, &shared, &name));
    }
    crashed
}

/// Kubernetes sees that a pod is not ready, unless it has come back meanwhile.
fn notice(fabric: &mut Fabric, shared: &Shared, name: &Arc<str>) {
    if shared.ready.borrow().contains(name) {
        return;
    }
    let event = PodEvent {
        pod: name,
        change: PodChange::NotReady,
    };
    shared.recorder.pod(fabric.now(), &event);
    let event = KubernetesEvent::Readiness(name.clone(), WorkloadState::NotReady);
    // A control plane that is down hears of it when it is back.
    let _heard = shared.kubernetes.send(event);
}

fn revive(fabric: &mut Fabric, shared: &Rc<Shared>, selected: &PodSelector) {
    for name in &selected.pods {
        if shared.host(name).is_some_and(|host| !fabric.is_up(host)) {
            start_pod(fabric, shared, name);
        }
    }
}

fn scope(shared: &Shared, edge: &EdgeSelector) -> PacketScope {
    let from = hosts(shared, &edge.from);
    let scope = match &edge.to {
        Some(to) => PacketScope::new(HostSet::Only(from), HostSet::Only(hosts(shared, to))),
        None => PacketScope::new(HostSet::Only(from.clone()), HostSet::AllBut(from)),
    };
    if edge.both_ways {
        scope.both_ways()
    } else {
        scope
    }
}

fn hosts(shared: &Shared, selector: &PodSelector) -> Vec<HostId> {
    selector
        .pods
        .iter()
        .filter_map(|name| shared.host(name))
        .collect()
}
