//! The schedule of faults on the running world.

use std::rc::Rc;
use std::sync::Arc;

use mesh_core::seam::{Instant, Rng};

use super::{Active, Beginning, Happened, Scene, Touched, begin};
use crate::app::fork;
use crate::fabric::Fabric;
use crate::plan::{FaultPlan, PodSelector, Start, Trigger};
use crate::record::{FaultEvent, FaultPhase};
use crate::world::{ORIGIN, Shared};

/// A strength that grows does so in this many steps.
const STEPS: u32 = 20;

/// A fault as it stands.
pub(crate) struct Standing {
    /// What it does, while it is in force; taken out while it is being told something.
    active: Option<Box<dyn Active>>,
    in_force: bool,
    /// How often it has begun.
    begun: u32,
    /// When it began last.
    since: Instant,
    /// By occurrences that are over.
    before: Touched,
    rng: Rng,
    /// The pods that were drawn for the occurrence in force, if there was a choice.
    drawn: Vec<Arc<str>>,
}

/// Schedules every fault of the plan; `origin` is when the scenario's clock shows zero.
pub(crate) fn schedule(fabric: &mut Fabric, shared: &Rc<Shared>, origin: Instant) {
    let standing = |index| Standing {
        active: None,
        in_force: false,
        begun: 0,
        since: origin,
        before: Touched::default(),
        rng: Rng::named(shared.plan.seed, &format!("fault/{index}")),
        drawn: Vec::new(),
    };
    let count = shared.plan.faults.len();
    *shared.faults.borrow_mut() = (0..count).map(standing).collect();
    for (index, fault) in shared.plan.faults.iter().enumerate() {
        let Start::At(at) = &fault.schedule.start else {
            continue;
        };
        let at = at.sample(&mut shared.faults.borrow_mut()[index].rng);
        begin_at(fabric, shared, index, origin + at);
    }
}

fn begin_at(fabric: &mut Fabric, shared: &Rc<Shared>, index: usize, at: Instant) {
    let shared = shared.clone();
    fabric.at(at, move |fabric| {
        let shared = &shared;
        start(&mut Scene { fabric, shared }, index);
    });
}

/// The run is over: faults that lasted to its end end with it.
pub(crate) fn end(fabric: &mut Fabric, shared: &Rc<Shared>) {
    for index in 0..shared.plan.faults.len() {
        if shared.faults.borrow()[index].in_force {
            tell(fabric, shared, index, FaultPhase::Ended);
        }
    }
}

/// Begins a fault, unless its time is over.
fn start(scene: &mut Scene<'_>, index: usize) {
    let shared = scene.shared;
    let fault = &shared.plan.faults[index];
    let now = scene.fabric.now();
    let until = fault
        .schedule
        .repeat
        .as_ref()
        .and_then(|repeat| repeat.until);
    let until = until.map(|until| ORIGIN + until);
    if until.is_some_and(|until| now >= until) {
        return;
    }
    let (lasts, rng, occurrence) = {
        let mut standings = scene.shared.faults.borrow_mut();
        let standing = &mut standings[index];
        if standing.in_force {
            return;
        }
        standing.in_force = true;
        standing.begun += 1;
        standing.since = now;
        let lasts = fault.schedule.lasts.as_ref();
        let lasts = lasts.map(|lasts| lasts.sample(&mut standing.rng));
        (lasts, fork(&mut standing.rng), standing.begun)
    };
    let ends = lasts.map(|lasts| now + lasts);
    let ends = match (ends, until) {
        (Some(ends), Some(until)) => Some(ends.min(until)),
        (ends, until) => ends.or(until),
    };
    let strength = if fault.ramp.is_zero() { 1.0 } else { 0.0 };
    let mut beginning = Beginning::new(strength, rng);
    let active = begin(&fault.kind, scene, &mut beginning);
    {
        let mut standings = scene.shared.faults.borrow_mut();
        standings[index].active = Some(active);
        standings[index].drawn = beginning.drawn;
    }
    tell(scene.fabric, scene.shared, index, FaultPhase::Began);
    grow(scene, index, occurrence);
    if let Some(ends) = ends {
        let shared = scene.shared.clone();
        scene.fabric.at(ends, move |fabric| {
            let shared = &shared;
            heal(&mut Scene { fabric, shared }, index, occurrence);
        });
    }
    happened(scene, &Happened::Began(index));
}

/// Lets a fault's strength grow in steps.
fn grow(scene: &mut Scene<'_>, index: usize, occurrence: u32) {
    let ramp = scene.shared.plan.faults[index].ramp;
    if ramp.is_zero() {
        return;
    }
    let now = scene.fabric.now();
    for step in 1..=STEPS {
        let share = f64::from(step) / f64::from(STEPS);
        let shared = scene.shared.clone();
        scene.fabric.at(now + ramp.mul_f64(share), move |fabric| {
            let scene = &mut Scene {
                fabric,
                shared: &shared,
            };
            on_active(scene, index, occurrence, |active, scene| {
                active.strength(scene, share)
            });
        });
    }
}

