//! YAML and JSON documents in which every value knows its place in the file.
//!
//! One tree serves everything a person writes: scenario files, topologies and
//! mesh configuration. It keeps spans for diagnostics and provenance, can be
//! edited by path before it is read, bounds what hostile input can cost, and
//! reports the fields that a reader did not take.
