//! Outbound route tables: one per destination port, one virtual host per name that has it.
//!
//! As pilot builds them for a sidecar (`BuildSidecarVirtualHostWrapper` in
//! pilot/pkg/networking/core/route/route.go). A rule is cut down to the routes
//! meant for this caller and port. Left with none, it does not count: the
//! service gets its default route. Left with some, they are all there is: a
//! request that none of them takes is answered 404.
//!
//! A rule that names a service exactly beats every wildcard, a longer wildcard
//! a shorter one; of equals the first counts. Names that no service on the
//! port bears still get a virtual host, beside the services that the same rule
//! names, or alone on port 80 (a leftover in pilot that users rely on).
//!
//! A destination without a port means the port of the table. The documentation
//! promises the only port of a one-port service, but pilot looks the service up
//! among those that have the table's port (`GetDestinationCluster` over
//! `servicesByName`), so a different one is a cluster that does not exist.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::caller::Caller;
use super::destination::specificity;
use super::index::{Inputs, Known};
use crate::control::{RouteTable, VirtualHost};
use crate::policy::{
    Destination, Forward, HeaderMutations, HostPattern, Origin, RequestMatch, Route, RouteAction,
    RouteRule, ScopedRoute, WeightedDestination,
};

/// All tables for `caller`, by port.
pub(super) fn tables(inputs: Inputs<'_>, caller: &Caller<'_>) -> Vec<RouteTable> {
    let visible = |rule: &&RouteRule| caller.sees(&rule.visible_to);
    let rules: Vec<&RouteRule> = inputs.policy.routes.iter().filter(visible).collect();
    let wildcards = wildcard_winners(inputs, &rules);
    let ports = inputs.index.ports();
    let tables = ports.map(|(port, services)| {
        let mut table = Builder {
            inputs,
            caller,
            port,
            hosts: Vec::new(),
            domains: BTreeSet::new(),
            full_names: services.iter().map(|known| &*known.host).collect(),
        };
        let mut ruled = BTreeSet::new();
        for (index, rule) in rules.iter().enumerate() {
            table.add_rule(rule, &services, &mut ruled, |host| {
                wildcards.get(host) == Some(&index)
            });
        }
        for known in services {
            if !ruled.contains(&known.host) {
                let routes = vec![table.default_route(known)];
                table.add_service(known, routes);
            }
        }
        table.hosts.sort_by(|a, b| a.name.cmp(&b.name));
        RouteTable {
            port,
            hosts: table.hosts,
        }
    });
    tables.collect()
}

/// For each service that no rule names exactly: the rule whose wildcard fits it best, by index.
fn wildcard_winners(inputs: Inputs<'_>, rules: &[&RouteRule]) -> BTreeMap<Arc<str>, usize> {
    let winner = |known: &Known| {
        let hosts = rules.iter().enumerate();
        let hosts = hosts.flat_map(|(i, rule)| rule.hosts.iter().map(move |host| (i, host)));
        let scored = hosts.filter_map(|(i, host)| Some((specificity(host, &known.host)?, i)));
        // Of equal scores the smallest index, that is the first rule.
        let best = scored.max_by_key(|(score, i)| (*score, std::cmp::Reverse(*i)));
        best.filter(|(score, _)| *score < usize::MAX)
    };
    let services = inputs.index.services.iter();
    let winners = services.filter_map(|known| Some((known.host.clone(), winner(known)?.1)));
    winners.collect()
}

struct Builder<'a> {
    inputs: Inputs<'a>,
    caller: &'a Caller<'a>,
    port: u16,
    hosts: Vec<VirtualHost>,
    /// Domains taken.
    domains: BTreeSet<String>,
    /// Hosts of services on this port: no other service's short form may take one.
    full_names: BTreeSet<&'a str>,
}