/// Tells a fault in force something, if this occurrence of it still is.
fn on_active<T>(
    scene: &mut Scene<'_>,
    index: usize,
    occurrence: u32,
    tell: impl FnOnce(&mut dyn Active, &mut Scene<'_>) -> T,
) -> Option<T> {
    let mut active = {
        let mut standings = scene.shared.faults.borrow_mut();
        let standing = standings.get_mut(index)?;
        (standing.in_force && standing.begun == occurrence).then_some(())?;
        standing.active.take()?
    };
    let told = tell(&mut *active, scene);
    scene.shared.faults.borrow_mut()[index].active = Some(active);
    Some(told)
}

/// Ends an occurrence of a fault, unless it is over already.
fn heal(scene: &mut Scene<'_>, index: usize, occurrence: u32) {
    let healed = on_active(scene, index, occurrence, |active, scene| active.heal(scene));
    if healed.is_none() {
        return;
    }
    let next = {
        let mut standings = scene.shared.faults.borrow_mut();
        let standing = &mut standings[index];
        if let Some(active) = &standing.active {
            standing.before += active.touched(scene.fabric);
        }
        standing.active = None;
        standing.in_force = false;
        next(&scene.shared.plan.faults[index], standing)
    };
    tell(scene.fabric, scene.shared, index, FaultPhase::Ended);
    if let Some(next) = next {
        let next = next.max(scene.fabric.now());
        begin_at(scene.fabric, scene.shared, index, next);
    }
    happened(scene, &Happened::Healed(index));
}

/// When a fault begins again.
fn next(fault: &FaultPlan, standing: &mut Standing) -> Option<Instant> {
    let repeat = fault.schedule.repeat.as_ref()?;
    let every = repeat.every.as_ref()?;
    let left = repeat.times.is_none_or(|times| standing.begun < times);
    left.then(|| standing.since + every.sample(&mut standing.rng))
}

/// Something happened: faults that wait for it begin, and those in force hear of it.
pub(crate) fn happened(scene: &mut Scene<'_>, what: &Happened) {
    if scene.shared.faults.borrow().is_empty() {
        return; // The mesh is still coming up.
    }
    for index in 0..scene.shared.plan.faults.len() {
        wait_for(scene, index, what);
        let occurrence = scene.shared.faults.borrow()[index].begun;
        let over = on_active(scene, index, occurrence, |active, scene| {
            active.happened(scene, what)
        });
        if over == Some(true) {
            heal(scene, index, occurrence);
        }
    }
}

/// Begins a fault if this is what it waits for.
fn wait_for(scene: &mut Scene<'_>, index: usize, what: &Happened) {
    let fault = &scene.shared.plan.faults[index];
    let Start::On { trigger, delay } = &fault.schedule.start else {
        return;
    };
    let times = match &fault.schedule.repeat {
        Some(repeat) => repeat.times.unwrap_or(u32::MAX),
        None => 1,
    };
    let begun = scene.shared.faults.borrow()[index].begun;
    if begun < times && is_meant(trigger, what) {
        let at = scene.fabric.now() + *delay;
        begin_at(scene.fabric, scene.shared, index, at);
    }
}

fn is_meant(trigger: &Trigger, what: &Happened) -> bool {
    let among = |pods: &PodSelector, pod: &str| pods.pods.iter().any(|name| name == pod);
    match (trigger, what) {
        (Trigger::Began(fault), Happened::Began(other))
        | (Trigger::Healed(fault), Happened::Healed(other)) => fault == other,
        (Trigger::Ejected(pods), Happened::Ejected(pod))
        | (Trigger::Returned(pods), Happened::Returned(pod))
        | (Trigger::Crashed(pods), Happened::Crashed(pod))
        | (Trigger::Ready(pods), Happened::Ready(pod))
        | (Trigger::Overflowed(pods), Happened::Overflowed(pod)) => among(pods, pod),
        _ => false,
    }
}

fn tell(fabric: &Fabric, shared: &Shared, index: usize, phase: FaultPhase) {
    let mut touched = Touched::default();
    let mut drawn = Vec::new();
    if let Some(standing) = shared.faults.borrow().get(index) {
        drawn.clone_from(&standing.drawn);
        touched = standing.before;
        if let Some(active) = &standing.active {
            touched += active.touched(fabric);
        }
    }
    let event = FaultEvent {
        index: u32::try_from(index).unwrap_or(u32::MAX),
        name: &shared.plan.faults[index].name,
        phase,
        pods: touched.pods,
        packets: touched.packets,
        requests: touched.requests,
        drawn: &drawn,
    };
    shared.recorder.fault(fabric.now(), &event);
}
