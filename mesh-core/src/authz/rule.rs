//! Rules: sources, operations, conditions.

use super::peer::Peer;
use super::{AuthzRequest, cidr, condition};
use crate::policy::{
    AuthorizationAction, AuthorizationPolicy, AuthorizationRule, OperationMatch, SourceMatch,
    StringMatch,
};

/// A request as rules look at it.
pub(super) struct Subject<'a> {
    pub(super) request: &'a AuthzRequest<'a>,
    pub(super) peer: Option<Peer<'a>>,
    /// The path without query and fragment (case rbac_allow).
    path: &'a str,
}

impl<'a> Subject<'a> {
    pub(super) fn new(request: &'a AuthzRequest<'a>) -> Self {
        let end = request.path.find(['?', '#']).unwrap_or(request.path.len());
        Self {
            request,
            peer: request.peer.map(Peer::new),
            path: &request.path[..end],
        }
    }

    /// The place of the first rule of `policy` that matches.
    pub(super) fn first_match(&self, policy: &AuthorizationPolicy) -> Option<usize> {
        let mut rules = policy.rules.iter();
        rules.position(|rule| self.matches(rule, policy))
    }

    fn matches(&self, rule: &AuthorizationRule, policy: &AuthorizationPolicy) -> bool {
        let own_namespace = policy.name.split_once('/').map_or("", |(ns, _)| ns);
        let from = |source| self.comes_from(source, own_namespace);
        // What nobody can judge must not widen an ALLOW, nor narrow a DENY.
        let unknown = policy.action != AuthorizationAction::Allow;
        let holds = |when| condition::holds(when, self, own_namespace).unwrap_or(unknown);
        (rule.from.is_empty() || rule.from.iter().any(from))
            && (rule.to.is_empty() || rule.to.iter().any(|operation| self.does(operation)))
            && rule.when.iter().all(holds)
    }

    fn comes_from(&self, source: &SourceMatch, own_namespace: &str) -> bool {
        let peer = self.peer.as_ref();
        let principal = |wanted: &StringMatch| peer.is_some_and(|p| wanted.matches(p.principal));
        let namespace = |wanted: &StringMatch| {
            let namespace = peer.and_then(|p| p.namespace);
            namespace.is_some_and(|ns| wanted.matches(ns))
        };
        let account = |wanted: &String| peer.is_some_and(|p| p.is_account(wanted, own_namespace));
        let block = |block: &String| cidr::contains(block, self.request.source_ip);
        among(&source.principals, &source.not_principals, principal)
            && among(&source.namespaces, &source.not_namespaces, namespace)
            && among(
                &source.service_accounts,
                &source.not_service_accounts,
                account,
            )
            && among(&source.ip_blocks, &source.not_ip_blocks, block)
    }

    fn does(&self, operation: &OperationMatch) -> bool {
        let AuthzRequest {
            host, port, method, ..
        } = *self.request;
        let hosts = |wanted: &StringMatch| matches_host(wanted, host);
        among(&operation.hosts, &operation.not_hosts, hosts)
            && among(&operation.ports, &operation.not_ports, |p| *p == port)
            && among(&operation.methods, &operation.not_methods, |m| {
                m.matches(method)
            })
            && among(&operation.paths, &operation.not_paths, |p| {
                p.matches(self.path)
            })
    }
}

/// One of `values` if there are any, and none of `not_values`.
fn among<T>(values: &[T], not_values: &[T], equals: impl Fn(&T) -> bool) -> bool {
    (values.is_empty() || values.iter().any(&equals)) && !not_values.iter().any(&equals)
}

/// Hosts are compared without regard to case (istio `authz/matcher/header.go`, `HostMatcher`).
fn matches_host(wanted: &StringMatch, host: &str) -> bool {
    let (host, same) = (host.as_bytes(), <[u8]>::eq_ignore_ascii_case);
    match wanted {
        StringMatch::Exact(text) => same(host, text.as_bytes()),
        StringMatch::Prefix(text) => {
            let start = host.get(..text.len());
            start.is_some_and(|start| same(start, text.as_bytes()))
        }
        StringMatch::Suffix(text) => {
            let begin = host.len().checked_sub(text.len());
            begin.is_some_and(|begin| same(&host[begin..], text.as_bytes()))
        }
        StringMatch::Regex(pattern) => {
            let host = String::from_utf8_lossy(host);
            pattern.matches(&host.to_ascii_lowercase())
        }
        StringMatch::Present => true,
    }
}
