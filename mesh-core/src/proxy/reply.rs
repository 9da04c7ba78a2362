//! Answers the proxy gives by itself: status, body, flag and details as Envoy's
//! (observed; see the fidelity notes in `ARCHITECTURE.md`).

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use crate::telemetry::{ResponseFlag, ResponseFlags};

/// Why the proxy answered by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LocalReply {
    pub(crate) status: u16,
    pub(crate) flags: ResponseFlags,
    pub(crate) details: &'static str,
    pub(crate) body: Bytes,
    pub(crate) headers: HeaderMap,
}

impl LocalReply {
    fn new(
        status: u16,
        flag: Option<ResponseFlag>,
        details: &'static str,
        body: &'static str,
    ) -> Self {
        Self {
            status,
            flags: flag.map_or(ResponseFlags::NONE, ResponseFlags::from),
            details,
            body: Bytes::from_static(body.as_bytes()),
            headers: HeaderMap::new(),
        }
    }

    pub(crate) fn no_route() -> Self {
        Self::new(404, Some(ResponseFlag::NoRoute), "route_not_found", "")
    }

    pub(crate) fn no_cluster() -> Self {
        Self::new(
            503,
            Some(ResponseFlag::NoClusterFound),
            "cluster_not_found",
            "",
        )
    }

    pub(crate) fn no_host_header() -> Self {
        Self::new(
            400,
            Some(ResponseFlag::DownstreamProtocolError),
            "missing_host_header",
            "",
        )
    }

    /// A path that no spelling makes sense of.
    pub(crate) fn bad_path() -> Self {
        Self::new(400, None, "path_normalization_failed", "")
    }

    /// A method in lower case, which an app might take for the one in upper case (Envoy's parser refuses it).
    pub(crate) fn bad_method() -> Self {
        Self::new(
            400,
            Some(ResponseFlag::DownstreamProtocolError),
            "http1.codec_error",
            "",
        )
    }

    pub(crate) fn no_healthy_upstream() -> Self {
        Self::new(
            503,
            Some(ResponseFlag::NoHealthyUpstream),
            "no_healthy_upstream",
            "no healthy upstream",
        )
    }

    pub(crate) fn overflow() -> Self {
        let mut reply = Self::new(
            503,
            Some(ResponseFlag::UpstreamOverflow),
            "upstream_reset_before_response_started{overflow}",
            "upstream connect error or disconnect/reset before headers. reset reason: overflow",
        );
        reply
            .headers
            .insert("x-envoy-overloaded", HeaderValue::from_static("true"));
        reply
    }

    pub(crate) fn timeout() -> Self {
        Self::new(
            504,
            Some(ResponseFlag::UpstreamRequestTimeout),
            "response_timeout",
            "upstream request timeout",
        )
    }

    pub(crate) fn per_try_timeout() -> Self {
        Self::new(
            504,
            Some(ResponseFlag::UpstreamRequestTimeout),
            "upstream_per_try_timeout",
            "upstream request timeout",
        )
    }

    pub(crate) fn connect_failure() -> Self {
        Self::new(
            503,
            Some(ResponseFlag::UpstreamConnectionFailure),
            "upstream_reset_before_response_started{remote_connection_failure}",
            "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure",
        )
    }

    pub(crate) fn connect_timeout() -> Self {
        Self::new(
            503,
            Some(ResponseFlag::UpstreamConnectionFailure),
            "upstream_reset_before_response_started{connection_timeout}",
            "upstream connect error or disconnect/reset before headers. reset reason: connection timeout",
        )
    }

    pub(crate) fn connection_termination() -> Self {
        Self::new(
            503,
            Some(ResponseFlag::UpstreamConnectionTermination),
            "upstream_reset_before_response_started{connection_termination}",
            "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
        )
    }

    pub(crate) fn remote_reset() -> Self {
        Self::new(
            503,
            Some(ResponseFlag::UpstreamRemoteReset),
            "upstream_reset_before_response_started{remote_reset}",
            "upstream connect error or disconnect/reset before headers. reset reason: remote reset",
        )
    }

    pub(crate) fn refused_stream() -> Self {
        Self::new(
            503,
            Some(ResponseFlag::UpstreamRemoteReset),
            "upstream_reset_before_response_started{remote_refused_stream_reset}",
            "upstream connect error or disconnect/reset before headers. reset reason: remote refused stream reset",
        )
    }

    pub(crate) fn protocol_error() -> Self {
        Self::new(
            502,
            Some(ResponseFlag::UpstreamProtocolError),
            "upstream_reset_before_response_started{protocol_error}",
            "upstream connect error or disconnect/reset before headers. reset reason: protocol error",
        )
    }

    pub(crate) fn fault_abort(status: u16) -> Self {
        let body = "fault filter abort";
        Self::new(
            status,
            Some(ResponseFlag::FaultInjected),
            "fault_filter_abort",
            body,
        )
    }

    /// gRPC aborts are HTTP 200 with a `grpc-status`.
    pub(crate) fn fault_abort_grpc(status: u32) -> Self {
        let mut reply = Self::fault_abort(200);
        reply
            .headers
            .insert("grpc-status", HeaderValue::from(status));
        reply
    }

    /// A name that nobody knows, dialled through a sidecar that lets unknown hosts pass.
    pub(crate) fn unresolved() -> Self {
        Self::new(
            503,
            Some(ResponseFlag::UpstreamConnectionFailure),
            "dns_resolution_failure",
            "the host is not in the registry and does not resolve",
        )
    }

    /// Istio's `BlackHoleCluster` under `REGISTRY_ONLY`.
    pub(crate) fn black_hole() -> Self {
        Self::new(502, None, "direct_response", "")
    }

    pub(crate) fn rate_limited(status: u16) -> Self {
        Self::new(
            status,
            Some(ResponseFlag::RateLimited),
            "local_rate_limited",
            "local_rate_limited",
        )
    }

    pub(crate) fn denied() -> Self {
        // The details name the policy, and are the caller's to set.
        Self::new(403, None, "", "RBAC: access denied")
    }

    /// The answer on the wire. gRPC callers get HTTP 200 and a `grpc-status`, as Envoy maps it.
    pub(crate) fn head(&self, grpc: bool) -> Response<()> {
        let mut response = Response::new(());
        let headers = response.headers_mut();
        *headers = self.headers.clone();
        if grpc {
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/grpc"),
            );
            if !headers.contains_key("grpc-status") {
                headers.insert("grpc-status", HeaderValue::from(grpc_status(self.status)));
            }
            if let Ok(message) = HeaderValue::from_bytes(&self.body) {
                headers.insert("grpc-message", message);
            }
            return response;
        }
        if !self.body.is_empty() && !headers.contains_key(header::CONTENT_TYPE) {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        }
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(self.body.len()));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response
    }
}

/// gRPC's standard mapping of HTTP statuses (`http-grpc-status-mapping.md`).
fn grpc_status(status: u16) -> u32 {
    match status {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502..=504 => 14,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grpc_caller_gets_a_grpc_status() {
        let head = LocalReply::denied().head(true);
        assert_eq!(head.status(), 200);
        assert_eq!(head.headers()["grpc-status"], "7");
        assert_eq!(head.headers()["grpc-message"], "RBAC: access denied");
    }

    #[test]
    fn an_empty_reply_has_no_content_type() {
        let head = LocalReply::no_route().head(false);
        assert_eq!(head.status(), 404);
        assert!(!head.headers().contains_key("content-type"));
        assert_eq!(head.headers()["content-length"], "0");
    }
}
