//! A cluster with every value resolved: what the rules say, or else the profile's default.

use super::inbound::namespace_mode;
use super::index::{Inputs, Known, KnownPort};
use crate::control::{Cluster, ClusterName};
use crate::policy::{DestinationPolicy, MtlsMode, Sourced, UpstreamTls};

/// The cluster of `known`'s `port`, or of a subset of it, under `policy`.
pub(super) fn cluster(
    inputs: Inputs<'_>,
    known: &Known,
    port: &KnownPort,
    subset: Option<&str>,
    policy: &DestinationPolicy,
) -> Cluster {
    let profile = &inputs.policy.profile;
    let pool = policy.pool.as_ref().unwrap_or(&profile.pool);
    let balancer = policy.load_balancer.as_ref();
    // Outlier detection, once there, decides about panic, even when it only says nothing (pilot applyOutlierDetection).
    let panic = policy
        .outlier
        .as_ref()
        .map(|outlier| outlier.value.healthy_percent_min);
    Cluster {
        name: ClusterName::outbound(port.number, subset, &known.host),
        load_balancer: balancer.unwrap_or(&profile.load_balancer).clone(),
        locality: policy.locality.clone(),
        warmup: policy.warmup.clone(),
        pool: pool.clone(),
        outlier: policy.outlier.clone(),
        tls: match &policy.tls {
            Some(tls) => tls.clone(),
            None => default_tls(inputs, known),
        },
        retry_budget: policy.retry_budget.clone(),
        panic_threshold_percent: panic.unwrap_or(profile.panic_threshold_percent),
        http2: port.http2 || pool.value.http2_upgrade,
        identities: known.identities.clone(),
    }
}

/// TLS where no rule says anything: the mesh's own, unless the service is outside or its namespace takes plain
/// text only (pilot `buildAutoMtlsSettings`, `BestEffortInferServiceMTLSMode`).
fn default_tls(inputs: Inputs<'_>, known: &Known) -> Sourced<UpstreamTls> {
    let automatic = &inputs.policy.profile.upstream_tls;
    if automatic.value != UpstreamTls::Auto {
        return automatic.clone();
    }
    if !known.in_mesh {
        let why = "Istio: no automatic mutual TLS to MESH_EXTERNAL services; pilot cluster_tls.go";
        return Sourced::default_of(UpstreamTls::Disable, why);
    }
    match namespace_mode(inputs.policy, &known.namespace) {
        Some(mode) if mode.value == MtlsMode::Disable => {
            Sourced::new(UpstreamTls::Disable, mode.origin.clone())
        }
        _ => automatic.clone(),
    }
}
