//! Clocks that are wrong.
//!
//! A wall clock that is off is what certificates and logs see; timers do not.
//! A clock that drifts goes at another rate altogether: every timer of the
//! host, and its wall clock, which keeps what it gained when the fault ends.

use super::{Active, Beginning, Scene, Touched, scope};
use crate::fabric::{Fabric, HostId};
use crate::plan::ClockFault;

/// Puts a fault of clocks in force.
pub(super) fn begin(
    fault: &ClockFault,
    scene: &mut Scene<'_>,
    beginning: &mut Beginning,
) -> Box<dyn Active> {
    let pods = beginning.draw(&fault.pods);
    let hosts = scope::hosts(scene, &pods);
    for host in &hosts {
        let step = fault.offset_ns.saturating_add(fault.jump_ns);
        if step != 0 {
            scene.fabric.step_wall_clock(*host, step);
        }
        if fault.drift_ppb != 0 {
            scene.fabric.set_clock_rate(*host, fault.drift_ppb);
        }
    }
    Box::new(Wrong {
        fault: fault.clone(),
        hosts,
    })
}

/// Hosts whose clocks are wrong.
struct Wrong {
    fault: ClockFault,
    hosts: Vec<HostId>,
}

impl Active for Wrong {
    fn heal(&mut self, scene: &mut Scene<'_>) {
        for host in &self.hosts {
            if self.fault.offset_ns != 0 {
                scene
                    .fabric
                    .step_wall_clock(*host, self.fault.offset_ns.saturating_neg());
            }
            if self.fault.drift_ppb != 0 {
                scene.fabric.set_clock_rate(*host, 0);
            }
        }
    }

    fn touched(&self, _: &Fabric) -> Touched {
        Touched {
            pods: u32::try_from(self.hosts.len()).unwrap_or(u32::MAX),
            ..Touched::default()
        }
    }
}
