//! Who else hears what a run is recorded from.

use std::cell::RefCell;
use std::rc::Rc;

use mesh_core::seam::Instant;
use mesh_core::telemetry::Event;
use meshquake_reports::TraceReport;

use super::event::{AppArrival, AppEvent, FaultEvent, PodEvent, TrafficEvent};

/// The host that a mesh event comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Teller<'a> {
    /// The workload.
    pub pod: &'a str,
    /// Its service, or the name of its traffic source.
    pub service: &'a str,
}

/// Hears every event of a run in the order in which they happen, and nothing after its end. It cannot change the run:
/// a run with listeners has the same digest. Instants are the world's, or for a mesh event its host's.
pub trait Listener {
    /// The mesh tells of something.
    fn mesh(&mut self, _at: Instant, _teller: Teller<'_>, _event: &Event<'_>) {}

    /// A traffic source tells of something.
    fn traffic(&mut self, _at: Instant, _event: &TrafficEvent<'_>) {}

    /// A request has arrived at an app.
    fn arrived(&mut self, _at: Instant, _arrival: &AppArrival<'_>) {}

    /// An app is done with a request.
    fn app(&mut self, _at: Instant, _event: &AppEvent<'_>) {}

    /// A fault begins or ends.
    fn fault(&mut self, _at: Instant, _event: &FaultEvent<'_>) {}

    /// A pod comes or goes.
    fn pod(&mut self, _at: Instant, _event: &PodEvent<'_>) {}

    /// Whether [`trace`](Self::trace) is to be called: putting traces together costs time.
    fn wants_traces(&self) -> bool {
        false
    }

    /// All that is known of a request of a traffic source, some time after it ended. Every request is told once.
    fn trace(&mut self, _trace: &TraceReport) {}

    /// Virtual time has come to here, and everything before has been told; at least a thousand times in a run.
    fn reached(&mut self, _at: Instant) {}
}

/// One that somebody else has too, to ask it when the run has ended what it heard.
impl<L: Listener> Listener for Rc<RefCell<L>> {
    fn mesh(&mut self, at: Instant, teller: Teller<'_>, event: &Event<'_>) {
        self.borrow_mut().mesh(at, teller, event);
    }

    fn traffic(&mut self, at: Instant, event: &TrafficEvent<'_>) {
        self.borrow_mut().traffic(at, event);
    }

    fn arrived(&mut self, at: Instant, arrival: &AppArrival<'_>) {
        self.borrow_mut().arrived(at, arrival);
    }

    fn app(&mut self, at: Instant, event: &AppEvent<'_>) {
        self.borrow_mut().app(at, event);
    }

    fn fault(&mut self, at: Instant, event: &FaultEvent<'_>) {
        self.borrow_mut().fault(at, event);
    }

    fn pod(&mut self, at: Instant, event: &PodEvent<'_>) {
        self.borrow_mut().pod(at, event);
    }

    fn wants_traces(&self) -> bool {
        self.borrow().wants_traces()
    }

    fn trace(&mut self, trace: &TraceReport) {
        self.borrow_mut().trace(trace);
    }

    fn reached(&mut self, at: Instant) {
        self.borrow_mut().reached(at);
    }
}
