//! Routes: which request goes where, and how hard to try.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Fraction, Origin, Pattern, Sourced};

/// Routing rules for some hosts (one VirtualService, one HTTPRoute…).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteRule {
    /// The kind of the object it came from, such as `VirtualService`.
    pub kind: String,
    /// `namespace/name` of the object.
    pub name: String,
    /// The object's namespace.
    pub namespace: String,
    /// The hosts it governs, fully qualified.
    pub hosts: Vec<HostPattern>,
    /// Namespaces whose workloads it governs; empty means all.
    pub visible_to: Vec<String>,
    /// The routes, first match wins.
    pub routes: Vec<ScopedRoute>,
    /// Where the object begins.
    pub origin: Origin,
}

/// A host that a rule governs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostPattern {
    /// One name, lower-case.
    Exact(String),
    /// Any name ending in this (written `*.example.com`; the dot is included here).
    Suffix(String),
    /// Any name.
    Any,
}

impl HostPattern {
    /// Whether `host` (lower-case, no port) is governed.
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => name == host,
            Self::Suffix(suffix) => host.len() > suffix.len() && host.ends_with(suffix.as_str()),
            Self::Any => true,
        }
    }
}

/// A route and the callers and port it applies to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScopedRoute {
    /// Which callers; `None` means all.
    pub source: Option<SourceScope>,
    /// Which destination port; `None` means all.
    pub port: Option<u16>,
    /// The route.
    pub route: Route,
}

/// Which callers a route applies to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceScope {
    /// Labels the calling workload must have.
    pub labels: BTreeMap<String, String>,
    /// The namespace it must be in.
    pub namespace: Option<String>,
}

/// One route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// The name shown in access logs and reports.
    pub name: String,
    /// Which requests.
    pub matcher: RequestMatch,
    /// What to do with them.
    pub action: RouteAction,
    /// Changes to the request's headers, after those of the destination.
    pub request_headers: HeaderMutations,
    /// Changes to the response's headers, after those of the destination.
    pub response_headers: HeaderMutations,
    /// Injected faults.
    pub fault: Option<FaultPolicy>,
    /// Bound on the whole request with all its attempts; `None` means no bound.
    pub timeout: Sourced<Option<Duration>>,
    /// When and how to try again.
    pub retry: Sourced<RetryPolicy>,
    /// Copies sent elsewhere, answers ignored.
    pub mirrors: Vec<Mirror>,
    /// Token bucket of this route, per proxy.
    pub rate_limit: Option<LocalRateLimit>,
    /// Where the route begins.
    pub origin: Origin,
}

/// Which requests a route takes: all conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RequestMatch {
    /// The path, without the query.
    pub path: PathMatch,
    /// Compare exact and prefix paths without regard to case (regexes are unaffected, as in Envoy).
    pub ignore_path_case: bool,
    /// `:scheme`.
    pub scheme: Option<StringMatch>,
    /// `:method`.
    pub method: Option<StringMatch>,
    /// `:authority`.
    pub authority: Option<StringMatch>,
    /// Headers.
    pub headers: Vec<HeaderMatch>,
    /// Query parameters.
    pub query: Vec<QueryMatch>,
}

/// A condition on the path.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PathMatch {
    /// Every path.
    #[default]
    Any,
    /// Exactly this path.
    Exact(String),
    /// Paths starting with this string (Istio's `prefix`).
    Prefix(String),
    /// This path or anything under it, on `/` boundaries (Gateway API's `PathPrefix`), stored without a trailing `/`.
    PathPrefix(String),
    /// Paths wholly matching this expression.
    Regex(Pattern),
}

/// A condition on a string.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StringMatch {
    /// Equal.
    Exact(String),
    /// Starts with.
    Prefix(String),
    /// Ends with.
    Suffix(String),
    /// Wholly matches.
    Regex(Pattern),
    /// Is there at all.
    Present,
}

impl StringMatch {
    /// Whether `text` satisfies the condition.
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(want) => text == want,
            Self::Prefix(want) => text.starts_with(want.as_str()),
            Self::Suffix(want) => text.ends_with(want.as_str()),
            Self::Regex(pattern) => pattern.matches(text),
            Self::Present => true,
        }
    }
}

/// A condition on one header. Values of a repeated header are tried one by one and joined by `,`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeaderMatch {
    /// Lower-case name.
    pub name: String,
    /// The condition on the value.
    pub value: StringMatch,
    /// The condition must *not* hold (`withoutHeaders`).
    pub invert: bool,
}

/// A condition on one query parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueryMatch {
    /// The parameter, as written in the URL.
    pub name: String,
    /// The condition on its value.
    pub value: StringMatch,
}

/// What a route does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteAction {
    /// Sends the request on.
    Forward(Forward),
    /// Answers with a redirect.
    Redirect(Redirect),
    /// Answers at once.
    Direct(DirectResponse),
    /// Consults another rule's routes under this match (Istio's delegate); resolved by the dialect.
    Delegate(Delegation),
}

/// A delegation to another rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegation {
    /// The rule's name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
}

/// Sends the request to one of several weighted destinations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forward {
    /// The destinations. Weights are relative to their sum; all zero means no traffic.
    pub destinations: Vec<WeightedDestination>,
    /// Path rewrite.
    pub path_rewrite: Option<PathRewrite>,
    /// New `:authority`.
    pub authority_rewrite: Option<String>,
}

/// One destination and its share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WeightedDestination {
    /// Where.
    pub destination: Destination,
    /// Relative share.
    pub weight: u32,
    /// Changes to the request's headers when this destination was drawn.
    pub request_headers: HeaderMutations,
    /// Changes to the response's headers when this destination was drawn.
    pub response_headers: HeaderMutations,
    /// Where it was written.
    pub origin: Origin,
}

