//! What apps and traffic sources told, kept for assertions.

use std::cell::{Cell, RefCell};

use mesh_core::seam::Instant;

use crate::app::AppObserver;
use crate::record::{AppArrival, AppEvent, AppOutcome, RequestEnded, TrafficEvent, TrafficOutcome};
use crate::traffic::TrafficObserver;

/// What apps and traffic sources told.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) apps: RefCell<Vec<Told>>,
    pub(crate) sent: Cell<u64>,
    pub(crate) ended: RefCell<Vec<Ended>>,
}

/// An [`AppEvent`], kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) arrived: u64,
    pub(crate) started: Option<u64>,
    pub(crate) ended: u64,
    pub(crate) outcome: AppOutcome,
    pub(crate) status: u16,
    pub(crate) queue: u32,
    pub(crate) trace: u128,
}

/// A [`RequestEnded`], kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) sequence: u64,
    pub(crate) trace: u128,
    pub(crate) intended: u64,
    pub(crate) ended: u64,
    pub(crate) outcome: TrafficOutcome,
    pub(crate) upstream: String,
    pub(crate) bytes: u64,
    pub(crate) flags: String,
    pub(crate) check: String,
}

impl AppObserver for Log {
    fn arrived(&self, _at: Instant, _arrival: &AppArrival<'_>) {}

    fn app(&self, at: Instant, event: &AppEvent<'_>) {
        assert_eq!(at, event.ended);
        self.apps.borrow_mut().push(Told {
            arrived: event.arrived.as_nanos(),
            started: event.started.map(Instant::as_nanos),
            ended: event.ended.as_nanos(),
            outcome: event.outcome,
            status: event.status,
            queue: event.queue,
            trace: event.trace,
        });
    }
}

impl TrafficObserver for Log {
    fn traffic(&self, _at: Instant, event: &TrafficEvent<'_>) {
        match event {
            TrafficEvent::Sent(_) => self.sent.set(self.sent.get() + 1),
            TrafficEvent::Ended(event) => self.ended.borrow_mut().push(kept(event)),
        }
    }
}

fn kept(event: &RequestEnded<'_>) -> Ended {
    Ended {
        sequence: event.sequence,
        trace: event.trace,
        intended: event.intended.as_nanos(),
        ended: event.ended.as_nanos(),
        outcome: event.outcome,
        upstream: event.upstream.to_owned(),
        bytes: event.response_bytes,
        flags: event.flags.to_owned(),
        check: format!("{:?}", event.check),
    }
}
