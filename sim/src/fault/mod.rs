//! What goes wrong: one file per family of faults.
