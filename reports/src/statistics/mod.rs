//! What a handful of runs says about all the runs there could be.
//!
//! A run is one draw: with another seed the same scenario may come out otherwise.
//! [`Interval`] says between which bounds the share of such seeds lies,
//! [`SequentialTest`] when enough of them have been seen, and [`Paired`] whether
//! two configurations differ by more than their seeds do.
//!
//! Everything here is arithmetic on what was measured, through `libm`, so that
//! it comes out the same on every machine.

mod beta;
mod interval;
mod paired;
mod sequential;

pub use interval::{CONFIDENCE, Interval};
pub use paired::Paired;
pub use sequential::{Hypothesis, SequentialTest};
