//! PeerAuthentication → inbound mutual TLS.
//!
//! A policy without selector is for its namespace, or in the root namespace
//! for the mesh; with a selector it is for those workloads, and only such a
//! policy may speak of ports. A selector in the root namespace selects nothing
//! (pilot/pkg/security/authn/policy_applier.go, `ComposePeerAuthentication`).

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::Deserialize;

use crate::dialect::findings::Findings;
use crate::dialect::object::Object;
use crate::dialect::quantity;
use crate::dialect::schema::Schema;
use crate::document::Spanned;
use crate::policy::{MtlsMode, NoteKind, PeerAuthentication, Profile, Sourced, WorkloadSelector};

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    selector: Option<Spanned<Selector>>,
    mtls: Option<Mtls>,
    port_level_mtls: Option<Spanned<IndexMap<String, Spanned<Mtls>>>>,
}

/// `selector`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Selector {
    pub(super) match_labels: IndexMap<String, String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Mtls {
    mode: Option<Spanned<String>>,
}

const SCHEMA: Schema = Schema {
    owner: "Istio",
    fields: &[
        ("spec", "selector mtls portLevelMtls"),
        ("selector", "matchLabels"),
        ("mtls", "mode"),
        ("portLevelMtls.*", "mode"),
    ],
    reasons: &[],
};

/// Compiles all PeerAuthentications, the older first.
pub(super) fn compile(
    objects: &[Object<'_>],
    profile: &Profile,
    findings: &mut Findings<'_>,
) -> Vec<PeerAuthentication> {
    objects
        .iter()
        .filter_map(|object| policy(object, profile, findings))
        .collect()
}

fn policy(
    object: &Object<'_>,
    profile: &Profile,
    findings: &mut Findings<'_>,
) -> Option<PeerAuthentication> {
    let spec: Spec = object.read(&SCHEMA, findings)?;
    let selector = selector(object, spec.selector.as_ref(), profile);
    if let (None, Some(written), false) = (
        &selector.namespace,
        &spec.selector,
        selector.labels.is_empty(),
    ) {
        findings.note(
            NoteKind::NoEffect,
            &object.spec().child("selector"),
            &written.at,
            "a selector in the root namespace selects nothing: Istio ignores this policy",
        );
        return None;
    }
    let mode = match &spec.mtls {
        Some(mtls) => mode(mtls, findings)?,
        None => None,
    };
    let mut ports = BTreeMap::new();
    if let Some(written) = spec
        .port_level_mtls
        .as_ref()
        .filter(|ports| !ports.value.is_empty())
    {
        if selector.labels.is_empty() {
            let message = "`portLevelMtls` needs a `selector`: ports belong to workloads";
            findings.error(&written.at, message);
            return None;
        }
        for (port, mtls) in &written.value {
            let Some(number) = port.parse::<u16>().ok().filter(|port| *port != 0) else {
                findings.error(&mtls.at, format!("`{port}` is not a port from 1 to 65535"));
                return None;
            };
            ports.insert(number, self::mode(&mtls.value, findings)?);
        }
    }
    Some(PeerAuthentication {
        name: object.reference(),
        selector,
        mode,
        ports,
        origin: object.origin(),
    })
}

/// Which workloads an object of a namespace selects; the root namespace stands for the mesh.
pub(super) fn selector(
    object: &Object<'_>,
    written: Option<&Spanned<Selector>>,
    profile: &Profile,
) -> WorkloadSelector {
    WorkloadSelector {
        namespace: Some(object.namespace.clone())
            .filter(|namespace| *namespace != profile.root_namespace),
        labels: written
            .into_iter()
            .flat_map(|selector| selector.value.match_labels.clone())
            .collect(),
    }
}

/// The outer `None` means wrong, the inner that the level above decides.
fn mode(written: &Mtls, findings: &mut Findings<'_>) -> Option<Option<Sourced<MtlsMode>>> {
    let Some(name) = &written.mode else {
        return Some(None);
    };
    let mode = quantity::choice(
        name,
        &[
            ("UNSET", None),
            ("DISABLE", Some(MtlsMode::Disable)),
            ("PERMISSIVE", Some(MtlsMode::Permissive)),
            ("STRICT", Some(MtlsMode::Strict)),
        ],
        findings,
    )?;
    Some(mode.map(|mode| Sourced::new(mode, name.origin())))
}

#[cfg(test)]
mod tests {
    use crate::dialect::testing::{notes, policy, refused};
    use crate::policy::{MtlsMode, NoteKind, PeerAuthentication};

    fn yaml(namespace: &str, spec: &str) -> String {
        format!(
            "apiVersion: security.istio.io/v1beta1\nkind: PeerAuthentication\nmetadata: {{name: p, namespace: {namespace}}}\nspec: {{{spec}}}\n"
        )
    }

    fn compiled(namespace: &str, spec: &str) -> PeerAuthentication {
        policy(&yaml(namespace, spec)).peer_authentication.remove(0)
    }

    #[test]
    fn mesh_namespace_and_workload() {
        let mesh = compiled("istio-system", "mtls: {mode: STRICT}");
        assert_eq!(mesh.selector.namespace, None);
        let mode = mesh.mode.unwrap();
        assert_eq!(mode.value, MtlsMode::Strict);
        assert_eq!(mode.origin.to_string(), "mesh.yaml:4:21");
        let namespace = compiled("shop", "mtls: {mode: UNSET}");
        assert_eq!(namespace.selector.namespace.as_deref(), Some("shop"));
        assert_eq!(namespace.mode, None);
        let workload = compiled(
            "shop",
            "selector: {matchLabels: {app: web}}, portLevelMtls: {8080: {mode: DISABLE}, '9090': {mode: PERMISSIVE}, 7070: {}}",
        );
        assert_eq!(workload.selector.labels["app"], "web");
        let modes: Vec<_> = workload
            .ports
            .iter()
            .map(|(port, mode)| (*port, mode.as_ref().map(|mode| mode.value)))
            .collect();
        assert_eq!(
            modes,
            [
                (7070, None),
                (8080, Some(MtlsMode::Disable)),
                (9090, Some(MtlsMode::Permissive))
            ]
        );
    }

    #[test]
    fn a_selector_in_the_root_namespace_selects_nothing() {
        let yaml = yaml(
            "istio-system",
            "selector: {matchLabels: {app: web}}, mtls: {mode: STRICT}",
        );
        assert!(policy(&yaml).peer_authentication.is_empty());
        assert_eq!(notes(&yaml, NoteKind::NoEffect).len(), 1);
    }

    #[test]
    fn wrong_policies_are_refused() {
        assert_eq!(
            refused(&yaml("shop", "portLevelMtls: {80: {mode: STRICT}}")),
            ["4:23 `portLevelMtls` needs a `selector`: ports belong to workloads"]
        );
        assert_eq!(
            refused(&yaml(
                "shop",
                "selector: {matchLabels: {a: b}}, portLevelMtls: {http: {mode: STRICT}}"
            )),
            ["4:63 `http` is not a port from 1 to 65535"]
        );
        assert_eq!(
            refused(&yaml("shop", "mtls: {mode: STRIKT}")),
            ["4:21 unknown value `STRIKT`"]
        );
    }
}
