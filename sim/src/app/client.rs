//! The HTTP/1.1 client that apps and traffic sources call with.
//!
//! Connections are kept alive in a pool by authority and the one used last is
//! used next, as in Go's `net/http` (`transport.go`: idle connections are
//! "most recently used at end", with an idle timeout of 90 s). An idle
//! connection may be closed by the server in the very moment it is used;
//! a request that was never written to it goes to another connection, and one
//! that was is lost, because nobody can know whether it was processed.
//!
//! Dropping an exchange cancels it. HTTP/1.1 has no other way to cancel than
//! to close the connection, and that is what happens.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header,
};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use mesh_core::seam::{Connection, Instant, LocalBoxFuture, Seams};

use super::body::{FillBody, drain};
use super::bypass::Bypass;

/// An idle connection is not used again after this (Go's `DefaultTransport.IdleConnTimeout`).
const IDLE_MAX: Duration = Duration::from_secs(90);

/// Where calls go first.
#[derive(Clone)]
pub enum Egress {
    /// To the outbound listener of the pod's sidecar, whatever the authority, once its name is known. `None` spares the
    /// question where names cannot fail.
    Sidecar(SocketAddr, Option<Rc<dyn Resolver>>),
    /// Straight to an address of the authority, chosen for each connection.
    Direct(Rc<dyn Resolver>),
    /// To the sidecar, or, while the bypass is open, straight to an address of the authority.
    Either {
        /// The sidecar's outbound listener.
        sidecar: SocketAddr,
        /// Whom to ask for the name first, on the way to the sidecar.
        asked: Option<Rc<dyn Resolver>>,
        /// Whom to ask for an address, on the way past it.
        direct: Rc<dyn Resolver>,
        /// The way past it.
        bypass: Rc<Bypass>,
    },
}

impl Egress {
    /// The connections that a request to `authority` may use, by name: those of one way serve no other.
    fn lane<'a>(&self, authority: &'a str) -> Cow<'a, str> {
        match self {
            Self::Either { bypass, .. } if bypass.take() => {
                Cow::Owned(format!("direct {authority}"))
            }
            _ => Cow::Borrowed(authority),
        }
    }
}

/// Names to addresses, without a mesh: cluster DNS and kube-proxy in one.
pub trait Resolver {
    /// An address to connect to for `authority` (`reviews:9080`); `None` when there is no such name or no endpoint.
    fn resolve<'a>(&'a self, authority: &'a str) -> LocalBoxFuture<'a, Option<SocketAddr>>;
}

/// Why no complete answer came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// The request cannot be said in HTTP.
    Invalid(String),
    /// The authority has no address.
    Unresolved,
    /// No connection could be made.
    Connect(io::ErrorKind),
    /// The connection ended before the answer's headers.
    Broken(String),
    /// The connection ended inside the answer's body, after this status.
    Truncated(u16),
    /// The caller's own timeout.
    TimedOut,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(what) => write!(f, "not a valid request: {what}"),
            Self::Unresolved => f.write_str("no address for this name"),
            Self::Connect(kind) => write!(f, "no connection: {kind}"),
            Self::Broken(why) => write!(f, "no answer: {why}"),
            Self::Truncated(status) => write!(f, "{status}, then the body was cut off"),
            Self::TimedOut => f.write_str("timed out"),
        }
    }
}

/// A request as it is written to an HTTP/1.1 connection.
///
/// # Errors
/// When method, path, authority or a header is not valid HTTP.
pub(crate) fn request(
    authority: &str,
    method: &str,
    path: &str,
    headers: &[(String, String)],
    body_bytes: u64,
) -> Result<Request<FillBody>, CallError> {
    let invalid = |what: &str, text: &str| CallError::Invalid(format!("{what} {text:?}"));
    let mut request = Request::new(FillBody::new(body_bytes));
    *request.method_mut() =
        Method::from_bytes(method.as_bytes()).map_err(|_| invalid("method", method))?;
    *request.uri_mut() = Uri::try_from(path)
        .ok()
        .filter(|uri| uri.path().starts_with('/'))
        .ok_or_else(|| invalid("path", path))?;
    let host = HeaderValue::from_str(authority).map_err(|_| invalid("authority", authority))?;
    request.headers_mut().insert(header::HOST, host);
    for (name, value) in headers {
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid("header", name))?;
        let value = HeaderValue::from_str(value).map_err(|_| invalid("header value", value))?;
        if key == header::HOST {
            request.headers_mut().insert(key, value); // it may differ from where the request goes, but there is only one
        } else {
            request.headers_mut().append(key, value);
        }
    }
    Ok(request)
}

/// A complete answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Bytes of body.
    pub(crate) bytes: u64,
}

struct Idle {
    sender: SendRequest<FillBody>,
    since: Instant,
}

/// A client with its pool of connections.
pub(crate) struct HttpClient {
    seams: Seams,
    egress: Egress,
    /// Idle connections kept per authority.
    idle_max: usize,
    /// Oldest first.
    idle: RefCell<BTreeMap<String, VecDeque<Idle>>>,
}

