//! The scenario file: schema, loading, diagnostics.
