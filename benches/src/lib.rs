//! Benches, and the baselines they are paired with.
//!
//! Speed is always a ratio taken in one run against a baseline on the same
//! machine: absolute times say more about the machine.

pub mod account;
pub mod bare;
pub mod cost;
mod load;
pub mod meshed;
pub mod on_fabric;
pub mod on_turmoil;
mod pod;
pub mod scenario;
pub mod sidecars;
mod tls;

/// The allocator of the `meshquake` command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub use load::{Answers, Tally};
pub use pod::Pod;
