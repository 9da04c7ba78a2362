//! A pooled connection, for one request.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use futures_util::TryFutureExt as _;
use futures_util::future::Either;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};

use super::HostPool;
use crate::proxy::request_body::AttemptBody;
use crate::proxy::transport::Verdict;
use crate::seam::Instant;
use crate::telemetry::TlsState;

#[repr(C)] // What every request asks for comes first, in as few cache lines as may be.
pub(super) struct H2Connection {
    pub(super) sender: RefCell<http2::SendRequest<AttemptBody>>,
    pub(super) active: Cell<u32>,
    pub(super) served: Cell<u32>,
    pub(super) born: Instant,
    pub(super) idle_since: Cell<Instant>,
    pub(super) draining: Cell<bool>,
    pub(super) tls: TlsState,
    pub(super) verdict: Verdict,
}

pub(super) struct H1Connection {
    pub(super) sender: http1::SendRequest<AttemptBody>,
    pub(super) served: u32,
    pub(super) born: Instant,
    pub(super) idle_since: Instant,
    pub(super) tls: TlsState,
    pub(super) verdict: Verdict,
    /// The pool's drains when it was made.
    pub(super) drains: u64,
}

/// A connection, for one request.
pub(crate) struct Lease {
    pub(super) kind: Option<LeaseKind>,
    pub(super) pool: Weak<HostPool>,
}

pub(super) enum LeaseKind {
    H1(H1Connection),
    H2(Rc<H2Connection>),
}

/// A request that did not get response headers.
pub(crate) struct SendFailure {
    /// hyper's account of it.
    pub(crate) error: hyper::Error,
    /// The request, when nothing of it was sent.
    pub(crate) unsent: Option<Box<Request<AttemptBody>>>,
}

impl LeaseKind {
    pub(super) fn tls(&self) -> TlsState {
        match self {
            Self::H1(connection) => connection.tls,
            Self::H2(connection) => connection.tls,
        }
    }
}

impl Lease {
    /// How the connection is protected.
    pub(crate) fn tls(&self) -> TlsState {
        self.kind.as_ref().map_or(TlsState::Plain, LeaseKind::tls)
    }

    /// Why the server refused the connection after all, if it did.
    pub(crate) fn refusal(&self) -> Option<Arc<str>> {
        match self.kind.as_ref()? {
            LeaseKind::H1(connection) => connection.verdict.refusal(),
            LeaseKind::H2(connection) => connection.verdict.refusal(),
        }
    }

    /// Whether it is the connection's first request.
    pub(crate) fn is_first_use(&self) -> bool {
        match &self.kind {
            Some(LeaseKind::H1(connection)) => connection.served == 1,
            Some(LeaseKind::H2(connection)) => connection.served.get() == 1,
            None => false,
        }
    }

    /// Whether HTTP/2 is spoken.
    pub(crate) fn is_http2(&self) -> bool {
        matches!(self.kind, Some(LeaseKind::H2(_)))
    }

    /// Waits until the connection takes a request.
    ///
    /// # Errors
    /// When it breaks first.
    pub(crate) async fn ready(&mut self) -> hyper::Result<()> {
        match &mut self.kind {
            Some(LeaseKind::H1(connection)) => connection.sender.ready().await,
            Some(LeaseKind::H2(_)) | None => Ok(()),
        }
    }

    /// Sends a request and waits for response headers. The connection is to be [ready](Self::ready).
    ///
    /// Not an `async fn`: that would hold the request twice.
    ///
    /// # Errors
    /// When the connection breaks or the stream is reset first.
    pub(crate) fn send(
        &mut self,
        request: Request<AttemptBody>,
    ) -> impl Future<Output = Result<Response<Incoming>, SendFailure>> + use<> {
        let sent = match &mut self.kind {
            Some(LeaseKind::H1(connection)) => {
                Either::Left(connection.sender.try_send_request(request))
            }
            Some(LeaseKind::H2(connection)) => {
                Either::Right(connection.sender.borrow_mut().try_send_request(request))
            }
            None => unreachable!("a lease has its connection until it is dropped"),
        };
        sent.map_err(|mut failure| SendFailure {
            unsent: failure.take_message().map(Box::new),
            error: failure.into_error(),
        })
    }

    /// The response was read to its end: the connection can serve another request.
    pub(crate) fn finish(mut self) {
        if let (Some(kind), Some(pool)) = (self.take(), self.pool.upgrade()) {
            pool.give_back(kind);
        }
    }

    fn take(&mut self) -> Option<LeaseKind> {
        let kind = self.kind.take();
        if let Some(LeaseKind::H2(connection)) = &kind {
            connection
                .active
                .set(connection.active.get().saturating_sub(1));
        }
        kind
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(kind) = self.take() else {
            return;
        };
        let Some(pool) = self.pool.upgrade() else {
            return;
        };
        match kind {
            // Abandoned in the middle: hyper resets the stream, the connection lives.
            LeaseKind::H2(_) => pool.give_back(kind),
            // Never used, or its response was not read to the end.
            LeaseKind::H1(connection) if connection.sender.is_ready() => {
                pool.give_back(LeaseKind::H1(connection));
            }
            LeaseKind::H1(connection) => {
                drop(connection);
                pool.connect_if_needed();
            }
        }
    }
}