impl HttpClient {
    /// A client without connections yet, which will keep at most `idle_max` idle ones per authority.
    pub(crate) fn new(seams: Seams, egress: Egress, idle_max: usize) -> Self {
        Self {
            seams,
            egress,
            idle_max,
            idle: RefCell::default(),
        }
    }

    /// Sends `request` to `authority` and reads the whole answer.
    ///
    /// # Errors
    /// When no complete answer came, whatever its status would have been.
    pub(crate) async fn exchange(
        &self,
        authority: &str,
        mut request: Request<FillBody>,
    ) -> Result<Answer, CallError> {
        let lane = self.egress.lane(authority);
        // Ends: each turn but the last uses up an idle connection.
        loop {
            let (mut sender, reused) = match self.take_idle(&lane).await {
                Some(sender) => (sender, true),
                None => {
                    let past = matches!(lane, Cow::Owned(_));
                    (self.open(authority, past).await?, false)
                }
            };
            let mut failed = match sender.try_send_request(request).await {
                Ok(response) => return self.read(&lane, sender, response).await,
                Err(failed) => failed,
            };
            request = match failed.take_message() {
                Some(unsent) if reused => unsent,
                _ => return Err(CallError::Broken(described(failed.error()))),
            };
        }
    }

    async fn read(
        &self,
        lane: &str,
        sender: SendRequest<FillBody>,
        response: Response<Incoming>,
    ) -> Result<Answer, CallError> {
        let (head, body) = response.into_parts();
        let bytes = drain(body)
            .await
            .map_err(|_| CallError::Truncated(head.status.as_u16()))?;
        self.keep(lane, sender);
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            bytes,
        })
    }

    /// Opens a connection to `authority`, `past` the sidecar if there is such a way.
    async fn connect_by(&self, authority: &str, past: bool) -> Result<Connection, CallError> {
        let address = match &self.egress {
            Egress::Either { direct: names, .. } if past => {
                let address = names.resolve(authority).await;
                address.ok_or(CallError::Unresolved)?
            }
            Egress::Sidecar(address, names)
            | Egress::Either {
                sidecar: address,
                asked: names,
                ..
            } => {
                if let Some(names) = names {
                    names
                        .resolve(authority)
                        .await
                        .ok_or(CallError::Unresolved)?;
                }
                *address
            }
            Egress::Direct(names) => {
                let address = names.resolve(authority).await;
                address.ok_or(CallError::Unresolved)?
            }
        };
        let connection = self.seams.network.connect(address).await;
        connection.map_err(|error| CallError::Connect(error.kind()))
    }

    /// Opens a connection to `authority`, as its next request would.
    pub(crate) async fn connect(&self, authority: &str) -> Result<Connection, CallError> {
        let past = matches!(self.egress.lane(authority), Cow::Owned(_));
        self.connect_by(authority, past).await
    }

    /// A new connection, `past` the sidecar if there is such a way.
    async fn open(&self, authority: &str, past: bool) -> Result<SendRequest<FillBody>, CallError> {
        let connection = self.connect_by(authority, past).await?;
        let (sender, driver) = http1::Builder::new()
            .handshake(TokioIo::new(connection.io))
            .await
            .map_err(|error| CallError::Broken(error.to_string()))?;
        self.seams.spawn(async move {
            // How it ended is told to the exchange that used it.
            let _ = driver.await;
        });
        Ok(sender)
    }

    /// The idle connection used last that still works.
    async fn take_idle(&self, authority: &str) -> Option<SendRequest<FillBody>> {
        loop {
            let idle = self.idle.borrow_mut().get_mut(authority)?.pop_back()?;
            let mut sender = idle.sender;
            if self.seams.now().since(idle.since) > IDLE_MAX || sender.is_closed() {
                continue;
            }
            if settled(&mut sender).await {
                return Some(sender);
            }
        }
    }

    fn keep(&self, authority: &str, sender: SendRequest<FillBody>) {
        let now = self.seams.now();
        let mut pools = self.idle.borrow_mut();
        if !pools.contains_key(authority) {
            pools.insert(authority.to_owned(), VecDeque::new());
        }
        let Some(idle) = pools.get_mut(authority) else {
            return;
        };
        // Without a timer of its own: a pool nobody uses costs nothing.
        while idle
            .front()
            .is_some_and(|oldest| now.since(oldest.since) > IDLE_MAX)
        {
            idle.pop_front();
        }
        if idle.len() < self.idle_max && !sender.is_closed() {
            idle.push_back(Idle { sender, since: now });
        }
    }
}

/// hyper's error with what is behind it, such as `connection error: connection reset`.
fn described(error: &hyper::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Whether a connection whose answer has been read takes another request. Its
/// driver may need one more turn to see the end of the exchange; one that is
/// then still busy (a server answered before it had read the request) is not worth keeping.
async fn settled(sender: &mut SendRequest<FillBody>) -> bool {
    if !sender.is_ready() {
        yield_once().await;
    }
    sender.is_ready()
}

async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return std::task::Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}
