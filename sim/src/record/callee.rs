//! What a called thing is called in reports.
//!
//! A sidecar knows its destination as a cluster, `outbound|9080||reviews.default.svc.cluster.local`, and a reader
//! knows it as `reviews`. The short name is enough unless two namespaces have it; a host outside the mesh keeps its
//! whole name, because the first label of `api.example.com` says nothing.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::plan::Plan;

/// Names for destinations.
pub(super) struct Callees {
    /// Report names by fully qualified host and by `name.namespace`.
    by_host: BTreeMap<String, String>,
    by_ip: BTreeMap<IpAddr, String>,
    /// `.svc.cluster.local`
    suffix: String,
}

impl Callees {
    pub(super) fn new(plan: &Plan) -> Self {
        let shared = |name: &str| plan.services.iter().filter(|s| &*s.name == name).count() > 1;
        let mut by_host = BTreeMap::new();
        for service in &plan.services {
            let qualified = format!("{}.{}", service.name, service.namespace);
            let told = if shared(&service.name) {
                qualified.clone()
            } else {
                service.name.to_string()
            };
            by_host.insert(qualified, told.clone());
            by_host.insert(service.host.to_string(), told);
        }
        let pods = plan.pods.iter();
        Self {
            by_host,
            by_ip: pods
                .map(|pod| (pod.workload.ip, pod.service.clone()))
                .collect(),
            suffix: format!(".svc.{}", plan.mesh.profile.cluster_domain),
        }
    }

    /// The report name of `host`.
    pub(super) fn name(&self, host: &str) -> String {
        if let Some(known) = self.by_host.get(host) {
            return known.clone();
        }
        if let Ok(ip) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            return self.by_ip.get(&ip).cloned().unwrap_or_else(|| host.into());
        }
        match host.strip_suffix(&self.suffix) {
            Some(inside) => self
                .by_host
                .get(inside)
                .cloned()
                .unwrap_or_else(|| first_label(inside).into()),
            None => host.into(),
        }
    }
}

fn first_label(host: &str) -> &str {
    host.split('.').next().unwrap_or(host)
}

/// Whether `subject` is a cluster of the outbound side.
pub(crate) fn outbound(subject: &str) -> bool {
    subject.starts_with("outbound|")
}

/// The host that a request is for: its cluster's or, where that has none (no route, pass-through), the authority's.
/// Empty when neither has one.
pub(crate) fn host<'a>(cluster: &'a str, authority: &'a str) -> &'a str {
    match cluster.rsplit_once('|') {
        Some((_, host)) if !host.is_empty() => host,
        _ => without_port(authority),
    }
}

/// The same, or the cluster's own name where that is all there is: what decides a destination's name.
pub(crate) fn destination<'a>(cluster: &'a str, authority: &'a str) -> &'a str {
    match host(cluster, authority) {
        "" => cluster,
        host => host,
    }
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !host.is_empty() => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample;

    fn name(cluster: &str, authority: &str) -> String {
        let callees = Callees::new(&sample::plan());
        callees.name(destination(cluster, authority))
    }

    #[test]
    fn a_service_goes_by_its_short_name() {
        let cluster = "outbound|9080|v1|reviews.default.svc.cluster.local";
        assert_eq!(name(cluster, "reviews:9080"), "reviews");
        assert_eq!(name("", "reviews.default:9080"), "reviews");
        assert_eq!(name("", "reviews"), "reviews");
    }

    #[test]
    fn strangers_keep_their_names() {
        assert_eq!(
            name("outbound|443||api.example.com", "x"),
            "api.example.com"
        );
        assert_eq!(name("PassthroughCluster", "10.9.9.9:80"), "10.9.9.9");
        assert_eq!(name("PassthroughCluster", "10.0.0.1:9080"), "reviews");
        assert_eq!(name("PassthroughCluster", "[fd00::1]:80"), "[fd00::1]");
        assert_eq!(name("", ""), "");
        assert_eq!(
            name("outbound|80||ghost.default.svc.cluster.local", ""),
            "ghost"
        );
    }

    #[test]
    fn namespaces_tell_namesakes_apart() {
        let mut plan = sample::plan();
        let mut twin = plan.services[0].clone();
        twin.namespace = "other".into();
        twin.host = "reviews.other.svc.cluster.local".into();
        plan.services.push(twin);
        let callees = Callees::new(&plan);
        assert_eq!(
            callees.name("reviews.other.svc.cluster.local"),
            "reviews.other"
        );
        assert_eq!(
            callees.name("reviews.default.svc.cluster.local"),
            "reviews.default"
        );
    }
}
