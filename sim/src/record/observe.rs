//! The recorder's ears: one in each host for its mesh, and one for all apps and clients.

use std::rc::Rc;

use mesh_core::seam::Instant;
use mesh_core::telemetry::{Event, Observer};

use super::{AppEvent, Recorder, TrafficEvent};
use crate::app::AppObserver;
use crate::traffic::TrafficObserver;

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

impl AppObserver for Recorder {
    fn app(&self, at: Instant, event: &AppEvent<'_>) {
        Self::app(self, at, event);
    }
}

impl TrafficObserver for Recorder {
    fn traffic(&self, at: Instant, event: &TrafficEvent<'_>) {
        Self::traffic(self, at, event);
    }
}
