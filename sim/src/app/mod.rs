//! Scripted apps: worker pools, queues, service times, calls.
