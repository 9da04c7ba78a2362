//! Faults of clocks.

use super::super::Placed;
use super::select::with_pods;
use crate::scenario::value::{Drift, Shift};

with_pods! {
    /// Clocks that are wrong.
    ClockSpec {
        /// The wall clock is so far ahead, or behind; right again when the fault ends.
        offset: Option<Placed<Shift>>,
        /// All clocks gain so much on true time, or lose.
        drift: Option<Placed<Drift>>,
        /// The wall clock jumps so far when the fault begins, and stays there.
        jump: Option<Placed<Shift>>,
    }
}
