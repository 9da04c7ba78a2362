//! Scripted apps: worker pools, queues, service times, calls.

mod normal;
mod sample;
