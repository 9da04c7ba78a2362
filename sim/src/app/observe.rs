//! Where apps tell what became of their requests.

use mesh_core::seam::Instant;

use crate::record::{AppArrival, AppEvent, Recorder};

/// Takes what apps tell. Instants are on the host's clock.
///
/// Requests that are dropped with their host are told as cancelled; an
/// observer that is not to hear of the end of the world stops listening first.
pub trait AppObserver {
    /// A request has arrived at an app.
    fn arrived(&self, at: Instant, arrival: &AppArrival<'_>);

    /// An app is done with a request.
    fn app(&self, at: Instant, event: &AppEvent<'_>);
}

impl AppObserver for Recorder {
    fn arrived(&self, at: Instant, arrival: &AppArrival<'_>) {
        Recorder::arrived(self, at, arrival);
    }

    fn app(&self, at: Instant, event: &AppEvent<'_>) {
        Recorder::app(self, at, event);
    }
}
