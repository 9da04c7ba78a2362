//! What holds in every run, whatever the scenario: if it does not, Meshquake is wrong.
//!
//! Each law has a module with its theory, and a test that breaks it. They are
//! watched while the run goes on, from the same events as everything else, in
//! memory that does not grow with the length of the run.

use mesh_core::seam::Instant;
use mesh_core::telemetry::{
    AttemptEvent, ConfigEvent, EjectionEvent, MechanismEvent, RequestEvent,
};

use super::witness::Teller;
use crate::plan::Plan;
use crate::record::AppEvent;

/// All laws.
pub(super) struct Invariants {}

impl Invariants {
    pub(super) fn new(_plan: &Plan) -> Self {
        Self {}
    }

    pub(super) fn outbound(&mut self, _teller: Teller<'_>, _event: &RequestEvent<'_>) {}

    pub(super) fn attempt(&mut self, _teller: Teller<'_>, _event: &AttemptEvent<'_>) {}

    pub(super) fn inbound(&mut self, _teller: Teller<'_>, _event: &RequestEvent<'_>) -> bool {
        false
    }

    pub(super) fn to_app(&mut self, _teller: Teller<'_>, _event: &AttemptEvent<'_>) {}

    pub(super) fn ejection(
        &mut self,
        _teller: Teller<'_>,
        _at: Instant,
        _event: &EjectionEvent<'_>,
    ) {
    }

    pub(super) fn mechanism(
        &mut self,
        _teller: Teller<'_>,
        _at: Instant,
        _event: &MechanismEvent<'_>,
    ) {
    }

    pub(super) fn config(&mut self, _at: Instant, _event: &ConfigEvent<'_>) {}

    pub(super) fn sent(&mut self, _traffic: usize, _sent: Instant) {}

    pub(super) fn ended(&mut self, _traffic: usize, _sent: Instant, _ended: Instant) {}

    pub(super) fn in_flight(&mut self, _traffic: usize, _sent: Instant, _end: Instant) {}

    pub(super) fn app(&mut self, _event: &AppEvent<'_>) {}

    pub(super) fn close(&mut self, _end: Instant) -> Vec<String> {
        Vec::new()
    }
}
