//! Apps that do less than they should.
//!
//! A fault takes hold of each app by a [`Lever`]; what the lever does is the
//! app's own business ([`crate::app`]). Work that began before the fault began
//! is not touched, and work that began before it ended keeps what it got; only
//! a processor taken away stops work in the middle.

use std::rc::Rc;
use std::sync::Arc;

use super::{Active, Beginning, Happened, Scene, Touched};
use crate::app::{AppKnobs, Lever, fork};
use crate::fabric::Fabric;
use crate::plan::{AppEffect, CapacityFault};

/// Puts a fault of apps in force.
pub(super) fn begin(
    fault: &CapacityFault,
    scene: &mut Scene<'_>,
    beginning: &mut Beginning,
) -> Box<dyn Active> {
    let pods = beginning.draw(&fault.pods);
    match fault.effect {
        AppEffect::CacheFlush => Box::new(Flushed::flush(scene, &pods)),
        _ => Box::new(Levers::pull(fault, scene, &pods, beginning)),
    }
}

/// A hold on some apps.
struct Levers(Vec<(Rc<AppKnobs>, Rc<Lever>)>);

impl Levers {
    fn pull(
        fault: &CapacityFault,
        scene: &Scene<'_>,
        pods: &[Arc<str>],
        beginning: &mut Beginning,
    ) -> Self {
        let now = scene.fabric.now();
        let pulled = pods.iter().map(|pod| {
            let rng = fork(&mut beginning.rng);
            let lever = Lever::new(fault.effect.clone(), now, beginning.strength, rng);
            let (knobs, lever) = (scene.shared.knobs(pod), Rc::new(lever));
            knobs.add(lever.clone());
            (knobs, lever)
        });
        Self(pulled.collect())
    }
}

impl Active for Levers {
    fn strength(&mut self, _: &mut Scene<'_>, share: f64) {
        for (_, lever) in &self.0 {
            lever.set_strength(share);
        }
    }

    fn heal(&mut self, _: &mut Scene<'_>) {
        for (knobs, lever) in &self.0 {
            knobs.remove(lever);
        }
    }

    fn touched(&self, _: &Fabric) -> Touched {
        let touched = self.0.iter().map(|(_, lever)| lever.touched());
        Touched {
            pods: u32::try_from(touched.clone().filter(|n| *n > 0).count()).unwrap_or(u32::MAX),
            requests: touched.sum(),
            ..Touched::default()
        }
    }
}

/// Caches that were emptied.
struct Flushed {
    pods: u32,
    entries: u64,
}

impl Flushed {
    fn flush(scene: &Scene<'_>, pods: &[Arc<str>]) -> Self {
        let mut flushed = Self {
            pods: 0,
            entries: 0,
        };
        for pod in pods {
            let entries = scene.shared.knobs(pod).flush_caches();
            flushed.entries += entries;
            flushed.pods += u32::from(entries > 0);
        }
        flushed
    }
}

impl Active for Flushed {
    fn happened(&mut self, _: &mut Scene<'_>, _: &Happened) -> bool {
        true // It is over at once: the first thing it hears is its own beginning.
    }

    fn heal(&mut self, _: &mut Scene<'_>) {}

    fn touched(&self, _: &Fabric) -> Touched {
        Touched {
            pods: self.pods,
            requests: self.entries,
            ..Touched::default()
        }
    }
}
