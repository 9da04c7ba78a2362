//! The sidecar: inbound and outbound listeners, connection pools, the order of the filters.
//!
//! Outbound, as Envoy orders it: route, fault injection, rate limit, then the
//! router filter (timeout around attempts; per attempt breaker, load balancer,
//! pool, send, outlier feedback; retry with back-off). Inbound: TLS and peer
//! identity, authorization, rate limit, the app. Every request ends in exactly
//! one request event with Envoy's response flags.

mod cluster;
mod exchange;
mod failure;
mod forward;
mod headers;
mod inbound;
mod mirror;
mod outbound;
mod path;
mod pool;
mod reply;
mod request_body;
mod response_body;
mod retired;
mod rotation;
mod secure;
mod serve;
mod sidecar;
mod transport;

pub use sidecar::{Sidecar, SidecarConfig, SidecarHandle};
