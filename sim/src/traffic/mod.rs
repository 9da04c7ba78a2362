//! Traffic sources: open and closed loops, scripts.