impl<'a> Builder<'a> {
    fn add_rule(
        &mut self,
        rule: &RouteRule,
        services: &[&'a Known],
        ruled: &mut BTreeSet<Arc<str>>,
        wins: impl Fn(&str) -> bool,
    ) {
        let routes = self.routes_of(rule);
        if routes.is_empty() {
            return;
        }
        let mut named: Vec<&Known> = Vec::new();
        let mut others: Vec<&HostPattern> = Vec::new();
        for host in &rule.hosts {
            let fitting: Vec<&Known> = if let HostPattern::Exact(name) = host {
                let known = self.inputs.index.find(name).map(|(_, known)| known);
                known
                    .filter(|known| known.port(self.port).is_some())
                    .into_iter()
                    .collect()
            } else {
                let fits = |known: &&&Known| specificity(host, &known.host).is_some();
                services.iter().filter(fits).copied().collect()
            };
            if fitting.is_empty() {
                others.push(host);
            }
            let exact = matches!(host, HostPattern::Exact(_));
            named.extend(
                fitting
                    .into_iter()
                    .filter(|known| exact || wins(&known.host)),
            );
        }
        if named.is_empty() && self.port != 80 {
            return;
        }
        for host in others {
            self.add_host(&domain(host), vec![domain(host)], routes.clone());
        }
        for known in named {
            ruled.insert(known.host.clone());
            self.add_service(known, routes.clone());
        }
    }

    /// The routes of `rule` that are meant for this caller and port.
    fn routes_of(&self, rule: &RouteRule) -> Vec<Arc<Route>> {
        let meant = |scoped: &&ScopedRoute| {
            let here = scoped.port.is_none_or(|port| port == self.port);
            let source = scoped.source.as_ref();
            let ours = source.is_none_or(|source| {
                let namespace = source.namespace.as_deref();
                namespace.is_none_or(|namespace| namespace == self.caller.namespace)
                    && super::index::has_labels(self.caller.labels, &source.labels)
            });
            here && ours && !matches!(scoped.route.action, RouteAction::Delegate(_))
        };
        let meant = rule.routes.iter().filter(meant);
        meant
            .map(|scoped| Arc::new(self.placed(&scoped.route)))
            .collect()
    }

    /// `route` with its destinations' ports filled in, and what pilot does to a single destination.
    fn placed(&self, route: &Route) -> Route {
        let mut route = route.clone();
        for mirror in &mut route.mirrors {
            mirror.destination.port.get_or_insert(self.port);
        }
        if let RouteAction::Forward(forward) = &mut route.action {
            for weighted in &mut forward.destinations {
                weighted.destination.port.get_or_insert(self.port);
            }
            if let [only] = forward.destinations.as_mut_slice() {
                let authority = forward.authority_rewrite.is_some();
                absorb(
                    &mut route.request_headers,
                    &mut only.request_headers,
                    authority,
                );
                absorb(
                    &mut route.response_headers,
                    &mut only.response_headers,
                    false,
                );
            }
        }
        route
    }

    fn default_route(&self, known: &Known) -> Arc<Route> {
        let profile = &self.inputs.policy.profile;
        let origin = || {
            Origin::default_of(
                "Istio: no rule names this host; pilot route.go BuildDefaultHTTPOutboundRoute",
            )
        };
        Arc::new(Route {
            name: "default".into(),
            matcher: RequestMatch::default(),
            action: RouteAction::Forward(Forward {
                destinations: vec![WeightedDestination {
                    destination: Destination {
                        host: known.host.to_string(),
                        subset: None,
                        port: Some(self.port),
                    },
                    weight: 100,
                    request_headers: HeaderMutations::default(),
                    response_headers: HeaderMutations::default(),
                    origin: origin(),
                }],
                path_rewrite: None,
                authority_rewrite: None,
            }),
            request_headers: HeaderMutations::default(),
            response_headers: HeaderMutations::default(),
            fault: None,
            timeout: profile.timeout.clone(),
            retry: profile.retry.clone(),
            mirrors: Vec::new(),
            rate_limit: None,
            origin: origin(),
        })
    }

    fn add_service(&mut self, known: &Known, routes: Vec<Arc<Route>>) {
        let mut names = known.names(self.caller.namespace);
        let full_name = names.remove(0);
        names.retain(|name| !self.full_names.contains(name.as_str()));
        names.insert(0, full_name);
        self.add_host(&known.host, names, routes);
    }

    /// Adds a virtual host with those of `domains` that are still free.
    fn add_host(&mut self, name: &str, mut domains: Vec<String>, routes: Vec<Arc<Route>>) {
        domains.retain(|domain| self.domains.insert(domain.clone()));
        if !domains.is_empty() {
            self.hosts.push(VirtualHost {
                name: format!("{name}:{}", self.port).into(),
                domains,
                routes,
            });
        }
    }
}

fn domain(host: &HostPattern) -> String {
    match host {
        HostPattern::Exact(name) => name.to_ascii_lowercase(),
        HostPattern::Suffix(suffix) => format!("*{}", suffix.to_ascii_lowercase()),
        HostPattern::Any => "*".into(),
    }
}

/// Moves the mutations of a route's only destination into the route, after its own: pilot has one list then
/// (`processDestination`), so that removals of both come first and the destination overwrites the route. An
/// authority is taken over only where the route has none.
fn absorb(route: &mut HeaderMutations, only: &mut HeaderMutations, has_authority: bool) {
    let names_authority = |(name, _): &(String, String)| {
        name.eq_ignore_ascii_case("host") || name.eq_ignore_ascii_case(":authority")
    };
    let mut only = std::mem::take(only);
    if has_authority || route.set.iter().chain(&route.add).any(names_authority) {
        only.set.retain(|pair| !names_authority(pair));
        only.add.retain(|pair| !names_authority(pair));
    }
    route.set.append(&mut only.set);
    route.add.append(&mut only.add);
    route.remove.append(&mut only.remove);
}
