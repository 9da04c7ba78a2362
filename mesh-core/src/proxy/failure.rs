//! From hyper's errors to what Envoy would call them.

use std::error::Error;

use super::pool::ConnectFailure;
use super::reply::LocalReply;
use crate::resilience;

/// Why an attempt got no response headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AttemptFailure {
    /// No connection.
    Connect(ConnectFailure),
    /// The connection ended before an answer.
    ConnectionTermination {
        /// Nothing of the request had been sent.
        before_request: bool,
    },
    /// The stream was reset by the upstream.
    RemoteReset,
    /// HTTP/2 REFUSED_STREAM.
    RefusedStream,
    /// The upstream does not speak HTTP.
    Protocol,
    /// The attempt took too long.
    PerTryTimeout,
}

impl AttemptFailure {
    /// The answer when this is the request's last attempt.
    pub(crate) fn reply(&self) -> LocalReply {
        match self {
            Self::Connect(ConnectFailure::Failed(_)) => LocalReply::connect_failure(),
            Self::Connect(ConnectFailure::TimedOut) => LocalReply::connect_timeout(),
            Self::Connect(ConnectFailure::Overflow) => LocalReply::overflow(),
            Self::ConnectionTermination { .. } => LocalReply::connection_termination(),
            Self::RemoteReset => LocalReply::remote_reset(),
            Self::RefusedStream => LocalReply::refused_stream(),
            Self::Protocol => LocalReply::protocol_error(),
            Self::PerTryTimeout => LocalReply::per_try_timeout(),
        }
    }

    /// What it means for retries and outlier detection.
    pub(crate) fn kind(&self) -> resilience::AttemptFailure {
        use resilience::AttemptFailure as Kind;
        match self {
            Self::Connect(ConnectFailure::Overflow) => Kind::Overflow,
            Self::Connect(_) => Kind::Connect,
            Self::ConnectionTermination { before_request } => Kind::Reset {
                request_sent: !before_request,
            },
            Self::RemoteReset | Self::Protocol => Kind::Reset { request_sent: true },
            Self::RefusedStream => Kind::RefusedStream,
            Self::PerTryTimeout => Kind::PerTryTimeout,
        }
    }

    /// What hyper's error means.
    pub(crate) fn from_send(error: &hyper::Error, unsent: bool) -> Self {
        if let Some(reset) = find::<h2::Error>(error) {
            if reset.reason() == Some(h2::Reason::REFUSED_STREAM) {
                return Self::RefusedStream;
            }
            if reset.is_reset() {
                return Self::RemoteReset;
            }
        }
        if error.is_parse() {
            return Self::Protocol;
        }
        let before_request = unsent;
        Self::ConnectionTermination { before_request }
    }
}

/// The first error of type `E` in the chain of causes, looking into `io::Error` as well.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref::<E>() {
            return Some(found);
        }
        if let Some(io) = current.downcast_ref::<std::io::Error>()
            && let Some(inner) = io.get_ref()
            && let Some(found) = find::<E>(inner as &(dyn Error + 'static))
        {
            return Some(found);
        }
        next = current.source();
    }
    None
}

/// The innermost message of an error chain.
pub(crate) fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
