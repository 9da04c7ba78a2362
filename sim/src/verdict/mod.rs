//! Expectations and what the run made of them.
//!
//! An expectation speaks of the requests of one traffic source whose intended
//! start lies in a window, so the [`Ledger`] keeps an exact account of each
//! such window while the run goes on, and [`judge`] reads it at the end.
//! Quantiles are by nearest rank over every single request, without a
//! histogram's rounding, up to a million requests to the window.
//!
//! A request in flight at the end of the run is a failure if it has been
//! waiting for longer than [`GRACE`]; a younger one counts neither way, because
//! a steady load always leaves some behind. A window in which no request was
//! sent meets no demand: silence is not success.

mod judge;
mod ledger;
mod samples;

pub use judge::judge;
pub use ledger::{GRACE, Ledger};
