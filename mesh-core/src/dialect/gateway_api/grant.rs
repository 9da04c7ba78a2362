//! ReferenceGrants.
//!
//! A backend in another namespace needs a grant of that namespace. Istio
//! enforces that on gateways and not in the mesh (conversion.go passes
//! `enforceRefGrant = !mesh`), so a missing grant is only noted.

use super::spec::{GRANT_SCHEMA, ReferenceGrant};
use crate::dialect::findings::Findings;
use crate::dialect::object::Object;

/// All grants, with the namespaces they are in.
pub(super) struct Grants(Vec<(String, ReferenceGrant)>);

impl Grants {
    /// Reads the grants.
    pub(super) fn read(objects: &[Object<'_>], findings: &mut Findings<'_>) -> Self {
        Self(
            objects
                .iter()
                .filter_map(|object| {
                    let grant = object.read(&GRANT_SCHEMA, findings)?;
                    Some((object.namespace.clone(), grant))
                })
                .collect(),
        )
    }

    /// Whether HTTPRoutes of `from` may name the Service `name` of `namespace`.
    pub(super) fn allow(&self, from: &str, namespace: &str, name: &str) -> bool {
        from == namespace
            || self.0.iter().any(|(owner, grant)| {
                owner == namespace
                    && grant.from.iter().any(|source| {
                        source.group == "gateway.networking.k8s.io"
                            && source.kind == "HTTPRoute"
                            && source.namespace == from
                    })
                    && grant.to.iter().any(|target| {
                        target.group.is_empty()
                            && target.kind == "Service"
                            && target.name.as_deref().is_none_or(|wanted| wanted == name)
                    })
            })
    }
}
