//! What the mesh tells about itself: typed events, response flags, trace context, access logs.

mod access_log;
mod event;
mod flag;
mod trace;

pub use access_log::{AccessLogFormat, AccessNotes};
pub use event::{
    AttemptEvent, ConfigEvent, ConnectionEvent, Direction, EjectionEvent, EjectionReason, Event,
    IdentityEvent, Mechanism, MechanismEvent, NullObserver, Observer, RequestEvent, RequestTiming,
    TlsState,
};
pub use flag::{ResponseFlag, ResponseFlags};
pub(crate) use trace::{REQUEST_ID, unindexed};
pub use trace::{TRACEPARENT, TraceContext, request_id};
