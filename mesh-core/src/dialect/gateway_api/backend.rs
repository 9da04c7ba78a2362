//! Backend references.

use super::rule::Scene;
use super::spec::BackendRef;
use crate::dialect::findings::{Field, Findings};
use crate::dialect::{host, quantity};
use crate::document::Spanned;
use crate::policy::{Destination, NoteKind};

/// Greatest weight of a backend (apis/v1/httproute_types.go).
const WEIGHT_MAX: i64 = 1_000_000;

/// The weight of a backend; 1 when not written.
pub(super) fn weight(written: &BackendRef, findings: &mut Findings<'_>) -> Option<u32> {
    match &written.weight {
        Some(weight) => quantity::between(weight, 0, WEIGHT_MAX, findings),
        None => Some(1),
    }
}

/// The destination a reference names; `None` when it is wrong.
pub(super) fn destination(
    written: &Spanned<BackendRef>,
    field: &Field,
    scene: &Scene<'_, '_>,
    findings: &mut Findings<'_>,
) -> Option<Destination> {
    let reference = &written.value;
    let Some(name) = &reference.name else {
        findings.error(&written.at, "this backend has no `name`");
        return None;
    };
    let group = reference.group.as_deref().unwrap_or_default();
    let kind = reference.kind.as_deref().unwrap_or("Service");
    let Some(port) = &reference.port else {
        findings.error(
            &written.at,
            "this backend has no `port`, which a Service needs",
        );
        return None;
    };
    let port = Some(quantity::port(port, findings)?);
    if (group, kind) == ("networking.istio.io", "Hostname") {
        return Some(Destination {
            host: name.value.to_ascii_lowercase(),
            subset: None,
            port,
        });
    }
    if !matches!((group, kind), ("" | "core", "Service")) {
        findings.note(
            NoteKind::Suspicious,
            field,
            &written.at,
            format!(
                "a backend of kind {kind} does not exist here: its share of the requests fails"
            ),
        );
    } else if name.value.contains('.') {
        let message = format!(
            "`{}` is not the name of a Service: give the name, not the host",
            name.value
        );
        findings.error(&name.at, message);
        return None;
    }
    let own = &scene.object.namespace;
    let namespace = reference
        .namespace
        .as_ref()
        .map_or(own, |namespace| &namespace.value);
    if !scene.grants.allow(own, namespace, &name.value) {
        let at = reference
            .namespace
            .as_ref()
            .map_or(&written.at, |namespace| &namespace.at);
        findings.note(
            NoteKind::Suspicious,
            &field.child("namespace"),
            at,
            format!(
                "no ReferenceGrant of namespace `{namespace}` allows this; Istio does not ask for one in a mesh, other meshes answer 500"
            ),
        );
    }
    Some(Destination {
        host: host::service(&name.value, namespace, &scene.profile.cluster_domain),
        subset: None,
        port,
    })
}
