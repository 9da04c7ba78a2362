//! What must hold.

mod measure;
mod window;

pub use measure::{Amount, Claim, LatencyMeasure, Measure, StatusClass, Subject, SubjectKind};
pub use window::{FaultSet, FaultWindow, Mark, Offset, Turn, Window};

/// One expectation.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// Of what.
    pub demand: Demand,
    /// The demand on the number that it comes to.
    pub bound: Bound,
    /// `file:line` where it was written.
    pub place: String,
}

/// What a number is demanded of.
#[derive(Clone, Debug, PartialEq)]
pub enum Demand {
    /// A measure of a subject over a window.
    Measured {
        /// What is measured of whom.
        claim: Claim,
        /// When.
        window: Window,
    },
    /// The time from the beginning of a fault to the first ejection that answers it, in seconds.
    Detects {
        /// The faults meant; the first to begin counts.
        faults: FaultSet,
        /// Endpoints of this service; `None` is those that the fault is for.
        service: Option<String>,
    },
    /// The time from the last heal of all faults until goodput is back, in seconds.
    Recovers {
        /// The traffic source.
        traffic: String,
        /// To this share of what it was before the first fault, 0 to 1.
        share: f64,
    },
}

/// A demand on a number, in the unit of what is measured: a ratio from 0 to 1, nanoseconds for latencies and waits,
/// requests per second, seconds, bytes, or a count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// How measured and demanded compare.
    pub comparison: Comparison,
    /// The number demanded.
    pub value: f64,
}

/// How measured and demanded compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
    /// `==`
    Equal,
}
