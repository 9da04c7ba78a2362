//! Pushes, when they are delivered as they should be.

use std::rc::Weak;

use mesh_core::control::{Delivery, PushGate};

use super::Control;

/// Asks the troubles.
pub(super) struct MeshGate(pub(super) Weak<Control>);

impl PushGate for MeshGate {
    fn delivery(&self, workload: &str) -> Delivery {
        let Some(control) = self.0.upgrade() else {
            return Delivery::AtOnce;
        };
        let found = control.troubles.borrow().delivery(workload);
        found.map_or(Delivery::AtOnce, |(_, delivery)| delivery)
    }

    fn impeded(&self, workload: &str) {
        if let Some(control) = self.0.upgrade() {
            control.troubles.borrow_mut().impeded(workload);
        }
    }
}
