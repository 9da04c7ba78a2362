//! Callers that call otherwise.
//!
//! A fault takes hold of a source by a [`SourceLever`]; the source does the
//! rest ([`crate::traffic`]), on streams of the lever's own, so that the
//! requests it would have sent anyway stay what they were.

use std::rc::Rc;
use std::sync::Arc;

use super::capacity::fork;
use super::{Active, Beginning, Happened, Scene, Touched};
use crate::fabric::Fabric;
use crate::plan::{SourceEffect, TrafficFault};
use crate::traffic::{SourceLever, TrafficKnobs};

/// Puts a fault of a traffic source in force.
pub(super) fn begin(
    fault: &TrafficFault,
    scene: &mut Scene<'_>,
    mut beginning: Beginning,
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
    Box::new(Pulled {
        is_instant: matches!(&fault.effect, SourceEffect::Herd { over, .. } if over.is_zero()),
        knobs,
        lever,
    })
}

/// A hold on a traffic source.
struct Pulled {
    knobs: Rc<TrafficKnobs>,
    lever: Rc<SourceLever>,
    is_instant: bool,
}

impl Active for Pulled {
    fn strength(&mut self, _: &mut Scene<'_>, share: f64) {
        self.lever.set_strength(share);
        self.knobs.changed();
    }

    fn happened(&mut self, _: &mut Scene<'_>, _: &Happened) -> bool {
        false
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
