//! Endpoints, locality and priority, load-balancing algorithms, panic threshold, slow start.
//!
//! A pick answers three questions in turn, as Envoy does
//! (`load_balancing_policies/common/load_balancer_impl.cc`):
//!
//! 1. *Which priority?* Each priority can carry `1.4 × healthy share` of the
//!    load; what the first cannot carry spills to the next. When all of them
//!    together cannot carry everything, a priority whose healthy share is below
//!    the panic threshold *panics*: it uses every endpoint, because traffic on
//!    a few survivors would fell them too. A threshold of 0 never panics.
//! 2. *Which locality?* Only when localities carry weights: earliest deadline
//!    first over `weight × min(1, 1.4 × healthy share)`.
//! 3. *Which endpoint?* The algorithm: in turn, random, the less loaded of two,
//!    or by hash.
//!
//! [`EndpointSet`] holds what is known about a cluster's endpoints and survives
//! every change of them; [`Balancer`] keeps what it derived from the set and
//! derives it anew, lazily, when the set's generation has moved on. So an
//! ejection costs a flag, and a burst of changes costs one rebuild.

mod balancer;
mod edf;
mod endpoint;
mod layout;
mod locality;
mod maglev;
mod peak_ewma;
mod priority;
mod ring;
mod set;
mod slow_start;
mod source;

#[cfg(test)]
mod envoy_facts;
#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod laws;

pub use balancer::{Balancer, Pick, PickRequest};
pub use endpoint::{ActiveRequest, EndpointId, EndpointState};
pub use set::EndpointSet;
