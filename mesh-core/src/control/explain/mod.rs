//! What a sidecar would do with a request, and why.
//!
//! [`explain`] asks the very [router](crate::route) that the data plane runs,
//! over the very resources it was sent, so it cannot tell another story. It
//! then reads out what the router passed over and what applies to the
//! destinations it may draw, each value with where it came from. Nothing is
//! drawn and nothing is sent.

mod finding;
mod request;
mod text;
mod why;
mod words;

use std::sync::Arc;

use http::header::LOCATION;
use http::{HeaderMap, Response};

pub use finding::{
    ClusterFinding, DestinationFinding, EndpointFinding, Explanation, Forwarding, HostFinding,
    MirrorFinding, Outcome, Protection, RouteFinding, SentRequest, Target,
};
pub use request::{ExplainRequest, ExplainRequestError};
pub use text::ExplainedLine;

use super::{Cluster, ClusterName, EndpointHealth, LoadAssignment, Snapshot};
use crate::document::nearest;
use crate::policy::{LoadBalancer, RouteAction, UpstreamTls};
use crate::route::{Decision, RequestView, RouteEntry, Router, hash_request, without_port};
use crate::seam::Rng;

/// What the sidecar that holds `snapshot` would do with `request`.
pub fn explain(snapshot: &Snapshot, request: &ExplainRequest) -> Explanation {
    let parts = request.parts();
    let view = RequestView::of(&parts, request.port(), None);
    let router = Router::new(&snapshot.routes);
    let mut explanation = Explanation {
        request: request.clone(),
        virtual_host: None,
        nearest_host: None,
        routes: Vec::new(),
        routes_not_tried: 0,
        outcome: if snapshot.outbound.allow_any {
            Outcome::PassThrough
        } else {
            Outcome::Blocked
        },
    };
    let Some((host, domain)) = router.find(view.port, view.authority) else {
        explanation.nearest_host = nearest_host(snapshot, &view);
        return explanation;
    };
    explanation.virtual_host = Some(HostFinding {
        name: host.name().clone(),
        domain: domain.to_string(),
    });
    explanation.outcome = Outcome::NoRoute;
    for (index, entry) in host.entries().iter().enumerate() {
        let mismatch = entry.mismatch(&view);
        let route = entry.route();
        explanation.routes.push(RouteFinding {
            name: route.name.clone(),
            origin: route.origin.clone(),
            matched: mismatch.is_none(),
            why: match mismatch {
                Some(mismatch) => why::failed(&route.matcher, mismatch, &view),
                None => why::held(&route.matcher),
            },
        });
        if mismatch.is_none() {
            explanation.routes_not_tried = host.entries().len() - index - 1;
            explanation.outcome = outcome(snapshot, entry, &view);
            break;
        }
    }
    explanation
}

/// The `host:port` that is most like the request's, if one is.
fn nearest_host(snapshot: &Snapshot, view: &RequestView<'_>) -> Option<String> {
    let known: Vec<String> = snapshot
        .routes
        .iter()
        .flat_map(|table| table.hosts.iter().map(move |host| (table.port, host)))
        .flat_map(|(port, host)| host.domains.iter().map(move |d| format!("{d}:{port}")))
        .collect();
    let wanted = format!("{}:{}", without_port(view.authority), view.port);
    nearest(&wanted, known.iter().map(String::as_str)).map(str::to_owned)
}

fn outcome(snapshot: &Snapshot, entry: &Arc<RouteEntry>, view: &RequestView<'_>) -> Outcome {
    // Whatever is drawn here, all destinations are told.
    match RouteEntry::decide(entry, view, &mut Rng::named(0, "explain")) {
        Decision::Forward(_) => Outcome::Forward(Box::new(forwarding(snapshot, entry, view))),
        Decision::Answer(_, response) => answer(&response),
        Decision::NoDestination(_) => Outcome::NoDestination,
        Decision::NoRoute(_) | Decision::NoHost => Outcome::NoRoute,
    }
}

fn answer(response: &Response<bytes::Bytes>) -> Outcome {
    let status = response.status().as_u16();
    match response.headers().get(LOCATION).map(text_of) {
        Some(location) => Outcome::Redirect { status, location },
        None => Outcome::Direct {
            status,
            body_bytes: response.body().len(),
        },
    }
}

fn forwarding(snapshot: &Snapshot, entry: &Arc<RouteEntry>, view: &RequestView<'_>) -> Forwarding {
    let route = entry.route();
    let exists = |name: &ClusterName| snapshot.clusters.iter().any(|c| c.name == *name);
    let mirrors = entry.mirrors().map(|(mirror, cluster)| MirrorFinding {
        cluster: cluster.clone(),
        fraction: mirror.fraction,
        exists: exists(cluster),
        origin: mirror.origin.clone(),
    });
    Forwarding {
        timeout: route.timeout.clone(),
        retry: route.retry.clone(),
        fault: route.fault.clone(),
        rate_limit: route.rate_limit.clone(),
        mirrors: mirrors.collect(),
        destinations: destinations(snapshot, entry, view),
    }
}

