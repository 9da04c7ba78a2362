//! The shapes of an HTTPRoute and a ReferenceGrant, by gateway-api apis/v1.

use serde::Deserialize;

use crate::dialect::schema::Schema;
use crate::document::Spanned;

/// `spec` of an HTTPRoute.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct HttpRoute {
    pub(super) parent_refs: Vec<Spanned<ParentRef>>,
    pub(super) hostnames: Vec<Spanned<String>>,
    pub(super) rules: Vec<Spanned<Rule>>,
}

/// `parentRefs[]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ParentRef {
    pub(super) group: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) name: Option<Spanned<String>>,
    pub(super) namespace: Option<String>,
    pub(super) section_name: Option<Spanned<String>>,
    pub(super) port: Option<Spanned<i64>>,
}

/// `rules[]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Rule {
    pub(super) name: Option<String>,
    pub(super) matches: Vec<Spanned<Match>>,
    pub(super) filters: Vec<Spanned<Filter>>,
    pub(super) backend_refs: Vec<Spanned<BackendRef>>,
    pub(super) timeouts: Option<Timeouts>,
    pub(super) retry: Option<Spanned<Retry>>,
}

/// `matches[]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Match {
    pub(super) path: Option<Value>,
    pub(super) headers: Vec<Spanned<Value>>,
    pub(super) query_params: Vec<Spanned<Value>>,
    pub(super) method: Option<Spanned<String>>,
}

/// A path, header or query parameter: `type`, `name` (not of a path) and `value`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Value {
    #[serde(rename = "type")]
    pub(super) kind: Option<Spanned<String>>,
    pub(super) name: Option<Spanned<String>>,
    pub(super) value: Option<Spanned<String>>,
}

/// `filters[]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Filter {
    #[serde(rename = "type")]
    pub(super) kind: Option<Spanned<String>>,
    pub(super) request_header_modifier: Option<HeaderModifier>,
    pub(super) response_header_modifier: Option<HeaderModifier>,
    pub(super) request_redirect: Option<Spanned<Redirect>>,
    #[serde(rename = "urlRewrite")]
    pub(super) url_rewrite: Option<Spanned<UrlRewrite>>,
    pub(super) request_mirror: Option<Spanned<Mirror>>,
}

/// `requestHeaderModifier` and `responseHeaderModifier`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct HeaderModifier {
    pub(super) set: Vec<Header>,
    pub(super) add: Vec<Header>,
    pub(super) remove: Vec<String>,
}

/// A header and its value.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Header {
    pub(super) name: String,
    pub(super) value: String,
}

/// `requestRedirect`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Redirect {
    pub(super) scheme: Option<String>,
    pub(super) hostname: Option<String>,
    pub(super) path: Option<Spanned<PathModifier>>,
    pub(super) port: Option<Spanned<i64>>,
    pub(super) status_code: Option<Spanned<i64>>,
}

/// `urlRewrite`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct UrlRewrite {
    pub(super) hostname: Option<String>,
    pub(super) path: Option<Spanned<PathModifier>>,
}

/// `path` of a redirect or rewrite.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PathModifier {
    #[serde(rename = "type")]
    pub(super) kind: Option<Spanned<String>>,
    pub(super) replace_full_path: Option<String>,
    pub(super) replace_prefix_match: Option<String>,
}

/// `requestMirror`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Mirror {
    pub(super) backend_ref: Option<Spanned<BackendRef>>,
    pub(super) percent: Option<Spanned<i64>>,
    pub(super) fraction: Option<Spanned<Fraction>>,
}

/// `fraction`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Fraction {
    pub(super) numerator: i64,
    pub(super) denominator: Option<i64>,
}

/// `backendRefs[]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct BackendRef {
    pub(super) group: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) name: Option<Spanned<String>>,
    pub(super) namespace: Option<Spanned<String>>,
    pub(super) port: Option<Spanned<i64>>,
    pub(super) weight: Option<Spanned<i64>>,
    pub(super) filters: Vec<Spanned<Filter>>,
}

/// `timeouts`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Timeouts {
    pub(super) request: Option<Spanned<String>>,
    pub(super) backend_request: Option<Spanned<String>>,
}

/// `retry`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Retry {
    pub(super) codes: Vec<Spanned<i64>>,
    pub(super) attempts: Option<Spanned<i64>>,
    pub(super) backoff: Option<Spanned<String>>,
}

const FILTER: &str = "type requestHeaderModifier responseHeaderModifier requestMirror requestRedirect urlRewrite cors externalAuth extensionRef";
const BACKEND: &str = "group kind name namespace port weight filters";
const PATH: &str = "type replaceFullPath replacePrefixMatch";

/// Every field of an HTTPRoute.
pub(super) const SCHEMA: Schema = Schema {
    owner: "the Gateway API",
    fields: &[
        ("spec", "parentRefs hostnames rules useDefaultGateways"),
        ("parentRefs[]", "group kind name namespace sectionName port"),
        (
            "rules[]",
            "name matches filters backendRefs timeouts retry sessionPersistence",
        ),
        ("matches[]", "path headers queryParams method"),
        ("matches[].path", "type value"),
        ("headers[]", "type name value"),
        ("queryParams[]", "type name value"),
        ("filters[]", FILTER),
        ("requestHeaderModifier", "set add remove"),
        ("responseHeaderModifier", "set add remove"),
        ("set[]", "name value"),
        ("add[]", "name value"),
        ("requestRedirect", "scheme hostname path port statusCode"),
        ("requestRedirect.path", PATH),
        ("urlRewrite", "hostname path"),
        ("urlRewrite.path", PATH),
        ("requestMirror", "backendRef percent fraction"),
        ("requestMirror.backendRef", BACKEND),
        ("fraction", "numerator denominator"),
        ("backendRefs[]", BACKEND),
        ("timeouts", "request backendRequest"),
        ("retry", "codes attempts backoff"),
    ],
    reasons: &[
        (
            "rules[].sessionPersistence",
            "session persistence is not simulated",
        ),
        (
            "filters[].cors",
            "cross-origin rules are not simulated: nothing here is a browser",
        ),
        (
            "filters[].externalAuth",
            "external authorizers are not simulated",
        ),
        ("filters[].extensionRef", "extensions are not simulated"),
    ],
};

/// `spec` of a ReferenceGrant.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ReferenceGrant {
    pub(super) from: Vec<GrantFrom>,
    pub(super) to: Vec<GrantTo>,
}

/// `from[]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct GrantFrom {
    pub(super) group: String,
    pub(super) kind: String,
    pub(super) namespace: String,
}

/// `to[]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct GrantTo {
    pub(super) group: String,
    pub(super) kind: String,
    pub(super) name: Option<String>,
}

/// Every field of a ReferenceGrant.
pub(super) const GRANT_SCHEMA: Schema = Schema {
    owner: "the Gateway API",
    fields: &[
        ("spec", "from to"),
        ("from[]", "group kind namespace"),
        ("to[]", "group kind name"),
    ],
    reasons: &[],
};
