//! Packets and names.
//!
//! A fault of packets is a rule of the fabric ([`crate::fabric::Effect`]). A
//! fault of names is one of the cluster's name server
//! ([`crate::world::Names`]); only who opens a connection asks for a name, so a
//! pool of connections that stand hides it, as it does in production.

use globset::GlobBuilder;

use super::{Active, Beginning, Scene, Touched, scope};
use crate::fabric::{Effect, Fabric, RuleId};
use crate::plan::{Distribution, NetworkFault};
use crate::world::{NameFault, NameFaultId};

/// Puts a fault of the network in force.
pub(super) fn begin(
    fault: &NetworkFault,
    scene: &mut Scene<'_>,
    beginning: &mut Beginning,
) -> Box<dyn Active> {
    match fault {
        NetworkFault::Dns { .. } => names(fault, scene, beginning),
        _ => packets(fault, scene, beginning),
    }
}

/// What a fault does to packets, at this strength.
fn effect(fault: &NetworkFault, strength: f64) -> Effect {
    match fault {
        NetworkFault::Latency { add, .. } => Effect::Latency(scaled(add, strength)),
        NetworkFault::Loss { share, .. } => Effect::Loss(share * strength),
        NetworkFault::Bandwidth {
            bps,
            queue_bytes_max,
            ..
        } => Effect::Bandwidth {
            bps: *bps,
            queue_bytes_max: *queue_bytes_max,
        },
        NetworkFault::Reset { .. } => Effect::Reset,
        NetworkFault::Refuse { .. } => Effect::Refuse,
        NetworkFault::HalfOpen { .. } => Effect::Forget,
        NetworkFault::Partition { .. }
        | NetworkFault::Blackhole { .. }
        | NetworkFault::Dns { .. } => Effect::Partition,
    }
}

fn scaled(add: &Distribution, strength: f64) -> Distribution {
    if strength >= 1.0 {
        return add.clone();
    }
    add.scaled(strength)
}

/// A rule of the fabric.
struct Packets {
    fault: NetworkFault,
    rule: RuleId,
    /// Whether it stays when the fault heals.
    lasting: bool,
}

fn packets(
    fault: &NetworkFault,
    scene: &mut Scene<'_>,
    beginning: &mut Beginning,
) -> Box<dyn Active> {
    let on = fault.edge().expect("only faults of names have no packets");
    let scope = scope::packets(scene, on, beginning);
    let effect = effect(fault, beginning.strength);
    Box::new(Packets {
        fault: fault.clone(),
        rule: scene.fabric.add_rule(scope, effect),
        lasting: matches!(fault, NetworkFault::HalfOpen { .. }),
    })
}

impl Active for Packets {
    fn strength(&mut self, scene: &mut Scene<'_>, share: f64) {
        scene
            .fabric
            .change_rule(self.rule, effect(&self.fault, share));
    }

    fn heal(&mut self, scene: &mut Scene<'_>) {
        if !self.lasting {
            scene.fabric.remove(self.rule);
        }
    }

    fn touched(&self, fabric: &Fabric) -> Touched {
        Touched {
            packets: fabric.touched(self.rule),
            ..Touched::default()
        }
    }
}

/// A fault of the cluster's name server.
struct Names {
    id: NameFaultId,
    names: std::rc::Rc<crate::world::Names>,
}

fn names(
    fault: &NetworkFault,
    scene: &mut Scene<'_>,
    beginning: &mut Beginning,
) -> Box<dyn Active> {
    let NetworkFault::Dns {
        from,
        names,
        answer,
    } = fault
    else {
        unreachable!("called for faults of names only");
    };
    let pattern = names.as_ref().and_then(|pattern| {
        // It was tried when the scenario was read.
        let glob = GlobBuilder::new(pattern).build().ok()?;
        Some(glob.compile_matcher())
    });
    let id = scene.shared.names.add(NameFault {
        askers: from.as_ref().map(|pods| beginning.draw(pods)),
        pattern,
        answer: *answer,
    });
    Box::new(Names {
        id,
        names: scene.shared.names.clone(),
    })
}

impl Active for Names {
    fn heal(&mut self, _: &mut Scene<'_>) {
        self.names.remove(self.id);
    }

    fn touched(&self, _: &Fabric) -> Touched {
        Touched {
            requests: self.names.touched(self.id),
            ..Touched::default()
        }
    }
}
