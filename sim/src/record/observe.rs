//! The recorder's ear in one host.

use std::rc::Rc;

use mesh_core::seam::Instant;
use mesh_core::telemetry::{AccessNotes, Event, Observer, RequestEvent};

use super::Recorder;

/// Hands one host's mesh events to the recorder.
pub(super) struct PodObserver {
    recorder: Rc<Recorder>,
    host: usize,
    logs: bool,
}

impl PodObserver {
    pub(super) fn new(recorder: Rc<Recorder>, host: usize, logs: bool) -> Self {
        Self {
            recorder,
            host,
            logs,
        }
    }
}

impl Observer for PodObserver {
    fn observe(&self, at: Instant, event: &Event<'_>) {
        self.recorder.state.borrow_mut().mesh(self.host, at, event);
    }

    fn keeps_access_log(&self) -> bool {
        self.logs
    }

    fn log_access(&self, pass: &RequestEvent<'_>, notes: &AccessNotes) {
        let mut state = self.recorder.state.borrow_mut();
        state.log_access(self.host, pass, notes);
    }
}
