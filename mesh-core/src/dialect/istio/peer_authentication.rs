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
use crate::policy::{
    MtlsMode, NoteKind, Origin, PeerAuthentication, Profile, Sourced, WorkloadSelector,
};

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
    Some(mode.map(|mode| Sourced::new(mode, Origin::Written(name.at.clone()))))
}
