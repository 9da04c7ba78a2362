//! From events to the record of a run: counters, histograms, digest, request log.
