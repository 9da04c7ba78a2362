//! How one attempt ended.

use http::HeaderMap;

/// Why an attempt ended without a usable answer of the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttemptFailure {
    /// No connection: refused, unreachable, timed out while connecting, or its
    /// TLS handshake failed (`UF`).
    Connect,
    /// The connection or stream was reset or closed, or its bytes made no sense,
    /// before the answer's headers (`UC`, `UR`, `UPE`).
    Reset {
        /// Whether any byte of the request had been sent.
        request_sent: bool,
    },
    /// HTTP/2 REFUSED_STREAM: the upstream promises it did nothing.
    RefusedStream,
    /// The bound on one attempt passed.
    PerTryTimeout,
    /// The bound on the whole request passed (`UT`).
    Timeout,
    /// A breaker was full (`UO`).
    Overflow,
    /// There was no endpoint to try (`UH`).
    NoEndpoint,
    /// The answer broke off after its headers.
    AfterHeaders,
}

/// How one attempt ended, as far as the answer's headers.
#[derive(Clone, Copy, Debug)]
pub enum AttemptOutcome<'a> {
    /// The upstream answered.
    Answer {
        /// The status.
        status: u16,
        /// The headers.
        headers: &'a HeaderMap,
    },
    /// It did not.
    Failure(AttemptFailure),
}

/// The `grpc-status` among `headers`: there when a gRPC call failed before any message.
pub fn grpc_status(headers: &HeaderMap) -> Option<u32> {
    const STATUS: http::HeaderName = http::HeaderName::from_static("grpc-status");
    // Asked of every answer, where it nearly never is: to compare takes less than to hash the name.
    let (_, status) = headers.iter().find(|(name, _)| *name == STATUS)?;
    status.to_str().ok()?.parse().ok()
}

/// The HTTP status that outlier detection counts for a gRPC status
/// (Envoy's `Grpc::Utility::grpcToHttpStatus`).
pub fn grpc_to_http_status(status: u32) -> u16 {
    match status {
        0 => 200,
        1 => 499,
        3 | 9 | 11 => 400,
        4 => 504,
        5 => 404,
        6 | 10 => 409,
        7 => 403,
        8 => 429,
        12 => 501,
        14 => 503,
        16 => 401,
        _ => 500,
    }
}
