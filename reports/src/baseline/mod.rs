//! What a suite measured before, kept in a file beside the scenarios.
//!
//! A scenario may hold and still have become slower. The file has one line per
//! measure, its values in the order of the seeds, so that a diff of it reads as
//! what changed. [`compare`] pairs old and new by seed, and tells a change from
//! noise: see [`Tolerance`].

mod compare;
mod file;
mod text;

pub use compare::{BaselineReport, Change, ChangeKind, Tolerance, compare};
pub use file::{BASELINE_SCHEMA, Baseline, BaselineError, BaselineMeasure, BaselineScenario};
