//! What the faults touched. One that touched nothing tested nothing.

use meshquake_reports::FaultReport;
use meshquake_reports::record::seconds;

use super::edge::nanos;
use super::event::FaultEvent;
use crate::plan::{FaultKind, FaultPlan, Plan};

/// All faults, in plan order.
pub(super) struct Faults(Vec<Touched>);

#[derive(Clone, Copy, Default)]
struct Touched {
    began: bool,
    pods: u64,
    packets: u64,
}

impl Faults {
    pub(super) fn new(plan: &Plan) -> Self {
        Self(vec![Touched::default(); plan.faults.len()])
    }

    pub(super) fn event(&mut self, event: &FaultEvent<'_>) {
        if let Some(touched) = self.0.get_mut(event.index as usize) {
            touched.began = true;
            touched.pods = touched.pods.max(event.pods.into());
            touched.packets = touched.packets.max(event.packets);
        }
    }

    pub(super) fn report(&self, plan: &Plan) -> Vec<FaultReport> {
        let faults = plan.faults.iter().zip(&self.0);
        faults.map(|(fault, touched)| touched.told(fault)).collect()
    }
}

impl Touched {
    /// A fault of the network must have met a packet; every other one a pod or a packet.
    fn inert(&self, kind: &FaultKind) -> bool {
        match kind {
            FaultKind::Latency { .. } | FaultKind::Partition { .. } => self.packets == 0,
            _ => self.packets == 0 && self.pods == 0,
        }
    }

    fn told(&self, fault: &FaultPlan) -> FaultReport {
        FaultReport {
            name: fault.name.clone(),
            at_s: seconds(nanos(fault.at)),
            for_s: fault.duration.map(|duration| seconds(nanos(duration))),
            began: self.began,
            pods: self.pods,
            packets: self.packets,
            inert: self.inert(&fault.kind),
            place: fault.place.clone(),
        }
    }
}
