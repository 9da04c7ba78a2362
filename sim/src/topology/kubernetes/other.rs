//! Kinds that are not part of a topology.

/// What somebody who wrote an object of this kind should know about its absence, if anything:
/// configuration, storage and permissions change nothing that is simulated.
pub(super) fn consequence(group: &str, kind: &str) -> Option<&'static str> {
    const MESH: &str =
        "mesh configuration is not read from a topology: list the file under `mesh.config`";
    const OTHER_MESH: &str = "the configuration of a mesh that is not simulated: Istio's and the Gateway API's are read, and nothing is done about this";
    const NO_PODS: &str = "its pods do not run";
    Some(match (group, kind) {
        ("networking.k8s.io" | "extensions", "Ingress") => {
            "requests enter through the scenario's traffic, not through an ingress"
        }
        ("networking.k8s.io", "NetworkPolicy") => "it blocks no traffic",
        ("autoscaling", "HorizontalPodAutoscaler") => "replicas stay as declared",
        ("" | "discovery.k8s.io", "Endpoints" | "EndpointSlice") => {
            "endpoints are the pods that services select"
        }
        ("batch", "Job" | "CronJob") => NO_PODS,
        ("argoproj.io", "Rollout")
        | ("apps.openshift.io", "DeploymentConfig")
        | ("serving.knative.dev", "Service")
        | ("apps.kruise.io", _) => NO_PODS,
        (group, _) if is_one_of(group, READ) => MESH,
        (group, _) if is_one_of(group, OTHER_MESHES) => OTHER_MESH,
        _ => return None,
    })
}

/// Groups whose objects configure the mesh that is simulated.
const READ: &[&str] = &["istio.io", "gateway.networking.k8s.io"];

/// Groups whose objects configure another.
const OTHER_MESHES: &[&str] = &[
    "linkerd.io",
    "split.smi-spec.io",
    "kuma.io",
    "consul.hashicorp.com",
    "appmesh.k8s.aws",
    "cilium.io",
];

fn is_one_of(group: &str, groups: &[&str]) -> bool {
    groups.iter().any(|&known| {
        group == known
            || group
                .strip_suffix(known)
                .is_some_and(|left| left.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_nothing_is_passed_over_in_silence() {
        assert_eq!(consequence("", "ConfigMap"), None);
        assert_eq!(consequence("rbac.authorization.k8s.io", "Role"), None);
        assert_eq!(consequence("myistio.io", "Thing"), None);
        assert!(consequence("networking.istio.io", "VirtualService").is_some());
        let linkerd = consequence("policy.linkerd.io", "Server").unwrap();
        assert!(linkerd.contains("not simulated"), "{linkerd}");
        assert!(consequence("serving.knative.dev", "Service").is_some());
    }
}
