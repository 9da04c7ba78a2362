//! Who may call what.
//!
//! Istio's order: a matching DENY policy denies; else, when no ALLOW policy
//! selects the workload, everything is allowed; else a matching ALLOW policy
//! allows; else the request is denied (istio/api
//! `security/v1beta1/authorization_policy.proto`). AUDIT never decides. A policy
//! matches when any of its rules does; a rule when one of its sources, one of
//! its operations and all of its conditions do. What a request does not have (a
//! peer without a certificate, a missing header) equals nothing: it fails
//! `values` and passes `notValues`, as in Envoy (case rbac_mtls_principal).
//!
//! Denial is decided before routing: a denied request to an unknown path is 403,
//! not 404 (case rbac_deny).

mod cidr;
mod condition;
mod peer;
mod rule;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;

pub use condition::notes;

use crate::policy::{AuthorizationAction, AuthorizationPolicy};

/// What authorization sees of a request.
#[derive(Clone, Copy, Debug)]
pub struct AuthzRequest<'a> {
    /// The authenticated peer's SPIFFE id.
    pub peer: Option<&'a str>,
    /// The peer's address; the remote address too, as no gateway stands in front.
    pub source_ip: IpAddr,
    /// The address the connection came in on.
    pub destination_ip: Option<IpAddr>,
    /// The workload port.
    pub port: u16,
    /// The server name the TLS client asked for.
    pub sni: Option<&'a str>,
    /// `:method`.
    pub method: &'a str,
    /// `:authority` as received; a port in it is part of it, as in Istio.
    pub host: &'a str,
    /// `:path`, with or without its query.
    pub path: &'a str,
    /// Headers.
    pub headers: &'a HeaderMap,
}

/// A decision, and what led to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict<'p> {
    /// Whether the request may pass.
    pub allowed: bool,
    /// The policy and the place of its rule that matched; `None` when none did.
    pub matched: Option<(&'p AuthorizationPolicy, usize)>,
}

impl Verdict<'_> {
    /// `namespace/name` of the policy that matched.
    pub fn policy(&self) -> Option<&str> {
        self.matched.map(|(policy, _)| policy.name.as_str())
    }
}

impl fmt::Display for Verdict<'_> {
    /// Envoy's response code details of a denial, with the name that Istio gives the rule.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rbac_access_denied_matched_policy[")?;
        match self.matched {
            Some((policy, rule)) => {
                let (namespace, name) = policy.name.split_once('/').unwrap_or(("", &policy.name));
                write!(f, "ns[{namespace}]-policy[{name}]-rule[{rule}]")?;
            }
            None => f.write_str("none")?,
        }
        f.write_str("]")
    }
}

/// Decides by the policies that select this workload.
pub fn decide<'p>(
    policies: &'p [Arc<AuthorizationPolicy>],
    request: &AuthzRequest<'_>,
) -> Verdict<'p> {
    let subject = rule::Subject::new(request);
    let of = |action| {
        policies
            .iter()
            .filter(move |policy| policy.action == action)
    };
    let first_match = |action| {
        of(action).find_map(|policy| Some((policy.as_ref(), subject.first_match(policy)?)))
    };
    let denied_by = first_match(AuthorizationAction::Deny);
    if denied_by.is_some() {
        return Verdict {
            allowed: false,
            matched: denied_by,
        };
    }
    let allowed_by = first_match(AuthorizationAction::Allow);
    Verdict {
        allowed: allowed_by.is_some() || of(AuthorizationAction::Allow).next().is_none(),
        matched: allowed_by,
    }
}

#[cfg(test)]
mod tests;
