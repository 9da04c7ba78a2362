//! Expectations, recovery and invariants: what is demanded of a run, and what came of it.
//!
//! An expectation speaks of a subject (a traffic source, an edge, a service,
//! the whole mesh) and of a window, so a ledger keeps an exact account of each
//! such pair while the run goes on, and [`judge`] reads it at the end. Quantiles
//! are by nearest rank over every single request, without a histogram's rounding,
//! up to a million requests to the window.
//!
//! A client's request in flight at the end of the run is a failure if it has
//! been waiting for longer than [`GRACE`]; a younger one counts neither way,
//! because a steady load always leaves some behind. A window in which no request
//! was sent meets no demand: silence is not success.
//!
//! Recovery ([`recovery`]) and metastability ([`metastable`]) are looked at in
//! every run whose faults heal, demanded or not; the laws that every run keeps
//! stand in [`invariant`].

mod burst;
mod detection;
mod fault_facts;
mod intended;
mod invariant;
mod judge;
mod layers;
mod ledger;
mod metastable;
mod occurrence;
mod recovery;
mod samples;
mod span;
mod stage;
mod tally;
mod timeouts;
mod witness;

#[cfg(test)]
mod tests;

pub(crate) use invariant::{InFlight, Start};
pub(crate) use judge::judge;
pub(crate) use ledger::ClientEnd;
pub use ledger::GRACE;
pub(crate) use witness::{Teller, Witness, broken};
