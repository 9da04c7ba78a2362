//! Expectations and what the run made of them.
