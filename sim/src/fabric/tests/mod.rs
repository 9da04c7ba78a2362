//! The fabric as a whole: small worlds, exact expectations.

mod exact;
mod kit;
mod sweeping;
