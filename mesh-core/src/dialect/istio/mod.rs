//! Istio and the mesh form of the Gateway API.
//!
//! [`compile`] reads what a person applies to a cluster (VirtualService,
//! DestinationRule, PeerAuthentication, AuthorizationPolicy, ServiceEntry,
//! EnvoyFilter, HTTPRoute, ReferenceGrant) as pilot would, for sidecars.
//! Names of source files in this module are those of github.com/istio/istio.

mod authorization_policy;
mod destination_rule;
mod envoy_filter;
mod kind;
mod peer_authentication;
mod service_entry;
mod virtual_service;

use std::collections::BTreeMap;

use super::findings::Findings;
use super::host::Namespaces;
use super::object::{self, Object};
use super::{gateway_api, review};
use crate::document::{Diagnostic, Document};
use crate::policy::{
    Destination, DestinationPolicy, DestinationRule, HostPattern, LoadBalancer, MeshPolicy, Profile,
};
use kind::Kind;

/// Compiles documents into the neutral policy. Documents of other kinds (Service, Deployment…) are passed over.
///
/// # Errors
/// Everything that Istio, or the API server in front of it, would refuse.
pub fn compile(documents: &[Document], profile: &Profile) -> Result<MeshPolicy, Vec<Diagnostic>> {
    let mut findings = Findings::new(documents);
    let objects = Sorted::new(documents, &mut findings);
    let mut policy = MeshPolicy::defaults(profile.clone());
    let namespaces = Namespaces {
        known: object::namespaces(documents),
        cluster_domain: &profile.cluster_domain,
    };
    policy.destinations = destination_rule::compile(
        &objects.of(Kind::DestinationRule),
        profile,
        &namespaces,
        &mut findings,
    );
    let scene = Scene {
        profile,
        destinations: &policy.destinations,
        namespaces: &namespaces,
    };
    let mut uses = Vec::new();
    let mut drafts = virtual_service::compile(
        &objects.of(Kind::VirtualService),
        &scene,
        &mut uses,
        &mut findings,
    );
    drafts.extend(gateway_api::compile(
        &objects.of(Kind::HttpRoute),
        &objects.of(Kind::ReferenceGrant),
        profile,
        &|destination| scene.hashes(destination),
        &mut findings,
    ));
    drafts.sort_by(|a, b| a.precedence.cmp(&b.precedence));
    for draft in &drafts {
        review::unreachable(draft, &mut findings);
    }
    review::shadowed(&drafts, &mut findings);
    review::undefined_subsets(&uses, &policy.destinations, &mut findings);
    destination_rule::note_idle_subsets(&policy.destinations, &uses, &mut findings);
    policy.routes = drafts.into_iter().map(|draft| draft.rule).collect();
    policy.peer_authentication = peer_authentication::compile(
        &objects.of(Kind::PeerAuthentication),
        profile,
        &mut findings,
    );
    policy.authorization = authorization_policy::compile(
        &objects.of(Kind::AuthorizationPolicy),
        profile,
        &mut findings,
    );
    policy.external = service_entry::compile(&objects.of(Kind::ServiceEntry), &mut findings);
    policy.inbound_rate_limits =
        envoy_filter::compile(&objects.of(Kind::EnvoyFilter), profile, &mut findings);
    policy.notes = findings.finish()?;
    Ok(policy)
}

/// Whether a document holds mesh configuration and nothing else: an object of
/// an Istio or Gateway API group, or a list of such objects.
pub fn is_mesh_config(document: &Document) -> bool {
    object::is_mesh_config(document)
}

/// The objects by kind, the older first.
struct Sorted<'a>(Vec<(Kind, Object<'a>)>);

impl<'a> Sorted<'a> {
    fn new(documents: &'a [Document], findings: &mut Findings<'_>) -> Self {
        let objects = object::collect(documents, findings);
        Self(
            objects
                .into_iter()
                .filter_map(|object| Some((kind::recognise(&object, findings)?, object)))
                .collect(),
        )
    }

    fn of(&self, wanted: Kind) -> Vec<Object<'a>> {
        self.0
            .iter()
            .filter(|(kind, _)| *kind == wanted)
            .map(|(_, object)| object.clone())
            .collect()
    }
}

/// What a route must know of the rest.
struct Scene<'a> {
    profile: &'a Profile,
    destinations: &'a [DestinationRule],
    namespaces: &'a Namespaces<'a>,
}

impl Scene<'_> {
    /// Whether a destination is balanced by consistent hashing (route.go, `hashForHTTPDestination`).
    fn hashes(&self, destination: &Destination) -> bool {
        let Some(rule) = self.rule_for(&destination.host) else {
            return false;
        };
        let subset = rule
            .subsets
            .iter()
            .find(|subset| Some(&subset.name) == destination.subset.as_ref());
        let by_port = |ports: &BTreeMap<u16, DestinationPolicy>| {
            destination
                .port
                .and_then(|port| ports.get(&port))
                .is_some_and(is_hashed)
        };
        is_hashed(&rule.policy)
            || by_port(&rule.ports)
            || subset.is_some_and(|subset| is_hashed(&subset.policy) || by_port(&subset.ports))
    }

    /// The most specific rule for a host.
    fn rule_for(&self, host: &str) -> Option<&DestinationRule> {
        self.destinations
            .iter()
            .filter(|rule| rule.host.matches(host))
            .min_by_key(|rule| match &rule.host {
                HostPattern::Exact(_) => 0,
                HostPattern::Suffix(suffix) => usize::MAX - suffix.len(),
                HostPattern::Any => usize::MAX,
            })
    }
}

fn is_hashed(policy: &DestinationPolicy) -> bool {
    matches!(
        policy
            .load_balancer
            .as_ref()
            .map(|balancer| &balancer.value),
        Some(LoadBalancer::Hash { .. })
    )
}

#[cfg(test)]
mod tests;
