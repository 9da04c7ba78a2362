//! The mesh's policy: a profile, changed by the scenario, and native configuration.

use std::time::Duration;

use mesh_core::document::Document;
use mesh_core::policy::{LoadBalancer, MeshPolicy, MtlsMode, Profile, Sourced};

use super::groups::Imported;
use crate::plan::Distribution;
use crate::scenario::file::{
    BalanceSpec, DefaultsSpec, MeshSpec, MtlsSpec, OutboundTrafficPolicy, Placed, ProfileName,
};
use crate::scenario::inputs::Inputs;
use crate::scenario::problems::Problems;
use crate::topology::{isotope, kubernetes};

/// What the mesh was told.
pub(super) fn policy(
    spec: &MeshSpec,
    inputs: &Inputs,
    namespace: &str,
    problems: &mut Problems,
) -> MeshPolicy {
    let profile = profile(spec, problems);
    let documents: Vec<Document> = inputs
        .mesh
        .iter()
        .map(|document| in_namespace(document, namespace))
        .collect();
    match mesh_core::dialect::istio::compile(&documents, &profile) {
        Ok(policy) => policy,
        Err(errors) => {
            problems.extend(errors);
            MeshPolicy::defaults(profile)
        }
    }
}

/// Gives an object that names no namespace the scenario's, as `kubectl apply -n` does.
pub(super) fn in_namespace(document: &Document, namespace: &str) -> Document {
    let mut document = document.clone();
    let metadata = document.root.get("metadata");
    let silent = metadata
        .is_some_and(|metadata| metadata.is_mapping() && metadata.get("namespace").is_none());
    if namespace != "default" && silent {
        let span = metadata.map(|metadata| metadata.span).unwrap_or_default();
        let value = mesh_core::document::Value::String(namespace.into());
        let node = mesh_core::document::Node::new(span, value);
        // `metadata` is a mapping, so the path leads somewhere.
        let _set = document.root.set_path("metadata.namespace", node);
    }
    document
}

/// Everything that the imported files declare.
pub(super) fn import(inputs: &Inputs, namespace: &str, problems: &mut Problems) -> Imported {
    let mut imported = Imported::default();
    if !inputs.kubernetes.is_empty() {
        match kubernetes::import(&inputs.kubernetes, namespace) {
            Ok(topology) => imported.add(topology),
            Err(errors) => problems.extend(errors),
        }
    }
    for graph in &inputs.isotope {
        match isotope::import(graph, namespace) {
            Ok(topology) => imported.add(topology),
            Err(errors) => problems.extend(errors),
        }
    }
    imported
}

fn profile(spec: &MeshSpec, problems: &mut Problems) -> Profile {
    let mut profile = match spec.profile.unwrap_or(ProfileName::Istio) {
        ProfileName::Istio => Profile::istio(),
    };
    if let Some(domain) = &spec.trust_domain {
        // SPIFFE-ID section 2.1: letters, digits, dots, dashes and underscores, in lower case.
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
        if (1..=255).contains(&domain.len()) && domain.bytes().all(inner) {
            profile.trust_domain.clone_from(domain);
        } else {
            let message = format!("`{}` is not a trust domain", domain.value());
            let error = problems.error(domain.at(), message).help(
                "lower-case letters, digits, dots, dashes and underscores, such as `cluster.local`",
            );
            problems.push(error);
        }
    }
    if let Some(latency) = &spec.proxy_latency {
        match median_and_tail(&latency.0) {
            Some(pair) => profile.proxy_latency = Sourced::new(pair, latency.origin()),
            None => {
                let error = problems
                    .error(latency.at(), "`proxy-latency` is a constant or a lognormal")
                    .help("such as `600us` or `lognormal(p50=600us, p99=2ms)`");
                problems.push(error);
            }
        }
    }
    change_defaults(&mut profile, &spec.defaults, problems);
    profile
}

fn median_and_tail(latency: &Distribution) -> Option<(Duration, Duration)> {
    match latency {
        Distribution::Constant(time) => Some((*time, *time)),
        Distribution::LogNormal { p50, p99 } => Some((*p50, *p99)),
        _ => None,
    }
}

fn change_defaults(profile: &mut Profile, defaults: &DefaultsSpec, problems: &mut Problems) {
    if let Some(retries) = &defaults.retries {
        let mut policy = profile.retry.value.clone();
        policy.retries = *retries.value();
        profile.retry = Sourced::new(policy, retries.origin());
    }
    if let Some(timeout) = &defaults.timeout {
        // As everywhere in Envoy's configuration, a timeout of zero is none.
        let bound = (!timeout.0.is_zero()).then_some(timeout.0);
        profile.timeout = Sourced::new(bound, timeout.origin());
    }
    if let Some(balance) = &defaults.load_balancer {
        profile.load_balancer = Sourced::new(load_balancer(balance), balance.origin());
    }
    if let Some(mtls) = &defaults.mtls {
        let mode = match mtls.value() {
            MtlsSpec::Disable => MtlsMode::Disable,
            MtlsSpec::Permissive => MtlsMode::Permissive,
            MtlsSpec::Strict => MtlsMode::Strict,
        };
        profile.mtls = Sourced::new(mode, mtls.origin());
    }
    if let Some(threshold) = defaults.panic_threshold {
        profile.panic_threshold_percent = threshold.0.ppm() / 10_000;
    }
    if let Some(policy) = defaults.outbound_traffic_policy {
        profile.allow_any_outbound = policy == OutboundTrafficPolicy::AllowAny;
    }
    if let Some(lifetime) = &defaults.certificate_lifetime {
        if lifetime.0.is_zero() {
            let error = problems.error(lifetime.at(), "a certificate must live for some time");
            problems.push(error);
        } else {
            profile.svid_lifetime = lifetime.0;
        }
    }
    if let Some(debounce) = defaults.push_debounce {
        profile.push_debounce = debounce.0;
        profile.push_debounce_max = profile.push_debounce_max.max(debounce.0);
    }
}

fn load_balancer(spec: &Placed<BalanceSpec>) -> LoadBalancer {
    match spec.value() {
        BalanceSpec::RoundRobin => LoadBalancer::RoundRobin,
        BalanceSpec::Random => LoadBalancer::Random,
        BalanceSpec::LeastRequest => LoadBalancer::LeastRequest { choices: 2 },
    }
}
