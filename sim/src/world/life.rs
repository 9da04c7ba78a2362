//! Life and death of pods, and what Kubernetes makes of it.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mesh_core::control::WorkloadState;

use super::cluster::start_pod;
use super::control::KubernetesEvent;
use crate::fault::{Happened, Scene, happened};
use crate::plan::Drain;
use crate::record::{PodChange, PodEvent};

/// How long Kubernetes takes to notice that a container has died (the kubelet's PLEG relists every second).
const NOTICE: Duration = Duration::from_secs(1);

/// Ways to die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    /// The process is killed; the kernel resets its connections.
    Crash,
    /// The machine is gone; nobody is told.
    PowerOff,
    /// The kernel kills the process, which uses more memory than it may.
    OutOfMemory,
}

/// Kills a pod that lives. Kubernetes notices a second later. Whether it lived.
pub(crate) fn kill(scene: &mut Scene<'_>, pod: &Arc<str>, death: Death) -> bool {
    if !end(scene, pod, death) {
        return false;
    }
    let (shared, name) = (scene.shared.clone(), pod.clone());
    let noticed = scene.fabric.now() + NOTICE;
    scene.fabric.at(noticed, move |fabric| {
        let shared = &shared;
        notice(&mut Scene { fabric, shared }, &name);
    });
    true
}

/// Ends a pod's processes. Whether it had any.
fn end(scene: &mut Scene<'_>, pod: &Arc<str>, death: Death) -> bool {
    let host = scene.shared.host(pod);
    let Some(host) = host.filter(|host| scene.fabric.is_up(*host)) else {
        return false;
    };
    let change = match death {
        Death::Crash => {
            scene.fabric.crash(host);
            PodChange::Crashed
        }
        Death::OutOfMemory => {
            scene.fabric.crash(host);
            PodChange::OomKilled
        }
        Death::PowerOff => {
            scene.fabric.power_off(host);
            PodChange::PoweredOff
        }
    };
    scene.shared.ready.borrow_mut().remove(pod);
    tell(scene, pod, change);
    happened(scene, &Happened::Crashed(pod.clone()));
    true
}

/// Kubernetes sees that a pod is not ready, unless it has come back meanwhile.
fn notice(scene: &mut Scene<'_>, pod: &Arc<str>) {
    if !scene.shared.ready.borrow().contains(pod) {
        take_out(scene, pod);
    }
}

/// The control plane, and the cluster's name server, are told that a pod takes no traffic.
fn take_out(scene: &Scene<'_>, pod: &Arc<str>) {
    tell(scene, pod, PodChange::NotReady);
    scene.shared.names.set_ready(pod, false);
    let event = KubernetesEvent::Readiness(pod.clone(), WorkloadState::NotReady);
    scene.shared.control.tell(event);
}

/// Starts a pod that is down.
pub(crate) fn start_if_down(scene: &mut Scene<'_>, pod: &Arc<str>) {
    let host = scene.shared.host(pod);
    if host.is_some_and(|host| !scene.fabric.is_up(host)) {
        start_pod(scene.fabric, scene.shared, pod);
    }
}

/// Starts a pod after a while, if it is still down then.
pub(crate) fn start_later(scene: &mut Scene<'_>, pod: &Arc<str>, wait: Duration) {
    after(scene, pod, wait, start_if_down);
}

fn after(
    scene: &mut Scene<'_>,
    pod: &Arc<str>,
    wait: Duration,
    act: impl FnOnce(&mut Scene<'_>, &Arc<str>) + 'static,
) {
    let (shared, pod) = (scene.shared.clone(), pod.clone());
    let at = scene.fabric.now() + wait;
    scene.fabric.at(at, move |fabric| {
        let shared = &shared;
        act(&mut Scene { fabric, shared }, &pod);
    });
}

/// Takes a pod out of service in order, as deleting it does: its endpoint is removed, its app is told to stop, and its
/// processes end, each after a delay of its own. With `successor` it starts again that long after its end.
pub(crate) fn terminate(
    scene: &mut Scene<'_>,
    pod: &Arc<str>,
    drain: Drain,
    successor: Option<Duration>,
) {
    let Some(life) = scene.shared.life(pod) else {
        return;
    };
    // What is planned for this life is not done to the next.
    let this_life = move |scene: &Scene<'_>, pod: &str| scene.shared.life(pod) == Some(life);
    after(scene, pod, drain.endpoint_removal, move |scene, pod| {
        if this_life(scene, pod) {
            scene.shared.ready.borrow_mut().remove(pod);
            take_out(scene, pod);
        }
    });
    after(scene, pod, drain.pre_stop, move |scene, pod| {
        if this_life(scene, pod) {
            scene.shared.knobs(pod).stop();
        }
    });
    if let Some(close) = drain.connection_close {
        after(scene, pod, close, move |scene, pod| {
            if let Some(sidecar) = scene.shared.sidecar(pod).filter(|_| this_life(scene, pod)) {
                sidecar.drain();
            }
        });
    }
    after(
        scene,
        pod,
        drain.pre_stop + drain.grace,
        move |scene, pod| {
            if !this_life(scene, pod) {
                return;
            }
            end(scene, pod, Death::Crash);
            if let Some(wait) = successor {
                start_later(scene, pod, wait);
            }
        },
    );
}

/// Records a change in a pod's life.
pub(crate) fn tell(scene: &Scene<'_>, pod: &str, change: PodChange) {
    let event = PodEvent { pod, change };
    scene.shared.recorder.pod(scene.fabric.now(), &event);
}

/// A pod became ready: told from within its own processes.
pub(crate) fn ready(shared: &Rc<super::Shared>, pod: &Arc<str>) {
    let (shared, pod) = (shared.clone(), pod.clone());
    let inbox = shared.inbox.clone();
    inbox.post(move |fabric| {
        let shared = &shared;
        happened(&mut Scene { fabric, shared }, &Happened::Ready(pod));
    });
}
