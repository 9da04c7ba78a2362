//! Benches, and the baselines they are paired with.
//!
//! Speed is always a ratio taken in one run against a baseline on the same
//! machine: absolute times say more about the machine.

pub mod bare;
pub mod cost;
pub mod meshed;
mod tls;
