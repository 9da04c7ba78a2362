//! The fabric as a whole: small worlds, exact expectations.

mod clocks;
mod closing;
mod death;
mod exact;
mod kit;
mod sweeping;
mod stalls;
mod tasks;
mod trouble;
