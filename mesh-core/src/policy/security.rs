//! Who must prove who they are, and who may call what.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Origin, Sourced, StringMatch};

/// Which workloads a policy applies to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadSelector {
    /// The namespace; `None` means the whole mesh (the root namespace).
    pub namespace: Option<String>,
    /// Labels; empty means every workload of the namespace.
    pub labels: BTreeMap<String, String>,
}

impl WorkloadSelector {
    /// Whether a workload with these labels in this namespace is selected.
    pub fn selects(&self, namespace: &str, labels: &BTreeMap<String, String>) -> bool {
        self.namespace.as_deref().is_none_or(|own| own == namespace)
            && self.labels.iter().all(|(k, v)| labels.get(k) == Some(v))
    }
}

/// Whether inbound connections must be mutually authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MtlsMode {
    /// Plain text only.
    Disable,
    /// Both, told apart by the first byte.
    Permissive,
    /// Mutual TLS only.
    Strict,
}

/// Inbound authentication of some workloads. Precedence: port, then labelled
/// workload, then namespace, then mesh; the oldest wins within a level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeerAuthentication {
    /// `namespace/name` of the object it came from.
    pub name: String,
    /// Which workloads.
    pub selector: WorkloadSelector,
    /// The mode; `None` inherits from the level above.
    pub mode: Option<Sourced<MtlsMode>>,
    /// Modes by workload port; `None` inherits.
    pub ports: BTreeMap<u16, Option<Sourced<MtlsMode>>>,
    /// Where the object begins.
    pub origin: Origin,
}

/// What a matching authorization policy does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthorizationAction {
    /// Allows; once any such policy selects a workload, the rest is denied.
    Allow,
    /// Denies, before any allow.
    Deny,
    /// Only marks.
    Audit,
}

/// Who may call the selected workloads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuthorizationPolicy {
    /// `namespace/name` of the object it came from.
    pub name: String,
    /// Which workloads.
    pub selector: WorkloadSelector,
    /// What a match does.
    pub action: AuthorizationAction,
    /// Any of these rules matches; no rule at all matches nothing.
    pub rules: Vec<AuthorizationRule>,
    /// Where the object begins.
    pub origin: Origin,
}

/// Sources, operations and conditions that must all hold; an empty list holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AuthorizationRule {
    /// Any of these sources.
    pub from: Vec<SourceMatch>,
    /// Any of these operations.
    pub to: Vec<OperationMatch>,
    /// All of these conditions.
    pub when: Vec<AuthorizationCondition>,
}

/// A source: all given lists must hold; a list holds when any of its values matches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceMatch {
    /// `trust-domain/ns/NS/sa/SA`, with `*` at either end; matched against the peer's SPIFFE id without `spiffe://`.
    pub principals: Vec<StringMatch>,
    /// None of these.
    pub not_principals: Vec<StringMatch>,
    /// The peer's namespace.
    pub namespaces: Vec<StringMatch>,
    /// None of these.
    pub not_namespaces: Vec<StringMatch>,
    /// `NS/SA` or `SA`, of the peer.
    pub service_accounts: Vec<String>,
    /// None of these.
    pub not_service_accounts: Vec<String>,
    /// CIDR blocks or addresses of the peer.
    pub ip_blocks: Vec<String>,
    /// None of these.
    pub not_ip_blocks: Vec<String>,
}

/// An operation: all given lists must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OperationMatch {
    /// Host header, case-insensitive.
    pub hosts: Vec<StringMatch>,
    /// None of these.
    pub not_hosts: Vec<StringMatch>,
    /// Destination ports.
    pub ports: Vec<u16>,
    /// None of these.
    pub not_ports: Vec<u16>,
    /// Methods.
    pub methods: Vec<StringMatch>,
    /// None of these.
    pub not_methods: Vec<StringMatch>,
    /// Paths, without the query.
    pub paths: Vec<StringMatch>,
    /// None of these.
    pub not_paths: Vec<StringMatch>,
}

/// A condition on an attribute (`request.headers[x]`, `source.namespace`, `destination.port`…).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuthorizationCondition {
    /// The attribute.
    pub key: String,
    /// Any of these; empty means no demand.
    pub values: Vec<StringMatch>,
    /// None of these.
    pub not_values: Vec<StringMatch>,
    /// Where it was written.
    pub origin: Origin,
}
