//! Argument parsing, exit codes, wiring; no logic.
