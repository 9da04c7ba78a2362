//! Where traffic sources tell what they sent and what came back.

use mesh_core::seam::Instant;
use mesh_core::telemetry::ResponseFlags;

use crate::record::{Recorder, TrafficEvent};

/// Takes what traffic sources tell. Instants are on the host's clock.
pub trait TrafficObserver {
    /// A request was sent, or ended.
    fn traffic(&self, at: Instant, event: &TrafficEvent<'_>);

    /// Whether it also hears what the source's sidecar reports, and can say so with [`Self::flags`].
    fn hears_sidecar(&self) -> bool {
        false
    }

    /// The response flags that the source's sidecar reported for a request now in flight.
    fn flags(&self, trace: u128) -> Option<ResponseFlags> {
        let _unheard = trace;
        None
    }
}

/// Response flags stay unknown; a [`FlagProbe`](super::FlagProbe) in between learns them.
impl TrafficObserver for Recorder {
    fn traffic(&self, at: Instant, event: &TrafficEvent<'_>) {
        Recorder::traffic(self, at, event);
    }
}
