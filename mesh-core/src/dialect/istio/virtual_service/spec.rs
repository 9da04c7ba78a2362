//! The shape of a VirtualService, by istio.io/api networking/v1alpha3/virtual_service.proto.

use indexmap::IndexMap;
use serde::Deserialize;

use crate::dialect::schema::Schema;
use crate::document::Spanned;

/// `spec`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct VirtualService {
    pub(super) hosts: Vec<Spanned<String>>,
    pub(super) gateways: Vec<Spanned<String>>,
    pub(super) export_to: Vec<Spanned<String>>,
    pub(super) http: Vec<Spanned<HttpRoute>>,
}

/// `http[]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct HttpRoute {
    pub(super) name: Option<String>,
    #[serde(rename = "match")]
    pub(super) matches: Vec<Spanned<HttpMatch>>,
    pub(super) route: Vec<Spanned<RouteDestination>>,
    pub(super) redirect: Option<Spanned<Redirect>>,
    pub(super) direct_response: Option<Spanned<DirectResponse>>,
    pub(super) delegate: Option<Spanned<Delegate>>,
    pub(super) rewrite: Option<Spanned<Rewrite>>,
    pub(super) timeout: Option<Spanned<String>>,
    pub(super) retries: Option<Spanned<Retries>>,
    pub(super) fault: Option<Spanned<Fault>>,
    pub(super) mirror: Option<Spanned<Destination>>,
    pub(super) mirrors: Vec<Spanned<MirrorPolicy>>,
    #[serde(alias = "mirror_percent")]
    pub(super) mirror_percent: Option<Spanned<i64>>,
    pub(super) mirror_percentage: Option<Spanned<Percent>>,
    pub(super) headers: Option<Spanned<Headers>>,
}

/// `match[]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct HttpMatch {
    pub(super) name: Option<String>,
    pub(super) uri: Option<Spanned<StringMatch>>,
    pub(super) scheme: Option<Spanned<StringMatch>>,
    pub(super) method: Option<Spanned<StringMatch>>,
    pub(super) authority: Option<Spanned<StringMatch>>,
    pub(super) headers: IndexMap<String, Spanned<StringMatch>>,
    pub(super) without_headers: IndexMap<String, Spanned<StringMatch>>,
    pub(super) query_params: IndexMap<String, Spanned<StringMatch>>,
    pub(super) port: Option<Spanned<i64>>,
    pub(super) source_labels: IndexMap<String, String>,
    pub(super) source_namespace: Option<String>,
    pub(super) gateways: Vec<Spanned<String>>,
    pub(super) ignore_uri_case: Option<bool>,
}

/// A string condition: one of the three, or none, which means "is there".
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct StringMatch {
    pub(super) exact: Option<Spanned<String>>,
    pub(super) prefix: Option<Spanned<String>>,
    pub(super) regex: Option<Spanned<String>>,
}

/// `route[]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RouteDestination {
    pub(super) destination: Option<Spanned<Destination>>,
    pub(super) weight: Option<Spanned<i64>>,
    pub(super) headers: Option<Spanned<Headers>>,
}

/// A destination.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Destination {
    pub(super) host: Option<Spanned<String>>,
    pub(super) subset: Option<Spanned<String>>,
    pub(super) port: Option<PortSelector>,
}

/// `port`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PortSelector {
    pub(super) number: Option<Spanned<i64>>,
}

/// `redirect`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Redirect {
    pub(super) uri: Option<String>,
    pub(super) prefix_rewrite: Option<String>,
    pub(super) authority: Option<String>,
    pub(super) scheme: Option<String>,
    pub(super) port: Option<Spanned<i64>>,
    pub(super) derive_port: Option<Spanned<String>>,
    pub(super) redirect_code: Option<Spanned<i64>>,
}

/// `directResponse`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DirectResponse {
    pub(super) status: Option<Spanned<i64>>,
    pub(super) body: Option<Body>,
}

/// `body`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Body {
    pub(super) string: Option<String>,
    pub(super) bytes: Option<Spanned<String>>,
}

/// `delegate`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Delegate {
    pub(super) name: String,
    pub(super) namespace: Option<String>,
}

/// `rewrite`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Rewrite {
    pub(super) uri: Option<String>,
    pub(super) authority: Option<String>,
    pub(super) uri_regex_rewrite: Option<Spanned<RegexRewrite>>,
}

/// `uriRegexRewrite`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RegexRewrite {
    #[serde(rename = "match")]
    pub(super) pattern: Option<Spanned<String>>,
    pub(super) rewrite: Option<Spanned<String>>,
}