/// A service, a port of it, and perhaps a subset.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Destination {
    /// Fully qualified, lower-case host.
    pub host: String,
    /// Subset name, defined by a [`DestinationRule`](super::DestinationRule).
    pub subset: Option<String>,
    /// Service port; `None` means the port the caller used, or the service's only one.
    pub port: Option<u16>,
}

/// How a path is rewritten. The query is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PathRewrite {
    /// Replaces what the path matcher matched: the prefix, or the whole path for exact and regex matches.
    Matched(String),
    /// Replaces the whole path.
    Full(String),
    /// Replaces every match of a regex; `\1` refers to a group.
    Regex {
        /// What to look for, unanchored.
        pattern: Pattern,
        /// What to put in its place, with RE2's `\N` references.
        substitution: String,
    },
}

/// A redirect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Redirect {
    /// New scheme.
    pub scheme: Option<String>,
    /// New host.
    pub authority: Option<String>,
    /// New path, or replacement of the matched prefix.
    pub path: Option<PathRewrite>,
    /// New port.
    pub port: RedirectPort,
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
}

/// The port a redirect points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RedirectPort {
    /// As Envoy: dropped when it is the new scheme's default, else kept.
    Unchanged,
    /// This port.
    Number(u16),
    /// The scheme's default port, not shown.
    FromScheme,
    /// The port the request came in on.
    FromRequest,
}

/// An answer given by the proxy itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectResponse {
    /// Status code.
    pub status: u16,
    /// Body.
    pub body: Vec<u8>,
}

/// Changes to headers. Removal happens before addition, as in Envoy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderMutations {
    /// Overwrite or create.
    pub set: Vec<(String, String)>,
    /// Append another value.
    pub add: Vec<(String, String)>,
    /// Remove.
    pub remove: Vec<String>,
}

impl HeaderMutations {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.add.is_empty() && self.remove.is_empty()
    }
}

/// Injected faults. Delay and abort are drawn independently.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultPolicy {
    /// A delay and the share of requests that get it.
    pub delay: Option<(Duration, Fraction)>,
    /// An abort and the share of requests that get it.
    pub abort: Option<(AbortKind, Fraction)>,
    /// Where it was written.
    pub origin: Origin,
}

/// What an aborted request is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AbortKind {
    /// This HTTP status.
    Http(u16),
    /// HTTP 200 with this `grpc-status`.
    Grpc(u32),
}

/// When a failed attempt is tried again, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Retries after the first attempt; 0 disables.
    pub retries: u32,
    /// Bound on each attempt; `None` means only the route's timeout bounds it.
    pub per_try_timeout: Option<Duration>,
    /// The failures worth another try.
    pub on: RetryOn,
    /// Back-off between attempts.
    pub backoff: RetryBackoff,
    /// Prefer endpoints not yet tried for this request.
    pub avoid_previous_endpoints: bool,
    /// How often to draw again when an endpoint already tried comes up.
    pub endpoint_draws_max: u32,
    /// Retries may leave the first attempt's locality priority.
    pub remote_localities: bool,
}

impl RetryPolicy {
    /// No retries.
    pub fn none() -> Self {
        Self {
            retries: 0,
            per_try_timeout: None,
            on: RetryOn::default(),
            backoff: RetryBackoff::default(),
            avoid_previous_endpoints: false,
            endpoint_draws_max: 1,
            remote_localities: false,
        }
    }
}

/// Envoy's `retry_on` conditions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RetryOn {
    /// `5xx`: any 5xx, and every transport failure.
    pub any_5xx: bool,
    /// `gateway-error`: 502, 503, 504, and every transport failure.
    pub gateway_error: bool,
    /// `reset`: the upstream did not answer at all.
    pub reset: bool,
    /// `reset-before-request`: reset before the request was sent.
    pub reset_before_request: bool,
    /// `connect-failure`: the connection could not be made.
    pub connect_failure: bool,
    /// `retriable-4xx`: 409.
    pub retriable_4xx: bool,
    /// `refused-stream`: HTTP/2 REFUSED_STREAM.
    pub refused_stream: bool,
    /// `retriable-status-codes` and bare numbers.
    pub statuses: Vec<u16>,
    /// `retriable-headers` with the names of response headers.
    pub headers: Vec<String>,
    /// gRPC statuses: `cancelled` 1, `deadline-exceeded` 4, `resource-exhausted` 8, `internal` 13, `unavailable` 14.
    pub grpc: Vec<u32>,
}

/// Exponential back-off with full jitter: before retry k, uniform in `[0, min(base·2^(k−1), max))`
/// (measured on Envoy 1.40).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryBackoff {
    /// The base interval.
    pub base: Duration,
    /// The cap.
    pub max: Duration,
}

impl Default for RetryBackoff {
    /// Envoy's: 25 ms, capped at ten times that.
    fn default() -> Self {
        Self {
            base: Duration::from_millis(25),
            max: Duration::from_millis(250),
        }
    }
}

/// A mirror: a copy of the request, its answer ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mirror {
    /// Where the copy goes.
    pub destination: Destination,
    /// Which share of requests is copied.
    pub fraction: Fraction,
    /// Where it was written.
    pub origin: Origin,
}

/// A token bucket, per proxy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalRateLimit {
    /// Capacity; the bucket starts full.
    pub tokens_max: u32,
    /// Tokens added at each fill.
    pub tokens_per_fill: u32,
    /// Time between fills.
    pub fill_interval: Duration,
    /// The status of a rejected request (429 by default).
    pub status: u16,
}
