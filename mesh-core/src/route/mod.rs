//! Request → virtual host → route → destination, as a sidecar does it for every request.
//!
//! Routing is a pure function of the request and of the route tables that the
//! control plane pushed; its only draw is the destination among weighted ones.
//! [`Router::new`] does all the work that does not depend on a request: host
//! names go into hash tables, header names are parsed, cluster names are
//! joined, regexes for rewrites are compiled. What is left per request is one
//! hash of the host, then the conditions of each route in turn until one
//! holds, with no allocation.
//!
//! The rules are Envoy's (<https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/route/v3/route_components.proto>):
//!
//! - *virtual host*: exact domain, else the longest `*.suffix`, else `*`; the
//!   port is not part of the comparison (Istio sets `ignore_port_in_host_matching`
//!   on sidecars, pilot/pkg/networking/core/httproute.go) and case never is.
//! - *route*: the first in the list whose conditions all hold. A virtual host
//!   that was found but has no such route answers 404; other hosts are not tried.
//! - *destination*: an independent draw for every request; retries stay with it.

mod hash;
mod host;
mod matching;
mod mutation;
mod redirect;
mod rewrite;
mod router;
mod view;

pub use hash::{RequestHash, hash_request};
pub use host::DomainMatch;
pub(crate) use host::without_port;
pub use matching::Mismatch;
pub use rewrite::shadow_authority;
pub use router::{Choice, Decision, Host, RouteEntry, Router};
pub use view::RequestView;