/// `retries`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Retries {
    pub(super) attempts: Option<Spanned<i64>>,
    pub(super) per_try_timeout: Option<Spanned<String>>,
    pub(super) retry_on: Option<Spanned<String>>,
    pub(super) retry_remote_localities: Option<bool>,
    pub(super) retry_ignore_previous_hosts: Option<bool>,
    pub(super) backoff: Option<Spanned<String>>,
}

/// `fault`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Fault {
    pub(super) delay: Option<Spanned<Delay>>,
    pub(super) abort: Option<Spanned<Abort>>,
}

/// `fault.delay`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Delay {
    pub(super) fixed_delay: Option<Spanned<String>>,
    pub(super) percentage: Option<Percent>,
    pub(super) percent: Option<Spanned<i64>>,
}

/// `fault.abort`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Abort {
    pub(super) http_status: Option<Spanned<i64>>,
    pub(super) grpc_status: Option<Spanned<String>>,
    pub(super) percentage: Option<Percent>,
    pub(super) percent: Option<Spanned<i64>>,
}

/// `{value: 12.5}`; without a value it is 0.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Percent {
    pub(super) value: Option<Spanned<f64>>,
}

/// `mirrors[]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct MirrorPolicy {
    pub(super) destination: Option<Spanned<Destination>>,
    pub(super) percentage: Option<Percent>,
}

/// `headers`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Headers {
    pub(super) request: Option<HeaderOperations>,
    pub(super) response: Option<HeaderOperations>,
}

/// `headers.request` and `headers.response`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct HeaderOperations {
    pub(super) set: IndexMap<String, String>,
    pub(super) add: IndexMap<String, String>,
    pub(super) remove: Vec<String>,
}

const STRING_MATCH: &str = "exact prefix regex";
const DESTINATION: &str = "host subset port";

/// Every field of a VirtualService in Istio 1.31.
pub(super) const SCHEMA: Schema = Schema {
    owner: "Istio",
    fields: &[
        ("spec", "hosts gateways http tls tcp exportTo"),
        (
            "http[]",
            "name match route redirect directResponse delegate rewrite timeout retries fault mirror mirrors mirrorPercent mirror_percent mirrorPercentage corsPolicy headers",
        ),
        (
            "match[]",
            "name uri scheme method authority headers withoutHeaders queryParams port sourceLabels sourceNamespace gateways ignoreUriCase statPrefix",
        ),
        ("match[].uri", STRING_MATCH),
        ("match[].scheme", STRING_MATCH),
        ("match[].method", STRING_MATCH),
        ("match[].authority", STRING_MATCH),
        ("match[].headers.*", STRING_MATCH),
        ("match[].withoutHeaders.*", STRING_MATCH),
        ("match[].queryParams.*", STRING_MATCH),
        ("route[]", "destination weight headers"),
        ("destination", DESTINATION),
        ("mirror", DESTINATION),
        ("destination.port", "number"),
        ("mirror.port", "number"),
        (
            "redirect",
            "uri prefixRewrite authority port derivePort scheme redirectCode",
        ),
        ("directResponse", "status body"),
        ("body", "string bytes"),
        ("delegate", "name namespace"),
        ("rewrite", "uri authority uriRegexRewrite"),
        ("uriRegexRewrite", "match rewrite"),
        (
            "retries",
            "attempts perTryTimeout retryOn retryRemoteLocalities retryIgnorePreviousHosts backoff",
        ),
        ("fault", "delay abort"),
        ("delay", "percent fixedDelay exponentialDelay percentage"),
        ("abort", "httpStatus grpcStatus http2Error percentage"),
        ("percentage", "value"),
        ("mirrorPercentage", "value"),
        ("mirrors[]", "destination percentage"),
        ("headers", "request response"),
        ("headers.request", "set add remove"),
        ("headers.response", "set add remove"),
    ],
    reasons: &[
        (
            "http[].corsPolicy",
            "cross-origin rules are not simulated: nothing here is a browser",
        ),
        ("match[].statPrefix", "metrics have their standard names"),
        ("spec.tls", "routes by TLS server name are not simulated"),
        ("spec.tcp", "routes below HTTP are not simulated"),
        (
            "abort.http2Error",
            "Istio itself refuses HTTP/2 aborts as not supported",
        ),
        (
            "delay.exponentialDelay",
            "Istio ignores exponential delays (route.go TranslateFault): nothing is delayed",
        ),
    ],
};
