//! A deterministic simulator and chaos testbed for service meshes.
//!
//! The mesh itself is `mesh-core`; this crate gives it a world in virtual
//! time: a network, pods, apps, traffic, faults, and a verdict.

pub mod app;
pub mod cli;
pub mod explore;
pub mod export;
pub mod fabric;
pub mod fault;
pub mod plan;
pub mod record;
pub mod scenario;
pub mod topology;
pub mod traffic;
mod tui;
pub mod verdict;
pub mod world;
