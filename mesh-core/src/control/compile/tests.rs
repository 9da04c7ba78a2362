//! What istiod would have sent, in cases small enough to read.

mod destinations;
mod routes;
mod security;
mod sharing;

use super::*;
use crate::control::WorkloadState;
use crate::control::fixture::*;
use crate::policy::{
    AuthorizationAction, ConnectionPool, DestinationRule, ExternalEndpoint, ExternalPort,
    ExternalService, HostPattern, LoadBalancer, LocalityPolicy, MtlsMode, Origin,
    PeerAuthentication, Profile, RetryPolicy, RouteRule, ScopedRoute, SourceScope, Sourced,
    SubsetRule, UpstreamTls, WorkloadSelector,
};
use crate::route::{Decision, RequestView, Router};
use crate::seam::Rng;

fn snapshot(policy: &MeshPolicy, registry: &Registry) -> Snapshot {
    compile(policy, registry, &registry.workloads["productpage-0"], 1)
}

fn reviews() -> HostPattern {
    exact(&full("reviews", "default"))
}

/// A rule that sends `hosts` to `reviews`, by a route of the rule's name.
fn to_reviews(name: &str, hosts: &[HostPattern]) -> RouteRule {
    let destination = weighted(&full("reviews", "default"), None, 100);
    rule(name, hosts, vec![route_to(name, vec![destination])])
}

fn table(snapshot: &Snapshot, port: u16) -> &RouteTable {
    snapshot.routes.iter().find(|t| t.port == port).unwrap()
}

fn cluster<'a>(snapshot: &'a Snapshot, name: &str) -> &'a Cluster {
    let found = snapshot.clusters.iter().find(|c| c.name.as_str() == name);
    found.unwrap_or_else(|| panic!("no {name}"))
}

fn endpoints(snapshot: &Snapshot, name: &str) -> Vec<String> {
    let all = snapshot
        .endpoints
        .iter()
        .find(|a| a.cluster.as_str() == name);
    let all = &all.unwrap_or_else(|| panic!("no {name}")).endpoints;
    all.iter()
        .map(|e| format!("{} {}", e.workload, e.address))
        .collect()
}

/// The name of the route and the cluster that a GET of `url` takes, or what else happens.
fn routed(snapshot: &Snapshot, url: &str) -> String {
    let uri: http::Uri = url.parse().unwrap();
    let port = uri.port_u16().unwrap_or(80);
    let parts = http::Request::get(uri).body(()).unwrap().into_parts().0;
    let router = Router::new(&snapshot.routes);
    match router.route(
        &RequestView::of(&parts, port, None),
        &mut Rng::named(1, "t"),
    ) {
        Decision::Forward(choice) => format!("{} {}", choice.route().name, choice.cluster()),
        Decision::NoRoute(_) => "404".into(),
        Decision::NoHost => "unknown".into(),
        other => panic!("{other:?}"),
    }
}
