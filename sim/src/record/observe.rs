//! The recorder's ear in one host.

use std::rc::Rc;

use mesh_core::seam::Instant;
use mesh_core::telemetry::{Event, Observer};

use super::Recorder;

/// Hands one host's mesh events to the recorder.
pub(super) struct PodObserver {
    recorder: Rc<Recorder>,
    host: usize,
}

impl PodObserver {
    pub(super) fn new(recorder: Rc<Recorder>, host: usize) -> Self {
        Self { recorder, host }
    }
}

impl Observer for PodObserver {
    fn observe(&self, at: Instant, event: &Event<'_>) {
        self.recorder.state.borrow_mut().mesh(self.host, at, event);
    }
}
