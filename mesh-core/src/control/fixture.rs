//! Small meshes to test with.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::{Locality, Registry, Service, ServicePort, Workload, WorkloadState};
use crate::policy::{
    Destination, DestinationPolicy, DestinationRule, Forward, HeaderMutations, HostPattern,
    LoadBalancer, MeshPolicy, Origin, OutlierDetection, Profile, RequestMatch, Route, RouteAction,
    RouteRule, ScopedRoute, Sourced, SubsetRule, WeightedDestination,
};

pub(super) fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
    pairs.iter().map(owned).collect()
}

pub(super) fn service(name: &str, namespace: &str, ports: &[(u16, u16)]) -> Service {
    let port = |&(port, target): &(u16, u16)| ServicePort {
        port,
        target,
        name: "http".into(),
        http2: false,
    };
    Service {
        name: name.into(),
        namespace: namespace.into(),
        host: full(name, namespace).into(),
        ports: ports.iter().map(port).collect(),
        selector: labels(&[("app", name)]),
    }
}

pub(super) fn full(name: &str, namespace: &str) -> String {
    format!("{name}.{namespace}.svc.cluster.local")
}

pub(super) fn workload(
    name: &str,
    namespace: &str,
    app: &str,
    version: &str,
    last_byte: u8,
) -> Workload {
    Workload {
        name: name.into(),
        namespace: namespace.into(),
        ip: IpAddr::V4(Ipv4Addr::new(10, 0, 0, last_byte)),
        labels: labels(&[("app", app), ("version", version)]),
        service_account: format!("sa-{app}").into(),
        meshed: true,
        locality: Locality::default(),
        state: WorkloadState::Ready,
    }
}

pub(super) fn registry(services: Vec<Service>, workloads: Vec<Workload>) -> Registry {
    Registry {
        services: services.into_iter().map(|s| (s.host.clone(), s)).collect(),
        workloads: workloads.into_iter().map(|w| (w.name.clone(), w)).collect(),
    }
}

/// `reviews` (v1 twice, v2) and `ratings` in `default`, `other` in `elsewhere`; the caller is `productpage`.
pub(super) fn bookinfo() -> Registry {
    registry(
        vec![
            service("reviews", "default", &[(9080, 8080)]),
            service("ratings", "default", &[(9080, 9080)]),
            service("other", "elsewhere", &[(9080, 9080), (80, 8000)]),
        ],
        vec![
            workload("productpage-0", "default", "productpage", "v1", 1),
            workload("reviews-v1-0", "default", "reviews", "v1", 2),
            workload("reviews-v1-1", "default", "reviews", "v1", 3),
            workload("reviews-v2-0", "default", "reviews", "v2", 4),
            workload("ratings-0", "default", "ratings", "v1", 5),
        ],
    )
}

pub(super) fn policy() -> MeshPolicy {
    MeshPolicy::defaults(Profile::istio())
}

pub(super) fn origin(what: &str) -> Origin {
    Origin::default_of(what)
}

pub(super) fn sourced<T>(value: T, what: &str) -> Sourced<T> {
    Sourced::new(value, origin(what))
}

pub(super) fn weighted(host: &str, subset: Option<&str>, weight: u32) -> WeightedDestination {
    WeightedDestination {
        destination: Destination {
            host: host.into(),
            subset: subset.map(Into::into),
            port: None,
        },
        weight,
        request_headers: HeaderMutations::default(),
        response_headers: HeaderMutations::default(),
        origin: origin("test"),
    }
}

pub(super) fn route_to(name: &str, destinations: Vec<WeightedDestination>) -> ScopedRoute {
    ScopedRoute {
        source: None,
        port: None,
        route: Route {
            name: name.into(),
            matcher: RequestMatch::default(),
            action: RouteAction::Forward(Forward {
                destinations,
                path_rewrite: None,
                authority_rewrite: None,
            }),
            request_headers: HeaderMutations::default(),
            response_headers: HeaderMutations::default(),
            fault: None,
            timeout: sourced(Some(Duration::from_secs(3)), name),
            retry: sourced(policy().profile.retry.value, name),
            mirrors: Vec::new(),
            rate_limit: None,
            origin: origin(name),
        },
    }
}

pub(super) fn rule(name: &str, hosts: &[HostPattern], routes: Vec<ScopedRoute>) -> RouteRule {
    RouteRule {
        kind: "VirtualService".into(),
        name: format!("default/{name}"),
        namespace: "default".into(),
        hosts: hosts.to_vec(),
        visible_to: Vec::new(),
        routes,
        origin: origin(name),
    }
}

pub(super) fn exact(host: &str) -> HostPattern {
    HostPattern::Exact(host.into())
}

pub(super) fn destination_rule(
    namespace: &str,
    host: HostPattern,
    policy: DestinationPolicy,
) -> DestinationRule {
    DestinationRule {
        name: format!("{namespace}/rule"),
        namespace: namespace.into(),
        host,
        visible_to: Vec::new(),
        workload_selector: BTreeMap::new(),
        policy,
        ports: BTreeMap::new(),
        subsets: Vec::new(),
        origin: origin("rule"),
    }
}

pub(super) fn balancing(balancer: LoadBalancer, what: &str) -> DestinationPolicy {
    DestinationPolicy {
        load_balancer: Some(sourced(balancer, what)),
        ..DestinationPolicy::default()
    }
}

pub(super) fn subset(name: &str, version: &str, policy: DestinationPolicy) -> SubsetRule {
    SubsetRule {
        name: name.into(),
        labels: labels(&[("version", version)]),
        policy,
        ports: BTreeMap::new(),
        origin: origin(name),
    }
}

pub(super) fn outlier(healthy_percent_min: u32) -> Sourced<OutlierDetection> {
    let value = OutlierDetection {
        consecutive_5xx: Some(5),
        consecutive_gateway: None,
        split_local_origin: false,
        consecutive_local: None,
        interval: Duration::from_secs(10),
        ejection_base: Duration::from_secs(30),
        ejection_max: Duration::from_secs(300),
        ejected_percent_max: 10,
        healthy_percent_min,
        success_rate: None,
        failure_percentage: None,
        always_eject_one: false,
    };
    sourced(value, "outlier")
}
