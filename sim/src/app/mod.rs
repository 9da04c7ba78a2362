//! Scripted apps: worker pools, queues, service times, calls.

mod normal;
mod pool;
mod sample;
#[cfg(test)]
pub(crate) mod testbed;
