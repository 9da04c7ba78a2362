//! Pods come and go.
//!
//! What Kubernetes does about it is part of the world ([`crate::world::life`]):
//! it notices a dead container after a second, starts it again after a while,
//! and tells the control plane. What a fault decides is who dies, when, how,
//! and when they may live again.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::{Active, Beginning, Happened, Scene, Touched};
use crate::fabric::Fabric;
use crate::plan::{Drain, ProcessFault};
use crate::record::PodChange;
use crate::world::life::{self, Death};

/// How long a container takes to start again.
const RESTART: Duration = Duration::from_secs(1);

/// Kubernetes' back-off before a container that keeps crashing is started again: 10 s, doubled each time, 5 min at most
/// (Kubernetes, "Pod Lifecycle", container restarts).
const BACKOFF: Duration = Duration::from_secs(10);
const BACKOFF_MAX: Duration = Duration::from_secs(300);

/// Puts a fault of processes in force.
pub(super) fn begin(
    fault: &ProcessFault,
    scene: &mut Scene<'_>,
    beginning: &mut Beginning,
) -> Box<dyn Active> {
    let pods = beginning.draw(fault.pods());
    match fault {
        ProcessFault::Crash { .. } => Box::new(Dead::kill(scene, pods, Death::Crash)),
        ProcessFault::PowerOff { .. } => Box::new(Dead::kill(scene, pods, Death::PowerOff)),
        ProcessFault::Restart { .. } => Box::new(restart(scene, pods)),
        ProcessFault::Freeze { .. } => Box::new(Frozen::freeze(scene, pods)),
        ProcessFault::CrashLoop { lives, .. } => Box::new(CrashLoop::begin(scene, pods, *lives)),
        ProcessFault::Rollout {
            drain,
            at_once,
            pause,
            ..
        } => Box::new(Rollout::begin(scene, pods, *drain, *at_once, *pause)),
        ProcessFault::Remove { drain, .. } => Box::new(Scaled::remove(scene, pods, *drain)),
        ProcessFault::Add { drain, .. } => Box::new(Scaled::add(scene, pods, *drain)),
    }
}

fn count(pods: usize) -> Touched {
    Touched {
        pods: u32::try_from(pods).unwrap_or(u32::MAX),
        ..Touched::default()
    }
}

/// Pods that are dead until it heals.
struct Dead {
    killed: Vec<Arc<str>>,
}

impl Dead {
    fn kill(scene: &mut Scene<'_>, pods: Vec<Arc<str>>, death: Death) -> Self {
        let mut killed = pods;
        killed.retain(|pod| life::kill(scene, pod, death));
        Self { killed }
    }
}

impl Active for Dead {
    fn heal(&mut self, scene: &mut Scene<'_>) {
        for pod in &self.killed {
            life::start_if_down(scene, pod);
        }
    }

    fn touched(&self, _: &Fabric) -> Touched {
        count(self.killed.len())
    }
}

/// Pods that died and start again by themselves.
struct Restarted {
    killed: usize,
    /// Those that are not back yet.
    away: Vec<Arc<str>>,
}

fn restart(scene: &mut Scene<'_>, pods: Vec<Arc<str>>) -> Restarted {
    let Dead { killed } = Dead::kill(scene, pods, Death::Crash);
    for pod in &killed {
        life::start_later(scene, pod, RESTART);
    }
    Restarted {
        killed: killed.len(),
        away: killed,
    }
}

impl Active for Restarted {
    fn happened(&mut self, _: &mut Scene<'_>, what: &Happened) -> bool {
        if let Happened::Ready(pod) = what {
            self.away.retain(|away| away != pod);
        }
        self.away.is_empty()
    }

    fn heal(&mut self, _: &mut Scene<'_>) {}

    fn touched(&self, _: &Fabric) -> Touched {
        count(self.killed)
    }
}

/// Pods whose processes stand still.
struct Frozen {
    frozen: Vec<Arc<str>>,
}

impl Frozen {
    fn freeze(scene: &mut Scene<'_>, pods: Vec<Arc<str>>) -> Self {
        let mut frozen = pods;
        frozen.retain(|pod| {
            let host = scene
                .shared
                .host(pod)
                .filter(|host| scene.fabric.is_up(*host));
            if let Some(host) = host {
                scene.fabric.freeze(host);
                life::tell(scene, pod, PodChange::Frozen);
            }
            host.is_some()
        });
        Self { frozen }
    }
}

impl Active for Frozen {
    fn heal(&mut self, scene: &mut Scene<'_>) {
        for pod in &self.frozen {
            let Some(host) = scene.shared.host(pod) else {
                continue;
            };
            scene.fabric.thaw(host);
            life::tell(scene, pod, PodChange::Thawed);
        }
    }

