//! A service mesh's data plane and control plane.
//!
//! `mesh-core` is written as it would run in production: HTTP/1.1 and HTTP/2
//! by hyper, mutual TLS by rustls, SPIFFE identities, Envoy's filter order and
//! Envoy's response flags. It touches the outside through five narrow
//! [seams](seam), so the same code serves real sockets and a simulated world.

pub mod authz;
pub mod balance;
pub mod control;
pub mod dialect;
pub mod document;
mod header_map;
pub mod identity;
pub mod policy;
pub mod proxy;
pub mod resilience;
pub mod route;
pub mod seam;
pub mod telemetry;
