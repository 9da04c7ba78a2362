//! The fabric as a whole: small worlds, exact expectations.

mod clocks;
mod closing;
mod death;
mod exact;
mod kit;
mod stalls;
mod sweeping;
mod tasks;
mod trouble;
