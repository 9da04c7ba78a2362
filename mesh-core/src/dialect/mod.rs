//! Native mesh configuration, one module per mesh, compiled into the neutral [policy](crate::policy).

pub mod istio;
