//! Native mesh configuration, one module per mesh, compiled into the neutral [policy](crate::policy).
//!
//! # Theory
//!
//! Kubernetes objects are the lingua franca of mesh configuration, so what is
//! common to them lives here: the envelope (`apiVersion`, `kind`, `metadata`),
//! which of two objects of one name counts, which is older, short host names,
//! and the small values (durations, percentages, ports, expressions).
//!
//! A dialect reads an object leniently and then accounts for everything it
//! read: a field is compiled, or reported as *not honoured*, or reported as
//! *unknown to the mesh*. Nothing is dropped in silence. What the mesh itself
//! would refuse is a [`Diagnostic`](crate::document::Diagnostic); what it
//! would accept and the author may not have meant is a [`Note`](crate::policy::Note).

pub mod gateway_api;
pub mod istio;

mod findings;
mod header;
mod host;
mod object;
mod quantity;
mod retry;
mod review;
mod schema;

#[cfg(test)]
mod testing;
