//! Traffic sources: open and closed loops, scripts.
//!
//! Who measures a service decides what is found. A client that waits for an
//! answer before it sends the next request slows down with the service and so
//! hides its trouble (Schroeder, Wierman and Harchol-Balter, "Open versus
//! closed: a cautionary tale", NSDI 2006), so both kinds are here and the
//! scenario says which. A source is a pod that only calls, with a real HTTP
//! client on the [seams](mesh_core::seam) of its host.

mod arrivals;
mod draws;
mod expect;
mod flags;
mod knobs;
mod observe;
#[cfg(test)]
mod on_fabric;
mod request;
mod retries;
mod slow_loris;
mod source;
mod surge;

pub use flags::FlagProbe;
pub(crate) use knobs::SourceLever;
pub use knobs::TrafficKnobs;
pub use observe::TrafficObserver;
pub use source::drive;
