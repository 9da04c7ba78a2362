//! Callers that call otherwise.
//!
//! A fault takes hold of a source by a [`SourceLever`]; the source does the
//! rest ([`crate::traffic`]), on streams of the lever's own, so that the
//! requests it would have sent anyway stay what they were.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mesh_core::seam::Instant;

use super::{Active, Beginning, Happened, Scene, Touched, happened};
use crate::app::fork;
use crate::fabric::Fabric;
use crate::plan::{SourceEffect, TrafficFault};
use crate::traffic::{SourceLever, TrafficKnobs};

/// The shortest time.
const MOMENT: Duration = Duration::from_nanos(1);

/// Puts a fault of a traffic source in force.
pub(super) fn begin(
    fault: &TrafficFault,
    scene: &mut Scene<'_>,
    beginning: &mut Beginning,
) -> Box<dyn Active> {
    let name: Arc<str> = scene.shared.plan.traffic[fault.source]
        .workload
        .name
        .clone();
    let knobs = scene.shared.source_knobs(&name);
    let rng = fork(&mut beginning.rng);
    let lever = SourceLever::new(fault.effect.clone(), beginning.strength, rng);
    let lever = Rc::new(lever);
    knobs.add(lever.clone());
    let ends = match &fault.effect {
        // One that comes all at once has come when this instant is over.
        SourceEffect::Herd { over, .. } => Some(scene.fabric.now() + (*over).max(MOMENT)),
        _ => None,
    };
    if let Some(ends) = ends {
        let shared = scene.shared.clone();
        scene.fabric.at(ends, move |fabric| {
            let shared = &shared;
            happened(&mut Scene { fabric, shared }, &Happened::Elapsed);
        });
    }
    Box::new(Pulled { knobs, lever, ends })
}

/// A hold on a traffic source.
struct Pulled {
    knobs: Rc<TrafficKnobs>,
    lever: Rc<SourceLever>,
    /// When it is over by itself.
    ends: Option<Instant>,
}

impl Active for Pulled {
    fn strength(&mut self, _: &mut Scene<'_>, share: f64) {
        self.lever.set_strength(share);
        self.knobs.changed();
    }

    fn happened(&mut self, scene: &mut Scene<'_>, _: &Happened) -> bool {
        self.ends.is_some_and(|ends| scene.fabric.now() >= ends)
    }

    fn heal(&mut self, _: &mut Scene<'_>) {
        self.knobs.remove(&self.lever);
    }

    fn touched(&self, _: &Fabric) -> Touched {
        Touched {
            requests: self.lever.touched(),
            ..Touched::default()
        }
    }
}