fn destinations(
    snapshot: &Snapshot,
    entry: &Arc<RouteEntry>,
    view: &RequestView<'_>,
) -> Vec<DestinationFinding> {
    let RouteAction::Forward(forward) = &entry.route().action else {
        return Vec::new();
    };
    let all = &forward.destinations;
    let sum: u64 = all.iter().map(|d| u64::from(d.weight)).sum();
    let each = all.iter().zip(RouteEntry::choices(entry));
    let each = each.map(|(weighted, choice)| {
        let name = choice.cluster();
        let cluster = snapshot.clusters.iter().find(|c| c.name == *name);
        let mut parts = request::parts_of(view);
        choice.apply_to_request(&mut parts, None);
        DestinationFinding {
            cluster: name.clone(),
            weight: weighted.weight,
            share_percent: share_percent(weighted.weight, sum),
            origin: weighted.origin.clone(),
            sent: sent(view, &parts),
            target: match cluster {
                Some(cluster) => {
                    Target::Cluster(Box::new(cluster_finding(snapshot, cluster, view)))
                }
                None => Target::Missing(why::no_cluster(snapshot, name)),
            },
        }
    });
    each.collect()
}

fn share_percent(weight: u32, sum: u64) -> f64 {
    if sum == 0 {
        return 0.0;
    }
    100.0 * f64::from(weight) / sum as f64
}

/// What `parts` have that the request had not.
fn sent(before: &RequestView<'_>, parts: &http::request::Parts) -> SentRequest {
    let after = RequestView::of(parts, before.port, None);
    let names = after.headers.keys();
    let differs = |name: &&http::HeaderName| !same_values(before.headers, after.headers, name);
    let lines = names.filter(differs).flat_map(|name| {
        let values = after.headers.get_all(name).iter();
        values.map(move |value| format!("{name}: {}", text_of(value)))
    });
    let gone = before.headers.keys();
    let gone = gone.filter(|name| !after.headers.contains_key(*name));
    SentRequest {
        authority: after.authority.to_owned(),
        path: after.path.to_owned(),
        headers_set: lines.collect(),
        headers_removed: gone.map(ToString::to_string).collect(),
    }
}

fn same_values(a: &HeaderMap, b: &HeaderMap, name: &http::HeaderName) -> bool {
    a.get_all(name).iter().eq(b.get_all(name).iter())
}

fn text_of(value: &http::HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

fn cluster_finding(
    snapshot: &Snapshot,
    cluster: &Cluster,
    view: &RequestView<'_>,
) -> ClusterFinding {
    let assignment = snapshot
        .endpoints
        .iter()
        .find(|a| a.cluster == cluster.name);
    let hash = match &cluster.load_balancer.value {
        LoadBalancer::Hash { key, .. } => hash_request(key, view, 0),
        _ => None,
    };
    ClusterFinding {
        load_balancer: cluster.load_balancer.clone(),
        hash: hash.map(|hash| hash.hash),
        locality: cluster.locality.clone(),
        warmup: cluster.warmup.clone(),
        pool: cluster.pool.clone(),
        outlier: cluster.outlier.clone(),
        retry_budget: cluster.retry_budget.clone(),
        tls: cluster.tls.clone(),
        panic_threshold_percent: cluster.panic_threshold_percent,
        endpoints: assignment
            .map(|a| endpoints(cluster, a))
            .unwrap_or_default(),
    }
}

fn endpoints(cluster: &Cluster, assignment: &LoadAssignment) -> Vec<EndpointFinding> {
    let finding = |endpoint: &super::Endpoint| {
        let locality = endpoint.locality.to_string();
        EndpointFinding {
            workload: endpoint.workload.clone(),
            address: endpoint.address,
            priority: endpoint.priority,
            weight: endpoint.weight,
            locality_weight: assignment.locality_weights.get(&locality).copied(),
            locality,
            healthy: endpoint.health == EndpointHealth::Healthy,
            protection: match &cluster.tls.value {
                UpstreamTls::Auto if endpoint.meshed => Protection::Mutual,
                UpstreamTls::Auto | UpstreamTls::Disable => Protection::Plain,
                UpstreamTls::Simple { .. } => Protection::Tls,
                UpstreamTls::MeshMutual { .. } => Protection::Mutual,
            },
        }
    };
    let mut findings: Vec<_> = assignment.endpoints.iter().map(finding).collect();
    findings.sort_by_key(|endpoint| endpoint.priority);
    findings
}

#[cfg(test)]
mod tests;