    fn touched(&self, _: &Fabric) -> Touched {
        count(self.frozen.len())
    }
}

/// Pods that die each time they have lived for a while.
struct CrashLoop {
    lives: Duration,
    /// Crashes so far, by pod.
    crashes: Rc<RefCell<BTreeMap<Arc<str>, u32>>>,
    /// Cleared when the fault heals: what was planned is then not done.
    on: Rc<Cell<bool>>,
}

impl CrashLoop {
    fn begin(scene: &mut Scene<'_>, pods: Vec<Arc<str>>, lives: Duration) -> Self {
        let this = Self {
            lives,
            crashes: Rc::new(RefCell::new(
                pods.iter().map(|pod| (pod.clone(), 0)).collect(),
            )),
            on: Rc::new(Cell::new(true)),
        };
        for pod in &pods {
            crash_and_come_back(scene, pod, &this.crashes);
        }
        this
    }
}

/// Kills a pod and has it started again after Kubernetes' back-off.
fn crash_and_come_back(
    scene: &mut Scene<'_>,
    pod: &Arc<str>,
    crashes: &RefCell<BTreeMap<Arc<str>, u32>>,
) {
    if !life::kill(scene, pod, Death::Crash) {
        return;
    }
    let so_far = {
        let mut crashes = crashes.borrow_mut();
        let crashes = crashes.entry(pod.clone()).or_default();
        *crashes += 1;
        *crashes
    };
    let wait = match so_far {
        1 => RESTART,
        n => BACKOFF
            .saturating_mul(1 << (n - 2).min(16))
            .min(BACKOFF_MAX),
    };
    life::start_later(scene, pod, wait);
}

impl Active for CrashLoop {
    fn happened(&mut self, scene: &mut Scene<'_>, what: &Happened) -> bool {
        let Happened::Ready(pod) = what else {
            return false;
        };
        if self.crashes.borrow().contains_key(pod) {
            let (pod, on, crashes) = (pod.clone(), self.on.clone(), self.crashes.clone());
            let shared = scene.shared.clone();
            scene
                .fabric
                .at(scene.fabric.now() + self.lives, move |fabric| {
                    if on.get() {
                        let shared = &shared;
                        crash_and_come_back(&mut Scene { fabric, shared }, &pod, &crashes);
                    }
                });
        }
        false
    }

    fn heal(&mut self, scene: &mut Scene<'_>) {
        self.on.set(false);
        for pod in self.crashes.borrow().keys() {
            life::start_if_down(scene, pod);
        }
    }

    fn touched(&self, _: &Fabric) -> Touched {
        count(self.crashes.borrow().values().filter(|n| **n > 0).count())
    }
}

/// Pods replaced one after the other: the next goes when the successor of the one before is ready.
struct Rollout {
    waiting: VecDeque<Arc<str>>,
    /// Those that are away.
    away: Vec<Arc<str>>,
    drain: Drain,
    pause: Duration,
    replaced: usize,
}

impl Rollout {
    fn begin(
        scene: &mut Scene<'_>,
        pods: Vec<Arc<str>>,
        drain: Drain,
        at_once: u32,
        pause: Duration,
    ) -> Self {
        let mut this = Self {
            waiting: pods.into(),
            away: Vec::new(),
            drain,
            pause,
            replaced: 0,
        };
        for _ in 0..at_once {
            this.replace_next(scene);
        }
        this
    }

    fn replace_next(&mut self, scene: &mut Scene<'_>) {
        while let Some(pod) = self.waiting.pop_front() {
            let up = scene
                .shared
                .host(&pod)
                .is_some_and(|host| scene.fabric.is_up(host));
            if up {
                life::terminate(scene, &pod, self.drain, Some(self.pause));
                self.away.push(pod);
                return;
            }
        }
    }
}

impl Active for Rollout {
    fn happened(&mut self, scene: &mut Scene<'_>, what: &Happened) -> bool {
        let Happened::Ready(pod) = what else {
            return false;
        };
        let Some(place) = self.away.iter().position(|away| away == pod) else {
            return false;
        };
        self.away.remove(place);
        self.replaced += 1;
        self.replace_next(scene);
        self.away.is_empty()
    }

    fn heal(&mut self, _: &mut Scene<'_>) {}

    fn touched(&self, _: &Fabric) -> Touched {
        count(self.replaced + self.away.len())
    }
}

/// A service with another number of pods.
struct Scaled {
    pods: Vec<Arc<str>>,
    drain: Drain,
    /// Whether these pods were added; else they were taken away.
    added: bool,
}

impl Scaled {
    fn remove(scene: &mut Scene<'_>, pods: Vec<Arc<str>>, drain: Drain) -> Self {
        for pod in &pods {
            life::terminate(scene, pod, drain, None);
        }
        Self {
            pods,
            drain,
            added: false,
        }
    }

    fn add(scene: &mut Scene<'_>, pods: Vec<Arc<str>>, drain: Drain) -> Self {
        for pod in &pods {
            life::start_if_down(scene, pod);
        }
        Self {
            pods,
            drain,
            added: true,
        }
    }
}

impl Active for Scaled {
    fn heal(&mut self, scene: &mut Scene<'_>) {
        for pod in &self.pods {
            match self.added {
                true => life::terminate(scene, pod, self.drain, None),
                false => life::start_if_down(scene, pod),
            }
        }
    }

    fn touched(&self, _: &Fabric) -> Touched {
        count(self.pods.len())
    }
}
