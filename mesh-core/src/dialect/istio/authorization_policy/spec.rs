//! The shape of an AuthorizationPolicy, by istio.io/api security/v1beta1/authorization_policy.proto.

use serde::Deserialize;

use crate::dialect::istio::peer_authentication::Selector;
use crate::dialect::schema::Schema;
use crate::document::Spanned;

/// `spec`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct AuthorizationPolicy {
    pub(super) selector: Option<Spanned<Selector>>,
    pub(super) action: Option<Spanned<String>>,
    pub(super) rules: Vec<Spanned<Rule>>,
}

/// `rules[]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Rule {
    pub(super) from: Vec<Spanned<From>>,
    pub(super) to: Vec<Spanned<To>>,
    pub(super) when: Vec<Spanned<Condition>>,
}

/// `from[]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct From {
    pub(super) source: Option<Spanned<Source>>,
}

/// `source`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Source {
    pub(super) principals: Vec<Spanned<String>>,
    pub(super) not_principals: Vec<Spanned<String>>,
    pub(super) request_principals: Vec<Spanned<String>>,
    pub(super) not_request_principals: Vec<Spanned<String>>,
    pub(super) namespaces: Vec<Spanned<String>>,
    pub(super) not_namespaces: Vec<Spanned<String>>,
    pub(super) service_accounts: Vec<Spanned<String>>,
    pub(super) not_service_accounts: Vec<Spanned<String>>,
    pub(super) ip_blocks: Vec<Spanned<String>>,
    pub(super) not_ip_blocks: Vec<Spanned<String>>,
    pub(super) remote_ip_blocks: Vec<Spanned<String>>,
    pub(super) not_remote_ip_blocks: Vec<Spanned<String>>,
}

/// `to[]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct To {
    pub(super) operation: Option<Spanned<Operation>>,
}

/// `operation`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Operation {
    pub(super) hosts: Vec<Spanned<String>>,
    pub(super) not_hosts: Vec<Spanned<String>>,
    pub(super) ports: Vec<Spanned<String>>,
    pub(super) not_ports: Vec<Spanned<String>>,
    pub(super) methods: Vec<Spanned<String>>,
    pub(super) not_methods: Vec<Spanned<String>>,
    pub(super) paths: Vec<Spanned<String>>,
    pub(super) not_paths: Vec<Spanned<String>>,
}

/// `when[]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Condition {
    pub(super) key: Option<Spanned<String>>,
    pub(super) values: Vec<Spanned<String>>,
    pub(super) not_values: Vec<Spanned<String>>,
}

/// Every field of an AuthorizationPolicy in Istio 1.31.
pub(super) const SCHEMA: Schema = Schema {
    owner: "Istio",
    fields: &[
        (
            "spec",
            "selector targetRef targetRefs action provider rules",
        ),
        ("selector", "matchLabels"),
        ("rules[]", "from to when"),
        ("from[]", "source"),
        (
            "source",
            "principals notPrincipals requestPrincipals notRequestPrincipals namespaces notNamespaces serviceAccounts notServiceAccounts ipBlocks notIpBlocks remoteIpBlocks notRemoteIpBlocks",
        ),
        ("to[]", "operation"),
        (
            "operation",
            "hosts notHosts ports notPorts methods notMethods paths notPaths",
        ),
        ("when[]", "key values notValues"),
    ],
    reasons: &[
        ("spec.provider", "external authorizers are not simulated"),
        (
            "spec.targetRef",
            "policies for gateways and waypoints are not simulated",
        ),
        (
            "spec.targetRefs",
            "policies for gateways and waypoints are not simulated",
        ),
    ],
};
