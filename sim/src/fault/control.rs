//! The control plane, what it knows, and what it tells.
//!
//! Its process is a host's, like any other. Everything else is a trouble
//! between it and what is behind it ([`crate::world::Trouble`]), and lasts
//! whether the process does or not.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use mesh_core::control::Delivery;

use super::{Active, Beginning, Scene, Touched};
use crate::fabric::Fabric;
use crate::plan::{ControlFault, Outage, PodSelector};
use crate::record::PodChange;
use crate::world::{CONTROL_HOST, Control, Trouble, TroubleId, life};

/// Puts a fault of the control plane in force.
pub(super) fn begin(
    fault: &ControlFault,
    scene: &mut Scene<'_>,
    beginning: &mut Beginning,
) -> Box<dyn Active> {
    let trouble = match fault {
        ControlFault::Down { how } => return Box::new(Down::begin(scene, *how)),
        ControlFault::SlowPush { pods, delay } => pushes(pods, beginning, Delivery::Late(*delay)),
        ControlFault::PartialPush { pods } => pushes(pods, beginning, Delivery::Withheld),
        ControlFault::ReorderedPush { pods, gap } => {
            pushes(pods, beginning, Delivery::RoutesFirst(*gap))
        }
        ControlFault::RejectedPush { pods } => pushes(pods, beginning, Delivery::Garbled),
        ControlFault::StaleEndpoints { pods } => Trouble::Deaf(some(pods.as_ref(), beginning)),
        ControlFault::EmptyEndpoints { host } => Trouble::Hidden(host.clone()),
        ControlFault::Config { change, to, .. } => {
            Trouble::Change(Rc::new(change.clone()), some(to.as_ref(), beginning))
        }
    };
    let troubled = Troubled::begin(scene, trouble);
    if let ControlFault::Config {
        all_after: Some(after),
        ..
    } = fault
    {
        let (control, id) = (troubled.control.clone(), troubled.id);
        let at = scene.fabric.now() + *after;
        scene.fabric.at(at, move |_| control.widen(id));
    }
    Box::new(troubled)
}

fn pushes(pods: &PodSelector, beginning: &mut Beginning, delivery: Delivery) -> Trouble {
    Trouble::Pushes(some(Some(pods), beginning), delivery)
}

/// The pods that are meant this time; `None` is all.
pub(super) fn some(
    pods: Option<&PodSelector>,
    beginning: &mut Beginning,
) -> Option<BTreeSet<Arc<str>>> {
    Some(beginning.draw(pods?).into_iter().collect())
}

/// A trouble behind the control plane.
pub(super) struct Troubled {
    control: Rc<Control>,
    id: TroubleId,
}

impl Troubled {
    pub(super) fn begin(scene: &Scene<'_>, trouble: Trouble) -> Self {
        let control = scene.shared.control.clone();
        let id = control.begin(trouble);
        Self { control, id }
    }
}

impl Active for Troubled {
    fn heal(&mut self, _: &mut Scene<'_>) {
        self.control.end(self.id);
    }

    fn touched(&self, _: &Fabric) -> Touched {
        self.control.touched(self.id)
    }
}

/// The control plane's process is gone, or stands still.
struct Down {
    how: Outage,
    /// Sidecars that lost it.
    subscribed: u32,
}

impl Down {
    fn begin(scene: &mut Scene<'_>, how: Outage) -> Self {
        let control = scene.shared.control.clone();
        let subscribed = u32::try_from(control.subscribed()).unwrap_or(u32::MAX);
        let host = control.host();
        let change = match how {
            Outage::Crash => {
                scene.fabric.crash(host);
                control.died();
                PodChange::Crashed
            }
            Outage::PowerOff => {
                scene.fabric.power_off(host);
                control.died();
                PodChange::PoweredOff
            }
            Outage::Freeze => {
                scene.fabric.freeze(host);
                PodChange::Frozen
            }
        };
        life::tell(scene, CONTROL_HOST, change);
        Self { how, subscribed }
    }
}

impl Active for Down {
    fn heal(&mut self, scene: &mut Scene<'_>) {
        let control = scene.shared.control.clone();
        let change = match self.how {
            Outage::Crash | Outage::PowerOff => {
                control.recovered(scene.fabric, &scene.shared.recorder);
                PodChange::Started
            }
            Outage::Freeze => {
                scene.fabric.thaw(control.host());
                PodChange::Thawed
            }
        };
        life::tell(scene, CONTROL_HOST, change);
    }

    fn touched(&self, _: &Fabric) -> Touched {
        Touched {
            pods: self.subscribed,
            ..Touched::default()
        }
    }
}
