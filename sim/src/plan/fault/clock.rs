//! Clocks that are wrong.

use super::PodSelector;

/// What happens to the clocks of some hosts.
#[derive(Clone, Debug, PartialEq)]
pub struct ClockFault {
    /// Which.
    pub pods: PodSelector,
    /// The wall clock is so far off; put right when the fault ends. Nanoseconds.
    pub offset_ns: i64,
    /// The wall clock jumps so far when the fault begins, and stays there. Nanoseconds.
    pub jump_ns: i64,
    /// All clocks gain so much on true time while the fault lasts. Parts per billion.
    pub drift_ppb: i64,
}
