//! Many runs: seeds, grids, comparisons.
//!
//! A run uses one core and shares nothing with another, so many go on at once,
//! each on a thread of its own. Which of them ends first is chance; nothing that
//! is told may depend on it. So runs are numbered, every decision is taken in
//! the order of the numbers, and what was run in vain beyond a decision is
//! thrown away: a suite says the same whatever `--jobs` is.

pub mod again;
pub mod compare;
pub mod coverage;
pub mod discover;
pub mod grid;
mod measure;
pub mod run_id;
mod seeds;
mod single;
pub mod suite;
pub mod sweep;
mod workers;

pub use measure::measures;
pub use run_id::RunId;
pub use seeds::{SEEDS_MAX, Seeds};
pub use workers::jobs_by_default;
