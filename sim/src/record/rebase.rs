//! The scenario's own clock.
//!
//! The world begins before the scenario does, because a mesh has to come up
//! first. Events carry the world's instants; the record counts from the
//! scenario's beginning, and what happened before it counts as happening at
//! its first instant.

use mesh_core::seam::Instant;
use mesh_core::telemetry::Event;

use super::event::{AppEvent, TrafficEvent};

/// When the scenario's clock shows zero.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Origin(pub(super) Instant);

impl Origin {
    /// An instant of the world on the scenario's clock.
    pub(super) fn local(self, at: Instant) -> Instant {
        Instant::ZERO + at.since(self.0)
    }

    /// A mesh event, with its instants on the scenario's clock.
    pub(super) fn mesh<'a>(self, event: &Event<'a>) -> Event<'a> {
        let mut event = event.clone();
        match &mut event {
            Event::Request(request) => request.start = self.local(request.start),
            Event::Attempt(attempt) => attempt.start = self.local(attempt.start),
            Event::Connection(_)
            | Event::Ejection(_)
            | Event::Config(_)
            | Event::Identity(_)
            | Event::Mechanism(_) => {}
        }
        event
    }

    /// A client's event, with its instants on the scenario's clock.
    pub(super) fn traffic<'a>(self, event: &TrafficEvent<'a>) -> TrafficEvent<'a> {
        let mut event = event.clone();
        match &mut event {
            TrafficEvent::Sent(sent) => {
                sent.intended = self.local(sent.intended);
                sent.sent = self.local(sent.sent);
            }
            TrafficEvent::Ended(ended) => {
                ended.intended = self.local(ended.intended);
                ended.sent = self.local(ended.sent);
                ended.ended = self.local(ended.ended);
            }
        }
        event
    }

    /// An app's event, with its instants on the scenario's clock.
    pub(super) fn app<'a>(self, event: &AppEvent<'a>) -> AppEvent<'a> {
        AppEvent {
            arrived: self.local(event.arrived),
            started: event.started.map(|at| self.local(at)),
            ended: self.local(event.ended),
            ..event.clone()
        }
    }
}
